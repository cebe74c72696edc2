//! The Grafana board shows every metric there is, and none that is not.

use std::collections::BTreeSet;

const METRICS: &str = include_str!("../src/metrics.rs");
const BOARD: &str = include_str!("../../packaging/grafana/assay-worker.json");

/// Every name of a metric in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let part = |character: char| character.is_ascii_lowercase() || character == '_';
    let words = text.split(|character| !part(character));
    words
        .filter(|word| word.starts_with("assay_worker_"))
        .collect()
}

#[test]
fn board_and_metrics_name_the_same() {
    let known = names(METRICS);
    assert!(known.contains("assay_worker_jobs_total"), "{known:?}");
    let board: serde_json::Value = serde_json::from_str(BOARD).unwrap();
    let mut shown = BTreeSet::new();
    for panel in board["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            for name in names(target["expr"].as_str().unwrap()) {
                // What Prometheus makes of a summary.
                let bare = name.strip_suffix("_sum").or(name.strip_suffix("_count"));
                let of_summary = bare.filter(|bare| known.contains(bare));
                shown.insert(of_summary.unwrap_or(name));
            }
        }
    }
    assert_eq!(shown, known);
}
