//! Sortition against the specification's bytes, and its fairness: seats go by stake and by luck.

use assay_protocol::{
    Address,
    digest::Digest,
    sortition::{best_ticket, is_first_after, panel_seed, score},
};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

fn address(number: u32) -> Address {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    Address::new_from_array(bytes)
}

fn seed(number: u32) -> [u8; 32] {
    Sha256::digest(number.to_le_bytes()).into()
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(parts.concat()).into()
}

proptest! {
    #[test]
    fn seeds_and_scores_are_the_specified_bytes(
        job: [u8; 32], level: u8, hash: [u8; 32], provider: [u8; 32], ticket: u32,
    ) {
        let Digest(seed) = panel_seed(&Address::new_from_array(job), level, &hash);
        prop_assert_eq!(seed, sha256(&[b"assay/panel/1", &job, &[level], &hash]));
        let full = sha256(&[b"assay/seat/1", &seed, &provider, &ticket.to_le_bytes()]);
        let first: [u8; 8] = full[..8].try_into().unwrap();
        let provider = Address::new_from_array(provider);
        prop_assert_eq!(score(&seed, &provider, ticket), u64::from_le_bytes(first));
    }

    #[test]
    fn best_ticket_is_the_lowest_of_all(seed: [u8; 32], provider: [u8; 32], tickets in 0_u32..40) {
        let provider = Address::new_from_array(provider);
        let scores: Vec<u64> = (0..tickets).map(|ticket| score(&seed, &provider, ticket)).collect();
        match best_ticket(&seed, &provider, tickets) {
            None => prop_assert_eq!(tickets, 0),
            Some((ticket, lowest)) => {
                prop_assert!(ticket < tickets);
                prop_assert_eq!(score(&seed, &provider, ticket), lowest);
                prop_assert!(scores.iter().all(|score| *score >= lowest));
            }
        }
    }

    /// Exactly one of the retained slots may seed the panel, the first at or after the target,
    /// whichever slots were skipped; none if the target lies in the future. Where the oldest one
    /// is later than the target nobody can tell, and none may.
    #[test]
    fn one_slot_or_none_may_seed_a_panel(
        oldest in 0_u64..50, gaps in prop::collection::vec(1_u64..4, 0..30), target in 0_u64..150,
    ) {
        let mut slots = vec![oldest];
        for gap in gaps {
            slots.push(slots.last().unwrap() + gap);
        }
        let admitted: Vec<u64> = (0..slots.len())
            .filter(|index| is_first_after(target, slots[*index], index.checked_sub(1).map(|older| slots[older])))
            .map(|index| slots[index])
            .collect();
        let first = slots.iter().copied().find(|slot| *slot >= target);
        let known = oldest <= target;
        prop_assert_eq!(admitted, if known { Vec::from_iter(first) } else { Vec::new() });
    }
}

/// Pearson's statistic over 64 bins of 2^14 scores: 63 degrees of freedom, and 131.4 is exceeded
/// once in a million fair draws. The draws are fixed, so the test cannot fail by chance.
#[test]
fn scores_are_uniform() {
    const DRAWS: u32 = 1 << 14;
    let mut bins = [0_u32; 64];
    for number in 0..DRAWS {
        let score = score(&seed(number / 64), &address(number % 64), number % 7);
        bins[usize::try_from(score >> 58).unwrap()] += 1;
    }
    let expected = f64::from(DRAWS) / 64.0;
    let statistic: f64 = bins
        .iter()
        .map(|count| (f64::from(*count) - expected).powi(2) / expected)
        .sum();
    assert!(statistic < 131.4, "{statistic}");
}

/// A provider with k of n tickets wins the first seat in k/n of the panels, however its stake is
/// spread over accounts: splitting a stake buys nothing.
#[test]
fn first_seat_goes_by_tickets_not_by_accounts() {
    const PANELS: u32 = 4_000;
    // One provider with ten tickets, ten with one each, one with twenty.
    let stakes: Vec<(u32, u32)> = [(0, 10)]
        .into_iter()
        .chain((1..=10).map(|number| (number, 1)))
        .chain([(11, 20)])
        .collect();
    let (mut whole, mut split) = (0_u32, 0_u32);
    for panel in 0..PANELS {
        let seed = seed(panel);
        let winner = stakes
            .iter()
            .map(|(number, tickets)| {
                (
                    best_ticket(&seed, &address(*number), *tickets).unwrap().1,
                    *number,
                )
            })
            .min()
            .unwrap()
            .1;
        whole += u32::from(winner == 0);
        split += u32::from((1..=10).contains(&winner));
    }
    // Each holds a quarter: 1,000 expected, standard deviation 27; five of them either way.
    assert!(whole.abs_diff(PANELS / 4) < 137, "{whole}");
    assert!(split.abs_diff(PANELS / 4) < 137, "{split}");
}
