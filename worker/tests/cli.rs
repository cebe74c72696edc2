//! The program as an operator meets it, as far as it needs no chain.
#![expect(
    clippy::unwrap_used,
    reason = "a test's preparation that fails is a failed test"
)]

use std::{
    path::Path,
    process::{Command, Output},
};

use assay_client::{
    address,
    protocol::{
        Address, JobData, JobStatus, PanelData, UnixSeconds,
        job::JOB_PANEL_1,
        panel::{PanelStatus, SeatState},
    },
};
use assay_worker::{core::Evidence, store::Store};
use bytemuck::Zeroable as _;

const AUTHORITY: &str = "AsyWn5BwMuQy35FtTbSA65vwycbmAuCHPJsgg2jA5Bpc";

const INIT: [&str; 4] = ["init", "--authority", AUTHORITY, "--no-benchmark"];

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
    let made = worker(folder.path(), &INIT);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let operator = text(&made.stdout);
    assert_eq!(
        operator.trim().len(),
        operator.len() - 1,
        "stdout is the operator's address alone"
    );
    assert!(text(&made.stderr).contains(&format!("--operator {}", operator.trim())));

    let key = std::fs::read(folder.path().join("operator.json")).unwrap();
    let again = worker(folder.path(), &INIT);
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
fn class_is_printed_alone_and_follows_the_facts() {
    let folder = tempfile::tempdir().unwrap();
    let toml = format!("authority = {AUTHORITY:?}\n[engine]\nprovider = \"auto\"\n");
    std::fs::write(folder.path().join("worker.toml"), toml).unwrap();
    let library = assay_engine::RuntimeLibrary::look(None);
    let assay_engine::RuntimeLibrary::Present { path, .. } = library else {
        panic!("{library:?}")
    };
    let library = format!("engine.library={}", path.display());
    let class = |more: &[&str]| {
        let said = worker(
            folder.path(),
            &[&["class", "--set", &library], more].concat(),
        );
        assert!(said.status.success(), "{}", text(&said.stderr));
        (text(&said.stdout), text(&said.stderr))
    };
    let (digest, facts) = class(&[]);
    assert_eq!(digest.trim().len(), 64, "{digest:?}");
    assert!(digest.trim().chars().all(|digit| digit.is_ascii_hexdigit()));
    for fact in [
        "assay runtime class 1\n",
        "runtime: ONNX Runtime 1.",
        "threads: 1\n",
    ] {
        assert!(facts.contains(fact), "{facts}");
    }
    assert!(
        facts.contains(" works"),
        "what `auto` found is said: {facts}"
    );
    assert_eq!(class(&[]).0, digest);
    let (other, facts) = class(&["--set", "engine.threads=2"]);
    assert_ne!(other, digest);
    assert!(facts.contains("threads: 2\n"), "{facts}");
    let (json, _) = class(&["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["digest"].as_str(), Some(digest.trim()));
    assert!(
        json["selection"]["tried"]
            .as_array()
            .is_some_and(|tried| tried.len() == 5)
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
    assert!(worker(folder.path(), &INIT).status.success());
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
    assert!(worker(folder.path(), &INIT).status.success());
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

#[test]
fn disputes_shows_what_the_journal_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let made = worker(folder.path(), &INIT);
    assert!(made.status.success());
    let early = worker(folder.path(), &["disputes"]);
    assert_eq!(early.status.code(), Some(1));
    assert!(text(&early.stderr).contains("has never run"));

    let me = address::provider(&AUTHORITY.parse().unwrap());
    let job = Address::new_from_array([7; 32]);
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let store = Store::open(&folder.path().join("data/journal.sqlite")).unwrap();
    store
        .keep_audit(&job, &audit(&me), UnixSeconds(1_000))
        .unwrap();

    let shown = worker(folder.path(), &["disputes"]);
    let people = text(&shown.stdout);
    assert!(people.contains("auditor, auditing"), "{people}");
    assert!(people.contains("committed  (ours)"), "{people}");
    assert!(
        people.contains(
            "+0.000001000 SOL  every auditor finds the primary's root -> settled: confirmed"
        ),
        "{people}"
    );
    let shown = worker(folder.path(), &["disputes", &job.to_string(), "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(json["provider"], me.to_string());
    let dispute = &json["disputes"][0];
    assert_eq!(dispute["role"], "auditor");
    assert_eq!(dispute["panels"][0]["seats"][1]["ours"], true);
    let worst = dispute["possible"].as_array().unwrap();
    assert!(worst.iter().any(|end| end["ours"] == -5_000));
    let other = Address::new_from_array([8; 32]).to_string();
    let none = worker(folder.path(), &["disputes", &other, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&none.stdout).unwrap();
    assert!(json["disputes"].as_array().unwrap().is_empty());
    assert_eq!(
        worker(folder.path(), &["disputes", "x"]).status.code(),
        Some(64)
    );
}

/// An audit of two seats, the second of which is ours and committed.
fn audit(me: &Address) -> Evidence {
    let mut job = JobData::zeroed();
    (job.version, job.status, job.level) = (1, JobStatus::Auditing as u8, 1);
    (job.flags, job.panel_size) = (JOB_PANEL_1, 2);
    (job.ceiling, job.price, job.audit_fee) = (1_000, 900, 1_000);
    job.collateral = 20_000;
    job.provider = Address::new_from_array([9; 32]);
    let mut panel = PanelData::zeroed();
    (panel.status, panel.level, panel.size) = (PanelStatus::Live as u8, 1, 2);
    (panel.joined, panel.committed, panel.bond) = (2, 1, 5_000);
    (panel.commit_deadline, panel.reveal_deadline) = (i64::MAX, i64::MAX);
    panel.seats[0].provider = Address::new_from_array([10; 32]);
    panel.seats[0].state = SeatState::Joined as u8;
    panel.seats[1].provider = *me;
    panel.seats[1].state = SeatState::Committed as u8;
    Evidence {
        job: Box::new(job),
        panels: [Some(Box::new(panel)), None],
        ended: false,
    }
}

#[test]
fn commands_for_a_running_worker_say_that_none_answers() {
    let folder = tempfile::tempdir().unwrap();
    let toml = format!("authority = {AUTHORITY:?}\n");
    std::fs::write(folder.path().join("worker.toml"), toml).unwrap();
    for arguments in [
        &["ps"][..],
        &["ps", "--json"],
        &["drain", "--wait"],
        &["resume"],
        &["status", "--open"],
    ] {
        let ended = worker(folder.path(), arguments);
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}");
        let said = text(&ended.stderr);
        assert!(said.starts_with("error: no worker answers"), "{said}");
        assert!(said.contains("control.json") && ended.stdout.is_empty());
    }
    let both = worker(folder.path(), &["status", "--open", "--json"]);
    assert_eq!(both.status.code(), Some(64));
}
