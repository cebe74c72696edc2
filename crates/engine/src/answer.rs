//! What a provider commits to: the canonical root of an outcome, and its hints.

use assay_protocol::{
    Digest, OutputProfile,
    commitment::error_root,
    outputs::{EncodingError, Output, RootHasher},
    profile::Comparison,
};

use super::{
    backend::{ModelFailure, Outcome},
    info::ModelInfo,
    tensor::{Tensor, to_safetensors},
};

/// A result, ready to be committed to and delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub root: Digest,
    /// One byte for each float on a grid, in output order; empty without any.
    pub hints: Vec<u8>,
    pub hints_digest: Digest,
    /// The outputs as a safetensors file; none if the model fails on the input.
    pub outputs: Option<Vec<u8>>,
    pub failure: Option<ModelFailure>,
}

/// Why an auditor has no root to compare.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditFault {
    #[error(transparent)]
    Profile(#[from] ProfileMismatch),
    #[error(
        "the hints have {found} bytes where these outputs need {expected}; they are not the primary's, or its \
         outputs have another shape"
    )]
    Hints { expected: usize, found: usize },
}

/// A registered profile that does not describe the model. Decided before a job is claimed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileMismatch {
    #[error(
        "the model has {outputs} outputs and its registered profile describes {profile}; register \
         it again with one entry an output"
    )]
    Count { outputs: usize, profile: usize },
    #[error("the outputs have no canonical form: {reason}")]
    Encoding { reason: String },
}

impl ModelInfo {
    /// Whether a profile describes this model's outputs.
    pub fn check_profile(&self, profile: &OutputProfile) -> Result<(), ProfileMismatch> {
        matching(self.outputs.len(), profile)
    }
}

impl Outcome {
    /// The primary's answer.
    pub fn answer(&self, profile: &OutputProfile) -> Result<Answer, ProfileMismatch> {
        match self {
            Self::Outputs(tensors) => {
                let encoding = |reason: String| ProfileMismatch::Encoding { reason };
                matching(tensors.len(), profile)?;
                let mut hints = Vec::new();
                let root = root(tensors, profile, |hasher, output, comparison| {
                    hasher.primary(output, comparison, |hint| hints.push(hint.cast_unsigned()))
                })
                .map_err(|error| encoding(format!("{error:?}")))?;
                let file = to_safetensors(tensors).map_err(|error| encoding(error.to_string()))?;
                let hints_digest = Digest::of(&[&hints]);
                Ok(Answer {
                    root,
                    hints,
                    hints_digest,
                    outputs: Some(file),
                    failure: None,
                })
            }
            Self::Failed(failure) => Ok(Answer {
                root: error_root(),
                hints: Vec::new(),
                hints_digest: Digest::of(&[]),
                outputs: None,
                failure: Some(failure.clone()),
            }),
        }
    }
}

impl Outcome {
    /// An auditor's root: equal to the primary's exactly if every float is within its tolerance and
    /// everything else is the same. A model that fails needs no hints.
    pub fn audit(&self, profile: &OutputProfile, hints: &[u8]) -> Result<Digest, AuditFault> {
        let Self::Outputs(tensors) = self else {
            return Ok(error_root());
        };
        matching(tensors.len(), profile)?;
        let expected = tensors
            .iter()
            .enumerate()
            .filter(|(position, tensor)| {
                tensor.dtype.is_float()
                    && matches!(profile.get(*position), Some(Comparison::Grid(_)))
            })
            .map(|(_, tensor)| tensor.data.len() / tensor.dtype.size())
            .sum();
        let found = hints.len();
        if found != expected {
            return Err(AuditFault::Hints { expected, found });
        }
        let mut hints = hints.iter().map(|byte| byte.cast_signed());
        root(tensors, profile, |hasher, output, comparison| {
            hasher.auditor(output, comparison, &mut hints)
        })
        .map_err(|error| {
            let reason = format!("{error:?}");
            ProfileMismatch::Encoding { reason }.into()
        })
    }
}

fn matching(outputs: usize, profile: &OutputProfile) -> Result<(), ProfileMismatch> {
    let described = profile.len();
    if outputs == described {
        return Ok(());
    }
    Err(ProfileMismatch::Count {
        outputs,
        profile: described,
    })
}

