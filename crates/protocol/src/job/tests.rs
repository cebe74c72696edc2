//! The job's rules: deadlines to the second.

use super::*;
use crate::{
    args::{JobCommitArgs, JobFinalizeArgs},
    commitment::secret_hash,
    market::MarketParams,
};

mod attempts;
mod audit;
mod lives;

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
