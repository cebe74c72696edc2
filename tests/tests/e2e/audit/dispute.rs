//! A requester that runs a result again before it accepts it, and objects.

use anyhow::Result;
use assay_client::{
    program::INCINERATOR,
    protocol::{JobStatus, verdict::Verdict},
};
use assay_tests::e2e::{Court, Model, Settings, Stage, Worker};

use super::{
    bench::{assert_paid, assert_slashed, earned_without_loss, ending, spent},
    desk::Desk,
};

const PRICE: u64 = 1_000_000;
const FEE: u64 = 1_500_000;
const BOND: u64 = 5 * FEE;

#[test]
fn fraud_that_verify_finds_is_disputed_and_overturned() -> Result<()> {
    let stage = Stage::unhurried()?;
    let court = Court::new(&stage, &Model::digits()?, 3)?;
    let cheat = Settings {
        cheats: true,
        ..Settings::default()
    };
    let _worker = Worker::start(&stage, &court.primary, &cheat)?;
    let _bench = court.bench(&Settings::default())?;
    let burned = stage.balance(&INCINERATOR)?;
    let desk = Desk::of(&court)?;
    let (job, receipt) = desk.held()?;

    let found = desk.verify(1, &receipt)?;
    assert_eq!(found["verdict"], "fraud", "{found}");
    assert_eq!(found["dispute"]["filed"], true, "{found}");
    stage.wait_job(&job, JobStatus::Appealing)?;
    court.seat(&job, 2, 3)?;
    let data = court.end(&job, JobStatus::Faulted)?;
    assert_eq!(
        ending(&data),
        (Some(JobStatus::Faulted), Some(Verdict::Overturned))
    );
    // Price, fees and bond come back; the collateral pays the three.
    assert_eq!(spent(&court, &stage, &job)?, 0);
    assert_slashed(&court, data.collateral)?;
    assert_eq!(earned_without_loss(&court)?, [FEE; 3]);
    assert_eq!(
        stage.balance(&INCINERATOR)?,
        burned + data.collateral - 3 * FEE
    );
    let told = desk.assay(&["job", "show", &job.to_string()])?;
    assert!(told.stdout.contains("overturned"), "{}", told.stdout);
    Ok(())
}

#[test]
fn honest_result_matches_and_a_dispute_of_it_costs_its_requester_the_bond() -> Result<()> {
    let stage = Stage::unhurried()?;
    let court = Court::new(&stage, &Model::digits()?, 3)?;
    let _worker = Worker::start(&stage, &court.primary, &Settings::default())?;
    let _bench = court.bench(&Settings::default())?;
    let burned = stage.balance(&INCINERATOR)?;
    let desk = Desk::of(&court)?;
    let (job, receipt) = desk.held()?;

    let found = desk.verify(0, &receipt)?;
    assert_eq!(found["verdict"], "match", "{found}");
    assert_eq!(found["dispute"]["filed"], false, "{found}");
    assert_eq!(stage.status(&job)?, JobStatus::Committed);

    desk.json(0, &["job", "dispute", &job.to_string()])?;
    stage.wait_job(&job, JobStatus::Appealing)?;
    court.seat(&job, 2, 3)?;
    let data = court.end(&job, JobStatus::Settled)?;
    assert_eq!(
        ending(&data),
        (Some(JobStatus::Settled), Some(Verdict::Upheld))
    );
    // The bond pays the three; what is left of it is the provider's, beside its price.
    assert_paid(&court, BOND - 3 * FEE)?;
    assert_eq!(spent(&court, &stage, &job)?, PRICE + BOND);
    assert_eq!(earned_without_loss(&court)?, [FEE; 3]);
    assert_eq!(stage.balance(&INCINERATOR)?, burned);
    let told = desk.assay(&["job", "show", &job.to_string()])?;
    assert!(told.stdout.contains("upheld"), "{}", told.stdout);
    Ok(())
}
