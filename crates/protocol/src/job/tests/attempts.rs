//! Claims that are lost, and the attempts after them.

use super::*;

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
