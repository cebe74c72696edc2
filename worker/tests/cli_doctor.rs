//! `assay-worker doctor` where everything is broken, and where it is not.
#![expect(
    clippy::unwrap_used,
    reason = "a test's preparation that fails is a failed test"
)]

use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

use assay_worker::store::Store;
use serde_json::Value;

const AUTHORITY: &str = "AsyWn5BwMuQy35FtTbSA65vwycbmAuCHPJsgg2jA5Bpc";

/// Nobody listens there.
const NOWHERE: &str = "chain.rpc=[\"http://127.0.0.1:9\"]";

fn run(folder: &Path, arguments: &[&str], library: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay-worker"));
    command.args(arguments).args(["--set", NOWHERE]);
    command.args(["--set", "chain.websocket=ws://127.0.0.1:9"]);
    if let Some(library) = library {
        command.env("ORT_DYLIB_PATH", library);
    }
    command.current_dir(folder).output().unwrap()
}

fn doctor(folder: &Path, more: &[&str]) -> (Output, Value) {
    let output = run(folder, &[&["doctor", "--json"], more].concat(), None);
    let json = serde_json::from_slice(&output.stdout).unwrap();
    (output, json)
}

/// State and finding of a check.
fn found<'a>(report: &'a Value, name: &str) -> (&'a str, &'a str) {
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name).unwrap();
    (
        check["state"].as_str().unwrap(),
        check["finding"].as_str().unwrap(),
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn init(folder: &Path) {
    let arguments = ["init", "--yes", "--no-benchmark", "--authority", AUTHORITY];
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay-worker"));
    let made = command
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", text(&made.stderr));
}

#[test]
fn doctor_finishes_where_nothing_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = Some("/nowhere/libonnxruntime.so");
    let output = run(folder.path(), &["doctor"], nowhere);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    for section in [
        "configuration",
        "files",
        "machine",
        "chain",
        "provider",
        "service",
    ] {
        assert!(shown.contains(&format!("{section}\n")), "{shown}");
    }
    assert!(
        shown.contains("fix: assay-worker init --config worker.toml"),
        "{shown}"
    );
    assert!(
        shown.contains("engine.library or ORT_DYLIB_PATH"),
        "{shown}"
    );
    assert!(shown.contains(" broken, "), "{shown}");
    let whole = |line: &&str| line.contains("fix: assay") || line.chars().count() <= 80;
    assert!(shown.lines().all(|line| whole(&line)), "{shown}");
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn doctor_examines_what_is_there_whatever_else_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    drop(Store::open(&data.join("journal.sqlite")).unwrap());

    let (output, report) = doctor(folder.path(), &["--set", "api.listen=127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1), "the chain is broken");
    assert_eq!(found(&report, "file").0, "good");
    assert_eq!(found(&report, "operator key").0, "good");
    assert_eq!(found(&report, "journal").0, "good");
    assert_eq!(found(&report, "engine").0, "good", "{report:#}");
    assert_eq!(found(&report, "engine's memory").0, "good", "{report:#}");
    let (state, finding) = found(&report, "a model");
    assert_eq!(state, "good", "{finding}");
    assert!(finding.contains("nodes by provider: CPU "), "{finding}");
    assert_eq!(found(&report, "rpc").0, "broken");
    assert_eq!(found(&report, "account").0, "skipped");
    assert_eq!(found(&report, "listen").0, "good");
    assert_eq!(found(&report, "public url").0, "notice");
}

#[test]
fn damage_rights_and_ports_are_found() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("journal.sqlite"), "no journal at all".repeat(100)).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let key = folder.path().join("operator.json");
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("api.listen={}", taken.local_addr().unwrap());
    let more = [
        "--set",
        &listen,
        "--set",
        "engine.threads=0",
        "--patience",
        "1",
    ];
    let (output, report) = doctor(folder.path(), &more);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        found(&report, "file"),
        ("broken", "engine.threads: must be at least 1")
    );
    assert_eq!(found(&report, "journal").0, "broken");
    #[cfg(unix)]
    assert_eq!(found(&report, "operator key").0, "broken");
    let (state, finding) = found(&report, "listen");
    assert_eq!(state, "broken");
    assert!(finding.contains("in use by something else"), "{finding}");
    assert_eq!(found(&report, "landing").0, "skipped");
    for check in report["checks"].as_array().unwrap() {
        assert!(
            check["state"] != "broken" || check["fix"].is_string(),
            "{check}"
        );
    }
}
