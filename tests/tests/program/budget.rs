//! The program's costs stay within the protocol's budgets and near the accepted baseline.

use std::{env, fs, path::Path};

use assay_client::instruction;
use assay_tests::{
    bench::{Bench, baseline_file, budget},
    chain::program_file,
};
use serde_json::{Value, json};

/// Whether the program under test was built with the toolchain that the figures are for: everything but the Solana
/// CLI's, whose code is another.
fn measured_toolchain() -> bool {
    let other =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/sbpf-platform-tools/assay.so");
    fs::read(other).ok() != fs::read(program_file()).ok()
}

#[test]
fn costs_stay_within_budgets_and_baseline() {
    if !measured_toolchain() {
        eprintln!(
            "built with platform-tools: budgets and baseline are for the upstream toolchain and were not compared"
        );
        return;
    }
    let bench = Bench::measure();
    let over: Vec<_> = budget::uses(&bench)
        .into_iter()
        .filter(|entry| entry.used > entry.budget)
        .collect();
    assert!(over.is_empty(), "over the protocol's budget: {over:#?}");

    let now = bench.to_json();
    if env::var_os("ASSAY_BLESS").is_some() {
        fs::write(baseline_file(), format!("{now:#}\n")).expect("the baseline can be written");
    }
    let text = fs::read_to_string(baseline_file()).expect("tests/bench/compute.json exists");
    let baseline: Value = serde_json::from_str(&text).expect("tests/bench/compute.json is JSON");
    let rises = budget::rises(&baseline, &now);
    assert!(
        rises.is_empty(),
        "costs rose by more than {} %:\n{}\nmake the program cheaper, or accept the new costs with\n  ASSAY_BLESS=1 cargo test -p assay-tests --test program budget",
        budget::TOLERATED_PERCENT,
        rises.join("\n")
    );
}

#[test]
fn measurements_repeat_exactly() {
    assert_eq!(Bench::measure(), Bench::measure());
}

#[test]
fn rises_are_found_and_falls_are_not() {
    let baseline = json!({ "instructions": { "a": { "compute_units": 1_000 }, "b": { "compute_units": 50 } }, "program_bytes": 7 });
    let with = |pointer: &str, value: u64| {
        let mut now = baseline.clone();
        *now.pointer_mut(pointer)
            .expect("the pointer names a number") = value.into();
        budget::rises(&baseline, &now)
    };
    assert!(with("/program_bytes", 7).is_empty());
    assert!(with("/instructions/a/compute_units", 1_020).is_empty());
    assert!(with("/instructions/a/compute_units", 10).is_empty());
    assert_eq!(with("/instructions/a/compute_units", 1_021).len(), 1);
    assert_eq!(with("/instructions/b/compute_units", 52).len(), 1);
    let mut other = baseline.clone();
    other["instructions"]["c"] = json!({ "compute_units": 1 });
    assert_eq!(
        budget::rises(&baseline, &other),
        ["/instructions/c is not in the baseline"]
    );
    assert_eq!(
        budget::rises(&other, &baseline),
        ["/instructions/c is only in the baseline"]
    );
}

/// Jobs of different parties can be processed side by side: none of them writes an account that others need.
#[test]
fn job_path_writes_no_shared_account() {
    let path = [
        "job_create",
        "job_cancel",
        "job_claim",
        "job_commit",
        "job_finalize",
        "job_close",
    ];
    for name in path {
        let spec = instruction::ALL
            .iter()
            .find(|spec| spec.name == name)
            .expect("the instruction exists");
        let written: Vec<_> = spec
            .accounts
            .iter()
            .filter(|account| account.access.is_writable())
            .map(|account| account.name)
            .collect();
        let own = written
            .iter()
            .all(|name| ["requester", "provider", "job"].contains(name));
        assert!(own, "{name} writes {written:?}");
    }
}
