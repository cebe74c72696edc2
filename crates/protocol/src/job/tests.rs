//! The job's rules: deadlines to the second, and random lives against an independent model.

use proptest::prelude::*;

use super::*;
use crate::{
    args::{JobCommitArgs, JobFinalizeArgs},
    commitment::secret_hash,
    market::MarketParams,
};

mod audit;

const START: i64 = 1_700_000_000;
const WORKER_SECRET: [u8; 32] = [4; 32];
const REQUESTER_SECRET: [u8; 32] = [5; 32];
const CEILING: u64 = 1_000;
const COLLATERAL: u64 = 3_000;

fn key(byte: u8) -> Address {
    Address::new_from_array([byte; 32])
}

fn terms() -> JobTerms {
    JobTerms {
        ceiling: CEILING,
        floor: 200,
        collateral: COLLATERAL,
        ramp_secs: 40,
        claim_secs: 100,
        compute_secs: 60,
        challenge_secs: 80,
        input_bytes: 10,
        output_limit: 20,
        input_digest: [1; 32],
        requester_secret_hash: secret_hash(&REQUESTER_SECRET).0,
        ..JobTerms::zeroed()
    }
}

fn job_of(terms: &JobTerms) -> JobData {
    let at = Opening {
        requester: key(1),
        model: key(2),
        open_slot: 500,
        index: 3,
        bump: 255,
        now: UnixSeconds(START),
    };
    let params = MarketParams {
        fee_bps: 250,
        ..MarketParams::PUBLIC
    };
    let mut job = JobData::zeroed();
    job.open(
        &at,
        terms,
        &params,
        &ModelData {
            digest: [9; 32],
            ..ModelData::zeroed()
        },
    );
    job.escrow = terms.escrow().unwrap().0;
    job
}

fn job() -> JobData {
    job_of(&terms())
}

fn at(secs: i64) -> UnixSeconds {
    UnixSeconds(START + secs)
}

fn commitment() -> JobCommitArgs {
    JobCommitArgs {
        commitment: [6; 32],
        worker_secret_hash: secret_hash(&WORKER_SECRET).0,
        hints_digest: [7; 32],
        attempt: 0,
    }
}

fn reveal(acknowledged: u8) -> JobFinalizeArgs {
    JobFinalizeArgs {
        worker_secret: WORKER_SECRET,
        requester_secret: REQUESTER_SECRET,
        acknowledged,
    }
}

/// Finalizes an unaudited job.
fn finalize(job: &mut JobData, args: &JobFinalizeArgs, now: UnixSeconds) -> Result<Settlement> {
    match job.finalize(&key(8), args, 1_000, now)? {
        Finalized::Settled(settlement) => Ok(settlement),
        Finalized::Audited => panic!("an unaudited job went to audit"),
    }
}

fn claimed() -> JobData {
    let mut job = job();
    job.claim(key(3), 77, at(20)).unwrap();
    job
}

fn committed() -> JobData {
    let mut job = claimed();
    job.commit(&commitment(), at(30)).unwrap();
    job
}

#[test]
fn open_copies_everything_the_job_will_need() {
    let job = job();
    assert_eq!(job.status(), Ok(JobStatus::Open));
    assert_eq!(
        (job.sequence, job.fee_bps, job.attempt, job.model_digest),
        (1, 250, 0, [9; 32])
    );
    assert_eq!(job.stake_age_secs, MarketParams::PUBLIC.stake_age_secs);
    assert_eq!(
        job.panel_commit_secs,
        MarketParams::PUBLIC.panel_commit_secs
    );
    assert_eq!(job.ticket_stake, MarketParams::PUBLIC.ticket_stake);
    assert!(job.is_unaudited());
    assert_eq!(job.money(), Ok(Lamports(CEILING)));
}

#[test]
fn claim_is_allowed_to_the_last_second_and_at_the_price_of_the_moment() {
    for (secs, price) in [
        (0, 200),
        (1, 220),
        (20, 600),
        (39, 980),
        (40, 1_000),
        (100, 1_000),
    ] {
        let mut job = job();
        assert_eq!(
            job.claim(key(3), 77, at(secs)),
            Ok(Lamports(price)),
            "{secs}"
        );
        assert_eq!(
            (job.price, job.provider, job.generation),
            (price, key(3), 77)
        );
    }
    assert_eq!(
        job().claim(key(3), 77, at(101)),
        Err(Error::JobClaimDeadlinePassed)
    );
    assert_eq!(claimed().claim(key(3), 77, at(21)), Err(Error::JobNotOpen));
}

