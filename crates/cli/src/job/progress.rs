//! What a person is told while a job goes on.

use assay_chain::Panels;
use assay_client::clock::Clock;
use assay_client::protocol::{
    Address, BasisPoints, JobData, JobStatus, Lamports, PanelData,
    amount::split_price,
    verdict::{Origin, Verdict},
};

use crate::{
    amount::{Amount, until},
    view::panel::words,
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
        JobStatus::Auditing => format!(
            "auditing   {} auditors are drawn to run it again",
            job.panel_size
        ),
        JobStatus::Appealing => format!("appealing  {}; five auditors decide", appeal(job)),
        JobStatus::Unresolved => {
            "unresolved the auditors did not agree: nobody is paid for the job or slashed, what \
                                  they did not earn came back"
                .to_owned()
        }
    }
}

/// Why the second panel is convened.
fn appeal(job: &JobData) -> &'static str {
    match job.origin() {
        Origin::Dispute => "the result is disputed",
        Origin::Silence => "no auditor revealed a result",
        Origin::Draw | Origin::Dissent => "an auditor found another result",
    }
}

/// The panel that is convened, once it is open.
pub fn convened<'a>(job: &JobData, panels: &'a Panels) -> Option<&'a PanelData> {
    let live = job.require_convened().is_ok();
    panels
        .iter()
        .flatten()
        .find(|panel| live && panel.level == job.level)
}

/// What is going on at the moment.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other phases have nothing that counts down"
)]
pub fn message(
    status: JobStatus,
    job: &JobData,
    panels: &Panels,
    clock: Clock,
    acknowledged: bool,
) -> String {
    let left = |deadline: i64| until(deadline, clock.time.0);
    match status {
        JobStatus::Open => {
            let price = job
                .price_at(clock.time)
                .map_or(job.ceiling, |price| price.0);
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
        JobStatus::Auditing | JobStatus::Appealing => convened(job, panels).map_or_else(
            || {
                format!(
                    "waiting for panel {} to be drawn, {} left",
                    job.level,
                    left(job.panel_open_deadline().map_or(0, |at| at.0))
                )
            },
            |panel| format!("panel {}: {}", panel.level, words(panel, job, clock.time)),
        ),
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
    // After an audit, who gets what is the verdict's matter, and told with it.
    if job.level != 0 {
        let verdict = Verdict::from_byte(job.verdict).map_or("no verdict", Verdict::name);
        return format!("settled    after an audit: {verdict}{waits}");
    }
    format!(
        "settled    {} paid, of it {} to the market; {} came back{waits}",
        Amount(job.price),
        Amount(share),
        Amount(locked(job).saturating_sub(job.price))
    )
}

/// What the requester locked with the job.
pub fn locked(job: &JobData) -> u64 {
    job.audit_fee
        .saturating_mul(u64::from(job.panel_size))
        .saturating_add(job.ceiling)
}

#[cfg(test)]
mod tests {
    use assay_client::protocol::{
        UnixSeconds,
        job::{JOB_PANEL_1, JOB_PANEL_2},
        panel::PanelStatus,
    };
    use bytemuck::Zeroable as _;

    use super::*;

    const CLOCK: Clock = Clock {
        slot: 1,
        time: UnixSeconds(100),
    };

    fn audited(status: JobStatus, level: u8) -> JobData {
        JobData {
            status: status as u8,
            level,
            ceiling: 1_000_000_000,
            price: 600_000_000,
            audit_fee: 1_000_000_000,
            audit_bps: 500,
            panel_size: 2,
            convened_at: 90,
            panel_open_secs: 30,
            ..JobData::zeroed()
        }
    }

    #[test]
    fn convened_panel_is_told_with_what_it_waits_for() {
        let mut job = audited(JobStatus::Auditing, 1);
        let told = |job: &JobData, panels: &Panels| {
            message(JobStatus::Auditing, job, panels, CLOCK, false)
        };
        assert_eq!(
            told(&job, &[None, None]),
            "waiting for panel 1 to be drawn, 20s left"
        );
        job.flags = JOB_PANEL_1;
        let panel = PanelData {
            status: PanelStatus::Live as u8,
            level: 1,
            size: 2,
            join_deadline: 107,
            ..PanelData::zeroed()
        };
        let text = told(&job, &[Some(panel), None]);
        assert_eq!(text, "panel 1: auditors join, 0 of 2 seats taken, 7s left");
        // The first panel is past once the second one is convened.
        job.level = 2;
        assert!(convened(&job, &[Some(panel), None]).is_none());
    }

    #[test]
    fn reasons_of_an_appeal_are_told_apart() {
        let text = |job: &JobData| line(&Address::default(), JobStatus::Appealing, job);
        let mut job = audited(JobStatus::Appealing, 2);
        job.flags = JOB_PANEL_1 | JOB_PANEL_2;
        job.verdict = Verdict::Dissent as u8;
        assert!(text(&job).contains("found another result"));
        job.verdict = Verdict::Silence as u8;
        assert!(text(&job).contains("no auditor revealed"));
        job.dispute_bond = 1;
        assert!(text(&job).contains("disputed"));
    }

    #[test]
    fn audit_fees_come_back_where_the_job_was_not_drawn() {
        let settled = |job: &JobData| line(&Address::default(), JobStatus::Settled, job);
        let text = settled(&audited(JobStatus::Settled, 0));
        assert!(text.contains("0.6 SOL paid"), "{text}");
        assert!(text.contains("2.4 SOL came back"), "{text}");
        let mut drawn = audited(JobStatus::Settled, 1);
        drawn.verdict = Verdict::Confirmed as u8;
        let text = settled(&drawn);
        assert!(text.contains("after an audit: confirmed"), "{text}");
    }
}
