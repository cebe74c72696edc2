//! Who may sit on a panel, and what a seat does to its provider's books.

use assay_protocol::{
    Address, Error, JobData, Lamports, ProviderData, UnixSeconds, market::MarketParams,
    panel::SettledSeat, provider::Registration,
};
use bytemuck::Zeroable;
use proptest::prelude::*;

const TICKET: u64 = 1_000;
const AGED: i64 = 500;
const AGE: u32 = 100;
const CLASS: [u8; 32] = [6; 32];
const PARAMS: MarketParams = MarketParams {
    min_stake: 1,
    ..MarketParams::PUBLIC
};

fn key(byte: u8) -> Address {
    Address::new_from_array([byte; 32])
}

/// Staked since second 500, of class 6.
fn auditor(stake: u64) -> ProviderData {
    let at = Registration {
        authority: key(1),
        rent_payer: key(1),
        bump: 255,
        generation: 7,
        now: UnixSeconds(0),
    };
    let mut provider = ProviderData::new(&at, &PARAMS);
    provider.runtime_class = CLASS;
    provider
        .deposit(Lamports(stake), &PARAMS, UnixSeconds(AGED))
        .unwrap();
    provider
}

/// Created the first second at which such a stake is old enough.
fn job() -> JobData {
    let mut job = JobData::zeroed();
    job.provider = key(9);
    job.ticket_stake = TICKET;
    job.stake_age_secs = AGE;
    job.created_at = AGED + i64::from(AGE);
    job
}

#[test]
fn auditor_must_be_another_of_the_class_aged_and_hold_the_ticket() {
    let provider = auditor(3 * TICKET + 999);
    let mut job = job();
    assert_eq!(provider.require_auditor(&key(2), &job, 0), Ok(()));
    assert_eq!(provider.require_auditor(&key(2), &job, 2), Ok(()));
    assert_eq!(
        provider.require_auditor(&key(2), &job, 3),
        Err(Error::SeatTicketInvalid)
    );
    assert_eq!(
        provider.require_auditor(&key(9), &job, 0),
        Err(Error::SeatPrimaryRefused)
    );
    job.runtime_class = CLASS;
    assert_eq!(provider.require_auditor(&key(2), &job, 0), Ok(()));
    job.runtime_class = [7; 32];
    assert_eq!(
        provider.require_auditor(&key(2), &job, 0),
        Err(Error::ProviderClassMismatch)
    );
    job.runtime_class = [0; 32];
    job.created_at -= 1;
    assert_eq!(
        provider.require_auditor(&key(2), &job, 0),
        Err(Error::SeatStakeTooYoung)
    );
}

/// What leaves buys no more seats; what is reserved for a job still does.
#[test]
fn tickets_count_the_stake_that_stays() {
    let mut provider = auditor(5 * TICKET);
    assert_eq!(provider.tickets(Lamports(TICKET)), Ok(5));
    provider.reserve(Lamports(2 * TICKET)).unwrap();
    assert_eq!(provider.tickets(Lamports(TICKET)), Ok(5));
    provider
        .unbond(Lamports(1), &PARAMS, UnixSeconds(AGED))
        .unwrap();
    assert_eq!(provider.tickets(Lamports(TICKET)), Ok(4));
    assert_eq!(provider.tickets(Lamports(0)), Ok(0));
    provider.stake = u64::MAX;
    provider.unbonding = 0;
    assert_eq!(provider.tickets(Lamports(1)), Ok(u32::MAX));
}

#[test]
fn bond_comes_out_of_free_stake_only() {
    let mut provider = auditor(1_000);
    provider.reserve(Lamports(300)).unwrap();
    provider
        .unbond(Lamports(200), &PARAMS, UnixSeconds(AGED))
        .unwrap();
    let before = provider;
    assert_eq!(
        provider.take_seat(Lamports(501)),
        Err(Error::ProviderStakeInsufficient)
    );
    assert_eq!(provider, before);
    provider.take_seat(Lamports(500)).unwrap();
    assert_eq!((provider.stake, provider.live_seats), (500, 1));
    assert_eq!(provider.require_empty(), Err(Error::ProviderHasLiveWork));
    provider.leave_seat(Lamports(500)).unwrap();
    assert_eq!((provider.stake, provider.live_seats), (1_000, 0));
    assert_eq!(
        provider.leave_seat(Lamports(1)),
        Err(Error::InvariantViolated)
    );
}

proptest! {
    /// A seat's payout returns at most the bond to the stake; the rest is income, the lack a loss.
    #[test]
    fn settled_seat_books_every_lamport(bond in 0_u64..10_000, payout in 0_u64..20_000) {
        let mut provider = auditor(20_000);
        provider.take_seat(Lamports(bond)).unwrap();
        let before = provider;
        let seat = SettledSeat { bond: Lamports(bond), payout: Lamports(payout) };
        let (returned, earned) = provider.settle_seat(&seat).unwrap();
        prop_assert_eq!(returned.0 + earned.0, payout);
        prop_assert_eq!(returned.0, payout.min(bond));
        prop_assert_eq!(provider.stake, before.stake + returned.0);
        prop_assert_eq!(provider.earnings, before.earnings + earned.0);
        prop_assert_eq!(provider.total_earned, before.total_earned + earned.0);
        prop_assert_eq!(provider.total_slashed, before.total_slashed + bond - returned.0);
        prop_assert_eq!(provider.audits_paid, u32::from(payout > bond));
        prop_assert_eq!(provider.audits_lost, u32::from(payout < bond));
        prop_assert_eq!(provider.live_seats, 0);
        prop_assert_eq!(provider.settle_seat(&seat), Err(Error::InvariantViolated));
    }
}
