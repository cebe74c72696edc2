//! One run of the loaded model, by itself or as one of a sequence.

use std::{borrow::Cow, collections::BTreeMap};

use ort::{session::SessionInputValue, value::DynValue};

use super::{OrtBackend, fault, said, unexpected, values};
use crate::{
    backend::{ModelFailure, RunError},
    carry::Carrying,
    error::RuntimeFault,
    tensor::View,
};

/// Values as ONNX Runtime has made them, in the order of the carries, by sequence.
pub type Kept = BTreeMap<u64, Vec<DynValue>>;

type Named<'a> = (Cow<'a, str>, SessionInputValue<'a>);

impl OrtBackend {
    /// As [`Backend::run`](super::Backend::run), but shows each output where ONNX Runtime has put it, and not those that
    /// stay here. Whatever a sequence had kept is gone after a run that fails.
    pub(crate) fn run_on(
        &mut self,
        inputs: &[View<'_>],
        carrying: Option<&Carrying>,
        mut show: impl FnMut(View<'_>) -> Result<(), RuntimeFault>,
    ) -> Result<(), RunError> {
        let unforeseen = |reason: String| RuntimeFault::Unexpected { reason };
        let Some(loaded) = &mut self.loaded else {
            return Err(unforeseen("a run was asked for before a model was loaded".into()).into());
        };
        let past = carrying.and_then(|carrying| loaded.kept.remove(&carrying.sequence));
        let mut given = inputs
            .iter()
            .map(|tensor| Ok((Cow::Borrowed(tensor.name.as_ref()), values::give(tensor)?)))
            .collect::<ort::Result<Vec<Named<'_>>>>()
            .map_err(|error| unexpected(&error))?;
        if let Some(carrying) = carrying.filter(|carrying| carrying.goes_on) {
            let past = past.as_ref();
            let past = past.ok_or_else(|| unforeseen("nothing is kept of that sequence".into()))?;
            let carried = carrying.carries.iter().zip(past);
            given.extend(carried.map(|(one, value)| (one.input.as_str().into(), value.into())));
        }
        let mut outputs = loaded.session.run(given).map_err(|error| {
            let failed = || {
                RunError::Failed(ModelFailure {
                    message: said(&error),
                })
            };
            fault(&error).map_or_else(failed, RunError::Fault)
        })?;
        if let Some(carrying) = carrying {
            let mut kept = Vec::with_capacity(carrying.carries.len());
            for one in &carrying.carries {
                let value = outputs.remove(&one.output);
                let value = value.ok_or_else(|| missing(&one.output))?;
                check(&one.output, &value, &one.shape)?;
                kept.push(value);
            }
            loaded.kept.insert(carrying.sequence, kept);
        }
        let limit = self.limits.output_bytes;
        let mut room = limit;
        for output in &loaded.outputs {
            if carrying.is_some_and(|carrying| carrying.keeps(&output.name).is_some()) {
                continue;
            }
            let value = outputs.get(&output.name);
            let value = value.ok_or_else(|| missing(&output.name))?;
            let last = carrying.is_some_and(|carrying| carrying.wants_last(&output.name));
            values::take((output, last), value, (&mut room, limit), &mut show)?;
        }
        Ok(())
    }

    /// Drops what is kept for a sequence.
    pub fn forget(&mut self, sequence: u64) {
        if let Some(loaded) = &mut self.loaded {
            loaded.kept.remove(&sequence);
        }
    }
}

fn missing(output: &str) -> RuntimeFault {
    let reason = format!("output `{output}` is missing");
    RuntimeFault::Unexpected { reason }
}

/// What has another shape than was foreseen might also have any size.
fn check(output: &str, value: &DynValue, expected: &[usize]) -> Result<(), ModelFailure> {
    let found = value.dtype().tensor_shape();
    let found: Vec<i64> = found
        .into_iter()
        .flat_map(|shape| shape.iter().copied())
        .collect();
    let is_expected = found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(one, other)| usize::try_from(*one) == Ok(*other));
    if is_expected {
        return Ok(());
    }
    let output: String = output.chars().take(200).collect();
    Err(ModelFailure {
        message: format!("`{output}` has shape {found:?} and not {expected:?}"),
    })
}