#[test]
fn crank_follows_where_the_action_ended() {
    assert_eq!(job().expire_open(at(100)), Err(Error::JobNotExpired));
    assert_eq!(job().expire_open(at(101)), Ok(Lamports(CEILING)));
    assert_eq!(claimed().commit(&commitment(), at(80)), Ok(()));
    assert_eq!(
        claimed().commit(&commitment(), at(81)),
        Err(Error::JobComputeDeadlinePassed)
    );
    assert!(claimed().release(0, at(80)).is_ok());
    assert_eq!(
        claimed().release(0, at(81)),
        Err(Error::JobComputeDeadlinePassed)
    );
    assert_eq!(claimed().expire_claim(at(80)), Err(Error::JobNotExpired));
    assert!(claimed().expire_claim(at(81)).is_ok());
    // Committed at 30, so the challenge window ends at 110 and the grace a day later.
    let end = 110 + 86_400;
    assert_eq!(
        finalize(&mut committed(), &reveal(0), at(110)),
        Err(Error::JobChallengeWindowOpen)
    );
    assert!(finalize(&mut committed(), &reveal(0), at(111)).is_ok());
    assert!(finalize(&mut committed(), &reveal(1), at(30)).is_ok());
    assert!(finalize(&mut committed(), &reveal(0), at(end)).is_ok());
    assert_eq!(
        finalize(&mut committed(), &reveal(0), at(end + 1)),
        Err(Error::JobFinalizeDeadlinePassed)
    );
    // An acknowledged, unaudited job has no draw to escape from: until it is expired, it is paid.
    assert!(finalize(&mut committed(), &reveal(1), at(end + 1)).is_ok());
    let mut audited = committed();
    audited.audit_bps = 1;
    assert_eq!(
        finalize(&mut audited, &reveal(1), at(end + 1)),
        Err(Error::JobFinalizeDeadlinePassed)
    );
    assert_eq!(
        committed().fault_unfinalized(at(end)),
        Err(Error::JobNotExpired)
    );
    assert_eq!(
        committed().fault_unfinalized(at(end + 1)),
        Ok(LostClaim {
            slash: Lamports(COLLATERAL),
            refund: Lamports(CEILING)
        })
    );
}

#[test]
fn price_goes_on_where_the_last_attempt_left_it() {
    let mut job = job();
    assert_eq!(job.claim(key(3), 1, at(10)), Ok(Lamports(400)));
    job.release(0, at(50)).unwrap();
    assert_eq!(
        job.price_at(at(50)),
        Ok(Lamports(400)),
        "time spent claimed raises no price"
    );
    assert_eq!(job.claim(key(4), 2, at(60)), Ok(Lamports(600)));
    job.expire_claim(at(121)).unwrap();
    assert_eq!(job.claim(key(5), 3, at(141)), Ok(Lamports(1_000)));
}

/// However late the crank comes, the next attempt's windows run from the deadline that was missed.
#[test]
fn late_crank_lengthens_no_life() {
    let mut job = claimed();
    job.expire_claim(at(150)).unwrap();
    assert_eq!(job.opened_at, at(80).0);
    assert_eq!(job.price_at(at(150)), Ok(Lamports(CEILING)));
    assert!({ job }.claim(key(4), 2, at(180)).is_ok());
    assert_eq!(
        job.claim(key(4), 2, at(181)),
        Err(Error::JobClaimDeadlinePassed)
    );
    assert_eq!(job.expire_open(at(181)), Ok(Lamports(CEILING)));
}

/// What was meant for a lost claim must not act on the next one.
#[test]
fn messages_of_another_attempt_are_refused() {
    let mut job = claimed();
    assert_eq!(job.release(1, at(20)), Err(Error::JobAttemptMismatch));
    job.release(0, at(20)).unwrap();
    job.claim(key(3), 77, at(20)).unwrap();
    assert_eq!(job.release(0, at(21)), Err(Error::JobAttemptMismatch));
    assert_eq!(
        job.commit(&commitment(), at(21)),
        Err(Error::JobAttemptMismatch)
    );
    let second = JobCommitArgs {
        attempt: 1,
        ..commitment()
    };
    assert_eq!(job.commit(&second, at(21)), Ok(()));
}

#[test]
fn third_lost_attempt_ends_the_job() {
    let mut job = job();
    for attempt in 0..2 {
        job.claim(key(3), 1, at(0)).unwrap();
        let lost = job.release(attempt, at(0)).unwrap();
        assert_eq!(
            lost,
            LostClaim {
                slash: Lamports(250),
                refund: Lamports::ZERO
            },
            "{attempt}"
        );
        assert_eq!(job.status(), Ok(JobStatus::Open));
    }
    job.claim(key(3), 1, at(0)).unwrap();
    let lost = job.expire_claim(at(61)).unwrap();
    assert_eq!(
        lost,
        LostClaim {
            slash: Lamports(1_000),
            refund: Lamports(CEILING)
        }
    );
    assert_eq!(
        (job.status(), job.escrow, job.ended_at),
        (Ok(JobStatus::Expired), 0, START + 61)
    );
}

