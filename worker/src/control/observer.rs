//! The running worker, as the control service looks at it. It only reads, but for draining; the
//! journal through a connection of its own, so that no salt waits behind a page.

use std::{sync::Arc, time::Duration};

use assay_client::protocol::Digest;
use assay_engine::Host;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    time::Instant,
};

use super::{
    Unmoved, Worker,
    machine::Gauges,
    recent::Recent,
    snapshot::{
        Audit, Earnings, Engine, Funds, Identity, Job, Reason, SessionsLeft, Snapshot, Standing,
        State,
    },
};
use crate::{
    chain::RpcChain,
    config::SessionModel,
    core::{LiveJob, LiveSeat, Pause, Snapshot as Seen},
    driver::{Input, Shared},
    sessions::Sessions,
    store::Store,
    wall_clock,
};

mod chain;
mod earnings;
mod engines;

/// Earnings are added up anew after so long, and so many times what adding them up took: a journal of
/// many years must not keep a processor busy.
const EARNINGS_EVERY: Duration = Duration::from_secs(5);
const EARNINGS_SHARE: u32 = 50;

pub struct Observer {
    sources: Sources,
    started_at: i64,
    /// With the moment from which they are old.
    earnings: Mutex<Option<(Instant, Earnings)>>,
}

/// What an observer looks at.
pub struct Sources {
    pub shared: Arc<Shared>,
    pub driver: mpsc::Sender<Input>,
    pub host: Arc<Host>,
    pub sessions: Option<SessionEngines>,
    pub served: Option<Arc<Sessions<RpcChain>>>,
    pub chain: Arc<RpcChain>,
    /// Opened for reading.
    pub journal: Store,
    pub recent: Recent,
    pub identity: Identity,
    pub gauges: Gauges,
    pub metrics: PrometheusHandle,
}

/// The engines of sessions, and what their models are called there.
pub struct SessionEngines {
    pub host: Arc<Host>,
    pub models: Vec<SessionModel>,
}

impl Observer {
    pub fn new(sources: Sources) -> Self {
        Self {
            sources,
            started_at: wall_clock(),
            earnings: Mutex::new(None),
        }
    }

    async fn earnings(&self, now: i64) -> Earnings {
        let mut known = self.earnings.lock().await;
        let began = Instant::now();
        if let Some((old, earnings)) = &*known
            && began < *old
        {
            return earnings.clone();
        }
        match self.sources.journal.call(|journal| journal.books()).await {
            Ok(books) => {
                let earnings = earnings::sum(&books, now);
                let rest = began.elapsed().saturating_mul(EARNINGS_SHARE);
                *known = Some((began + EARNINGS_EVERY.max(rest), earnings.clone()));
                earnings
            }
            Err(error) => {
                tracing::debug!(%error, "earnings cannot be read; the last ones are shown");
                let last = known.as_ref().map(|(_, last)| last.clone());
                last.unwrap_or_default()
            }
        }
    }

    fn name(&self, model: &str) -> Option<String> {
        let mut digest = Digest::default();
        hex::decode_to_slice(model, &mut digest.0).ok()?;
        self.sources.shared.names.get(&digest)
    }

    fn engines(&self) -> Vec<Engine> {
        let sources = &self.sources;
        let name = |model: &Digest| sources.shared.names.get(model);
        let sessions = sources.sessions.as_ref();
        let sessions = sessions.map(|sessions| (sessions.host.ps(), sessions.models.as_slice()));
        let sessions = sessions.as_ref().map(|(ps, models)| (ps, *models));
        engines::seen(&sources.host.ps(), name, sessions)
    }

    fn job(&self, job: &LiveJob) -> Job {
        Job {
            job: job.job.clone(),
            attempt: job.attempt,
            phase: job.phase.clone(),
            ours: job.ours,
            price: job.price,
            collateral: job.collateral,
            requester: job.requester.clone(),
            model: job.model_digest.clone(),
            model_name: self.name(&job.model_digest),
            deadline: job.deadline,
            deadline_for: job.deadline.map(|_| due(job).to_owned()),
            estimate_ms: job.estimate_ms,
        }
    }
}

