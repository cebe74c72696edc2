//! Random sequences of every instruction by several providers and requesters over a moving clock.
//!
//! Three judges: the ledger holds the invariants against every transaction; a book kept without the program's code
//! predicts whether each instruction is accepted, by which rule it is refused and what every account then holds; and
//! at the end cranks alone finish every job and everybody leaves with all that is theirs.
//!
//! `ASSAY_FUZZ_STEPS` says how many instructions, `ASSAY_FUZZ_SEED` repeats a run.

mod action;
mod dice;
mod finale;
mod game;
mod jobs;
mod parties;
mod roll;
mod shadow;

use std::{
    collections::BTreeMap,
    env,
    hash::{BuildHasher, RandomState},
};

use assay_client::instruction;

use game::Game;

/// Instructions on one chain; longer runs start over on a fresh one.
const ROUND: u64 = 20_000;
/// What `make test` runs.
const USUAL: u64 = 20_000;
const USUAL_SEED: u64 = 20_260_101;

/// A variable's number, if it is set and not empty.
fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
    )
}

#[test]
fn random_sequences_keep_every_promise() {
    let total = number("ASSAY_FUZZ_STEPS");
    let fresh = || {
        if total.is_some() {
            RandomState::new().hash_one(0)
        } else {
            USUAL_SEED
        }
    };
    let first = number("ASSAY_FUZZ_SEED").unwrap_or_else(fresh);
    let total = total.unwrap_or(USUAL);
    eprintln!("stateful: {total} instructions from seed {first}");
    let mut seen: BTreeMap<(&str, String), u64> = BTreeMap::new();
    let (mut done, mut seed) = (0, first);
    while done < total {
        let length = ROUND.min(total - done);
        let mut game = Game::new(seed);
        for _ in 0..length {
            game.turn();
        }
        for (what, count) in game.finish() {
            *seen.entry(what).or_default() += count;
        }
        done += length;
        eprintln!("stateful: {done} instructions, round of seed {seed} kept every promise");
        seed = seed.wrapping_add(1);
    }
    report(&seen);
    if total >= USUAL {
        is_thorough(&seen);
    }
}

fn report(seen: &BTreeMap<(&str, String), u64>) {
    for ((name, outcome), count) in seen {
        eprintln!("{name:<20} {outcome:<32} {count:>9}");
    }
}

/// A run that reaches too little proves too little.
fn is_thorough(seen: &BTreeMap<(&str, String), u64>) {
    for spec in instruction::ALL {
        let accepted = seen
            .get(&(spec.name, "accepted".to_owned()))
            .copied()
            .unwrap_or_default();
        let expected = if spec.name == "market_init" {
            0..1
        } else {
            5..u64::MAX
        };
        assert!(
            expected.contains(&accepted),
            "{} was accepted {accepted} times",
            spec.name
        );
    }
    let all: u64 = seen.values().sum();
    let accepted: u64 = seen
        .iter()
        .filter(|((_, outcome), _)| outcome == "accepted")
        .map(|(_, count)| count)
        .sum();
    assert!(
        accepted * 3 > all,
        "only {accepted} of {all} instructions were accepted"
    );
}
