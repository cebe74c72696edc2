//! Jobs that nobody serves give everything back.

use anyhow::Result;
use assay_client::{
    instruction::JobExpire,
    protocol::{JobData, JobStatus, limits::OPEN_SLOT_AGE},
};
use assay_tests::e2e::{Model, Order, Requester, SOL, Stage, digits::Sample};

#[test]
fn job_that_nobody_claims_is_refunded() -> Result<()> {
    let stage = Stage::start()?;
    let model = Model::digits()?.register(&stage)?;
    let requester = Requester::new(&stage, SOL)?;
    let order = Order {
        claim_secs: 30,
        ..Order::new(model, Sample::new(3)?.input)
    };
    let placed = requester.create(&stage, &order)?;
    let rent = stage.rent::<JobData>()?;
    assert_eq!(
        requester.balance(&stage)?,
        SOL - placed.landed.fee - rent - order.ceiling
    );

    // Anyone may say that time is over, but not before it is.
    let stranger = stage.wallet(SOL)?;
    let expire = JobExpire {
        job: placed.job,
        requester: requester.address(),
        provider: None,
    };
    let early = stage.try_send(expire.instruction(), &[&stranger])?;
    assert!(early.is_err(), "expired before its deadline: {early:?}");
    assert_eq!(stage.status(&placed.job)?, JobStatus::Open);

    let job: JobData = stage.get(&placed.job)?;
    stage.pass(job.claim_deadline().expect("a deadline"))?;
    stage.send("job_expire", expire.instruction(), &[&stranger])?;
    assert_eq!(stage.status(&placed.job)?, JobStatus::Expired);
    assert_eq!(requester.balance(&stage)?, SOL - placed.landed.fee - rent);

    // The rent comes back once the address cannot be used again.
    let now = stage.chain.time()?;
    assert!(now.slot > job.open_slot);
    let slots = u32::try_from(OPEN_SLOT_AGE)?;
    stage.chain.time_travel_by(slots)?;
    let closed = requester.close(&stage, &placed.job)?;
    assert_eq!(
        requester.balance(&stage)?,
        SOL - placed.landed.fee - closed.fee
    );
    assert!(stage.find::<JobData>(&placed.job)?.is_none());
    Ok(())
}
