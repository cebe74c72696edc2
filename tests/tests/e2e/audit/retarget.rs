//! The slot hash that was to draw a panel is gone before anybody used it: another one draws.

use anyhow::Result;
use assay_client::{
    Event,
    protocol::{JobData, JobStatus, verdict::Verdict},
};
use assay_tests::e2e::{Court, Model, Settings, Stage, Worker, digits::Sample};

use super::bench::{assert_paid, earned_without_loss, ending};

#[test]
fn panel_whose_slot_hash_is_gone_is_drawn_by_another() -> Result<()> {
    let stage = Stage::unhurried()?;
    let court = Court::new(&stage, &Model::digits()?, 2)?;
    let halt = Settings {
        halt_at: Some("audited"),
        ..Settings::default()
    };
    let worker = Worker::start(&stage, &court.primary, &halt)?;
    let order = court.order(Sample::new(4)?.input, 10_000);
    let fee = order.audit.expect("audited terms").fee;
    let placed = court.place(&order)?;
    court.accept(&placed.job)?;
    worker.wait_halt("audited")?;
    worker.process.kill()?;

    // Nobody is there to open the panel: its slot comes, and after 512 others its hash goes.
    let target = stage.get::<JobData>(&placed.job)?.target_slot;
    let watch = stage.watch(&placed.job)?;
    watch.until("the target slot to pass", || {
        Ok((stage.chain.time()?.slot > target + 1).then_some(()))
    })?;
    stage.forget_slot_hashes()?;
    let _worker = Worker::start(&stage, &court.primary, &Settings::default())?;
    let _bench = court.bench(&Settings::default())?;
    court.seat(&placed.job, 1, 2)?;
    let job = court.end(&placed.job, JobStatus::Settled)?;
    assert_eq!(
        ending(&job),
        (Some(JobStatus::Settled), Some(Verdict::Confirmed))
    );
    assert_paid(&court, 0)?;
    assert_eq!(earned_without_loss(&court)?, [fee, fee]);
    let history = stage.history(&placed.job)?;
    let mut events = history.iter().flat_map(|landed| &landed.events);
    assert!(events.any(|event| matches!(event, Event::PanelRetargeted(_))));
    Ok(())
}
