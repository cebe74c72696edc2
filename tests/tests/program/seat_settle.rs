//! seat_settle: what the verdict fixed for a seat, paid once, to its holder, in any order, by anybody.

use assay_client::{
    Event,
    budget::Budget,
    event::of_logs,
    protocol::{Error, panel::SeatState, verdict::SeatOutcome},
};
use assay_tests::{Court, Job, Provider, SOL};

use SeatOutcome::{Different, Equal, Joined, Unavailable};

const FEE: u64 = 15 * SOL / 100;

/// The second panel upheld a primary: one seat of each kind.
fn upheld() -> (Court, Job, Vec<Provider>) {
    let mut court = Court::new();
    let job = court.dissented();
    let bench = court.judged(&job, &[Equal, Equal, Equal, Unavailable, Joined], true);
    (court, job, bench)
}

#[test]
fn seat_settle_returns_the_bond_and_pays_the_fee() {
    let (mut court, job, bench) = upheld();
    let panel = court.world.panel_of(&job);
    let world = &mut court.world;
    let held = world.balance(&panel);
    let outcome = world.do_seat_settle(&job, 2, &bench[0]);
    let holder = world.provider(&bench[0].account);
    assert_eq!((holder.stake, holder.earnings), (10 * SOL, FEE));
    assert_eq!((holder.total_earned, holder.total_slashed), (FEE, 0));
    assert_eq!(
        (holder.live_seats, holder.audits_paid, holder.audits_lost),
        (0, 1, 0)
    );
    assert_eq!(holder.fees_due, 0);
    assert_eq!(world.balance(&panel), held - 6 * FEE);
    let seat = world.panel(&panel).seats[0];
    assert_eq!(
        (seat.state(), seat.payout),
        (Ok(SeatState::Settled), 6 * FEE)
    );
    let events = of_logs(&outcome.logs);
    let [Event::SeatSettled(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (event.seat, event.returned, event.earned),
        (0, 5 * FEE, FEE)
    );
    assert_eq!((event.stake, event.earnings), (10 * SOL, FEE));
}

/// As a worker sends those that are due together.
#[test]
fn seat_settle_of_all_seats_fits_one_transaction() {
    let (mut court, job, bench) = upheld();
    let world = &mut court.world;
    let settles = bench
        .iter()
        .map(|auditor| world.seat_settle(&job, 2, auditor).instruction);
    let batch = [Budget::generous(1).instructions(), settles.collect()].concat();
    let mut one_by_one = world.clone();
    // All or nothing: one that is settled already keeps the others from it.
    let mut late = world.clone();
    late.do_seat_settle(&job, 2, &bench[4]);
    late.send(batch.clone()).refused(Error::SeatSettled);
    world.send(batch).accepted();
    for auditor in &bench {
        one_by_one.do_seat_settle(&job, 2, auditor);
        let held = world.provider(&auditor.account);
        assert_eq!(held, one_by_one.provider(&auditor.account));
    }
}

#[test]
fn seat_settle_counts_what_was_lost() {
    let (mut court, job, bench) = upheld();
    for (auditor, lost) in [(bench[3], FEE), (bench[4], 5 * FEE)] {
        court.world.do_seat_settle(&job, 2, &auditor);
        let holder = court.world.provider(&auditor.account);
        assert_eq!((holder.stake, holder.earnings), (10 * SOL - lost, 0));
        assert_eq!((holder.total_slashed, holder.live_seats), (lost, 0));
        assert_eq!((holder.audits_paid, holder.audits_lost), (0, 1));
    }
}

/// Every order of the seats of both panels ends the same.
#[test]
fn seat_settle_in_any_order_pays_the_same() {
    let (court, job, bench) = upheld();
    let mut seats: Vec<(u8, Provider)> = bench.iter().map(|auditor| (2, *auditor)).collect();
    seats.extend(court.auditors[..2].iter().map(|auditor| (1, *auditor)));
    let mut endings = Vec::new();
    for turn in 0..seats.len() {
        let mut world = court.world.clone();
        seats.rotate_left(turn);
        for (level, auditor) in &seats {
            world.do_seat_settle(&job, *level, auditor);
        }
        let all = court.auditors.iter().map(|auditor| {
            let held = world.provider(&auditor.account);
            (held.stake, held.earnings)
        });
        endings.push(all.collect::<Vec<_>>());
    }
    assert!(
        endings.windows(2).all(|pair| pair[0] == pair[1]),
        "{endings:?}"
    );
}

#[test]
fn seat_settle_is_anybodys() {
    let (mut court, job, bench) = upheld();
    let stranger = court.world.wallet();
    let before = court.world.balance(&stranger);
    let call = court.world.seat_settle(&job, 2, &bench[0]);
    let outcome = court.world.send_from(stranger, call).accepted();
    assert_eq!(court.world.balance(&stranger), before - outcome.fee);
}

#[test]
fn seat_settle_before_the_verdict_fails() {
    let mut court = Court::new();
    let job = court.drawn();
    let bench = court.seated(&job, 2);
    let call = court.world.seat_settle(&job, 1, &bench[0]);
    court.world.send(call).refused(Error::PanelNotResolved);
    // Nor while the second panel judges the first one's dissent.
    let job = court.dissented();
    let call = court.world.seat_settle(&job, 1, &court.auditors[0]);
    court.world.send(call).refused(Error::PanelNotResolved);
}

#[test]
fn seat_settle_twice_fails() {
    let (mut court, job, bench) = upheld();
    for auditor in [&bench[0], &bench[4]] {
        court.world.do_seat_settle(&job, 2, auditor);
        let again = court.world.seat_settle(&job, 2, auditor);
        court.world.send(again).refused(Error::SeatSettled);
    }
}

#[test]
fn seat_settle_of_another_seat_or_for_another_provider_fails() {
    let mut court = Court::new();
    let job = court.dissented();
    let bench = court.judged(&job, &[Equal, Equal, Different], true);
    let call = court.world.seat_settle(&job, 2, &bench[0]);
    for (seat, error) in [
        (1, Error::SeatProviderMismatch),
        (4, Error::SeatProviderMismatch),
        (5, Error::SeatIndexInvalid),
    ] {
        let call = call.clone().arguments(&[seat]);
        court.world.send(call).refused(error);
    }
    for other in [bench[2].account, court.primary.account] {
        let call = call.clone().put("provider", other);
        court.world.send(call).refused(Error::SeatProviderMismatch);
    }
}
