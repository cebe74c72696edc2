//! A panel's seats and phases, whatever the order in which people come.

use assay_protocol::{
    Address, Digest, Error, JobData, Lamports, PanelData, UnixSeconds,
    panel::{Candidate, Joined, PanelOpening, PanelStatus, Phase, SeatState},
    verdict::NO_PAYOUTS,
};
use bytemuck::Zeroable;
use proptest::prelude::*;

const BOND: u64 = 5_000;
const OPENED: i64 = 1_000;
/// Join to 1,010; commit for 60 of computing and 15 more to 1,085; reveal to 1,115.
const JOIN: i64 = 1_010;
const COMMIT: i64 = 1_085;
const REVEAL: i64 = 1_115;

fn key(byte: u8) -> Address {
    Address::new_from_array([byte; 32])
}

/// The panel of a job at this level, with two seats on level 1 and five on level 2.
fn panel(level: u8) -> PanelData {
    let mut job = JobData::zeroed();
    job.level = level;
    job.panel_size = 2;
    job.audit_fee = BOND / 5;
    job.compute_secs = 60;
    job.panel_join_secs = 10;
    job.panel_commit_secs = 15;
    job.panel_reveal_secs = 30;
    let at = PanelOpening {
        job: key(100),
        rent_payer: key(101),
        bump: 254,
        seed: Digest([9; 32]),
        now: UnixSeconds(OPENED),
    };
    let mut panel = PanelData::zeroed();
    panel.open(&at, &job).unwrap();
    panel
}

fn candidate(provider: u8, score: u64) -> Candidate {
    Candidate {
        provider: key(provider),
        generation: u64::from(provider),
        score,
    }
}

fn join(panel: &mut PanelData, provider: u8, score: u64) -> Result<Joined, Error> {
    panel.join(&candidate(provider, score), UnixSeconds(JOIN))
}

fn holders(panel: &PanelData) -> Vec<(u64, Address)> {
    let taken = panel
        .seats
        .iter()
        .filter(|seat| seat.state == SeatState::Joined as u8);
    let mut holders: Vec<_> = taken.map(|seat| (seat.score, seat.provider)).collect();
    holders.sort_unstable();
    holders
}

#[test]
fn open_panel_copies_deadlines_seats_and_bond() {
    for (level, size) in [(1, 2), (2, 5)] {
        let panel = panel(level);
        assert_eq!((panel.level, panel.size), (level, size));
        assert_eq!(
            (
                panel.join_deadline,
                panel.commit_deadline,
                panel.reveal_deadline
            ),
            (JOIN, COMMIT, REVEAL)
        );
        assert_eq!((panel.bond, panel.bonds, panel.joined), (BOND, 0, 0));
        assert_eq!(panel.status(), Ok(PanelStatus::Live));
        assert_eq!(panel.require_job(&key(100), level), Ok(()));
        assert_eq!(
            panel.require_job(&key(100), 3 - level),
            Err(Error::PanelJobMismatch)
        );
        assert_eq!(
            panel.require_job(&key(1), level),
            Err(Error::PanelJobMismatch)
        );
    }
}

#[test]
fn join_is_allowed_to_the_last_second_once_each() {
    let mut panel = panel(1);
    assert_eq!(
        { panel }.join(&candidate(1, 7), UnixSeconds(JOIN + 1)),
        Err(Error::PanelNotJoining)
    );
    let joined = join(&mut panel, 1, 7).unwrap();
    assert_eq!((joined.seat, joined.evicted), (0, Address::default()));
    assert_eq!((panel.joined, panel.bonds), (1, BOND));
    assert_eq!(join(&mut panel, 1, 3), Err(Error::SeatProviderSeated));
}

#[test]
fn full_panel_yields_the_highest_score_to_a_strictly_lower_one() {
    let mut panel = panel(1);
    join(&mut panel, 1, 50).unwrap();
    join(&mut panel, 2, 40).unwrap();
    assert_eq!(join(&mut panel, 3, 50), Err(Error::SeatScoreTooHigh));
    assert_eq!(join(&mut panel, 3, 51), Err(Error::SeatScoreTooHigh));
    let before = panel;
    let joined = join(&mut panel, 3, 49).unwrap();
    assert_eq!(
        joined,
        Joined {
            seat: 0,
            evicted: key(1),
            evicted_generation: 1
        }
    );
    assert_eq!((panel.joined, panel.bonds), (before.joined, before.bonds));
    assert_eq!(holders(&panel), [(40, key(2)), (49, key(3))]);
    // Whoever was evicted may come back with a better ticket.
    assert_eq!(join(&mut panel, 1, 30).unwrap().evicted, key(3));
}

#[test]
fn panel_that_spoke_takes_nobody() {
    for status in [PanelStatus::Appealed, PanelStatus::Resolved] {
        let mut panel = panel(1);
        panel.status = status as u8;
        assert_eq!(join(&mut panel, 1, 1), Err(Error::PanelNotLive));
    }
}

