//! A model whose host takes it down once a job is claimed, so that nobody else can judge.

use std::fs;

use anyhow::Result;
use assay_client::{
    outputs::digest,
    protocol::{JobStatus, verdict::Verdict},
};
use assay_tests::e2e::{Court, Model, Settings, Stage, Worker, digits::Sample};

use super::bench::{assert_paid, earned_without_loss, ending};

/// Auditors that never saw the model have it from the primary: whoever hosts it does not choose who sits.
#[test]
fn model_taken_down_after_the_claim_is_fetched_from_the_primary() -> Result<()> {
    let stage = Stage::unhurried()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("model.onnx");
    let mut model = Model::digits()?;
    let mut bytes = fs::read(&model.file)?;
    // Another note in the file makes it one that lies in no worker's folder.
    bytes.extend(b"\x32\x04gone");
    fs::write(&file, &bytes)?;
    (model.digest, model.size) = (digest(&bytes), u64::try_from(bytes.len())?);
    model.uri = format!("file://{}", file.display());
    let court = Court::new(&stage, &model, 2)?;
    let _worker = Worker::start(&stage, &court.primary, &Settings::default())?;
    let order = court.order(Sample::new(3)?.input, 10_000);
    let fee = order.audit.expect("audited terms").fee;
    let placed = court.place(&order)?;
    stage.wait_job(&placed.job, JobStatus::Committed)?;
    fs::remove_file(&file)?;

    let _bench = court.bench(&Settings::default())?;
    court.accept(&placed.job)?;
    stage.wait_job(&placed.job, JobStatus::Auditing)?;
    court.seat(&placed.job, 1, 2)?;
    let job = court.end(&placed.job, JobStatus::Settled)?;
    assert_eq!(
        ending(&job),
        (Some(JobStatus::Settled), Some(Verdict::Confirmed))
    );
    assert_paid(&court, 0)?;
    assert_eq!(earned_without_loss(&court)?, [fee, fee]);
    Ok(())
}
