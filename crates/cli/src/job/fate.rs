//! How a job ended whose account is gone: anyone may close an ended job, its transactions remain.

use anyhow::Result;
use assay_client::{
    Event,
    protocol::{Address, JobData, JobStatus, events::PanelResolved},
};

use crate::context::Context;

/// Transactions that are looked through, the last first.
const MOST_TRANSACTIONS: usize = 50;

/// A job's end, as its transactions tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    pub status: JobStatus,
    /// What the provider was paid, if it was, and who it was.
    paid: Option<(u64, Address)>,
    /// The verdict, if a panel ended it.
    pub resolved: Option<PanelResolved>,
    time: i64,
}

impl Fate {
    /// The account as it was at its end, from what was last seen of it.
    pub fn apply(&self, mut last: JobData) -> JobData {
        last.status = self.status as u8;
        last.ended_at = self.time;
        last.escrow = 0;
        if let Some(resolved) = &self.resolved {
            last.level = u8::try_from(resolved.level).unwrap_or(last.level);
            last.verdict = u8::try_from(resolved.verdict).unwrap_or(last.verdict);
        }
        if let Some((price, provider)) = self.paid {
            last.price = price;
            last.provider = provider;
        }
        last
    }

    fn of(event: &Event, job: &Address) -> Option<Self> {
        let end = |status: u64, time| {
            let status = JobStatus::from_byte(u8::try_from(status).ok()?).ok()?;
            status.is_terminal().then_some(Self {
                status,
                paid: None,
                resolved: None,
                time,
            })
        };
        #[expect(clippy::wildcard_enum_match_arm, reason = "no other event ends a job")]
        match event {
            Event::JobSettled(settled) if settled.job == *job => Some(Self {
                status: JobStatus::Settled,
                paid: Some((settled.price, settled.provider)),
                resolved: None,
                time: settled.time,
            }),
            Event::PanelResolved(resolved) if resolved.job == *job => {
                let fate = end(resolved.status, resolved.time)?;
                let paid = (fate.status == JobStatus::Settled)
                    .then_some((resolved.paid, resolved.provider));
                Some(Self {
                    paid,
                    resolved: Some(*resolved),
                    ..fate
                })
            }
            Event::JobCancelled(cancelled) if cancelled.job == *job => {
                end(JobStatus::Cancelled as u64, cancelled.time)
            }
            Event::JobExpired(expired) if expired.job == *job => end(expired.status, expired.time),
            Event::JobReleased(released) if released.job == *job => {
                end(released.status, released.time)
            }
            _ => None,
        }
    }
}

/// Looks the job's end up; none if its transactions do not tell.
pub async fn fate(context: &Context, job: &Address) -> Result<Option<Fate>> {
    let signatures = context.cluster.succeeded(job, MOST_TRANSACTIONS).await?;
    for signature in signatures {
        let events = context.cluster.record(&signature).await?.events;
        if let Some(fate) = events.iter().rev().find_map(|event| Fate::of(event, job)) {
            return Ok(Some(fate));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use assay_client::protocol::events::{JobExpired, JobSettled};
    use bytemuck::Zeroable as _;

    use super::*;

    const JOB: Address = Address::new_from_array([1; 32]);
    const PROVIDER: Address = Address::new_from_array([2; 32]);

    #[test]
    fn settled_job_is_known_from_its_event() {
        let settled = Event::JobSettled(JobSettled {
            job: JOB,
            provider: PROVIDER,
            price: 70,
            time: 9,
            ..JobSettled::zeroed()
        });
        assert_eq!(Fate::of(&settled, &PROVIDER), None, "another job's");
        let fate = Fate::of(&settled, &JOB).unwrap();
        let mut last = JobData::zeroed();
        last.status = JobStatus::Committed as u8;
        last.commitment = [3; 32];
        last.escrow = 100;
        let job = fate.apply(last);
        assert_eq!(job.status(), Ok(JobStatus::Settled));
        assert_eq!((job.price, job.provider, job.ended_at), (70, PROVIDER, 9));
        assert_eq!((job.commitment, job.escrow), ([3; 32], 0));
    }

    #[test]
    fn verdicts_end_jobs_and_dissents_do_not() {
        let resolved = |status: JobStatus| {
            Event::PanelResolved(PanelResolved {
                job: JOB,
                provider: PROVIDER,
                status: status as u64,
                level: 2,
                verdict: 7,
                paid: 60,
                ..PanelResolved::zeroed()
            })
        };
        assert_eq!(Fate::of(&resolved(JobStatus::Appealing), &JOB), None);
        let fate = Fate::of(&resolved(JobStatus::Faulted), &JOB).unwrap();
        let job = fate.apply(JobData::zeroed());
        assert_eq!(job.status(), Ok(JobStatus::Faulted));
        assert_eq!((job.level, job.verdict, job.price), (2, 7, 0));
        let paid = Fate::of(&resolved(JobStatus::Settled), &JOB).unwrap();
        assert_eq!(paid.apply(JobData::zeroed()).price, 60);
    }

    #[test]
    fn job_that_opened_again_did_not_end() {
        let expired = |status: JobStatus| {
            Event::JobExpired(JobExpired {
                job: JOB,
                status: status as u64,
                ..JobExpired::zeroed()
            })
        };
        assert_eq!(Fate::of(&expired(JobStatus::Open), &JOB), None);
        let end = Fate::of(&expired(JobStatus::Expired), &JOB);
        assert_eq!(end.map(|fate| fate.status), Some(JobStatus::Expired));
    }
}