#[test]
fn commit_needs_its_own_seat_and_comes_once() {
    let mut panel = panel(1);
    join(&mut panel, 1, 1).unwrap();
    join(&mut panel, 2, 2).unwrap();
    let now = UnixSeconds(JOIN + 1);
    let mine = (&key(1), 1);
    let digest = [5; 32];
    let refused = |seat, provider: (&Address, u64), digest, now, error| {
        assert_eq!({ panel }.commit(seat, provider, digest, now), Err(error));
    };
    refused(
        0,
        mine,
        &digest,
        UnixSeconds(JOIN),
        Error::PanelNotCommitting,
    );
    refused(
        0,
        mine,
        &digest,
        UnixSeconds(COMMIT + 1),
        Error::PanelNotCommitting,
    );
    refused(0, mine, &[0; 32], now, Error::SeatCommitmentMissing);
    refused(1, mine, &digest, now, Error::SeatProviderMismatch);
    refused(0, (&key(1), 2), &digest, now, Error::SeatProviderMismatch);
    refused(2, mine, &digest, now, Error::SeatProviderMismatch);
    refused(5, mine, &digest, now, Error::SeatIndexInvalid);
    panel.commit(0, mine, &digest, UnixSeconds(COMMIT)).unwrap();
    assert_eq!(
        panel.commit(0, mine, &digest, now),
        Err(Error::SeatNotJoined)
    );
    // The last commitment ends the phase: nobody commits after the first reveal.
    panel.commit(1, (&key(2), 2), &digest, now).unwrap();
    assert_eq!(panel.phase(now, false), Phase::Reveal);
    assert_eq!(
        panel.commit(1, (&key(2), 2), &digest, now),
        Err(Error::PanelNotCommitting)
    );
}

#[test]
fn payout_for_an_empty_seat_is_refused() {
    let mut panel = panel(2);
    join(&mut panel, 1, 1).unwrap();
    let mut payouts = NO_PAYOUTS;
    payouts[1] = Lamports(1);
    assert_eq!({ panel }.resolve(&payouts), Err(Error::InvariantViolated));
    payouts = NO_PAYOUTS;
    payouts[0] = Lamports(6_000);
    assert_eq!(panel.require_closable(), Err(Error::PanelNotResolved));
    assert_eq!(
        panel.settle_seat(0, (&key(1), 1)),
        Err(Error::PanelNotResolved)
    );
    panel.resolve(&payouts).unwrap();
    assert_eq!(panel.resolve(&payouts), Err(Error::PanelNotLive));
    assert_eq!(panel.require_closable(), Err(Error::PanelSeatsUnsettled));
    panel.settle_seat(0, (&key(1), 1)).unwrap();
    assert_eq!(panel.require_closable(), Ok(()));
}

/// A panel in any state of its counters.
fn counted() -> impl Strategy<Value = PanelData> {
    (1_u8..=2, 0_u8..=5, 0_u8..=5, 0_u8..=5).prop_map(|(level, joined, committed, revealed)| {
        let mut panel = panel(level);
        panel.joined = joined.min(panel.size);
        panel.committed = committed.min(panel.joined);
        panel.revealed = revealed.min(panel.committed);
        panel
    })
}

/// The phase in the specification's words.
fn specified(panel: &PanelData, now: i64, primary_revealed: bool) -> Phase {
    let all_committed = panel.committed == panel.joined;
    let all_revealed = panel.revealed == panel.committed && primary_revealed;
    let nobody_committed = panel.committed == 0;
    if now <= JOIN {
        Phase::Join
    } else if now <= COMMIT && !all_committed {
        Phase::Commit
    } else if now <= REVEAL && !nobody_committed && !all_revealed {
        Phase::Reveal
    } else {
        Phase::Over
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn phases_are_the_specified_ones_and_never_go_back(panel in counted(), revealed: bool) {
        let mut last = Phase::Join;
        for now in OPENED - 5..REVEAL + 5 {
            let phase = panel.phase(UnixSeconds(now), revealed);
            prop_assert_eq!(phase, specified(&panel, now, revealed), "{}", now);
            prop_assert!(phase >= last);
            last = phase;
        }
        prop_assert_eq!(last, Phase::Over);
    }

    /// Acting moves a panel on, never back: at no moment does one more commitment or reveal
    /// return it to an earlier phase.
    #[test]
    fn acting_never_goes_back(panel in counted(), now in OPENED..REVEAL + 5) {
        let now = UnixSeconds(now);
        let before = panel.phase(now, false);
        let mut further = panel;
        if before == Phase::Commit {
            further.committed += 1;
            prop_assert!(further.phase(now, false) >= before);
        }
        if before == Phase::Reveal && panel.revealed < panel.committed {
            further.revealed += 1;
            prop_assert!(further.phase(now, false) >= before);
        }
        prop_assert!(panel.phase(now, true) >= before);
    }

    /// Whatever the order in which tickets come, the lowest scores hold the seats, and the panel
    /// holds one bond for each of them.
    #[test]
    fn lowest_scores_hold_the_seats_in_any_order(
        level in 1_u8..=2,
        scores in prop::collection::vec(0_u64..1_000, 0..20),
        order in any::<prop::sample::Index>(),
    ) {
        let mut scores = scores;
        scores.sort_unstable();
        scores.dedup();
        let mut tickets: Vec<(u8, u64)> = (1..).zip(scores).collect();
        let mut expected: Vec<_> = tickets.iter().map(|(who, score)| (*score, key(*who))).collect();
        let length = tickets.len().max(1);
        tickets.rotate_left(order.index(length) % length);
        if order.index(2) == 1 {
            tickets.reverse();
        }
        let mut panel = panel(level);
        let mut bonds = 0_i64;
        for (provider, score) in tickets {
            let full = panel.joined == panel.size;
            if let Ok(joined) = join(&mut panel, provider, score) {
                bonds += 1;
                prop_assert_eq!(full, joined.evicted != Address::default());
                bonds -= i64::from(full);
            } else {
                prop_assert!(full);
            }
            prop_assert_eq!(panel.bonds, u64::try_from(bonds).unwrap() * BOND);
        }
        expected.truncate(usize::from(panel.size));
        prop_assert_eq!(holders(&panel), expected);
    }
}
