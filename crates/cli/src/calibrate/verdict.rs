//! What the comparison makes of honest and of cheating results: by real roots and hints, not by arithmetic.

use anyhow::Result;
use assay_client::protocol::OutputProfile;
use assay_engine::Outcome;

use super::{
    attack::{self, Attack},
    choose::{self, Measured},
    measure::{decisions, deviations},
};

/// What the market's deterrence rule makes of cheating by default: an expected loss of twice the gain.
const DETERRENCE: f64 = 2.0;
/// The share of audits that a cheat may pass. What passes is as good as an honest result on that input, within the
/// tolerance; but who passes more than half of the audits would gain more than it loses.
pub const MOST_ACCEPTED: f64 = 0.5;

/// One distinct result of a sample, and the variations that gave it.
struct Class {
    outcome: Outcome,
    variations: Vec<usize>,
}

/// The honest results: for each sample its distinct ones.
pub struct Honest {
    samples: Vec<Vec<Class>>,
}

impl Honest {
    /// From the results of each variation; the first is what an attack starts from.
    pub fn new(runs: Vec<Vec<Outcome>>) -> Self {
        let mut samples: Vec<Vec<Class>> = Vec::new();
        for (variation, outcomes) in runs.into_iter().enumerate() {
            samples.resize_with(samples.len().max(outcomes.len()), Vec::new);
            for (classes, outcome) in samples.iter_mut().zip(outcomes) {
                match classes.iter_mut().find(|class| class.outcome == outcome) {
                    Some(class) => class.variations.push(variation),
                    None => classes.push(Class {
                        outcome,
                        variations: vec![variation],
                    }),
                }
            }
        }
        Self { samples }
    }

    /// The distinct results of each sample, those of the first variation first.
    pub fn distinct(&self) -> Vec<Vec<&Outcome>> {
        self.samples
            .iter()
            .map(|classes| classes.iter().map(|class| &class.outcome).collect())
            .collect()
    }

    /// The results of the first variation.
    pub fn base(&self) -> Vec<&Outcome> {
        self.samples
            .iter()
            .filter_map(|classes| classes.first())
            .map(|class| &class.outcome)
            .collect()
    }

    /// For each variation, the largest deviation from the first one, output by output.
    pub fn spread(&self, variations: usize, outputs: usize) -> Vec<Vec<f64>> {
        let mut spread = vec![vec![0.0_f64; outputs]; variations];
        for classes in &self.samples {
            let Some(base) = classes.first() else {
                continue;
            };
            for class in classes {
                let apart = deviations(&base.outcome, &class.outcome, outputs);
                for variation in &class.variations {
                    if let Some(worst) = spread.get_mut(*variation) {
                        for (worst, apart) in worst.iter_mut().zip(&apart) {
                            *worst = worst.max(*apart);
                        }
                    }
                }
            }
        }
        spread
    }
}

/// How many comparisons there were, and how many of them failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    pub pairs: u64,
    pub hits: u64,
}

impl Rate {
    pub fn share(self) -> f64 {
        if self.pairs == 0 {
            return 0.0;
        }
        self.hits as f64 / self.pairs as f64
    }

    /// What a cheat that passes this share of its audits loses for each lamport that it gains, where the market's
    /// terms make it lose two if it never passes.
    pub fn loss(self) -> f64 {
        DETERRENCE * (1.0 - self.share())
    }

    fn add(&mut self, pairs: usize, hit: bool) {
        let pairs = u64::try_from(pairs).unwrap_or(u64::MAX);
        self.pairs = self.pairs.saturating_add(pairs);
        if hit {
            self.hits = self.hits.saturating_add(pairs);
        }
    }
}

/// Honest auditors that honest primaries would meet with dissent: every variation as primary, every other as auditor.
pub fn honest_rejects(honest: &Honest, profile: &OutputProfile) -> Result<Rate> {
    let mut rate = Rate::default();
    for classes in &honest.samples {
        for primary in classes {
            let answer = primary.outcome.answer(profile)?;
            for auditor in classes {
                let itself = usize::from(std::ptr::eq(primary, auditor));
                let auditors = auditor.variations.len().saturating_sub(itself);
                let equal = auditor
                    .outcome
                    .audit(profile, &answer.hints)
                    .is_ok_and(|root| root == answer.root);
                rate.add(primary.variations.len().saturating_mul(auditors), !equal);
            }
        }
    }
    Ok(rate)
}

