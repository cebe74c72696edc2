//! What a person is told while a job goes on.

use assay_client::protocol::{
    Address, BasisPoints, JobData, JobStatus, Lamports, amount::split_price,
};

use crate::{
    amount::{Amount, until},
    chain::Clock,
};

/// The line for a change of status.
pub fn line(address: &Address, status: JobStatus, job: &JobData) -> String {
    match status {
        JobStatus::Open if job.attempt == 0 => format!("open       {}", address),
        JobStatus::Open => format!(
            "open       again: the provider gave its claim back or missed its deadline, and was slashed; attempt {} of 3",
            job.attempt.saturating_add(1)
        ),
        JobStatus::Claimed => claimed(job),
        JobStatus::Committed => format!("committed  {:.16}..", hex::encode(job.commitment)),
        JobStatus::Settled => settled(job),
        JobStatus::Cancelled | JobStatus::Expired | JobStatus::Faulted => {
            format!(
                "{:<10} everything came back but the rent, which `assay job close` returns",
                status.name()
            )
        }
        JobStatus::Auditing | JobStatus::Appealing | JobStatus::Unresolved => {
            status.name().to_owned()
        }
    }
}

/// What is going on at the moment.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other phases have nothing that counts down"
)]
pub fn message(status: JobStatus, job: &JobData, clock: Clock, acknowledged: bool) -> String {
    let left = |deadline: i64| until(deadline, clock.now.0);
    match status {
        JobStatus::Open => {
            let price = job.price_at(clock.now).map_or(job.ceiling, |price| price.0);
            let deadline = job.claim_deadline().map_or(0, |at| at.0);
            format!(
                "waiting for a provider: {} now, at most {}, {} left",
                Amount(price),
                Amount(job.ceiling),
                left(deadline)
            )
        }
        JobStatus::Claimed => {
            format!(
                "computing, {} left",
                left(job.compute_deadline().map_or(0, |at| at.0))
            )
        }
        JobStatus::Committed if acknowledged => "waiting for the provider to settle".to_owned(),
        JobStatus::Committed => "fetching the result".to_owned(),
        _ => status.name().to_owned(),
    }
}

pub fn claimed(job: &JobData) -> String {
    format!("claimed    by {} for {}", job.provider, Amount(job.price))
}

fn settled(job: &JobData) -> String {
    let share =
        split_price(Lamports(job.price), BasisPoints(job.fee_bps)).map_or(0, |split| split.fee.0);
    let waits = if job.refund_due > 0 {
        " with `assay job close`: the wallet could not take it"
    } else {
        ""
    };
    format!(
        "settled    {} paid, of it {} to the market; {} came back{waits}",
        Amount(job.price),
        Amount(share),
        Amount(job.ceiling.saturating_sub(job.price))
    )
}
