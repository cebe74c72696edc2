//! A requester that withholds its half of the draw gains nothing: the job is audited in any case.

use anyhow::Result;
use assay_client::protocol::{JobStatus, verdict::Verdict};
use assay_tests::e2e::{
    Court, Model, Settings, Stage, Worker,
    digits::{Prediction, Sample},
};

use super::bench::{assert_paid, earned_without_loss, ending, spent};

#[test]
fn job_without_acknowledgement_is_audited_whatever_its_rate() -> Result<()> {
    let stage = Stage::unhurried()?;
    let court = Court::new(&stage, &Model::digits()?, 2)?;
    let worker = Worker::start(&stage, &court.primary, &Settings::default())?;
    let _bench = court.bench(&Settings::default())?;

    // 1 %: the secrets would draw it once in a hundred jobs.
    let order = court.order(Sample::new(2)?.input, 100);
    let fee = order.audit.expect("audited terms").fee;
    let placed = court.place(&order)?;
    let job = stage.wait_job(&placed.job, JobStatus::Committed)?;
    worker.wait_log(&placed.job, "waiting for its requester")?;
    stage.pass(job.challenge_deadline().expect("a deadline"))?;
    stage.wait_job(&placed.job, JobStatus::Auditing)?;
    court.seat(&placed.job, 1, 2)?;
    let job = court.end(&placed.job, JobStatus::Settled)?;
    assert_eq!(
        ending(&job),
        (Some(JobStatus::Settled), Some(Verdict::Confirmed))
    );
    assert_paid(&court, 0)?;
    assert_eq!(earned_without_loss(&court)?, [fee, fee]);
    assert_eq!(spent(&court, &stage, &placed.job)?, order.ceiling + 2 * fee);

    // Whoever got nothing from the primary gets the result from an auditor.
    for auditor in &court.auditors {
        let path = format!("/v1/jobs/{}/audits/1/outputs", placed.job);
        let wallet = &court.requester.wallet;
        let answer = auditor.http().signed(wallet, "GET", &path, Vec::new())?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(Prediction::read(&answer.body)?.label, 2);
        let other = stage.wallet(1_000_000)?;
        let answer = auditor.http().signed(&other, "GET", &path, Vec::new())?;
        assert_eq!(answer.status, 403, "{}", answer.text());
    }
    Ok(())
}