/// What became of one attack.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Samples whose result it changed.
    pub changed: usize,
    /// Samples whose result is one that an honest provider gives.
    pub unchanged: usize,
    /// Audits of changed results, and those that found nothing.
    pub accepted: Rate,
    /// Changed results that were accepted although their largest element is another one.
    pub decisions: usize,
    /// Changed results, accepted or not, that say something else than the honest ones. Where nothing can be read off a
    /// result, every change counts.
    pub misled: usize,
    /// For each changed result, how far it is from the nearest honest one.
    pub distances: Vec<Distance>,
}

/// How far a result is from an honest one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// In steps of the output that gives it away most; infinite if that one compares exactly.
    pub steps: f64,
    /// The same as |y - x|.
    pub absolute: f64,
}

impl Verdict {
    /// Whether audits do not deter the attack.
    fn passes(&self) -> bool {
        self.accepted.share() > MOST_ACCEPTED
    }

    /// The smallest distance of all.
    pub fn nearest(&self) -> Option<Distance> {
        let by = |a: &&Distance, b: &&Distance| a.steps.total_cmp(&b.steps);
        self.distances.iter().min_by(by).copied()
    }
}

/// Has every honest variation audit an attack's results.
pub fn judge(
    honest: &Honest,
    attack: &Attack,
    profile: &OutputProfile,
    measured: &[Measured],
) -> Result<Verdict> {
    let mut verdict = Verdict {
        changed: 0,
        unchanged: 0,
        accepted: Rate::default(),
        decisions: 0,
        misled: 0,
        distances: Vec::new(),
    };
    for (classes, cheat) in honest.samples.iter().zip(&attack.outcomes) {
        let Some(cheat) = cheat else { continue };
        let away = |class: &Class| deviations(&class.outcome, cheat, measured.len());
        if classes
            .iter()
            .any(|class| away(class).iter().all(|apart| *apart == 0.0))
        {
            verdict.unchanged = verdict.unchanged.saturating_add(1);
            continue;
        }
        verdict.changed = verdict.changed.saturating_add(1);
        let distances = classes
            .iter()
            .map(|class| distance(&away(class), profile, measured));
        verdict
            .distances
            .extend(distances.min_by(|a, b| a.steps.total_cmp(&b.steps)));
        let says = decided(cheat);
        let honest = classes.first().map(|class| decided(&class.outcome));
        let misled = says.is_empty() || honest != Some(says);
        verdict.misled = verdict.misled.saturating_add(usize::from(misled));
        let answer = cheat.answer(profile)?;
        let mut decided_otherwise = false;
        for class in classes {
            let equal = class
                .outcome
                .audit(profile, &answer.hints)
                .is_ok_and(|root| root == answer.root);
            verdict.accepted.add(class.variations.len(), equal);
            decided_otherwise |= equal && decided(cheat) != decided(&class.outcome);
        }
        verdict.decisions = verdict
            .decisions
            .saturating_add(usize::from(decided_otherwise));
    }
    Ok(verdict)
}

/// What a result says; empty where nothing can be read off it.
fn decided(outcome: &Outcome) -> Vec<Vec<u64>> {
    match outcome {
        Outcome::Outputs(tensors) => tensors.iter().filter_map(decisions).collect(),
        Outcome::Failed(_) => Vec::new(),
    }
}

/// The distance of outputs that deviate by so much.
pub fn distance(apart: &[f64], profile: &OutputProfile, measured: &[Measured]) -> Distance {
    let none = Distance {
        steps: 0.0,
        absolute: 0.0,
    };
    let each = apart
        .iter()
        .zip(measured)
        .enumerate()
        .map(|(position, (apart, output))| {
            let steps = match choose::step(profile, position, output.dtype) {
                _ if *apart == 0.0 => 0.0,
                Some(step) => apart / step,
                None => f64::INFINITY,
            };
            Distance {
                steps,
                absolute: *apart,
            }
        });
    each.fold(
        none,
        |most, next| if next.steps > most.steps { next } else { most },
    )
}

