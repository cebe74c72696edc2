use super::*;

#[test]
fn report_is_a_profile_that_register_reads() {
    let report = Report {
        file: ProfileFile {
            format: FORMAT.into(),
            model: "00".into(),
            profile: "-17,exact".into(),
        },
        name: "net.onnx".into(),
        accepted: true,
        refusals: Vec::new(),
        remarks: Vec::new(),
        safety: 16.0,
        machine: Machine::here("a runtime".into()),
        command: "assay".into(),
        inputs: "2 given".into(),
        samples: 2,
        outputs: Vec::new(),
        variations: Vec::new(),
        skipped: vec!["a | b".into()],
        honest_pairs: 4,
        honest_rejected: 0,
        attacks: Vec::new(),
    };
    let text = serde_json::to_string(&report).unwrap();
    let file: CalibratedProfile = serde_json::from_str(&text).unwrap();
    assert_eq!(file, report.file);
    assert!(report.text().contains("No attack passes a single audit."));
}
