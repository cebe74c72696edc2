//! Random lives against an independent model.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Act {
    Claim,
    Release,
    Commit,
    Finalize(u8),
    Cancel,
    ExpireOpen,
    ExpireClaim,
    Fault,
}

/// The specification's picture as plain arithmetic: knows neither the table nor the deadlines' code.
#[derive(Clone, Copy, Debug)]
struct Model {
    status: JobStatus,
    attempt: u8,
    opened: i64,
    claimed: i64,
    committed: i64,
    ramp_used: i64,
    price: u64,
    escrow: u64,
}

/// Lamports that leave: to the provider and the market, to the requester, burned from the stake.
type Moved = (u64, u64, u64);

impl Model {
    fn new() -> Self {
        Self {
            status: JobStatus::Open,
            attempt: 0,
            opened: 0,
            claimed: 0,
            committed: 0,
            ramp_used: 0,
            price: 0,
            escrow: CEILING,
        }
    }

    fn end(&mut self, status: JobStatus) -> u64 {
        self.status = status;
        core::mem::take(&mut self.escrow)
    }

    fn lose(&mut self, reopened: i64, slash: u64) -> Moved {
        self.attempt += 1;
        if self.attempt == 3 {
            return (0, self.end(JobStatus::Expired), slash);
        }
        self.status = JobStatus::Open;
        self.opened = reopened;
        (0, 0, slash)
    }

    /// What happens, or `None` where the specification forbids it.
    fn apply(&mut self, act: Act, now: i64) -> Option<Moved> {
        use JobStatus::{Cancelled, Claimed, Committed, Expired, Faulted, Open, Settled};
        let within = |from: i64, secs: i64| now <= from + secs;
        let grace = 80 + 86_400;
        Some(match (act, self.status) {
            (Act::Claim, Open) if within(self.opened, 100) => {
                let elapsed = (self.ramp_used + now - self.opened).min(40);
                self.price = 200 + 800 * u64::try_from(elapsed).unwrap() / 40;
                self.ramp_used += now - self.opened;
                (self.status, self.claimed) = (Claimed, now);
                (0, 0, 0)
            }
            (Act::Cancel, Open) => (0, self.end(Cancelled), 0),
            (Act::ExpireOpen, Open) if !within(self.opened, 100) => (0, self.end(Expired), 0),
            (Act::Release, Claimed) if within(self.claimed, 60) => self.lose(now, 250),
            (Act::ExpireClaim, Claimed) if !within(self.claimed, 60) => {
                self.lose(self.claimed + 60, 1_000)
            }
            (Act::Commit, Claimed) if within(self.claimed, 60) => {
                (self.status, self.committed) = (Committed, now);
                (0, 0, 0)
            }
            (Act::Finalize(acknowledged), Committed)
                if acknowledged != 0
                    || (within(self.committed, grace) && !within(self.committed, 80)) =>
            {
                let escrow = self.end(Settled);
                (self.price, escrow - self.price, 0)
            }
            (Act::Fault, Committed) if !within(self.committed, grace) => {
                (0, self.end(Faulted), COLLATERAL)
            }
            _ => return None,
        })
    }
}

fn apply(job: &mut JobData, act: Act, now: UnixSeconds) -> Result<Moved> {
    let lost = |lost: LostClaim| (0, lost.refund.0, lost.slash.0);
    Ok(match act {
        Act::Claim => {
            job.claim(key(3), 77, now)?;
            (0, 0, 0)
        }
        Act::Release => lost(job.release(job.attempt, now)?),
        Act::Commit => {
            let args = JobCommitArgs {
                attempt: job.attempt,
                ..commitment()
            };
            job.commit(&args, now)?;
            (0, 0, 0)
        }
        Act::Finalize(acknowledged) => {
            let settled = finalize(job, &reveal(acknowledged), now)?;
            (
                settled.split.fee.0 + settled.split.earned.0,
                settled.refund.0,
                0,
            )
        }
        Act::Cancel => (0, job.cancel(now)?.0, 0),
        Act::ExpireOpen => (0, job.expire_open(now)?.0, 0),
        Act::ExpireClaim => lost(job.expire_claim(now)?),
        Act::Fault => lost(job.fault_unfinalized(now)?),
    })
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Claim),
        2 => Just(Act::Release),
        3 => Just(Act::Commit),
        2 => (0_u8..2).prop_map(Act::Finalize),
        1 => Just(Act::Cancel),
        2 => Just(Act::ExpireOpen),
        2 => Just(Act::ExpireClaim),
        2 => Just(Act::Fault),
    ]
}

fn wait() -> impl Strategy<Value = i64> {
    prop_oneof![6 => Just(0_i64), 4 => 0_i64..15, 2 => 55_i64..65, 2 => 75_i64..105, 1 => 86_478_i64..86_484]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn random_lives_follow_the_model(steps in prop::collection::vec((act(), wait()), 1..40)) {
        let (mut job, mut model, mut now) = (job(), Model::new(), 0);
        let (mut paid, mut ended) = (0, 0);
        for (act, wait) in steps {
            now += wait;
            let mut after = job;
            let expected = model.apply(act, now);
            let moved = apply(&mut after, act, at(now));
            prop_assert_eq!(moved.ok(), expected, "{:?} at {} in {:?}", act, now, job.status());
            if let Some((earned, refund, _)) = expected {
                prop_assert!(job.status().unwrap().can_become(after.status().unwrap()));
                prop_assert_eq!(after.sequence, job.sequence + 1);
                job = after;
                paid += earned + refund;
            }
            prop_assert_eq!(job.status(), Ok(model.status));
            prop_assert_eq!((job.escrow, job.attempt), (model.escrow, model.attempt));
            prop_assert_eq!(paid + job.money().unwrap().0, CEILING, "nothing is lost or paid twice");
            ended += u32::from(job.status().unwrap().is_terminal() && expected.is_some());
            prop_assert!(ended <= 1, "a job ends once");
        }
    }
}
