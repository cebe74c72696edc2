//! A sample among others in one batch: what a provider does that serves several requesters at once.

use assay_engine::{DType, Dimension, ModelInfo, Tensor, TensorInfo};

use super::inputs::batch_name;

/// The dimension of each input and output that counts the entries of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batching {
    inputs: Vec<usize>,
    outputs: Vec<usize>,
}

impl Batching {
    /// None unless every input and output has such a dimension, and it is free.
    pub fn of(info: &ModelInfo) -> Option<Self> {
        let axes = |ports: &[TensorInfo]| ports.iter().map(axis).collect::<Option<Vec<_>>>();
        Some(Self {
            inputs: axes(&info.inputs)?,
            outputs: axes(&info.outputs)?,
        })
    }

    /// One batch of several samples, in this order; None if they differ in more than the batch.
    pub fn stack(&self, samples: &[&[Tensor]]) -> Option<Vec<Tensor>> {
        let first = samples.first()?;
        first
            .iter()
            .zip(&self.inputs)
            .enumerate()
            .map(|(position, (model, axis))| {
                let parts: Option<Vec<&Tensor>> =
                    samples.iter().map(|sample| sample.get(position)).collect();
                stack(model, &parts?, *axis)
            })
            .collect()
    }

    /// How many entries a sample has.
    pub fn entries(&self, sample: &[Tensor]) -> Option<usize> {
        let (first, axis) = sample.first().zip(self.inputs.first())?;
        first.shape.get(*axis).copied()
    }

    /// The outputs that belong to some entries of a batch.
    pub fn slice(&self, outputs: &[Tensor], start: usize, entries: usize) -> Option<Vec<Tensor>> {
        outputs
            .iter()
            .zip(&self.outputs)
            .map(|(tensor, axis)| slice(tensor, *axis, start, entries))
            .collect()
    }
}

fn axis(port: &TensorInfo) -> Option<usize> {
    let shape = port.shape.as_ref()?;
    let named = shape
        .iter()
        .position(|dimension| matches!(dimension, Dimension::Named(name) if batch_name(name)));
    named.or_else(|| matches!(shape.first(), Some(Dimension::Any)).then_some(0))
}

/// Bytes of one entry's run along an axis, and the number of such runs.
fn runs(shape: &[usize], dtype: DType, axis: usize) -> Option<(usize, usize)> {
    let (outer, inner) = shape.split_at_checked(axis)?;
    let (_, inner) = inner.split_first()?;
    let run = inner.iter().product::<usize>().checked_mul(dtype.size())?;
    Some((run, outer.iter().product()))
}

fn stack(model: &Tensor, parts: &[&Tensor], axis: usize) -> Option<Tensor> {
    let (run, outer) = runs(&model.shape, model.dtype, axis)?;
    let mut shape = model.shape.clone();
    let mut entries = 0_usize;
    for part in parts {
        let mut other = part.shape.clone();
        *other.get_mut(axis)? = *model.shape.get(axis)?;
        if other != model.shape || part.dtype != model.dtype {
            return None;
        }
        entries = entries.checked_add(*part.shape.get(axis)?)?;
    }
    *shape.get_mut(axis)? = entries;
    let mut data = Vec::new();
    for block in 0..outer {
        for part in parts {
            let length = part.shape.get(axis)?.checked_mul(run)?;
            let start = block.checked_mul(length)?;
            data.extend_from_slice(part.data.get(start..start.checked_add(length)?)?);
        }
    }
    Some(Tensor {
        name: model.name.clone(),
        dtype: model.dtype,
        shape,
        data,
    })
}

fn slice(tensor: &Tensor, axis: usize, start: usize, entries: usize) -> Option<Tensor> {
    let (run, outer) = runs(&tensor.shape, tensor.dtype, axis)?;
    let whole = tensor.shape.get(axis)?.checked_mul(run)?;
    let (first, length) = (start.checked_mul(run)?, entries.checked_mul(run)?);
    let mut data = Vec::with_capacity(outer.checked_mul(length)?);
    for block in 0..outer {
        let begin = block.checked_mul(whole)?.checked_add(first)?;
        data.extend_from_slice(tensor.data.get(begin..begin.checked_add(length)?)?);
    }
    let mut shape = tensor.shape.clone();
    *shape.get_mut(axis)? = entries;
    Some(Tensor {
        name: tensor.name.clone(),
        dtype: tensor.dtype,
        shape,
        data,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn bytes(shape: &[usize], data: &[u8]) -> Tensor {
        Tensor {
            name: "x".into(),
            dtype: DType::U8,
            shape: shape.into(),
            data: data.into(),
        }
    }

    fn port(shape: &[Dimension]) -> TensorInfo {
        TensorInfo {
            name: "x".into(),
            dtype: DType::U8,
            shape: Some(shape.to_vec()),
        }
    }

    #[test]
    fn samples_are_stacked_and_cut_out_along_any_axis() {
        let batching = Batching {
            inputs: vec![1],
            outputs: vec![1],
        };
        let one = [bytes(&[2, 1, 2], &[1, 2, 3, 4])];
        let two = [bytes(&[2, 2, 2], &[5, 6, 7, 8, 9, 10, 11, 12])];
        let both = batching.stack(&[&one, &two]).unwrap();
        let expected = bytes(&[2, 3, 2], &[1, 2, 5, 6, 7, 8, 3, 4, 9, 10, 11, 12]);
        assert_eq!(both, [expected]);
        assert_eq!(batching.entries(&two), Some(2));
        assert_eq!(batching.slice(&both, 0, 1).unwrap(), one);
        assert_eq!(batching.slice(&both, 1, 2).unwrap(), two);
        assert_eq!(batching.slice(&both, 2, 2), None);
        assert_eq!(batching.stack(&[&one, &[bytes(&[2, 1, 3], &[0; 6])]]), None);
    }

    #[test]
    fn batch_is_found_only_where_all_have_one() {
        let batch = port(&[Dimension::Fixed(3), Dimension::Named("batch".into())]);
        let fixed = port(&[Dimension::Fixed(1), Dimension::Named("time".into())]);
        let info = |inputs: &[&TensorInfo], outputs: &[&TensorInfo]| ModelInfo {
            inputs: inputs.iter().copied().cloned().collect(),
            outputs: outputs.iter().copied().cloned().collect(),
            metadata: BTreeMap::new(),
        };
        let free = port(&[Dimension::Any, Dimension::Fixed(2)]);
        let found = Batching::of(&info(&[&batch], &[&free]));
        let expected = Batching {
            inputs: vec![1],
            outputs: vec![0],
        };
        assert_eq!(found, Some(expected));
        assert_eq!(Batching::of(&info(&[&batch, &fixed], &[&free])), None);
    }
}
