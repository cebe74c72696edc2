//! A job that is drawn for audit, and whose auditors agree with its provider.

use anyhow::Result;
use assay_client::{
    Event,
    program::INCINERATOR,
    protocol::{JobData, JobStatus, panel::BOND_FEES, verdict::Verdict},
};
use assay_tests::e2e::{Books, Court, Model, SOL, Settings, Stage, Worker, digits::Sample};

#[test]
fn drawn_job_whose_auditors_agree_is_paid_and_so_are_they() -> Result<()> {
    let stage = Stage::unhurried()?;
    let court = Court::new(&stage, &Model::digits()?, 2)?;
    let before = Books::read(&stage, &court.wallets())?;
    let burned = stage.balance(&INCINERATOR)?;
    let primary = Worker::start(&stage, &court.primary, &Settings::default())?;
    let bench = court.bench(&Settings::default())?;

    let order = court.order(Sample::new(3)?.input, 10_000);
    let fee = order.audit.expect("audited terms").fee;
    let placed = court.place(&order)?;
    court.accept(&placed.job)?;
    stage.wait_job(&placed.job, JobStatus::Auditing)?;
    let panel = court.seat(&placed.job, 1, 2)?;
    assert_eq!(panel.bonds, 2 * u64::from(BOND_FEES) * fee);
    let job = court.end(&placed.job, JobStatus::Settled)?;
    assert_eq!(Verdict::from_byte(job.verdict), Some(Verdict::Confirmed));
    assert_eq!((job.escrow, job.refund_due, job.live_panels), (0, 0, 0));

    // 2 % of the price for the market; a fee of the escrow for each auditor; nothing back, nothing burned.
    let account = court.primary.data(&stage)?;
    assert_eq!((account.earnings, account.fees_due), (980_000, 20_000));
    assert_eq!((account.jobs_settled, account.jobs_faulted), (1, 0));
    assert_eq!((account.stake, account.reserved), (SOL / 2, 0));
    for auditor in &court.auditors {
        let account = auditor.data(&stage)?;
        assert_eq!((account.earnings, account.fees_due), (fee, 0));
        assert_eq!((account.stake, account.live_seats), (SOL / 2, 0));
        assert_eq!((account.audits_paid, account.audits_lost), (1, 0));
    }
    let rent = stage.rent::<JobData>()?;
    assert_eq!(
        court.requester.balance(&stage)?,
        SOL - placed.landed.fee - rent - order.ceiling - 2 * fee
    );
    assert_eq!(stage.balance(&INCINERATOR)?, burned);

    for worker in &bench {
        worker.wait_log(&placed.job, "seat settled")?;
    }
    for worker in bench.into_iter().chain([primary]) {
        assert!(worker.process.terminate()?.status.success());
    }
    let history = stage.history(&placed.job)?;
    let events = history.iter().flat_map(|landed| &landed.events);
    let mut story: Vec<&str> = events.map(Event::name).collect();
    story.sort_unstable();
    assert_eq!(
        story,
        [
            "JobAudited",
            "JobClaimed",
            "JobCommitted",
            "JobCreated",
            "JobRevealed",
            "PanelClosed",
            "PanelJoined",
            "PanelJoined",
            "PanelOpened",
            "PanelResolved",
            "PanelRevealed",
            "PanelRevealed",
        ]
    );
    let mut fees = 0;
    for wallet in court.wallets() {
        fees += u128::from(stage.network_fees(&wallet)?);
    }
    let made: u64 = court
        .auditors
        .iter()
        .chain([&court.primary])
        .flat_map(|provider| &provider.made_by)
        .map(|(_, landed)| landed.fee)
        .sum();
    let after = Books::read(&stage, &court.wallets())?;
    assert_eq!(after.total() + fees - u128::from(made), before.total());
    Ok(())
}
