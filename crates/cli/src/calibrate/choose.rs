//! The comparison profile that the measurements ask for.

use assay_client::protocol::{OutputProfile, grid, limits::MAX_OUTPUTS, profile::Comparison};
use assay_engine::{DType, Outcome, Tensor};

use super::measure::{deviations, epsilon, magnitude};

/// What was measured of one output over every honest variation, and how it is to compare.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    pub name: String,
    pub dtype: DType,
    /// Elements of the first sample's result.
    pub elements: usize,
    /// Largest |y - x| over all pairs of variations and all samples.
    pub worst: f64,
    /// Largest finite |x|.
    pub magnitude: f64,
}

/// Why no profile can be given.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unfit {
    #[error(
        "output `{name}` does not repeat: honest runs give other {what}; leave it out of the model, or make it a float"
    )]
    Unstable { name: String, what: &'static str },
    #[error(
        "output `{name}` would need a step of {needed:e}, and steps go from 2^-64 to 2^64; scale the output"
    )]
    Range { name: String, needed: f64 },
    #[error(
        "output `{name}` was 0 or no number in every run, which says nothing about its step; give inputs that move it \
         (--inputs), or choose with --profile"
    )]
    Idle { name: String },
    #[error("the model has {outputs} outputs; 1 to {MAX_OUTPUTS} can be registered")]
    Count { outputs: usize },
}

/// Measures every output over the distinct results of each sample.
pub fn measure(results: &[Vec<&Outcome>]) -> Vec<Measured> {
    let Some(Outcome::Outputs(model)) = results.first().and_then(|sample| sample.first().copied())
    else {
        return Vec::new();
    };
    let mut measured: Vec<Measured> = model.iter().map(blank).collect();
    for sample in results {
        for (position, x) in sample.iter().enumerate() {
            if let Outcome::Outputs(tensors) = x {
                for (output, tensor) in measured.iter_mut().zip(tensors) {
                    output.magnitude = output.magnitude.max(magnitude(tensor));
                }
            }
            for y in sample.iter().skip(position.saturating_add(1)) {
                for (output, apart) in measured.iter_mut().zip(deviations(x, y, model.len())) {
                    output.worst = output.worst.max(apart);
                }
            }
        }
    }
    measured
}

fn blank(tensor: &Tensor) -> Measured {
    Measured {
        name: tensor.name.clone(),
        dtype: tensor.dtype,
        elements: tensor.shape.iter().product(),
        worst: 0.0,
        magnitude: 0.0,
    }
}

impl Measured {
    /// The deviation that the profile must bear: what was measured, and at least two units in the last place of the
    /// largest value. Hardware that is not here adds in yet another order, so equal bits here prove little.
    pub fn expected(&self) -> f64 {
        let unit = epsilon(self.dtype).unwrap_or(0.0) * self.magnitude;
        self.worst.max(2.0 * unit)
    }

    /// The entry of the profile: the smallest step whose half is `safety` times the expected deviation.
    pub fn entry(&self, safety: f64, exact: bool) -> Result<i16, Unfit> {
        let name = || self.name.clone();
        if self.worst.is_infinite() {
            let what = if self.dtype.is_float() {
                "NaN or infinities"
            } else {
                "integers"
            };
            return Err(Unfit::Unstable { name: name(), what });
        }
        if !self.dtype.is_float() || (exact && self.worst == 0.0) {
            return Ok(OutputProfile::EXACT);
        }
        let needed = 2.0 * safety * self.expected();
        if needed == 0.0 {
            // The smallest step would saturate at once, and then accept everything.
            return Err(Unfit::Idle { name: name() });
        }
        let most = i8::try_from(OutputProfile::MAX_EXPONENT).unwrap_or(i8::MAX);
        let exponent =
            (most.saturating_neg()..=most).find(|exponent| grid::step(*exponent) >= needed);
        let exponent = exponent.ok_or(Unfit::Range {
            name: name(),
            needed,
        })?;
        Ok(exponent.into())
    }
}

/// A profile of all outputs.
pub fn profile(measured: &[Measured], safety: f64, exact: bool) -> Result<OutputProfile, Unfit> {
    let outputs = measured.len();
    let mut entries = [OutputProfile::UNUSED; MAX_OUTPUTS];
    if outputs == 0 || outputs > entries.len() {
        return Err(Unfit::Count { outputs });
    }
    for (place, output) in entries.iter_mut().zip(measured) {
        *place = output.entry(safety, exact)?;
    }
    Ok(OutputProfile(entries))
}