impl Worker for Observer {
    async fn snapshot(&self) -> Snapshot {
        let seen = Arc::clone(&self.sources.shared.snapshot.borrow());
        let sessions = self.sources.served.as_ref().map(|served| served.left());
        let at = wall_clock();
        let (earnings, machine) = tokio::join!(self.earnings(at), self.sources.gauges.read());
        let mut jobs: Vec<Job> = seen.jobs.iter().map(|job| self.job(job)).collect();
        let reachable = seen.now != 0 && !paused(&seen, Pause::ChainUnreachable);
        jobs.sort_by_key(|job| (!job.ours, job.deadline.unwrap_or(i64::MAX)));
        Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            at,
            started_at: self.started_at,
            chain_time: (seen.now != 0).then_some(seen.now),
            identity: self.sources.identity.clone(),
            standing: standing(&seen, sessions.as_ref()),
            jobs,
            watched: u64::try_from(seen.counts.candidates).unwrap_or(u64::MAX),
            audits: seen.seats.iter().map(audit).collect(),
            sessions,
            earnings,
            funds: funds(&seen),
            engines: self.engines(),
            machine,
            chain: chain::seen(&self.sources.chain.health(), reachable),
            events: self.sources.recent.newest(),
        }
    }

    fn metrics(&self) -> String {
        self.sources.metrics.render()
    }

    async fn drain(&self, draining: bool) -> Result<(), Unmoved> {
        let (reply, answer) = oneshot::channel();
        let input = if draining {
            Input::Drain(reply)
        } else {
            Input::Resume(reply)
        };
        self.sources
            .driver
            .send(input)
            .await
            .map_err(|_| Unmoved::Stopping)?;
        let kept = answer.await.map_err(|_| Unmoved::Stopping)?;
        kept.map(|_| ())
            .map_err(|error| Unmoved::NotKept(error.to_string()))
    }
}

fn paused(seen: &Seen, pause: Pause) -> bool {
    seen.reasons.iter().any(|reason| reason.pause == pause)
}

fn standing(seen: &Seen, sessions: Option<&SessionsLeft>) -> Standing {
    let state = [
        (Pause::ShuttingDown, State::Stopping),
        (Pause::Starting, State::Starting),
        (Pause::ChainUnreachable, State::Offline),
        (Pause::Drained, State::Draining),
    ];
    let state = state.into_iter().find(|(pause, _)| paused(seen, *pause));
    let other = match (seen.accepting, seen.reasons.is_empty()) {
        (true, _) => State::Accepting,
        (false, false) => State::Paused,
        // Nothing has been said yet.
        (false, true) => State::Starting,
    };
    Standing {
        state: state.map_or(other, |(_, state)| state),
        reasons: seen
            .reasons
            .iter()
            .map(|reason| Reason {
                name: reason.pause.name().to_owned(),
                since: reason.since,
                detail: reason.detail.clone(),
            })
            .collect(),
        draining: paused(seen, Pause::Drained),
        idle: seen.idle && sessions.is_none_or(|left| *left == SessionsLeft::default()),
    }
}

/// What a job's deadline is for.
fn due(job: &LiveJob) -> &'static str {
    match job.phase.as_str() {
        _ if !job.ours => "claim",
        "waiting" | "finalizing" => "finalize",
        _ => "commit",
    }
}

fn audit(seat: &LiveSeat) -> Audit {
    Audit {
        job: seat.job.clone(),
        role: seat.role.clone(),
        level: seat.level,
        seat: seat.seat.clone(),
        at_stake: seat.at_stake,
        phase: seat.phase.clone(),
        deadline: seat.deadline,
    }
}

fn funds(seen: &Seen) -> Funds {
    let stake = seen.stake;
    Funds {
        operator: seen.operator_lamports,
        stake: stake.map(|stake| stake.stake),
        free_stake: stake.map(|stake| stake.free),
        reserved: stake.map(|stake| stake.reserved),
        unbonding: stake.map(|stake| stake.unbonding),
        withdrawable: stake.map(|stake| stake.earnings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Reason as Cause;

    #[test]
    fn state_is_the_gravest_of_the_reasons() {
        let seen = |pauses: &[Pause]| Seen {
            accepting: pauses.is_empty(),
            reasons: pauses
                .iter()
                .map(|pause| Cause {
                    pause: *pause,
                    since: 5,
                    detail: "why".into(),
                })
                .collect(),
            ..Seen::default()
        };
        for (pauses, state) in [
            (&[][..], State::Accepting),
            (&[Pause::Funds], State::Paused),
            (&[Pause::Drained, Pause::Funds], State::Draining),
            (&[Pause::ChainUnreachable, Pause::Drained], State::Offline),
            (&[Pause::Drained, Pause::ShuttingDown], State::Stopping),
        ] {
            let standing = standing(&seen(pauses), None);
            assert_eq!(
                (standing.state, standing.reasons.len()),
                (state, pauses.len())
            );
            assert_eq!(standing.draining, pauses.contains(&Pause::Drained));
        }
        assert_eq!(
            standing(&Seen::default(), None).state,
            State::Starting,
            "nothing was said yet"
        );
    }

    #[test]
    fn worker_is_not_idle_while_sessions_have_something_left() {
        let seen = Seen {
            idle: true,
            ..Seen::default()
        };
        let idle = |left: Option<SessionsLeft>| standing(&seen, left.as_ref()).idle;
        let none = SessionsLeft::default();
        assert!(idle(None) && idle(Some(none)));
        let each = [
            SessionsLeft {
                requests: 1,
                ..none
            },
            SessionsLeft {
                unsettled: 1,
                ..none
            },
            SessionsLeft {
                settlements: 1,
                ..none
            },
        ];
        assert!(!each.into_iter().any(|left| idle(Some(left))));
    }
}
