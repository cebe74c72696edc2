//! How often a group holds three of the five seats of level 2, drawn by the real sortition and computed.

use assay_client::protocol::{
    Address,
    sortition::{panel_seed, score},
};
use serde_json::{Value, json};

use super::{PROVIDERS, rounded, share};
use crate::sim::Dice;

/// A group's luck with level 2.
#[derive(Clone, Copy, Debug)]
pub struct Captured {
    /// Members among the providers, each with one ticket.
    pub members: usize,
    pub panels: u64,
    pub measured: f64,
    /// Of five seats without replacement.
    pub expected: f64,
    /// Of five seats where the group holds this share of a stake without end.
    pub large: f64,
}

impl Captured {
    pub fn share(&self) -> f64 {
        self.members as f64 / PROVIDERS as f64
    }

    pub fn json(&self) -> Value {
        json!({
            "share": rounded(self.share()),
            "panels": self.panels,
            "measured": rounded(self.measured),
            "expected": rounded(self.expected),
            "expected_large_market": rounded(self.large),
        })
    }
}

pub fn sweep(seed: u64, panels: u64) -> Vec<Captured> {
    let groups = [3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 36, 42];
    let mut hits = [0_u64; 12];
    for panel in 0..panels {
        let first = lowest_five(seed, panel);
        for (hits, members) in hits.iter_mut().zip(groups) {
            let held = first.iter().filter(|provider| **provider < members).count();
            *hits += u64::from(held >= 3);
        }
    }
    groups
        .into_iter()
        .zip(hits)
        .map(|(members, hits)| Captured {
            members,
            panels,
            measured: share(hits, panels),
            expected: hypergeometric(PROVIDERS, members, 5, 3),
            large: binomial(members as f64 / PROVIDERS as f64),
        })
        .collect()
}

/// Who holds level 2's seats if everybody joins with one ticket.
fn lowest_five(seed: u64, panel: u64) -> Vec<usize> {
    let mut dice = Dice::new(seed, panel ^ 0xc0de);
    let job = Address::new_from_array(dice.bytes());
    let panel_seed = panel_seed(&job, 2, &dice.bytes());
    let mut scores: Vec<(u64, usize)> = (0..PROVIDERS)
        .map(|provider| {
            let mut bytes = [7; 32];
            bytes[..8].copy_from_slice(&(provider as u64).to_le_bytes());
            (
                score(&panel_seed.0, &Address::new_from_array(bytes), 0),
                provider,
            )
        })
        .collect();
    scores.sort_unstable();
    scores
        .into_iter()
        .take(5)
        .map(|(_, provider)| provider)
        .collect()
}

/// The chance that of `drawn` out of `all`, of which `marked` are marked, at least `least` are marked.
pub fn hypergeometric(all: usize, marked: usize, drawn: usize, least: usize) -> f64 {
    let ways = |of: usize, take: usize| -> f64 {
        (0..take)
            .map(|step| of.saturating_sub(step) as f64 / (step as f64 + 1.0))
            .product()
    };
    let total = ways(all, drawn);
    (least..=drawn)
        .filter(|count| *count <= marked && drawn - count <= all - marked)
        .map(|count| ways(marked, count) * ways(all - marked, drawn - count) / total)
        .fold(0.0, |sum, chance| sum + chance)
}

fn binomial(share: f64) -> f64 {
    let rest = 1.0 - share;
    10.0 * share.powi(3) * rest.powi(2) + 5.0 * share.powi(4) * rest + share.powi(5)
}
