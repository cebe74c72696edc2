//! `make bench`: what the program costs, beside its budgets, its accepted baseline and other systems' figures.

use std::fs;

use assay_tests::bench::{Bench, baseline_file, budget};
use serde_json::Value;

/// What others publish about comparable steps, with who says so. They do other things under other rules: the figures
/// give the order of magnitude, not a race.
const PEERS: &[(&str, &str, &str)] = &[
    (
        "Anchor v2, its own benchmark: multisig create",
        "3,016 compute units",
        "v1: 12,031",
    ),
    (
        "Anchor v2, its own benchmark: vault deposit",
        "1,899 compute units",
        "v1: 5,707",
    ),
    (
        "Anchor v2, its own benchmark: multisig set_label",
        "469 compute units",
        "v1: 4,324",
    ),
    (
        "solana-foundation/payment-channels: settle",
        "574 compute units",
        "one voucher of a channel",
    ),
    (
        "Nosana, one job (its programs)",
        "3-4 transactions",
        "30,000-35,000 lamports of fees, 4,290,000 of rent",
    ),
    (
        "AgenC, one job (its programs)",
        "5-7 transactions",
        "20,000,000 lamports of rent at the peak",
    ),
    (
        "iExec PoCo, one task with N workers (its contracts)",
        "3 + 2N transactions",
        "on another chain",
    ),
];

fn main() {
    let bench = Bench::measure();
    let baseline: Value = fs::read_to_string(baseline_file())
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    println!(
        "{:<22}{:>8}{:>10}{:>8}{:>10}",
        "instruction", "units", "baseline", "bytes", "accounts"
    );
    for (name, cost) in &bench.instructions {
        let accepted = &baseline["instructions"][name]["compute_units"];
        println!(
            "{name:<22}{:>8}{:>10}{:>8}{:>10}",
            thousands(cost.compute_units),
            accepted.as_u64().map_or_else(|| "-".to_owned(), thousands),
            cost.transaction_bytes,
            cost.accounts
        );
    }
    println!(
        "\n{:<40}{:>10}{:>10}{:>8}",
        "budget", "used", "granted", "share"
    );
    for entry in budget::uses(&bench) {
        let share = entry.used * 100 / entry.budget;
        println!(
            "{:<40}{:>10}{:>10}{share:>6} %",
            entry.what,
            thousands(entry.used),
            thousands(entry.budget)
        );
    }
    println!("\n{:<52}{:>20}   besides", "one unaudited job", "");
    let job = bench.job;
    println!(
        "{:<52}{:>20}   {} lamports of fees, {} of rent that come back, {} compute units",
        "Assay: create, claim + commit, finalize, close",
        format!("{} transactions", job.transactions),
        thousands(job.base_fee_lamports),
        thousands(job.rent_float_lamports),
        thousands(job.compute_units)
    );
    for (what, figure, besides) in PEERS {
        println!("{what:<52}{figure:>20}   {besides}");
    }
    println!(
        "\n{:<24}{:>8}{:>10}{:>12}",
        "finalizes at once", "bytes", "units", "fee a job"
    );
    for (count, cost) in &bench.finalizes {
        println!(
            "{count:<24}{:>8}{:>10}{:>12}",
            cost.transaction_bytes,
            thousands(cost.compute_units),
            thousands(cost.fee_lamports / count)
        );
    }
    let rises = budget::rises(&baseline, &bench.to_json());
    for rise in &rises {
        eprintln!("above the baseline: {rise}");
    }
}

fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
