//! What the tests of audits hold against the chain.

use anyhow::Result;
use assay_client::protocol::{Address, JobData, JobStatus, verdict::Verdict};
use assay_tests::e2e::{Court, Process, Provider, SOL, Stage, binaries};
use serde_json::Value;
use solana_signer::Signer as _;

/// What a provider's worker makes of a job's audit, from its journal alone, once that speaks of `wanted`.
pub fn told(stage: &Stage, provider: &Provider, job: &Address, wanted: &str) -> Result<Value> {
    // The journal is written a moment after the log.
    let what = format!("`assay-worker disputes` to tell the {wanted}");
    stage.watch(job)?.until(&what, || {
        let mut command = binaries::worker()?;
        command
            .arg("--config")
            .arg(provider.folder.join("worker.toml"));
        command.args(["disputes", &job.to_string(), "--json"]);
        let exit = Process::run("assay-worker disputes", &mut command)?;
        assert!(exit.status.success(), "{}", exit.stderr);
        let mut told: Value = serde_json::from_str(&exit.stdout)?;
        let told = told["disputes"][0].take();
        let found = match &told[wanted] {
            Value::Array(found) => !found.is_empty(),
            other => !other.is_null(),
        };
        Ok(found.then_some(told))
    })
}

/// Holds that `assay-worker earnings` tells what the chain changed of a provider's stake, its earnings and its
/// operator's wallet, to the lamport, for everybody of the court.
pub fn assert_booked(court: &Court, job: &Address) -> Result<()> {
    let signed = |lamports: u64| i64::try_from(lamports);
    for provider in court.auditors.iter().chain([&court.primary]) {
        let account = provider.data(court.stage)?;
        let wallet = court.stage.balance(&provider.operator.pubkey())?;
        let now = signed(account.stake + account.earnings + wallet)?;
        let changed = now - signed(SOL / 2 + SOL / 10)?;
        // What a transaction cost is asked for a moment after it landed.
        let what = format!("`assay-worker earnings` to tell {changed} lamports");
        court.stage.watch(job)?.until(&what, || {
            let mut command = binaries::worker()?;
            let config = provider.folder.join("worker.toml");
            command.arg("--config").arg(config);
            command.args(["earnings", "--json"]);
            let exit = Process::run("assay-worker earnings", &mut command)?;
            assert!(exit.status.success(), "{}", exit.stderr);
            let told: Value = serde_json::from_str(&exit.stdout)?;
            Ok((told["total"]["net"] == changed).then_some(()))
        })?;
    }
    Ok(())
}

/// How a job ended.
pub fn ending(job: &JobData) -> (Option<JobStatus>, Option<Verdict>) {
    (job.status().ok(), Verdict::from_byte(job.verdict))
}

/// What each auditor earned, in rising order, if every stake is whole and no seat is left.
pub fn earned_without_loss(court: &Court) -> Result<Vec<u64>> {
    let mut earned = Vec::new();
    for auditor in &court.auditors {
        let account = auditor.data(court.stage)?;
        assert_eq!((account.stake, account.live_seats), (SOL / 2, 0));
        assert_eq!((account.audits_lost, account.total_slashed), (0, 0));
        earned.push(account.earnings);
    }
    earned.sort_unstable();
    Ok(earned)
}

/// Holds that the primary's collateral is gone, and nothing else of it.
pub fn assert_slashed(court: &Court, collateral: u64) -> Result<()> {
    let account = court.primary.data(court.stage)?;
    assert_eq!((account.jobs_settled, account.jobs_faulted), (0, 1));
    assert_eq!((account.earnings, account.fees_due), (0, 0));
    assert_eq!(account.stake, SOL / 2 - collateral);
    assert_eq!((account.reserved, account.live_jobs), (0, 0));
    assert_eq!(account.total_slashed, collateral);
    Ok(())
}

/// Holds that the primary was paid a million lamports less 2 %, and lost nothing.
pub fn assert_paid(court: &Court, bonus: u64) -> Result<()> {
    let account = court.primary.data(court.stage)?;
    assert_eq!((account.jobs_settled, account.jobs_faulted), (1, 0));
    assert_eq!(
        (account.earnings, account.fees_due),
        (980_000 + bonus, 20_000)
    );
    assert_eq!((account.stake, account.reserved), (SOL / 2, 0));
    Ok(())
}

/// Lamports that the requester's wallet is short of, beside rent and fees of its transactions.
pub fn spent(court: &Court, stage: &Stage, job: &Address) -> Result<u64> {
    let rent = stage.balance(job)?;
    assert_eq!(rent, stage.rent::<JobData>()?);
    let fees = stage.network_fees(&court.requester.address())?;
    Ok(SOL - court.requester.balance(stage)? - rent - fees)
}
