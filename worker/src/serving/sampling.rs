//! The choice of the next token.
//!
//! Penalties and biases change the logits, in that order. Temperature 0 then takes the likeliest, of equals the one
//! with the lowest id. Otherwise logits are divided by the temperature, and of the distribution that they make there
//! stay: the `top_k` likeliest; of those, the fewest that together have `top_p` of what the `top_k` have; of those, the
//! ones with at least `min_p` of the likeliest one's probability. One of them is drawn.
//!
//! Log probabilities are the model's own: of its logits as they came, before all this.

use std::{cmp::Ordering, collections::BTreeMap};

use assay_client::session::{Likely, Sampling, Token};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

/// Most log probabilities of other tokens.
const MOST_LIKELY: u8 = 20;

/// Logits from which nothing can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the model gave logits that are no numbers, or infinite, or none but minus infinity; no token can be chosen by them"
)]
pub struct NoDistribution;

/// Chooses tokens for one generation.
pub struct Sampler {
    sampling: Sampling,
    /// How many of the likeliest to tell.
    logprobs: u8,
    random: ChaCha8Rng,
}

/// The tokens so far.
pub struct Seen<'a> {
    pub prompt: &'a [u32],
    pub answer: &'a [u32],
}

impl Sampler {
    /// # Errors
    /// A text for the requester, when a setting is out of its range.
    pub fn new(sampling: Sampling, logprobs: u8) -> Result<Self, String> {
        check(&sampling, logprobs)?;
        let random = ChaCha8Rng::seed_from_u64(sampling.seed);
        Ok(Self {
            sampling,
            logprobs,
            random,
        })
    }

    /// Tokens that the settings name must be in the vocabulary.
    ///
    /// # Errors
    /// A text for the requester.
    pub fn check_vocabulary(&self, size: usize) -> Result<(), String> {
        let beyond = |id: &&u32| usize::try_from(**id).is_ok_and(|id| id >= size);
        let mut named = self.sampling.logit_bias.iter().map(|(id, _)| id);
        named.find(beyond).map_or(Ok(()), |id| {
            Err(format!(
                "logit_bias names token {id} and the model has tokens 0 to {}; leave it out",
                size.saturating_sub(1)
            ))
        })
    }

    /// The next token, by the logits for it.
    ///
    /// # Errors
    /// [`NoDistribution`]
    pub fn choose(&mut self, logits: &[f32], seen: &Seen<'_>) -> Result<Token, NoDistribution> {
        if logits
            .iter()
            .any(|logit| logit.is_nan() || *logit == f32::INFINITY)
        {
            return Err(NoDistribution);
        }
        let mut scores = logits.to_vec();
        self.penalise(&mut scores, seen);
        let likeliest = likeliest(&scores).ok_or(NoDistribution)?;
        let chosen = if self.sampling.temperature == 0.0 {
            likeliest
        } else {
            let kept = self.kept(&scores, likeliest);
            draw(&kept, self.random.next_u64()).unwrap_or(likeliest)
        };
        Ok(self.told(chosen, logits))
    }

    fn penalise(&self, scores: &mut [f32], seen: &Seen<'_>) {
        let Sampling {
            repeat_penalty,
            repeat_last,
            presence_penalty,
            frequency_penalty,
            logit_bias,
            ..
        } = &self.sampling;
        if *repeat_penalty != 1.0 {
            let all = seen.prompt.len().saturating_add(seen.answer.len());
            let last = match usize::try_from(*repeat_last) {
                Ok(0) | Err(_) => all,
                Ok(last) => last.min(all),
            };
            let tokens = seen.prompt.iter().chain(seen.answer);
            for (id, _) in counts(tokens.skip(all.saturating_sub(last))) {
                change(scores, id, |score| match score > 0.0 {
                    true => score / repeat_penalty,
                    false => score * repeat_penalty,
                });
            }
        }
        if *presence_penalty != 0.0 || *frequency_penalty != 0.0 {
            for (id, times) in counts(seen.answer.iter()) {
                let off = presence_penalty + frequency_penalty * times;
                change(scores, id, |score| score - off);
            }
        }
        for (id, bias) in logit_bias {
            change(scores, *id, |score| score + bias);
        }
    }

    /// The tokens that may be drawn, and their weights.
    fn kept(&self, scores: &[f32], likeliest: u32) -> Vec<(u32, f64)> {
        let Sampling {
            temperature,
            top_k,
            top_p,
            min_p,
            ..
        } = self.sampling;
        let temperature = f64::from(temperature);
        let of = |id: u32| usize::try_from(id).ok().and_then(|id| scores.get(id));
        let highest = of(likeliest).copied().map_or(0.0, f64::from);
        let weight = |score: f32| ((f64::from(score) - highest) / temperature).exp();
        let ids = 0_u32..;
        let mut kept: Vec<(u32, f64)> = ids
            .zip(scores)
            .map(|(id, score)| (id, weight(*score)))
            .filter(|(_, weight)| *weight > 0.0)
            .collect();
        let most = usize::try_from(top_k).unwrap_or(usize::MAX);
        if most > 0 && most < kept.len() {
            kept.select_nth_unstable_by(most, by_weight);
            kept.truncate(most);
        }
        if top_p < 1.0 {
            kept.sort_unstable_by(by_weight);
            let total: f64 = kept.iter().map(|(_, weight)| weight).sum();
            let enough = total * f64::from(top_p);
            let mut sum = 0.0;
            let reached = kept.iter().position(|(_, weight)| {
                sum += weight;
                sum >= enough
            });
            kept.truncate(reached.map_or(kept.len(), |last| last.saturating_add(1)));
        }
        // The likeliest one's weight is 1.
        kept.retain(|(_, weight)| *weight >= f64::from(min_p));
        // In an order that depends on no way of sorting.
        kept.sort_unstable_by_key(|(id, _)| *id);
        kept
    }

