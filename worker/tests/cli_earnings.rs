//! `assay-worker earnings` as an operator or a script meets it.
#![expect(
    clippy::unwrap_used,
    reason = "a test's preparation that fails is a failed test"
)]

use std::{
    path::Path,
    process::{Command, Output},
};

use assay_client::protocol::{Address, JobData, Lamports, UnixSeconds};
use assay_worker::{core::Report, store::Store};
use bytemuck::Zeroable as _;

const AUTHORITY: &str = "AsyWn5BwMuQy35FtTbSA65vwycbmAuCHPJsgg2jA5Bpc";

fn earnings(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay-worker"));
    command.arg("earnings").args(arguments);
    command.current_dir(folder).env_clear().output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn earnings_are_read_beside_a_worker_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let toml = format!("authority = {AUTHORITY:?}\n");
    std::fs::write(folder.path().join("worker.toml"), toml).unwrap();
    let early = earnings(folder.path(), &[]);
    assert_eq!(early.status.code(), Some(1));
    assert!(text(&early.stderr).contains("has never run"));

    // Held open, as the worker holds it.
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let store = Store::open(&folder.path().join("data/journal.sqlite")).unwrap();
    let job = Address::new_from_array([7; 32]);
    let mut account = JobData::zeroed();
    (account.fee_bps, account.ceiling, account.collateral) = (200, 1_000, 1_000);
    let settled = Report::Settled {
        price: Lamports(1_000),
        earned: Lamports(980),
    };
    store
        .report(&job, 0, &account, settled, UnixSeconds(1_795_788_200))
        .unwrap();

    let shown = earnings(folder.path(), &[]);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    let people = text(&shown.stdout);
    assert!(people.contains("2026-11-27"), "{people}");
    assert!(people.contains("+0.000000980 SOL"), "{people}");
    assert!(
        people.lines().all(|line| line.chars().count() <= 80),
        "{people}"
    );

    let csv = text(&earnings(folder.path(), &["--by", "job", "--csv"]).stdout);
    assert!(csv.starts_with("job,attempt,role,state,"), "{csv}");
    assert!(
        csv.contains(&job.to_string()) && csv.lines().count() == 2,
        "{csv}"
    );

    let json = earnings(
        folder.path(),
        &["--json", "--since", "2026-11-28", "--watts", "65"],
    );
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        (&json["total"]["jobs"], &json["total"]["net"]),
        (&0.into(), &0.into())
    );
    assert_eq!(json["watts_from"], "--watts");

    for wrong in [["--since", "monday"], ["--by", "hour"], ["--watts", "many"]] {
        let refused = earnings(folder.path(), &wrong);
        assert_eq!(refused.status.code(), Some(64), "{}", text(&refused.stderr));
    }
}
