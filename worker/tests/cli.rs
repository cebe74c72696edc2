//! The program as an operator meets it, as far as it needs no chain.
#![expect(
    clippy::unwrap_used,
    reason = "a test's preparation that fails is a failed test"
)]

use std::{
    path::Path,
    process::{Command, Output},
};

const AUTHORITY: &str = "AsyWn5BwMuQy35FtTbSA65vwycbmAuCHPJsgg2jA5Bpc";

fn worker(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_assay-worker"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn init_makes_what_check_config_accepts() {
    let folder = tempfile::tempdir().unwrap();
    let made = worker(folder.path(), &["init", "--authority", AUTHORITY]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let operator = text(&made.stdout);
    assert_eq!(
        operator.trim().len(),
        operator.len() - 1,
        "stdout is the operator's address alone"
    );
    assert!(text(&made.stderr).contains(&format!("--operator {}", operator.trim())));

    let key = std::fs::read(folder.path().join("operator.json")).unwrap();
    let again = worker(folder.path(), &["init", "--authority", AUTHORITY]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("exists already"));
    assert_eq!(
        std::fs::read(folder.path().join("operator.json")).unwrap(),
        key
    );

    let checked = worker(
        folder.path(),
        &["check-config", "--set", "chain.poll_ms=77"],
    );
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    let in_force: toml::Table = toml::from_str(&text(&checked.stdout)).unwrap();
    assert_eq!(in_force["chain"]["poll_ms"].as_integer(), Some(77));
    assert!(
        in_force["operator"]
            .as_str()
            .unwrap()
            .ends_with("operator.json")
    );
}

#[test]
fn wrong_configuration_ends_with_64_before_anything_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let absent = worker(folder.path(), &["run"]);
    assert_eq!(absent.status.code(), Some(64));
    assert!(text(&absent.stderr).contains("assay-worker init"));

    std::fs::write(folder.path().join("worker.toml"), "colour = 3\n").unwrap();
    let unknown = worker(folder.path(), &["run"]);
    assert_eq!(unknown.status.code(), Some(64));
    assert!(text(&unknown.stderr).contains("colour"));

    // The key is missing too: it is not looked for before the configuration is good.
    let toml = format!("authority = {AUTHORITY:?}\n[chain]\nrpc = []\n");
    std::fs::write(folder.path().join("worker.toml"), toml).unwrap();
    let empty = worker(folder.path(), &["run"]);
    assert_eq!(empty.status.code(), Some(64));
    assert!(text(&empty.stderr).contains("chain.rpc"));
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no data folder was made"
    );

    assert_eq!(worker(folder.path(), &["sing"]).status.code(), Some(64));
    let helped = worker(folder.path(), &["--help"]);
    assert!(helped.status.success() && text(&helped.stdout).contains("check-config"));
    assert!(!text(&worker(folder.path(), &["run", "--help"]).stdout).contains("halt-at"));
}

#[cfg(unix)]
#[test]
fn key_that_others_can_read_stops_the_worker() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    assert!(
        worker(folder.path(), &["init", "--authority", AUTHORITY])
            .status
            .success()
    );
    let key = folder.path().join("operator.json");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = worker(folder.path(), &["run"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("chmod 600"),
        "{}",
        text(&refused.stderr)
    );
}

#[test]
fn status_without_a_chain_says_what_to_check() {
    let folder = tempfile::tempdir().unwrap();
    assert!(
        worker(folder.path(), &["init", "--authority", AUTHORITY])
            .status
            .success()
    );
    let unreachable = [
        "status",
        "--json",
        "--set",
        "chain.rpc=[\"http://127.0.0.1:9\"]",
    ];
    let status = worker(folder.path(), &unreachable);
    assert_eq!(status.status.code(), Some(1));
    assert!(
        text(&status.stderr).contains("chain.rpc"),
        "{}",
        text(&status.stderr)
    );
    assert!(status.stdout.is_empty());
}
