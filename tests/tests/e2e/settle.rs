//! Three real digits, every lamport followed.

use anyhow::Result;
use assay_client::{
    address,
    instruction::EarningsWithdraw,
    protocol::{JobData, JobStatus, TreasuryData},
};
use assay_tests::e2e::{
    Books, Model, Order, SOL, Settings, Stage,
    digits::{Prediction, Sample},
};
use solana_signer::Signer as _;

use crate::parties::Parties;

#[test]
fn three_digits_are_predicted_paid_and_accounted_for() -> Result<()> {
    let stage = Stage::start()?;
    let parties = Parties::new(&stage, &Model::digits()?)?;
    let Parties {
        provider,
        requester,
        ..
    } = &parties;
    let operator = provider.operator.pubkey();
    let wallets = [requester.address(), provider.authority.pubkey(), operator];
    let books = Books::read(&stage, &wallets)?;
    let authority_before = stage.balance(&provider.authority.pubkey())?;
    let operator_before = stage.balance(&operator)?;
    let worker = parties.worker(&Settings::default())?;

    let mut jobs = Vec::new();
    let mut spent = 0;
    for (digit, price) in [(3, 1_000_000), (0, 2_000_001), (5, 3_000_049)] {
        let sample = Sample::new(digit)?;
        let order = Order {
            floor: price,
            ceiling: price,
            collateral: price,
            ..parties.order(sample.input.clone())
        };
        let placed = requester.place(&stage, &provider.http(), &order)?;
        stage.wait_job(&placed.job, JobStatus::Committed)?;
        let (delivered, verified) = requester.receive(&stage, &provider.http(), &placed.job)?;
        assert_eq!(verified.root.0, delivered.delivery.root);
        let prediction = Prediction::read(&delivered.outputs)?;
        assert_eq!(prediction.label, i64::from(sample.digit));
        assert!(prediction.confidence() > 0.5, "{prediction:?}");
        requester.acknowledge(&provider.http(), &placed.job)?;
        let job = stage.wait_job(&placed.job, JobStatus::Settled)?;
        assert_eq!((job.price, job.audit_bps), (price, 0));
        // A receipt can be checked long after: job and files are all it takes.
        requester.verify(&stage, &placed.job, &delivered)?;
        spent += placed.landed.fee + price;
        jobs.push(placed.job);
    }
    // 2 % of each price, rounded down for the market: 20,000 + 40,000 + 60,000.
    let (paid, market_fees) = (6_000_050, 120_000);
    assert_eq!(stage.market()?.params.fee_bps, 200);
    let account = provider.data(&stage)?;
    assert_eq!(
        (account.earnings, account.fees_due),
        (paid - market_fees, market_fees)
    );
    assert_eq!(
        (
            account.jobs_settled,
            account.jobs_faulted,
            account.jobs_late
        ),
        (3, 0, 0)
    );
    assert_eq!(
        (account.stake, account.reserved, account.live_jobs),
        (SOL / 2, 0, 0)
    );
    assert!(worker.process.terminate()?.status.success());

    // Rent is the requester's and comes back.
    let rent = stage.rent::<JobData>()?;
    assert_eq!(requester.balance(&stage)?, SOL - spent - 3 * rent);
    stage.chain.time_travel_by(120)?;
    for job in &jobs {
        spent += requester.close(&stage, job)?.fee;
    }
    assert_eq!(requester.balance(&stage)?, SOL - spent);

    let withdraw = EarningsWithdraw {
        authority: provider.authority.pubkey(),
        destination: provider.authority.pubkey(),
    };
    let withdrawn = stage.send(
        "earnings_withdraw",
        withdraw.instruction(),
        &[&provider.authority],
    )?;
    assert_eq!(
        stage.balance(&provider.authority.pubkey())?,
        authority_before + account.earnings - withdrawn.fee
    );
    let treasury: TreasuryData = stage.get(&address::treasury())?;
    assert_eq!(treasury.collected, market_fees);
    assert_eq!(account.earnings + treasury.collected, paid);

    let worker_fees = stage.network_fees(&operator)?;
    assert_eq!(stage.balance(&operator)?, operator_before - worker_fees);
    let fees = worker_fees + withdrawn.fee + (spent - paid);
    let after = Books::read(&stage, &wallets)?;
    assert_eq!(after.total() + u128::from(fees), books.total());
    Ok(())
}