/// The root of tensors that `add` encodes one by one.
fn root(
    tensors: &[Tensor],
    profile: &OutputProfile,
    mut add: impl FnMut(&mut RootHasher, &Output<'_>, Comparison) -> Result<(), EncodingError>,
) -> Result<Digest, EncodingError> {
    let mut hasher = RootHasher::new(tensors.len())?;
    for (position, tensor) in tensors.iter().enumerate() {
        let shape = tensor
            .shape
            .iter()
            .map(|size| u64::try_from(*size))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| EncodingError::TooLarge)?;
        let comparison = profile.get(position).ok_or(EncodingError::TooLarge)?;
        let output = Output {
            name: &tensor.name,
            dtype: tensor.dtype,
            shape: &shape,
            data: &tensor.data,
        };
        add(&mut hasher, &output, comparison)?;
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use assay_protocol::{commitment::empty_hints_digest, outputs::DType};

    use super::*;

    fn floats(name: &str, values: &[f32]) -> Tensor {
        let data = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        Tensor {
            name: name.into(),
            dtype: DType::F32,
            shape: vec![values.len()],
            data,
        }
    }

    fn profile(entries: &[i16]) -> OutputProfile {
        let mut profile = OutputProfile([OutputProfile::UNUSED; 8]);
        profile.0[..entries.len()].copy_from_slice(entries);
        profile.check().unwrap();
        profile
    }

    #[test]
    fn exact_root_ignores_the_sign_of_zero_and_nan_payloads_only() {
        let exact = profile(&[OutputProfile::EXACT]);
        let root = |values: &[f32]| {
            let answer = Outcome::Outputs(vec![floats("y", values)])
                .answer(&exact)
                .unwrap();
            assert_eq!(answer.hints_digest, empty_hints_digest());
            answer.root
        };
        let odd_nan = f32::from_bits(0xffc0_1234);
        assert_eq!(root(&[0.0, f32::NAN]), root(&[-0.0, odd_nan]));
        assert_ne!(root(&[0.0, f32::NAN]), root(&[f32::from_bits(1), f32::NAN]));
        assert_ne!(root(&[1.0]), root(&[1.0, 1.0]));
    }

    #[test]
    fn hints_let_an_auditor_with_a_close_result_reach_the_same_root() {
        let tensors = vec![floats("y", &[0.30, -1.7, f32::INFINITY])];
        let grid = profile(&[-4]);
        let answer = Outcome::Outputs(tensors).answer(&grid).unwrap();
        assert_eq!(answer.hints.len(), 3);
        assert_eq!(answer.hints_digest, Digest::of(&[&answer.hints]));

        let audit = |values: &[f32]| {
            Outcome::Outputs(vec![floats("y", values)])
                .audit(&grid, &answer.hints)
                .unwrap()
        };
        assert_eq!(audit(&[0.325, -1.72, f32::INFINITY]), answer.root);
        assert_ne!(audit(&[0.35, -1.72, f32::INFINITY]), answer.root);
        assert_ne!(audit(&[0.30, -1.7, f32::MAX]), answer.root);
        let longer = Outcome::Outputs(vec![floats("y", &[0.30, -1.7, f32::INFINITY, 0.0])]);
        let fault = AuditFault::Hints {
            expected: 4,
            found: 3,
        };
        assert_eq!(longer.audit(&grid, &answer.hints), Err(fault));
    }

    #[test]
    fn failing_model_has_the_error_root_whatever_it_said() {
        let exact = profile(&[OutputProfile::EXACT]);
        let answer = |message: &str| {
            Outcome::Failed(ModelFailure {
                message: message.into(),
            })
            .answer(&exact)
            .unwrap()
        };
        let (one, other) = (answer("index 9"), answer("elsewhere"));
        assert_eq!(
            (one.root, one.hints_digest),
            (other.root, other.hints_digest)
        );
        assert_eq!(one.root, error_root());
        assert_eq!(one.hints_digest, empty_hints_digest());
        assert_eq!(one.outputs, None);
    }

    #[test]
    fn profile_of_another_length_is_refused() {
        let outcome = Outcome::Outputs(vec![floats("y", &[1.0])]);
        let two = profile(&[OutputProfile::EXACT, -3]);
        let mismatch = ProfileMismatch::Count {
            outputs: 1,
            profile: 2,
        };
        assert_eq!(outcome.answer(&two), Err(mismatch));
    }
}