/// Whether no output has more tolerance than honest runs need.
pub fn needed(profile: &OutputProfile, chosen: &OutputProfile) -> bool {
    let grids = profile.0.iter().zip(chosen.0);
    let mut grids = grids.filter(|(entry, _)| **entry != OutputProfile::EXACT);
    grids.all(|(entry, chosen)| *entry <= chosen)
}

/// As `assay model register --profile` takes it.
pub fn text(profile: &OutputProfile) -> String {
    let entries = profile.0.iter().take(profile.len());
    let texts: Vec<String> = entries
        .map(|entry| match *entry {
            OutputProfile::EXACT => "exact".into(),
            exponent => exponent.to_string(),
        })
        .collect();
    texts.join(",")
}

/// The step of an output; none where it compares exactly.
pub fn step(profile: &OutputProfile, position: usize, dtype: DType) -> Option<f64> {
    match profile.get(position) {
        Some(Comparison::Grid(exponent)) if dtype.is_float() => Some(grid::step(exponent)),
        Some(Comparison::Grid(_) | Comparison::Exact) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(worst: f64, magnitude: f64) -> Measured {
        Measured {
            name: "y".into(),
            dtype: DType::F32,
            elements: 1,
            worst,
            magnitude,
        }
    }

    #[test]
    fn half_the_step_is_the_safety_factor_times_the_deviation() {
        for (worst, safety) in [(6.3e-6, 16.0), (1e-3, 16.0), (0.4, 2.0), (1e-15, 64.0)] {
            let exponent = output(worst, 0.0).entry(safety, false).unwrap();
            let step = grid::step(i8::try_from(exponent).unwrap());
            assert!(step / 2.0 >= safety * worst);
            assert!(
                step / 4.0 < safety * worst,
                "half the step would do for {worst}"
            );
        }
    }

    #[test]
    fn equal_bits_still_get_room_for_other_hardware() {
        // Two units in the last place of 1.0, sixteen times over, on either side: 2 * 16 * 2 * 2^-23.
        assert_eq!(output(0.0, 1.0).entry(16.0, false), Ok(-17));
        assert_eq!(output(0.0, 1.0).entry(16.0, true), Ok(OutputProfile::EXACT));
        // What deviates is never compared exactly.
        assert_eq!(output(1e-9, 1.0).entry(16.0, true), Ok(-17));
        let label = Measured {
            dtype: DType::I64,
            ..output(0.0, 9.0)
        };
        assert_eq!(label.entry(16.0, false), Ok(OutputProfile::EXACT));
    }

    #[test]
    fn what_no_profile_can_hold_is_refused() {
        let unstable = output(f64::INFINITY, 1.0).entry(16.0, false);
        assert!(matches!(unstable, Err(Unfit::Unstable { .. })));
        let huge = output(1e30, 1e31).entry(16.0, false);
        assert!(matches!(huge, Err(Unfit::Range { .. })));
        assert_eq!(
            output(1e18, 1.0).entry(16.0, false),
            Err(Unfit::Range {
                name: "y".into(),
                needed: 3.2e19,
            })
        );
        let idle = Unfit::Idle { name: "y".into() };
        assert_eq!(output(0.0, 0.0).entry(16.0, false), Err(idle));
        assert_eq!(profile(&[], 16.0, false), Err(Unfit::Count { outputs: 0 }));
        let nine = vec![output(0.0, 1.0); 9];
        assert_eq!(
            profile(&nine, 16.0, false),
            Err(Unfit::Count { outputs: 9 })
        );
    }

    #[test]
    fn profile_reads_back_as_register_takes_it() {
        let label = Measured {
            dtype: DType::I64,
            ..output(0.0, 9.0)
        };
        let profile = profile(&[output(0.0, 1.0), label], 16.0, false).unwrap();
        assert_eq!(text(&profile), "-17,exact");
        assert_eq!(
            crate::model::parse_profile(&text(&profile), 2).unwrap(),
            profile
        );
        let other = |exponent| {
            let mut other = profile;
            other.0[0] = exponent;
            other
        };
        assert!(needed(&profile, &profile) && needed(&other(-18), &profile));
        assert!(needed(&other(OutputProfile::EXACT), &profile) && !needed(&other(-16), &profile));
        assert_eq!(step(&profile, 0, DType::F32), Some(grid::step(-17)));
        assert_eq!(step(&profile, 1, DType::I64), None);
    }
}
