//! `assay job run` from the order to an audit's verdict.

use anyhow::{Context as _, Result};
use assay_client::protocol::{Address, JobStatus};
use assay_tests::e2e::{Court, Exit, Model, Settings, Stage, Worker};
use serde_json::Value;

use super::desk::Desk;

/// Orders by the command, sees the first panel seated, and lets `then` do what else is needed for the verdict.
fn follow(
    court: &Court,
    desk: &Desk,
    then: impl FnOnce(&Address) -> Result<()>,
) -> Result<(Exit, Value)> {
    let order = [desk.order("100%"), vec!["--json".to_owned()]].concat();
    let order: Vec<&str> = order.iter().map(String::as_str).collect();
    let command = desk.start(&order)?;
    let requester = court.requester.address();
    let watch = court.stage.watch(&requester)?;
    let job = watch.until("a job", || {
        let jobs = court.stage.jobs_of(&requester)?;
        Ok(jobs.first().map(|(job, _)| *job))
    })?;
    court.seat(&job, 1, 2)?;
    then(&job)?;
    let exit = command.wait()?;
    let report = serde_json::from_str(&exit.stdout)
        .with_context(|| format!("no JSON\n{}\n{}", exit.stdout, exit.stderr))?;
    Ok((exit, report))
}

#[test]
fn command_follows_an_audited_job_until_it_is_confirmed() -> Result<()> {
    let stage = Stage::unhurried()?;
    let court = Court::new(&stage, &Model::digits()?, 2)?;
    let _worker = Worker::start(&stage, &court.primary, &Settings::default())?;
    let _bench = court.bench(&Settings::default())?;
    let desk = Desk::of(&court)?;
    let (exit, report) = follow(&court, &desk, |_| Ok(()))?;
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
    assert_eq!(report["ending"], "settled", "{report}");
    assert_eq!(report["audit"]["verdict"], "confirmed", "{report}");
    assert_eq!(report["audit"]["money"]["paid_lamports"], 1_000_000);

    // The receipt is as good as that of a job that was not drawn.
    let found = desk.verify(0, &desk.file("receipt.json"))?;
    assert_eq!(found["verdict"], "match", "{found}");
    Ok(())
}

#[test]
fn command_follows_a_cheated_job_until_the_money_is_back() -> Result<()> {
    let stage = Stage::unhurried()?;
    let court = Court::new(&stage, &Model::digits()?, 5)?;
    let cheat = Settings {
        cheats: true,
        ..Settings::default()
    };
    let _worker = Worker::start(&stage, &court.primary, &cheat)?;
    let _bench = court.bench(&Settings::default())?;
    let desk = Desk::of(&court)?;
    let (exit, report) = follow(&court, &desk, |job| {
        stage.wait_job(job, JobStatus::Appealing)?;
        court.seat(job, 2, 3).map(drop)
    })?;
    assert_eq!(exit.status.code(), Some(3), "{}", exit.stderr);
    assert_eq!(report["audit"]["verdict"], "overturned", "{report}");
    assert_eq!(report["audit"]["money"]["refund_lamports"], 4_000_000);
    assert_eq!(report["audit"]["money"]["slash_lamports"], 30_000_000);

    // What the auditors found, the requester finds with the receipt alone; it is too late to dispute.
    let found = desk.verify(1, &desk.file("receipt.json"))?;
    assert_eq!(found["verdict"], "fraud", "{found}");
    assert_eq!(found["dispute"]["filed"], false, "{found}");
    Ok(())
}