/// Why a profile does not tell honest results from others.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "honest results of output `{name}` are up to {worst:.3} steps apart, and a quarter is the most: a result near \
         the edge of its cell would divide honest auditors; choose a larger exponent"
    )]
    Spread { name: String, worst: f64 },
    #[error(
        "honest results of output `{name}` differ, so it cannot compare exactly; give it a grid"
    )]
    Exact { name: String },
    #[error("{} of {} audits of honest results by honest auditors would dissent", .0.hits, .0.pairs)]
    Honest(Rate),
    #[error(
        "{} of {attacks} attacks pass more than {:.0} % of their audits ({}): who cheats so gains more than it loses",
        .passing.len(), MOST_ACCEPTED * 100.0, named(.passing)
    )]
    Cheat {
        attacks: usize,
        /// Names and shares.
        passing: Vec<(String, f64)>,
    },
    #[error("{attack} changes what {samples} results say and is not noticed")]
    Decision { attack: String, samples: usize },
    #[error(
        "neither other weights nor another input's result change anything: the outputs depend on nothing, and there is \
         nothing to verify"
    )]
    Nothing,
}

/// What does not speak against a profile and must be known: cheats that audits do not deter, and that do no harm that
/// anybody could see.
pub fn remarks(attacks: &[(Attack, Verdict)]) -> Vec<String> {
    attacks
        .iter()
        .filter(|(_, verdict)| verdict.passes() && verdict.misled == 0)
        .map(|(attack, verdict)| {
            format!(
                "{attack} passes {:.1} % of its audits, so audits do not deter it. Its results say the same on every \
                 input, and what passes lies within the tolerance. A smaller --safety catches more of it and leaves \
                 honest providers less room.",
                verdict.accepted.share() * 100.0
            )
        })
        .collect()
}

/// The first few of a list.
fn named(passing: &[(String, f64)]) -> String {
    const FEW: usize = 5;
    let few = passing.iter().take(FEW);
    let mut names: Vec<String> = few
        .map(|(name, share)| format!("{name}: {:.1} %", share * 100.0))
        .collect();
    let more = passing.len().saturating_sub(FEW);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    names.join("; ")
}

/// Everything that speaks against a profile; nothing if it separates. A `needed` tolerance is one that honest runs
/// need: only then may a cheat pass that does no harm, because a smaller one would slash honest providers instead.
pub fn refusals(
    profile: &OutputProfile,
    needed: bool,
    measured: &[Measured],
    honest: Rate,
    attacks: &[(Attack, Verdict)],
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (position, output) in measured.iter().enumerate() {
        let name = output.name.clone();
        match choose::step(profile, position, output.dtype) {
            Some(step) if output.worst > step / 4.0 => refusals.push(Refusal::Spread {
                name,
                worst: output.worst / step,
            }),
            None if output.worst > 0.0 => refusals.push(Refusal::Exact { name }),
            Some(_) | None => {}
        }
    }
    if honest.hits > 0 {
        refusals.push(Refusal::Honest(honest));
    }
    let passing: Vec<_> = attacks
        .iter()
        .filter(|(_, verdict)| verdict.passes() && (verdict.misled > 0 || !needed))
        .map(|(attack, verdict)| (attack.to_string(), verdict.accepted.share()))
        .collect();
    for (attack, verdict) in attacks {
        if !verdict.passes() && verdict.decisions > 0 {
            refusals.push(Refusal::Decision {
                attack: attack.to_string(),
                samples: verdict.decisions,
            });
        }
    }
    if !passing.is_empty() {
        let attacks = attacks.len();
        refusals.push(Refusal::Cheat { attacks, passing });
    }
    let depends = |(attack, verdict): &(Attack, Verdict)| {
        verdict.changed > 0 && (attack.weights || attack.name == attack::STALE)
    };
    if !attacks.iter().any(depends) {
        refusals.push(Refusal::Nothing);
    }
    refusals
}

#[cfg(test)]
mod tests;
