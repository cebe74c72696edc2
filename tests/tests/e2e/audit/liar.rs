//! An auditor that computes with other weights than the model's.

use anyhow::Result;
use assay_client::{
    program::INCINERATOR,
    protocol::{JobStatus, panel::BOND_FEES, verdict::Verdict},
};
use assay_tests::e2e::{Court, Model, SOL, Settings, Stage, Worker, digits::Sample};

use super::bench::{assert_paid, ending, spent};

#[test]
fn auditor_that_rounds_its_weights_loses_its_bond() -> Result<()> {
    let stage = Stage::unhurried()?;
    let court = Court::new(&stage, &Model::digits()?, 5)?;
    let (first, second) = court.auditors.split_at(2);
    let [liar, honest] = first else {
        unreachable!("split at two")
    };
    let cheat = Settings {
        cheats: true,
        ..Settings::default()
    };
    let _workers = [
        Worker::start(&stage, &court.primary, &Settings::default())?,
        Worker::start(&stage, liar, &cheat)?,
        Worker::start(&stage, honest, &Settings::default())?,
    ];
    let burned = stage.balance(&INCINERATOR)?;
    let order = court.order(Sample::new(3)?.input, 10_000);
    let fee = order.audit.expect("audited terms").fee;
    let placed = court.place(&order)?;
    court.accept(&placed.job)?;
    court.seat(&placed.job, 1, 2)?;
    // Too late for the first panel.
    let _others = court.start(second, &Settings::default())?;
    let job = stage.wait_job(&placed.job, JobStatus::Appealing)?;
    assert_eq!(Verdict::from_byte(job.verdict), Some(Verdict::Dissent));
    court.seat(&placed.job, 2, 3)?;
    let job = court.end(&placed.job, JobStatus::Settled)?;
    assert_eq!(
        ending(&job),
        (Some(JobStatus::Settled), Some(Verdict::Upheld))
    );

    // One agreed and is paid by the escrow; three decided and are paid by the bond of who did not.
    assert_paid(&court, 0)?;
    assert_eq!(spent(&court, &stage, &placed.job)?, job.price + fee);
    for auditor in second.iter().chain([honest]) {
        let account = auditor.data(&stage)?;
        assert_eq!((account.stake, account.earnings), (SOL / 2, fee));
        assert_eq!((account.audits_paid, account.audits_lost), (1, 0));
    }
    let bond = u64::from(BOND_FEES) * fee;
    let account = liar.data(&stage)?;
    assert_eq!((account.stake, account.earnings), (SOL / 2 - bond, 0));
    assert_eq!((account.audits_paid, account.audits_lost), (0, 1));
    assert_eq!(stage.balance(&INCINERATOR)?, burned + bond - 3 * fee);
    Ok(())
}