#[test]
fn commit_needs_all_three_digests_and_comes_once() {
    type Strip = fn(&mut JobCommitArgs);
    let strips: [Strip; 3] = [
        |args| args.commitment = [0; 32],
        |args| args.worker_secret_hash = [0; 32],
        |args| args.hints_digest = [0; 32],
    ];
    for strip in strips {
        let mut args = commitment();
        strip(&mut args);
        assert_eq!(
            claimed().commit(&args, at(30)),
            Err(Error::JobCommitmentMissing)
        );
    }
    assert_eq!(
        committed().commit(&commitment(), at(30)),
        Err(Error::JobNotClaimed)
    );
    assert_eq!(committed().release(0, at(30)), Err(Error::JobNotClaimed));
}

#[test]
fn finalize_checks_both_secrets_and_pays_once() {
    let wrong = JobFinalizeArgs {
        worker_secret: [0; 32],
        ..reveal(1)
    };
    assert_eq!(
        finalize(&mut committed(), &wrong, at(31)),
        Err(Error::JobWorkerSecretMismatch)
    );
    let wrong = JobFinalizeArgs {
        requester_secret: [0; 32],
        ..reveal(1)
    };
    assert_eq!(
        finalize(&mut committed(), &wrong, at(31)),
        Err(Error::JobRequesterSecretMismatch)
    );
    let unread = JobFinalizeArgs {
        requester_secret: [0; 32],
        ..reveal(0)
    };
    assert!(finalize(&mut committed(), &unread, at(111)).is_ok());

    let mut job = committed();
    let settled = finalize(&mut job, &reveal(1), at(31)).unwrap();
    // Claimed after 20 of 40 seconds at 600; 2.5 % of it is 15.
    assert_eq!(
        (settled.split.fee, settled.split.earned),
        (Lamports(15), Lamports(585))
    );
    assert_eq!(settled.refund, Lamports(400));
    assert_eq!((job.escrow, job.status()), (0, Ok(JobStatus::Settled)));
    assert_eq!(
        finalize(&mut job, &reveal(1), at(31)),
        Err(Error::JobNotCommitted)
    );
    assert_eq!(
        job.fault_unfinalized(at(90_000)),
        Err(Error::JobNotCommitted)
    );
}

#[test]
fn eligibility_follows_the_terms() {
    let class = [8; 32];
    let open = job();
    assert_eq!(open.require_eligible(&key(3), &class), Ok(()));
    let exclusive = job_of(&JobTerms {
        exclusive_provider: key(3),
        ..terms()
    });
    assert_eq!(exclusive.require_eligible(&key(3), &class), Ok(()));
    assert_eq!(
        exclusive.require_eligible(&key(4), &class),
        Err(Error::ProviderNotInvited)
    );
    let classed = job_of(&JobTerms {
        runtime_class: class,
        ..terms()
    });
    assert_eq!(classed.require_eligible(&key(3), &class), Ok(()));
    assert_eq!(
        classed.require_eligible(&key(3), &[0; 32]),
        Err(Error::ProviderClassMismatch)
    );
    assert_eq!(claimed().require_provider(&key(3), 77), Ok(()));
    assert_eq!(
        claimed().require_provider(&key(3), 78),
        Err(Error::JobProviderMismatch)
    );
    assert_eq!(
        claimed().require_provider(&key(4), 77),
        Err(Error::JobProviderMismatch)
    );
    assert_eq!(
        open.require_provider(&key(3), 0),
        Err(Error::JobProviderMismatch)
    );
}

/// No slot lets an address be closed and opened again.
#[test]
fn addresses_cannot_be_used_twice() {
    let mut ended = job();
    ended.cancel(at(0)).unwrap();
    for slot in 0..1_000 {
        let opens = check_open_slot(ended.open_slot, slot).is_ok();
        let closes = ended.require_closable(slot).is_ok();
        assert!(!(opens && closes), "slot {slot}");
        assert_eq!(opens, (500..=650).contains(&slot));
        assert_eq!(closes, slot > 650);
    }
    assert_eq!(job().require_closable(u64::MAX), Err(Error::JobNotTerminal));
    ended.live_panels = 1;
    assert_eq!(ended.require_closable(u64::MAX), Err(Error::JobPanelsLive));
    ended.status = 0;
    assert_eq!(
        ended.require_closable(u64::MAX),
        Err(Error::JobStatusInvalid)
    );
}

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
