//! kill -9 of a worker on either side of a panel: it comes back, opens its commitment in time, and nobody loses.

use anyhow::{Context as _, Result};
use assay_client::protocol::{Address, JobStatus, verdict::Verdict};
use assay_tests::e2e::{Court, Model, Settings, Stage, Worker, digits::Sample};

use super::bench::{assert_paid, earned_without_loss, ending, spent};

/// Where these tests stop a worker.
pub const POINTS: [&str; 5] = [
    "audited",
    "job-reveal-sent",
    "join-sent",
    "seat-commit-sent",
    "seat-result-saved",
];

/// Who stops dead.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Primary,
    Auditor,
}

/// Lets a worker stop dead at a point, kills it and starts it anew; the audit ends as if nothing had happened.
fn crash_at(point: &'static str, who: Who) -> Result<()> {
    assert!(POINTS.contains(&point));
    let stage = Stage::unhurried()?;
    let court = Court::new(&stage, &Model::digits()?, 2)?;
    let [one, other] = court.auditors.as_slice() else {
        unreachable!("two auditors were asked for")
    };
    let start = |provider, breaks| {
        let halt_at = (who == breaks).then_some(point);
        let settings = Settings {
            halt_at,
            ..Settings::default()
        };
        Worker::start(&stage, provider, &settings)
    };
    let mut primary = start(&court.primary, Who::Primary)?;
    let mut auditor = start(one, Who::Auditor)?;
    let _steady = Worker::start(&stage, other, &Settings::default())?;

    let order = court.order(Sample::new(1)?.input, 10_000);
    let fee = order.audit.context("audited terms")?.fee;
    let placed = court.place(&order)?;
    court.accept(&placed.job)?;
    let again = |worker: Worker, provider| {
        worker.wait_halt(point)?;
        worker.process.kill()?;
        Worker::start(&stage, provider, &Settings::default())
    };
    // Before the panel is full, or after.
    let early = matches!(point, "audited" | "join-sent");
    if !early {
        court.seat(&placed.job, 1, 2)?;
    }
    match who {
        Who::Primary => primary = again(primary, &court.primary)?,
        Who::Auditor => auditor = again(auditor, one)?,
    }
    if early {
        court.seat(&placed.job, 1, 2)?;
    }
    assert_undisturbed(&court, &placed.job, fee)?;

    // And whoever starts it once more finds nothing left to do.
    let (worker, provider) = match who {
        Who::Primary => (primary, &court.primary),
        Who::Auditor => (auditor, one),
    };
    worker.process.kill()?;
    let operator = solana_signer::Signer::pubkey(&provider.operator);
    let fees = stage.network_fees(&operator)?;
    let _worker = Worker::start(&stage, provider, &Settings::default())?;
    assert_eq!(stage.network_fees(&operator)?, fees);
    Ok(())
}

fn assert_undisturbed(court: &Court, job: &Address, fee: u64) -> Result<()> {
    let data = court.end(job, JobStatus::Settled)?;
    assert_eq!(
        ending(&data),
        (Some(JobStatus::Settled), Some(Verdict::Confirmed))
    );
    assert_paid(court, 0)?;
    assert_eq!(earned_without_loss(court)?, [fee, fee]);
    assert_eq!(spent(court, court.stage, job)?, data.price + 2 * fee);
    Ok(())
}

#[test]
fn audit_survives_a_crash_of_the_primary_when_it_is_drawn() -> Result<()> {
    crash_at("audited", Who::Primary)
}

#[test]
fn audit_survives_a_crash_of_the_primary_while_it_reveals() -> Result<()> {
    crash_at("job-reveal-sent", Who::Primary)
}

#[test]
fn audit_survives_a_crash_of_an_auditor_while_it_joins() -> Result<()> {
    crash_at("join-sent", Who::Auditor)
}

#[test]
fn audit_survives_a_crash_of_an_auditor_that_has_its_result() -> Result<()> {
    crash_at("seat-result-saved", Who::Auditor)
}

#[test]
fn audit_survives_a_crash_of_an_auditor_while_it_commits() -> Result<()> {
    crash_at("seat-commit-sent", Who::Auditor)
}

#[test]
fn auditor_that_is_stopped_with_a_seat_says_so_and_comes_back_in_time() -> Result<()> {
    let stage = Stage::unhurried()?;
    let court = Court::new(&stage, &Model::digits()?, 2)?;
    let _primary = Worker::start(&stage, &court.primary, &Settings::default())?;
    let mut bench = court.bench(&Settings::default())?;
    let order = court.order(Sample::new(0)?.input, 10_000);
    let fee = order.audit.context("audited terms")?.fee;
    let placed = court.place(&order)?;
    court.accept(&placed.job)?;
    for worker in &bench {
        worker.wait_log(&placed.job, "seat taken")?;
    }
    let exit = bench.remove(0).process.terminate()?;
    assert!(exit.status.success(), "{}", exit.stderr);
    assert!(
        exit.stderr.contains("stopping with seats on panels"),
        "{}",
        exit.stderr
    );
    let back = court.auditors.first().context("two auditors")?;
    let _back = Worker::start(&stage, back, &Settings::default())?;
    court.seat(&placed.job, 1, 2)?;
    assert_undisturbed(&court, &placed.job, fee)
}
