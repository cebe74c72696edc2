//! Random sequences of every instruction by several providers and requesters over a moving clock.
//!
//! Three judges: the ledger holds the invariants against every transaction; a book kept without the program's code
//! predicts whether each instruction is accepted, by which rule it is refused and what every account then holds; and
//! at the end cranks alone finish every job and everybody leaves with all that is theirs.
//!
//! `ASSAY_FUZZ_STEPS` says how many instructions, `ASSAY_FUZZ_SEED` repeats a run.

mod action;
mod bench;
mod census;
mod clock;
mod compare;
mod dice;
mod finale;
mod game;
mod jobs;
mod panels;
mod parties;
mod roll;
mod seal;
mod sessions;
mod shadow;
mod verdict;

use std::{
    env,
    hash::{BuildHasher, RandomState},
};

use census::Census;
use game::Game;

/// Instructions on one chain; longer runs start over on a fresh one.
const ROUND: u64 = 10_000;
/// What `make test` runs.
const USUAL: u64 = 20_000;
const USUAL_SEED: u64 = 20_260_102;
/// From here on, chance leaves nothing out.
const LONG: u64 = 100_000;

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
    let mut census = Census::default();
    let (mut done, mut seed) = (0, first);
    while done < total {
        let length = ROUND.min(total - done);
        let mut game = Game::new(seed, rate(seed));
        for _ in 0..length {
            game.turn();
        }
        census.add(game.finish());
        done += length;
        eprintln!("stateful: {done} instructions, round of seed {seed} kept every promise");
        seed = seed.wrapping_add(1);
    }
    census.report();
    let usual = first == USUAL_SEED && total >= USUAL;
    if usual || total >= LONG {
        census.is_thorough();
    }
}

/// Every other round audits everything, the others three jobs in ten.
fn rate(seed: u64) -> u16 {
    if seed.is_multiple_of(2) {
        10_000
    } else {
        3_000
    }
}
