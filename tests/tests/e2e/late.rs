//! A worker that claims and dies loses its collateral's share, and another one finishes the job.

use anyhow::Result;
use assay_client::{
    Event,
    instruction::JobExpire,
    program::INCINERATOR,
    protocol::{JobData, JobStatus},
};
use assay_tests::e2e::{
    Model, Order, Provider, Requester, SOL, Settings, Stage, Worker,
    digits::{Prediction, Sample},
};
use solana_signer::Signer as _;

use crate::parties::assert_settled;

#[test]
fn late_worker_is_slashed_and_another_one_finishes() -> Result<()> {
    let stage = Stage::start()?;
    let model = Model::digits()?.register(&stage)?;
    let requester = Requester::new(&stage, SOL)?;
    let (late, quick) = (Provider::register(&stage)?, Provider::register(&stage)?);
    let open = Settings {
        exclusive_only: false,
        ..Settings::default()
    };

    let stopped = Worker::start(
        &stage,
        &late,
        &Settings {
            halt_at: Some("claim-landed"),
            ..open.clone()
        },
    )?;
    let order = Order {
        compute_secs: 60,
        ..Order::new(model, Sample::new(4)?.input)
    };
    let placed = requester.place(&stage, &late.http(), &order)?;
    stopped.wait_halt("claim-landed")?;
    let job = stage.wait_job(&placed.job, JobStatus::Claimed)?;
    assert_eq!(job.provider, late.address);
    assert_eq!(late.data(&stage)?.reserved, order.collateral);

    // Time alone decides, and anyone may say so.
    let burned_before = stage.balance(&INCINERATOR)?;
    let stranger = stage.wallet(SOL)?;
    let expire = JobExpire {
        job: placed.job,
        requester: requester.address(),
        provider: Some(late.address),
    };
    stage.pass(job.compute_deadline().expect("a deadline"))?;
    let expired = stage.send("job_expire", expire.instruction(), &[&stranger])?;
    let slash = order.ceiling.min(order.collateral);
    let events: Vec<&str> = expired.events.iter().map(Event::name).collect();
    assert_eq!(events, ["JobExpired"]);
    let account = late.data(&stage)?;
    assert_eq!((account.stake, account.reserved), (SOL / 2 - slash, 0));
    assert_eq!((account.jobs_late, account.total_slashed), (1, slash));
    assert_eq!(stage.balance(&INCINERATOR)?, burned_before + slash);
    assert_eq!(stage.status(&placed.job)?, JobStatus::Open);

    let worker = Worker::start(&stage, &quick, &open)?;
    let answer = quick.http().put_blob(&order.input_digest, &order.input)?;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let job = stage.wait_job(&placed.job, JobStatus::Committed)?;
    assert_eq!((job.provider, job.attempt), (quick.address, 1));
    let (delivered, _) = requester.receive(&stage, &quick.http(), &placed.job)?;
    assert_eq!(Prediction::read(&delivered.outputs)?.label, 4);
    requester.acknowledge(&quick.http(), &placed.job)?;
    let job = stage.wait_job(&placed.job, JobStatus::Settled)?;
    assert_settled(&quick.data(&stage)?, 1, order.ceiling, job.fee_bps);
    let rent = stage.rent::<JobData>()?;
    assert_eq!(
        requester.balance(&stage)?,
        SOL - placed.landed.fee - rent - order.ceiling
    );

    // The late one comes back, sees what it lost, and changes nothing.
    stopped.process.kill()?;
    let fees = stage.network_fees(&late.operator.pubkey())?;
    let back = Worker::start(&stage, &late, &Settings::default())?;
    back.wait_log(&placed.job, "job lost")?;
    assert_eq!(stage.network_fees(&late.operator.pubkey())?, fees);
    assert_eq!(late.data(&stage)?, account);
    drop(worker);
    Ok(())
}
