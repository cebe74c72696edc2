//! Results as a cheat would deliver them.

use anyhow::Result;
use assay_engine::{EngineError, Model, Outcome, Tensor};

use super::{
    forge::{self, Weights},
    inputs::Sample,
    lab::Lab,
    random::Random,
};

/// Layers that are left out in turn, at most.
const LAYERS: usize = 24;
/// The name of the attack that answers with another input's result.
pub const STALE: &str = "stale result";
/// The name of the attacks that leave a layer out.
pub const LAYER: &str = "one layer dropped";
/// Seed of the weights that are not the model's.
const SEED: u64 = 3;

/// One way to cheat, tried on every sample.
#[derive(Clone, Debug)]
pub struct Attack {
    pub name: &'static str,
    /// What was done to this model.
    pub detail: String,
    /// Whether the model ran with other weights.
    pub weights: bool,
    /// None where the attack has no result for a sample.
    pub outcomes: Vec<Option<Outcome>>,
}

impl std::fmt::Display for Attack {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Other details are the same for every model.
        if self.name == LAYER {
            write!(out, "{}, {}", self.name, self.detail)
        } else {
            out.write_str(self.name)
        }
    }
}

const ROUNDINGS: [(&str, Weights); 5] = [
    ("weights rounded to int8", Weights::Int8),
    ("weights rounded to bf16", Weights::Bf16),
    ("weights rounded to fp16", Weights::Fp16),
    ("weights permuted", Weights::Permuted),
    ("weights perturbed by 1 %", Weights::Perturbed),
];

/// The attacks that run another model than the registered one, with the worker's own settings.
pub async fn forged(
    lab: &Lab,
    model: &[u8],
    samples: &[Sample],
    honest: &[&Outcome],
    mut progress: impl FnMut(&str),
) -> Result<Vec<Attack>> {
    let mut attacks = Vec::new();
    for (name, how) in ROUNDINGS {
        progress(name);
        let forged = forge::weights(model, how, &mut Random::new(SEED))?;
        if forged.weights == 0 {
            continue;
        }
        let Some(outcomes) = run(lab, forged.model, samples, honest).await? else {
            continue;
        };
        attacks.push(Attack {
            name,
            detail: format!("{} weights", forged.weights),
            weights: true,
            outcomes,
        });
    }
    for short in forge::shortened(model, LAYERS)? {
        progress(&short.node);
        if let Some(outcomes) = run(lab, short.model, samples, honest).await? {
            attacks.push(Attack {
                name: LAYER,
                detail: short.node,
                weights: false,
                outcomes,
            });
        }
    }
    Ok(attacks)
}

/// None if the model cannot be loaded, or gives other shapes than the honest one.
async fn run(
    lab: &Lab,
    model: Vec<u8>,
    samples: &[Sample],
    honest: &[&Outcome],
) -> Result<Option<Vec<Option<Outcome>>>> {
    let found = lab
        .run(&lab.base(), &Model::new(model), samples, None)
        .await;
    let outcomes = match found {
        Ok(Some(outcomes)) => outcomes,
        Ok(None) => return Ok(None),
        // A model without one of its layers may be no model any more.
        Err(error) if error.downcast_ref::<EngineError>().is_some() => return Ok(None),
        Err(error) => return Err(error),
    };
    let same = |(cheat, honest): (Outcome, &&Outcome)| match (&cheat, honest) {
        (Outcome::Outputs(x), Outcome::Outputs(y)) if shapes(x).eq(shapes(y)) => Some(cheat),
        (Outcome::Outputs(_) | Outcome::Failed(_), _) => None,
    };
    let outcomes: Vec<_> = outcomes.into_iter().zip(honest).map(same).collect();
    Ok(outcomes.iter().any(Option::is_some).then_some(outcomes))
}

fn shapes(tensors: &[Tensor]) -> impl Iterator<Item = (&str, &[usize])> {
    tensors
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice()))
}

/// The attacks that need no model: something that looks like a result.
pub fn dressed(honest: &[&Outcome]) -> Vec<Attack> {
    let each = |name, detail: &str, change: fn(&Tensor) -> Vec<u8>| {
        let outcomes = honest
            .iter()
            .map(|outcome| changed(outcome, change))
            .collect();
        Attack {
            name,
            detail: detail.into(),
            weights: false,
            outcomes,
        }
    };
    vec![
        Attack {
            name: STALE,
            detail: "the result of the input before".into(),
            weights: false,
            outcomes: stale(honest),
        },
        each("outputs shuffled", "elements in reverse order", |tensor| {
            tensor
                .data
                .rchunks(tensor.dtype.size())
                .flatten()
                .copied()
                .collect()
        }),
        each("outputs constant", "every element is the first", |tensor| {
            let length = tensor.data.len();
            let first = tensor.data.get(..tensor.dtype.size()).unwrap_or_default();
            first.iter().copied().cycle().take(length).collect()
        }),
        each(
            "outputs truncated",
            "the second half of the elements is 0",
            |tensor| {
                let size = tensor.dtype.size();
                let keep = (tensor.data.len() / size).div_ceil(2).saturating_mul(size);
                let mut data = tensor.data.clone();
                data.iter_mut().skip(keep).for_each(|byte| *byte = 0);
                data
            },
        ),
    ]
}

/// Each sample gets the result of the one before it, if that has the same shapes.
fn stale(honest: &[&Outcome]) -> Vec<Option<Outcome>> {
    let before = honest.iter().cycle().skip(honest.len().saturating_sub(1));
    honest
        .iter()
        .zip(before)
        .map(|(own, other)| match (own, other) {
            (Outcome::Outputs(own), Outcome::Outputs(before)) if shapes(own).eq(shapes(before)) => {
                Some((*other).clone())
            }
            (Outcome::Outputs(_) | Outcome::Failed(_), _) => None,
        })
        .collect()
}

fn changed(outcome: &Outcome, change: fn(&Tensor) -> Vec<u8>) -> Option<Outcome> {
    let Outcome::Outputs(tensors) = outcome else {
        return None;
    };
    let change = |tensor: &Tensor| Tensor {
        data: change(tensor),
        ..tensor.clone()
    };
    Some(Outcome::Outputs(tensors.iter().map(change).collect()))
}

#[cfg(test)]
mod tests {
    use assay_engine::DType;

    use super::*;

    fn outcome(values: &[u16]) -> Outcome {
        Outcome::Outputs(vec![Tensor {
            name: "y".into(),
            dtype: DType::U16,
            shape: vec![values.len()],
            data: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        }])
    }

    #[test]
    fn dressed_results_have_the_shape_of_honest_ones() {
        let (one, two) = (outcome(&[1, 2, 3]), outcome(&[4, 5, 6]));
        let attacks = dressed(&[&one, &two]);
        let all: Vec<_> = attacks
            .iter()
            .map(|attack| (attack.name, attack.outcomes.clone()))
            .collect();
        let some = |values: &[u16]| Some(outcome(values));
        assert_eq!(
            all,
            [
                ("stale result", vec![some(&[4, 5, 6]), some(&[1, 2, 3])]),
                ("outputs shuffled", vec![some(&[3, 2, 1]), some(&[6, 5, 4])]),
                ("outputs constant", vec![some(&[1, 1, 1]), some(&[4, 4, 4])]),
                (
                    "outputs truncated",
                    vec![some(&[1, 2, 0]), some(&[4, 5, 0])]
                ),
            ]
        );
        let longer = outcome(&[1, 2, 3, 4]);
        assert_eq!(stale(&[&one, &longer]), [None, None]);
    }
}
