//! The demo that people see first.

use std::process::Command;

use anyhow::Result;
use assay_tests::e2e::Process;

#[test]
fn demo_settles_jobs_and_a_session_and_finds_out_a_cheat_within_80_columns() -> Result<()> {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_assay-demo"));
    let ended = Process::run("assay-demo", &mut demo)?;
    assert!(ended.status.success(), "{}\n{}", ended.stdout, ended.stderr);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(
        lines.last(),
        Some(&"DEMO OK settled=3 faulted=1 conserved=true sessions=1")
    );
    for line in lines {
        assert!(line.chars().count() <= 80, "too wide: {line}");
        assert!(
            !line.contains('\x1b') && !line.contains('\r'),
            "for terminals only: {line:?}"
        );
    }
    assert!(ended.stdout.contains("unaudited"));
    Ok(())
}
