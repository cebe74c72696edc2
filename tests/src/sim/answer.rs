//! Synthetic outputs with real roots: eight floats on a grid, compared as the market compares them.

use assay_client::protocol::{
    Digest,
    outputs::{DType, Output, RootHasher},
    profile::Comparison,
};
use sha2::{Digest as _, Sha256};

use super::dice::Dice;

const EXPONENT: i8 = -10;
const STEP: f32 = 1.0 / 1_024.0;
const LENGTH: usize = 8;

/// A model's output for one input, as one machine computed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer([f32; LENGTH]);

/// What the primary publishes of its answer.
#[derive(Clone, Debug)]
pub struct Sealed {
    pub root: [u8; 32],
    pub hints: Vec<i8>,
    pub hints_digest: [u8; 32],
}

impl Answer {
    /// What exact arithmetic would give.
    pub fn truth(dice: &mut Dice) -> Self {
        Self([(); LENGTH].map(|()| spread(dice, 1.0)))
    }

    /// What an honest machine gives: at most a fifth of a step away, so two machines differ by less than the half
    /// step that must compare as equal.
    pub fn computed(&self, dice: &mut Dice) -> Self {
        Self(self.0.map(|value| value + spread(dice, 0.2 * STEP)))
    }

    /// What a model with coarsened weights gives: some steps away everywhere.
    pub fn coarsened(&self, dice: &mut Dice) -> Self {
        Self(self.0.map(|value| {
            let away = 3.0 + 10.0 * spread(dice, 1.0).abs();
            value + away * STEP * if dice.chance(0.5) { 1.0 } else { -1.0 }
        }))
    }

    /// The same for every input.
    pub fn constant() -> Self {
        Self([0.5; LENGTH])
    }

    /// As the job's own provider commits to it.
    pub fn seal(&self) -> Sealed {
        let mut hasher = RootHasher::new(1).expect("one output");
        let data = self.bytes();
        let mut hints = Vec::new();
        hasher
            .primary(&output(&data), Comparison::Grid(EXPONENT), |hint| {
                hints.push(hint)
            })
            .expect("eight floats");
        let bytes: Vec<u8> = hints.iter().map(|hint| hint.cast_unsigned()).collect();
        Sealed {
            root: hasher.finish().0,
            hints_digest: Sha256::digest(bytes).into(),
            hints,
        }
    }

    /// As an auditor, given the primary's hints, commits to it.
    pub fn audit(&self, hints: &[i8]) -> [u8; 32] {
        let mut hasher = RootHasher::new(1).expect("one output");
        let data = self.bytes();
        hasher
            .auditor(
                &output(&data),
                Comparison::Grid(EXPONENT),
                &mut hints.iter().copied(),
            )
            .expect("eight floats and as many hints");
        let Digest(root) = hasher.finish();
        root
    }

    fn bytes(&self) -> Vec<u8> {
        self.0
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }
}

fn output(data: &[u8]) -> Output<'_> {
    Output {
        name: "y",
        dtype: DType::F32,
        shape: &[LENGTH as u64],
        data,
    }
}

/// A number in [-reach, reach).
fn spread(dice: &mut Dice, reach: f32) -> f32 {
    // The 24 bits of a f32's mantissa.
    let unit = (dice.draw() >> 40) as f32 / 16_777_216.0;
    (2.0 * unit - 1.0) * reach
}
