//! A requester that never answers cannot keep a provider from its pay.

use anyhow::Result;
use assay_client::protocol::JobStatus;
use assay_tests::e2e::{Model, Settings, Stage, digits::Sample};

use crate::parties::Parties;

#[test]
fn job_without_acknowledgement_settles_after_the_challenge_window() -> Result<()> {
    let stage = Stage::start()?;
    let parties = Parties::new(&stage, &Model::digits()?)?;
    let Parties {
        provider,
        requester,
        ..
    } = &parties;
    let worker = parties.worker(&Settings::default())?;
    let order = parties.order(Sample::new(2)?.input);
    let placed = requester.place(&stage, &provider.http(), &order)?;
    let job = stage.wait_job(&placed.job, JobStatus::Committed)?;
    worker.wait_log(&placed.job, "waiting for its requester")?;

    stage.pass(job.challenge_deadline().expect("a deadline"))?;
    stage.wait_job(&placed.job, JobStatus::Settled)?;
    parties.assert_paid_once(&placed.job, &order, placed.landed.fee)?;
    let settled = worker.wait_log(&placed.job, "job settled")?;
    assert!(settled.contains("unaudited"), "{settled}");

    // The result is still the requester's.
    requester.receive(&stage, &provider.http(), &placed.job)?;
    Ok(())
}