    fn told(&self, id: u32, logits: &[f32]) -> Token {
        if self.logprobs == 0 {
            return Token {
                id,
                logprob: None,
                likely: Vec::new(),
            };
        }
        let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let highest = f64::from(highest);
        let sum: f64 = logits
            .iter()
            .map(|logit| (f64::from(*logit) - highest).exp())
            .sum();
        let whole = highest + sum.ln();
        let logprob = |logit: f32| narrow(f64::from(logit) - whole);
        let ids = 0_u32..;
        let mut all: Vec<(u32, f64)> = ids
            .zip(logits)
            .map(|(id, logit)| (id, f64::from(*logit)))
            .collect();
        let most = usize::from(self.logprobs);
        if most < all.len() {
            all.select_nth_unstable_by(most, by_weight);
            all.truncate(most);
        }
        all.sort_unstable_by(by_weight);
        let likely = all.into_iter().map(|(id, logit)| Likely {
            id,
            logprob: narrow(logit - whole),
        });
        let own = usize::try_from(id).ok().and_then(|id| logits.get(id));
        Token {
            id,
            logprob: own.map(|logit| logprob(*logit)),
            likely: likely.collect(),
        }
    }
}

fn check(sampling: &Sampling, logprobs: u8) -> Result<(), String> {
    let Sampling {
        temperature,
        top_k: _,
        top_p,
        min_p,
        repeat_penalty,
        repeat_last: _,
        presence_penalty,
        frequency_penalty,
        logit_bias,
        seed: _,
    } = sampling;
    let ranges = [
        ("temperature", *temperature, (0.0, 100.0)),
        ("top_p", *top_p, (f32::MIN_POSITIVE, 1.0)),
        ("min_p", *min_p, (0.0, 1.0)),
        ("repeat_penalty", *repeat_penalty, (0.01, 100.0)),
        ("presence_penalty", *presence_penalty, (-100.0, 100.0)),
        ("frequency_penalty", *frequency_penalty, (-100.0, 100.0)),
    ];
    for (name, value, (least, most)) in ranges {
        if !(least..=most).contains(&value) {
            return Err(format!(
                "{name} is {value} and must be from {least} to {most}"
            ));
        }
    }
    if let Some((id, bias)) = logit_bias.iter().find(|(_, bias)| !bias.is_finite()) {
        return Err(format!(
            "the logit_bias of token {id} is {bias}, no finite number"
        ));
    }
    if logprobs > MOST_LIKELY {
        return Err(format!(
            "logprobs is {logprobs} and must be from 0 to {MOST_LIKELY}"
        ));
    }
    Ok(())
}

fn counts<'a>(tokens: impl Iterator<Item = &'a u32>) -> BTreeMap<u32, f32> {
    let mut counts = BTreeMap::new();
    for id in tokens {
        *counts.entry(*id).or_insert(0.0) += 1.0;
    }
    counts
}

fn change(scores: &mut [f32], id: u32, how: impl FnOnce(f32) -> f32) {
    let score = usize::try_from(id).ok().and_then(|id| scores.get_mut(id));
    if let Some(score) = score {
        // Past the largest number there is none to compare with.
        *score = how(*score).min(f32::MAX);
    }
}

/// Of equals the lowest id; none if no token is possible.
fn likeliest(scores: &[f32]) -> Option<u32> {
    let mut best: Option<(u32, f32)> = None;
    for (id, score) in (0_u32..).zip(scores) {
        let highest = best.map_or(f32::NEG_INFINITY, |(_, highest)| highest);
        if *score > highest {
            best = Some((id, *score));
        }
    }
    best.map(|(id, _)| id)
}

/// The heaviest first, of equals the lowest id.
fn by_weight(left: &(u32, f64), right: &(u32, f64)) -> Ordering {
    right.1.total_cmp(&left.1).then(left.0.cmp(&right.0))
}

/// One of them, each as often as its weight says.
fn draw(kept: &[(u32, f64)], random: u64) -> Option<u32> {
    let total: f64 = kept.iter().map(|(_, weight)| weight).sum();
    // The upper 53 bits, which a float holds exactly: from 0 to below 1.
    let part = (random >> 11) as f64 / (1_u64 << 53) as f64;
    let mut left = part * total;
    for (id, weight) in kept {
        if left < *weight {
            return Some(*id);
        }
        left -= weight;
    }
    kept.last().map(|(id, _)| *id)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "to the nearest float of fewer bits, as is wanted"
)]
fn narrow(value: f64) -> f32 {
    // JSON has no infinity.
    value.max(f64::from(f32::MIN)) as f32
}

#[cfg(test)]
mod tests;
