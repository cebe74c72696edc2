//! A provider that commits and does not serve what its auditors need.

use anyhow::Result;
use assay_client::{
    delivery::blob_path,
    program::INCINERATOR,
    protocol::{Digest, JobStatus, UnixSeconds, panel::UNAVAILABLE, verdict::Verdict},
};
use assay_tests::e2e::{
    Court, Model, Placed, Provider, SOL, Settings, Stage, Veil, Worker, digits::Sample,
};

use super::bench::{assert_paid, assert_slashed, earned_without_loss, ending, spent};

/// Auditors give up this many seconds before the commit phase ends.
const MARGIN: i64 = 60;

/// A job whose primary hides its hints, in front of the first panel.
fn hidden(court: &Court, veil: &Veil) -> Result<(Placed, u64)> {
    let order = court.order(Sample::new(3)?.input, 10_000);
    let placed = court.place(&order)?;
    let job = court.stage.wait_job(&placed.job, JobStatus::Committed)?;
    veil.hide(Some(blob_path(&Digest(job.hints_digest))));
    court.accept(&placed.job)?;
    give_up(court, &placed, 1, 2)?;
    Ok((placed, order.audit.expect("audited terms").fee))
}

/// Skips to where auditors without hints commit all the same.
fn give_up(court: &Court, placed: &Placed, level: u8, seats: u8) -> Result<()> {
    let panel = court.seat(&placed.job, level, seats)?;
    court
        .stage
        .pass(UnixSeconds(panel.commit_deadline - MARGIN))?;
    Ok(())
}

#[test]
fn provider_that_serves_no_hints_is_slashed() -> Result<()> {
    let stage = Stage::unhurried()?;
    let (primary, veil) = Provider::veiled(&stage)?;
    let court = Court::of(&stage, &Model::digits()?, primary, 5)?;
    let _bench = court.bench(&Settings::default())?;
    let _worker = Worker::start(&stage, &court.primary, &Settings::default())?;
    let (placed, fee) = hidden(&court, &veil)?;

    stage.wait_job(&placed.job, JobStatus::Appealing)?;
    give_up(&court, &placed, 2, 3)?;
    let panel = stage.wait_panel(&placed.job, 2, "three to reveal", |panel| {
        panel.revealed == 3
    })?;
    let seated = panel.seats.iter().take(3);
    assert!(seated.into_iter().all(|seat| seat.digest == UNAVAILABLE));
    let job = court.end(&placed.job, JobStatus::Faulted)?;
    assert_eq!(
        ending(&job),
        (Some(JobStatus::Faulted), Some(Verdict::Overturned))
    );
    assert_slashed(&court, job.collateral)?;
    assert_eq!(spent(&court, &stage, &placed.job)?, 0);
    assert_eq!(
        earned_without_loss(&court)?,
        [fee, fee, fee, 2 * fee, 2 * fee]
    );
    Ok(())
}

#[test]
fn hints_served_to_the_second_panel_only_cost_the_first_two_fees_each() -> Result<()> {
    let stage = Stage::unhurried()?;
    let (primary, veil) = Provider::veiled(&stage)?;
    let court = Court::of(&stage, &Model::digits()?, primary, 5)?;
    let _bench = court.bench(&Settings::default())?;
    let _worker = Worker::start(&stage, &court.primary, &Settings::default())?;
    let burned = stage.balance(&INCINERATOR)?;
    let (placed, fee) = hidden(&court, &veil)?;

    stage.wait_job(&placed.job, JobStatus::Appealing)?;
    veil.hide(None);
    court.seat(&placed.job, 2, 3)?;
    let job = court.end(&placed.job, JobStatus::Settled)?;
    assert_eq!(
        ending(&job),
        (Some(JobStatus::Settled), Some(Verdict::Upheld))
    );
    // Two bonds lose two fees each; they pay the three of level 2, and one fee is burned.
    assert_paid(&court, 0)?;
    assert_eq!(spent(&court, &stage, &placed.job)?, job.price);
    let mut ends = Vec::new();
    for auditor in &court.auditors {
        let account = auditor.data(&stage)?;
        ends.push((SOL / 2 - account.stake, account.earnings));
    }
    ends.sort_unstable();
    assert_eq!(
        ends,
        [(0, fee), (0, fee), (0, fee), (2 * fee, 0), (2 * fee, 0)]
    );
    assert_eq!(stage.balance(&INCINERATOR)?, burned + fee);
    Ok(())
}
