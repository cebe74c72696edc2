//! A provider that computes with cheaper weights than the model's.

use anyhow::Result;
use assay_client::{
    program::INCINERATOR,
    protocol::{Address, JobStatus, verdict::Verdict},
};
use assay_tests::e2e::{
    Books, Court, Model, Settings, Stage, Worker,
    digits::{Prediction, Sample},
};

use super::bench::{assert_booked, assert_slashed, earned_without_loss, ending, spent, told};

#[test]
fn provider_that_rounds_its_weights_is_found_out_and_slashed() -> Result<()> {
    let stage = Stage::unhurried()?;
    let court = Court::new(&stage, &Model::digits()?, 5)?;
    let bench = court.bench(&Settings::default())?;
    let cheat = Settings {
        cheats: true,
        ..Settings::default()
    };
    let worker = Worker::start(&stage, &court.primary, &cheat)?;
    let burned = stage.balance(&INCINERATOR)?;
    let before = Books::read(&stage, &court.wallets())?;
    let paid_before = network_fees(&court)?;

    let order = court.order(Sample::new(3)?.input, 10_000);
    let fee = order.audit.expect("audited terms").fee;
    let placed = court.place(&order)?;
    stage.wait_job(&placed.job, JobStatus::Committed)?;
    // Nothing shows: the digit is right, and the delivery opens the commitment.
    let http = court.primary.http();
    let (delivered, _) = court.requester.receive(&stage, &http, &placed.job)?;
    assert_eq!(Prediction::read(&delivered.outputs)?.label, 3);
    court.requester.acknowledge(&http, &placed.job)?;

    court.seat(&placed.job, 1, 2)?;
    let job = stage.wait_job(&placed.job, JobStatus::Appealing)?;
    assert_eq!(Verdict::from_byte(job.verdict), Some(Verdict::Dissent));
    // It can know what is coming.
    worker.wait_log(&placed.job, "verdict=\"dissent\"")?;
    let coming = told(&stage, &court.primary, &placed.job, "possible")?;
    assert_eq!(coming["role"], "primary", "{coming}");
    let loss = -i64::try_from(order.collateral)?;
    let mut verdicts = coming["possible"].as_array().expect("verdicts").iter();
    let fault = verdicts.find(|one| one["verdict"] == "overturned");
    assert_eq!(fault.expect("a fault")["ours"], loss, "{coming}");

    court.seat(&placed.job, 2, 3)?;
    let job = court.end(&placed.job, JobStatus::Faulted)?;
    assert_eq!(
        ending(&job),
        (Some(JobStatus::Faulted), Some(Verdict::Overturned))
    );

    // The requester pays nothing; the collateral pays two fees to each who dissented and one to each who decided.
    assert_eq!(spent(&court, &stage, &placed.job)?, 0);
    assert_slashed(&court, order.collateral)?;
    assert_eq!(
        earned_without_loss(&court)?,
        [fee, fee, fee, 2 * fee, 2 * fee]
    );
    assert_eq!(
        stage.balance(&INCINERATOR)?,
        burned + order.collateral - 7 * fee
    );
    worker.wait_log(&placed.job, "verdict=\"overturned\"")?;
    let came = told(&stage, &court.primary, &placed.job, "outcome")?;
    assert_eq!(came["outcome"]["ours"], loss, "{came}");
    assert_told(&court, &bench, &placed.job, fee)?;
    assert_booked(&court, &placed.job)?;
    let after = Books::read(&stage, &court.wallets())?;
    assert_eq!(
        after.total() + network_fees(&court)? - paid_before,
        before.total()
    );
    Ok(())
}

/// Holds that every auditor's worker knows what its seat brought.
fn assert_told(court: &Court, bench: &[Worker], job: &Address, fee: u64) -> Result<()> {
    let mut gains = Vec::new();
    for (worker, auditor) in bench.iter().zip(&court.auditors) {
        worker.wait_log(job, "seat settled")?;
        let came = told(court.stage, auditor, job, "outcome")?;
        gains.push(came["outcome"]["ours"].as_u64());
    }
    gains.sort_unstable();
    let (one, two) = (Some(fee), Some(2 * fee));
    assert_eq!(gains, [one, one, one, two, two]);
    Ok(())
}

fn network_fees(court: &Court) -> Result<u128> {
    let wallets = court.wallets();
    let fees = wallets
        .iter()
        .map(|wallet| court.stage.network_fees(wallet).map(u128::from));
    fees.sum()
}
