//! An audit that everybody has left: whoever comes by can end it.

use anyhow::{Context as _, Result};
use assay_client::{
    Event, address,
    protocol::{JobStatus, PanelData, UnixSeconds, verdict::Verdict},
};
use assay_tests::e2e::{Court, Model, SOL, Settings, Stage, Worker, digits::Sample};

use super::{bench::assert_paid, desk::Desk};

#[test]
fn audit_that_nobody_attends_is_ended_by_anyone_and_paid() -> Result<()> {
    let stage = Stage::unhurried()?;
    // The worker claims only what others could audit; they are registered and absent.
    let court = Court::new(&stage, &Model::digits()?, 2)?;
    let settings = Settings {
        halt_at: Some("audited"),
        ..Settings::default()
    };
    let worker = Worker::start(&stage, &court.primary, &settings)?;
    let order = court.order(Sample::new(3)?.input, 10_000);
    let placed = court.place(&order)?;
    court.accept(&placed.job)?;
    worker.wait_halt("audited")?;
    worker.process.kill()?;

    let desk = Desk::of(&court)?;
    let job = placed.job.to_string();
    let advance = || desk.json(0, &["job", "advance", &job]);
    // The slot that seeds the panel has to pass.
    let panel = stage.watch(&placed.job)?.until("a panel", || {
        advance()?;
        stage.find::<PanelData>(&address::panel(&placed.job, 1))
    })?;
    assert_eq!(stage.status(&placed.job)?, JobStatus::Auditing);
    stage.pass(UnixSeconds(panel.join_deadline))?;
    advance()?;
    // By now the job's address is old enough to be given up, too.
    stage.wait_gone(&placed.job)?;
    let history = stage.history(&placed.job)?;
    let mut events = history.iter().flat_map(|landed| &landed.events);
    let resolved = events.find_map(|event| match event {
        Event::PanelResolved(resolved) => Some(*resolved),
        _ => None,
    });
    let resolved = resolved.context("a verdict")?;
    assert_eq!(
        (resolved.verdict, resolved.status),
        (Verdict::Unattended as u64, JobStatus::Settled as u64)
    );
    assert_paid(&court, 0)?;
    let fees = stage.network_fees(&court.requester.address())?;
    assert_eq!(court.requester.balance(&stage)?, SOL - fees - order.ceiling);
    Ok(())
}
