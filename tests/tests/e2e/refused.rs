//! Models and inputs that are not what they are said to be: no claim, a clear word in the log, nothing lost.

use std::fs;

use anyhow::Result;
use assay_client::{
    outputs::digest,
    protocol::{Digest, JobData, JobStatus},
};
use assay_tests::e2e::{
    Model, Order, Provider, Requester, SOL, Settings, Stage, Worker,
    digits::{self, Sample},
};
use safetensors::Dtype;
use solana_signer::Signer as _;

use crate::present;

/// Places the order with a worker, waits until its log gives the reason, and holds that nobody lost anything.
fn assert_left_alone(
    stage: &Stage,
    order: impl FnOnce(Order) -> Order,
    model: &Model,
    reason: &str,
) -> Result<()> {
    let provider = Provider::register(stage)?;
    let requester = Requester::new(stage, SOL)?;
    let worker = Worker::start(stage, &provider, &Settings::default())?;
    let operator_before = stage.balance(&provider.operator.pubkey())?;
    let provider_before = provider.data(stage)?;
    let plain = Order::new(model.register(stage)?, Sample::new(3)?.input);
    let order = order(plain).only(&provider.address);
    if order.input_uri.is_empty() {
        let answer = provider
            .http()
            .put_blob(&order.input_digest, &order.input)?;
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
    }
    let placed = requester.create(stage, &order)?;
    let line = worker.wait_log(&placed.job, "job not prepared")?;
    assert!(line.contains(reason), "{reason:?} is not in: {line}");

    // The worker goes on with others: by the time it has served one, it has had every chance to claim this one.
    let good = Order::new(Model::digits()?.register(stage)?, Sample::new(3)?.input);
    let good = good.only(&provider.address);
    let other = Requester::new(stage, SOL)?;
    let served = other.place(stage, &provider.http(), &good)?;
    stage.wait_job(&served.job, JobStatus::Committed)?;
    other.receive(stage, &provider.http(), &served.job)?;
    other.acknowledge(&provider.http(), &served.job)?;
    stage.wait_job(&served.job, JobStatus::Settled)?;

    let job: JobData = stage.get(&placed.job)?;
    assert_eq!(
        (job.status().ok(), job.sequence),
        (Some(JobStatus::Open), 1)
    );
    let cancelled = requester.cancel(stage, &placed.job)?;
    let rent = stage.rent::<JobData>()?;
    assert_eq!(
        requester.balance(stage)?,
        SOL - placed.landed.fee - cancelled.fee - rent
    );
    assert_eq!(stage.balance(&placed.job)?, rent);
    let account = provider.data(stage)?;
    assert_eq!(
        (account.stake, account.total_slashed),
        (provider_before.stake, 0)
    );
    assert_eq!(
        (
            account.jobs_settled,
            account.jobs_late,
            account.jobs_released
        ),
        (1, 0, 0)
    );
    // Its only transactions were those of the good job.
    let fees = stage.network_fees(&provider.operator.pubkey())?;
    assert_eq!(
        stage.balance(&provider.operator.pubkey())?,
        operator_before - fees
    );
    Ok(())
}

#[test]
fn model_whose_file_has_another_digest_is_left_alone() -> Result<()> {
    let stage = present();
    let digest = digest(b"another file");
    let lie = Model {
        digest,
        ..Model::digits()?
    };
    assert_left_alone(
        stage,
        |order| order,
        &lie,
        "holds other bytes than the chain names",
    )
}

#[test]
fn truncated_model_is_left_alone() -> Result<()> {
    assert_left_alone(
        present(),
        |order| order,
        &Model::odd("truncated", 2)?,
        "no ONNX model",
    )
}

#[test]
fn file_that_is_no_model_is_left_alone() -> Result<()> {
    assert_left_alone(
        present(),
        |order| order,
        &Model::odd("not_onnx", 2)?,
        "no ONNX model",
    )
}

#[test]
fn input_whose_file_has_another_digest_is_left_alone() -> Result<()> {
    let stage = present();
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("input.safetensors");
    fs::write(&path, Sample::new(1)?.input)?;
    let lie = |order: Order| Order {
        input_uri: format!("file://{}", path.display()),
        ..order
    };
    assert_left_alone(
        stage,
        lie,
        &Model::digits()?,
        "holds other bytes than the chain names",
    )
}

#[test]
fn input_of_another_shape_is_left_alone() -> Result<()> {
    let small = digits::file(&[("image", Dtype::F32, vec![1, 1, 4, 4], vec![0; 64])])?;
    let wrong = |order: Order| Order {
        input_digest: digest(&small),
        input: small,
        ..order
    };
    assert_left_alone(
        present(),
        wrong,
        &Model::digits()?,
        "has shape [1, 1, 4, 4] where the model takes",
    )
}

#[test]
fn input_of_another_name_or_type_is_left_alone() -> Result<()> {
    let other = digits::file(&[("picture", Dtype::F32, vec![1, 1, 8, 8], vec![0; 256])])?;
    let wrong = |order: Order| Order {
        input_digest: digest(&other),
        input: other,
        ..order
    };
    assert_left_alone(
        present(),
        wrong,
        &Model::digits()?,
        "needs a tensor `image`",
    )
}

#[test]
fn blob_under_another_digest_is_refused() -> Result<()> {
    let stage = present();
    let provider = Provider::register(stage)?;
    let _worker = Worker::start(stage, &provider, &Settings::default())?;
    let http = provider.http();
    let claimed = Digest([3; 32]);
    let answer = http.put_blob(&claimed, b"not what the digest says")?;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(
        http.get(&assay_client::delivery::blob_path(&claimed))?
            .status,
        404
    );
    Ok(())
}
