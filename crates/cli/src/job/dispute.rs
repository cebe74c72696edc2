//! `assay job dispute`: the requester objects to a committed result, for a bond; five drawn auditors decide.

use anyhow::{Result, anyhow};
use assay_client::clock::Clock;
use assay_client::{
    instruction::JobDispute,
    protocol::{Address, JobData, JobStatus, ProviderData, panel::BOND_FEES},
};
use serde_json::json;

use super::{auditors::Auditors, steps};
use crate::{
    amount::{Amount, exact, moment, until},
    context::Context,
    output,
    transaction::Sent,
};

pub async fn run(context: &Context, address: Address) -> Result<()> {
    let Some(sent) = file(context, &address).await? else {
        return Ok(());
    };
    if context.options.json {
        return output::json(&json!({ "address": address.to_string(), "transaction": sent }));
    }
    context.say(format_args!(
        "disputed; a panel of five is drawn in a moment. `assay job watch {address}` follows it"
    ));
    Ok(())
}

/// Shows what a dispute means, asks, and files it; none if it was only printed unsigned.
pub async fn file(context: &Context, address: &Address) -> Result<Option<Sent>> {
    let (job, clock) = context.cluster.with_clock::<JobData>(address).await?;
    let job = job.ok_or_else(|| {
        anyhow!(
            "there is no job at {address} on {}; a closed job cannot be disputed",
            context.cluster.url()
        )
    })?;
    let requester = context.signer()?;
    if let Some(reason) = refusal(&job, &requester, clock) {
        return Err(anyhow!("the job cannot be disputed: {reason}"));
    }
    let providers = context.cluster.list::<ProviderData>(&[]).await?;
    let auditors = Auditors::of_dispute(&providers, &job);
    let deadline = steps::moment(job.challenge_deadline())?.0;
    context.say(output::facts(&facts(&job, deadline, clock, &auditors)));
    if auditors.eligible < usize::from(assay_client::protocol::verdict::QUORUM) {
        context.say(
            "note: too few auditors to decide anything: the dispute would stay undecided, and the provider be paid",
        );
    }
    context.confirm("Lock the bond and dispute the result?")?;
    let dispute = JobDispute {
        requester,
        job: *address,
    };
    context.send("job dispute", &[dispute.instruction()]).await
}

/// Why a job cannot be disputed; none if it can.
pub fn refusal(job: &JobData, signer: &Address, clock: Clock) -> Option<String> {
    let status = job.status().ok();
    if job.requester != *signer {
        return Some(format!(
            "only its requester {} may, this wallet is {signer}",
            job.requester
        ));
    }
    if job.is_unaudited() {
        return Some("it is unaudited, nobody was ever to judge its result".to_owned());
    }
    if status != Some(JobStatus::Committed) {
        let name = status.map_or("in a status unknown to this client", JobStatus::name);
        return Some(match status {
            Some(JobStatus::Open | JobStatus::Claimed) => {
                format!("it is {name}, there is no result yet")
            }
            Some(JobStatus::Auditing | JobStatus::Appealing) => {
                format!("it is {name}, auditors judge it already")
            }
            _ => format!(
                "it is {name}; only a result that is not finalized can be disputed, so verify before you acknowledge \
                 (--no-acknowledge)"
            ),
        });
    }
    match job.challenge_deadline() {
        Ok(deadline) if deadline.allows(clock.time) => None,
        Ok(deadline) => Some(format!(
            "its challenge window ended at {}",
            moment(deadline.0)
        )),
        Err(error) => Some(error.message().to_owned()),
    }
}

fn facts(
    job: &JobData,
    deadline: i64,
    clock: Clock,
    auditors: &Auditors,
) -> [(&'static str, String); 6] {
    let bond = job.audit_fee.saturating_mul(u64::from(BOND_FEES));
    [
        ("provider", job.provider.to_string()),
        ("bond", exact(bond)),
        (
            "if you are right",
            format!(
                "bond and escrow come back, the provider loses its collateral of {}",
                Amount(job.collateral)
            ),
        ),
        (
            "if you are wrong",
            format!(
                "the auditors are paid out of the bond and the provider gets the rest of it and its price of {}",
                Amount(job.price)
            ),
        ),
        (
            "time left",
            format!(
                "{} (until {})",
                until(deadline, clock.time.0),
                moment(deadline)
            ),
        ),
        ("auditors", auditors.sentence()),
    ]
}

#[cfg(test)]
mod tests {
    use assay_client::protocol::UnixSeconds;
    use bytemuck::Zeroable as _;

    use super::*;

    const ME: Address = Address::new_from_array([1; 32]);

    fn why(change: fn(&mut JobData), signer: Address, now: i64) -> Option<String> {
        let mut job = JobData {
            status: JobStatus::Committed as u8,
            requester: ME,
            audit_bps: 500,
            panel_size: 2,
            audit_fee: 10,
            committed_at: 100,
            challenge_secs: 50,
            ..JobData::zeroed()
        };
        change(&mut job);
        let clock = Clock {
            slot: 1,
            time: UnixSeconds(now),
        };
        refusal(&job, &signer, clock)
    }

    #[test]
    fn committed_job_can_be_disputed_to_the_last_second() {
        assert_eq!(why(|_| (), ME, 150), None);
        assert!(why(|_| (), ME, 151).unwrap().contains("window ended"));
    }

    #[test]
    fn refusals_say_why() {
        assert!(
            why(|_| (), Address::default(), 100)
                .unwrap()
                .contains("requester")
        );
        let unaudited = |job: &mut JobData| {
            (job.audit_bps, job.panel_size, job.audit_fee) = (0, 0, 0);
        };
        assert!(why(unaudited, ME, 100).unwrap().contains("unaudited"));
        let claimed = |job: &mut JobData| job.status = JobStatus::Claimed as u8;
        assert!(why(claimed, ME, 100).unwrap().contains("no result yet"));
        let auditing = |job: &mut JobData| job.status = JobStatus::Auditing as u8;
        assert!(why(auditing, ME, 100).unwrap().contains("judge it already"));
        let settled = |job: &mut JobData| job.status = JobStatus::Settled as u8;
        assert!(why(settled, ME, 100).unwrap().contains("--no-acknowledge"));
    }
}
