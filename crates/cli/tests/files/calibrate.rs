//! `assay model calibrate` on real models, with a real ONNX Runtime.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models");

fn calibrate(model: &str, inputs: Option<&str>, out: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.args([
        "model",
        "calibrate",
        "--json",
        "--native",
        "--quick",
        "--out",
    ]);
    command.arg(out).args(more);
    if let Some(inputs) = inputs {
        command.arg("--inputs").arg(Path::new(MODELS).join(inputs));
    }
    // Named last: --inputs takes as many as it gets.
    command.arg("--").arg(Path::new(MODELS).join(model));
    // A person's Solana configuration must not matter.
    command.env("HOME", home(out)).output().unwrap()
}

/// An empty home, in which the runtime must still be found.
fn home(out: &Path) -> PathBuf {
    let home = out.join("home");
    std::fs::create_dir_all(home.join(".cache")).unwrap();
    if let Some(real) = std::env::var_os("HOME") {
        let (from, to) = (
            Path::new(&real).join(".cache/assay"),
            home.join(".cache/assay"),
        );
        if from.exists() && !to.exists() {
            std::os::unix::fs::symlink(from, to).unwrap();
        }
    }
    home
}

fn report(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn attack<'a>(report: &'a Value, name: &str) -> &'a Value {
    let attacks = report["attacks"].as_array().unwrap();
    attacks
        .iter()
        .find(|attack| attack["name"] == name)
        .unwrap()
}

#[test]
fn digits_get_a_profile_that_registers_and_tells_cheats_apart() {
    let out = tempfile::tempdir().unwrap();
    let output = calibrate("digits.onnx", Some("digits"), out.path(), &[]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report = report(&output);
    assert_eq!(report["accepted"], true);
    assert_eq!(
        (&report["samples"], &report["honest_rejected"]),
        (&6.into(), &0.into())
    );
    assert!(report["honest_pairs"].as_u64().unwrap() > 100);

    // Probabilities up to 1: room for two units in the last place of it, sixteen times over.
    let profile = report["profile"].as_str().unwrap();
    let (exponent, label) = profile.split_once(',').unwrap();
    assert!(
        (-17..=-14).contains(&exponent.parse::<i16>().unwrap()),
        "{profile}"
    );
    assert_eq!(label, "exact");

    for name in [
        "weights rounded to int8",
        "weights rounded to fp16",
        "weights permuted",
    ] {
        let attack = attack(&report, name);
        assert_eq!(attack["detail"], "6464 weights");
        assert_eq!(attack["changed"], 6);
        let (audits, accepted) = (
            attack["audits"].as_u64().unwrap(),
            attack["accepted"].as_u64().unwrap(),
        );
        assert!(audits >= 6 && accepted * 2 <= audits, "{attack}");
    }
    assert_eq!(attack(&report, "weights permuted")["accepted"], 0);
    // Another input's digit is another label, which compares exactly.
    let stale = attack(&report, "stale result");
    assert_eq!(
        (&stale["accepted"], &stale["least_steps"]),
        (&0.into(), &Value::Null)
    );

    let written = std::fs::read_to_string(out.path().join("digits.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), report);
    let markdown = std::fs::read_to_string(out.path().join("digits.md")).unwrap();
    assert!(markdown.contains("separates") && markdown.contains("digits.svg"));
    let picture = std::fs::read_to_string(out.path().join("digits.svg")).unwrap();
    assert!(picture.starts_with("<svg") && picture.matches("<circle").count() > 50);
}

#[test]
fn inputs_are_drawn_where_none_are_given() {
    let out = tempfile::tempdir().unwrap();
    let output = calibrate(
        "calibration/embedding.onnx",
        None,
        out.path(),
        &["--runs", "3"],
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report = report(&output);
    // The table has 1,000 rows: indexes up to 30,000 were tried first, and the model failed on them.
    let inputs = report["inputs"].as_str().unwrap();
    assert!(
        inputs.contains("3 drawn") && inputs.contains("below 1000"),
        "{inputs}"
    );
    assert_eq!(attack(&report, "weights rounded to fp16")["accepted"], 0);
}

#[test]
fn models_that_do_not_separate_are_refused_and_get_no_profile() {
    let out = tempfile::tempdir().unwrap();
    for (model, reason) in [
        // Rounding alone changes its outputs entirely, so a tolerance for it accepts anything.
        ("chaotic", "attacks pass more than 50 % of their audits"),
        ("indifferent", "there is nothing to verify"),
    ] {
        let file = format!("calibration/{model}.onnx");
        let output = calibrate(
            &file,
            Some(&format!("calibration/{model}")),
            out.path(),
            &[],
        );
        assert_eq!(output.status.code(), Some(1), "{model}");
        let report = report(&output);
        assert_eq!(report["accepted"], false);
        let reasons = report["refusals"].to_string();
        assert!(reasons.contains(reason), "{reasons}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains("does not separate") && said.contains(reason),
            "{said}"
        );
        assert!(!out.path().join(format!("{model}.json")).exists());
        assert!(out.path().join(format!("{model}.md")).exists());
    }
}

#[test]
fn given_profile_is_tried_and_refused_if_it_is_too_wide_or_too_narrow() {
    let out = tempfile::tempdir().unwrap();
    // A tolerance of 0.5 takes every rounding of weights; the label still has to be right.
    let wide = calibrate(
        "digits.onnx",
        Some("digits"),
        out.path(),
        &["--profile=0,exact"],
    );
    assert_eq!(wide.status.code(), Some(1));
    let report = report(&wide);
    let int8 = attack(&report, "weights rounded to int8");
    assert_eq!(
        (&int8["accepted"], &int8["audits"]),
        (&int8["audits"], &int8["accepted"])
    );
    assert!(
        report["refusals"]
            .to_string()
            .contains("weights rounded to int8: 100.0 %")
    );

    let short = calibrate(
        "digits.onnx",
        Some("digits"),
        out.path(),
        &["--profile=-10"],
    );
    assert_eq!(short.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&short.stderr).contains("the model has 2 outputs"));
}
