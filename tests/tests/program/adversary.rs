//! Attacks, one module a theme: who tries what, and who ends with what.
//!
//! Audited jobs here are always drawn. In thousandths of a SOL: P = 55, K = 100, a = 150, a seat's and a dispute's
//! bond 750, C = 4,000, E = 400. Where an attack pays within what the protocol says it can promise, the test says so
//! and holds the outcome.

use assay_client::{program::INCINERATOR, protocol::market::MarketParams};
use assay_tests::{Court, Job, Provider, SOL, World};

mod availability;
mod collusion;
mod commitments;
mod disputes;
mod exits;
mod jobs;
mod outages;
mod seeds;
mod silence;
mod sortition;
mod table;

const MILLI: i128 = 1_000_000;

/// A court in another market, its parties old enough to sit.
fn court_of(params: MarketParams) -> Court {
    let mut world = World::with_params(params);
    let primary = world.do_provider();
    world.do_stake_deposit(&primary, 90 * SOL);
    let auditors = (0..8).map(|_| world.do_provider()).collect();
    let model = world.do_model_register();
    world.pass(params.stake_age_secs + 1);
    Court {
        world,
        primary,
        auditors,
        model,
    }
}

/// A job with its commitment, and the world before anybody judges it.
struct Trial {
    before: World,
    job: Job,
}

/// What everybody has gained since the job was committed, in thousandths of a SOL.
#[derive(Debug, PartialEq, Eq)]
struct Ends {
    /// What it locked has left it already.
    requester: i128,
    primary: i128,
    seats: Vec<i128>,
    burned: i128,
}

impl Trial {
    /// Before the requester disputes or the provider finalizes.
    fn of(court: &Court, job: Job) -> Self {
        Self {
            before: court.world.clone(),
            job,
        }
    }

    /// A job that waits for its first panel.
    #[track_caller]
    fn drawn(court: &mut Court) -> Self {
        let job = court.committed(|_| {});
        let trial = Self::of(court, job);
        court.world.do_job_finalize(&job, &court.primary);
        trial
    }

    /// Settles and closes everything, in a copy, and counts.
    #[track_caller]
    fn ends(&self, court: &Court, seats: &[Provider]) -> Ends {
        let mut world = court.world.clone();
        world.do_panels_closed(&self.job);
        world.pass_open_slot(&self.job);
        let rent = i128::from(world.rent(752));
        world.do_job_close(&self.job);
        for seat in seats {
            assert_eq!(world.provider(&seat.account).live_seats, 0);
        }
        assert_eq!(world.provider(&court.primary.account).reserved, 0);
        let gain = |account| {
            i128::from(world.balance(&account)) - i128::from(self.before.balance(&account))
        };
        let milli = |lamports: i128| {
            assert_eq!(lamports % MILLI, 0, "{lamports} lamports");
            lamports / MILLI
        };
        Ends {
            requester: milli(gain(self.job.requester) - rent),
            primary: milli(gain(court.primary.account)),
            seats: seats.iter().map(|seat| milli(gain(seat.account))).collect(),
            burned: milli(gain(INCINERATOR)),
        }
    }
}

fn ends<const N: usize>(requester: i128, primary: i128, seats: [i128; N], burned: i128) -> Ends {
    let seats = seats.to_vec();
    let moved = requester + primary + seats.iter().sum::<i128>() + burned;
    assert_eq!(moved, 400, "the expectation itself adds up to E");
    Ends {
        requester,
        primary,
        seats,
        burned,
    }
}
