//! kill -9 of the worker at each point of its journal: the job still ends, paid exactly once.

use anyhow::Result;
use assay_client::protocol::JobStatus;
use assay_tests::e2e::{Model, Settings, digits::Sample};

use crate::{parties::Parties, present};

/// When the worker stops dead, and whether the requester has acknowledged by then.
fn crash_at(point: &'static str, acknowledged: bool) -> Result<()> {
    let stage = present();
    let parties = Parties::new(stage, &Model::digits()?)?;
    let Parties {
        provider,
        requester,
        ..
    } = &parties;
    let worker = parties.worker(&Settings {
        halt_at: Some(point),
        ..Settings::default()
    })?;
    let order = parties.order(Sample::new(1)?.input);
    let placed = requester.place(stage, &provider.http(), &order)?;
    if acknowledged {
        stage.wait_job(&placed.job, JobStatus::Committed)?;
        requester.receive(stage, &provider.http(), &placed.job)?;
        requester.acknowledge_unheard(&provider.http(), &placed.job);
    }
    worker.wait_halt(point)?;
    worker.process.kill()?;

    let worker = parties.worker(&Settings::default())?;
    if !acknowledged {
        stage.wait_job(&placed.job, JobStatus::Committed)?;
        requester.receive(stage, &provider.http(), &placed.job)?;
        requester.acknowledge(&provider.http(), &placed.job)?;
    }
    stage.wait_job(&placed.job, JobStatus::Settled)?;
    parties.assert_paid_once(&placed.job, &order, placed.landed.fee)?;
    requester.receive(stage, &provider.http(), &placed.job)?;

    // And whoever starts it once more finds nothing left to do.
    worker.process.kill()?;
    let fees = stage.network_fees(&solana_signer::Signer::pubkey(&provider.operator))?;
    let worker = parties.worker(&Settings::default())?;
    assert_eq!(
        stage.network_fees(&solana_signer::Signer::pubkey(&provider.operator))?,
        fees
    );
    parties.assert_paid_once(&placed.job, &order, placed.landed.fee)?;
    drop(worker);
    Ok(())
}

macro_rules! points {
    ($($test:ident $point:literal $acknowledged:literal;)*) => {
        $(#[test]
        fn $test() -> Result<()> {
            crash_at($point, $acknowledged)
        })*

        /// A new point in the worker must get a test here.
        #[test]
        fn every_halt_point_of_the_worker_has_a_test() -> Result<()> {
            let mut command = assay_tests::e2e::binaries::worker()?;
            command.args(["run", "--halt-at", "nowhere"]);
            let refused = assay_tests::e2e::Process::run("assay-worker", &mut command)?;
            let list = refused.stderr.split_once("possible values: ").expect("a list").1;
            let list = list.split_once(']').expect("its end").0;
            let mut known: Vec<&str> = list.split(", ").map(str::trim).collect();
            known.sort_unstable();
            let mut tested = vec![$($point),*];
            tested.extend(crate::audit::crash::POINTS);
            tested.sort_unstable();
            assert_eq!(known, tested);
            Ok(())
        }
    };
}

points! {
    job_survives_a_crash_before_the_claim_is_sent "claim-intent-saved" false;
    job_survives_a_crash_after_the_claim_landed "claim-landed" false;
    job_survives_a_crash_after_the_result_was_saved "result-saved" false;
    job_survives_a_crash_after_the_commit_was_sent "commit-sent" false;
    job_survives_a_crash_after_the_commit_landed "commit-landed" false;
    job_survives_a_crash_after_the_acknowledgement_was_saved "ack-saved" true;
    job_survives_a_crash_after_the_finalize_was_sent "finalize-sent" true;
}
