//! Inputs from requesters, outputs from engines that a model may have taken over.

use assay_engine::{DType, Dimension, ModelInfo, TensorInfo, from_safetensors, to_safetensors};

/// What is read has as many bytes as its shape says, and survives being written.
pub fn tensors(bytes: &[u8]) {
    let Ok(tensors) = from_safetensors(bytes) else {
        return;
    };
    for tensor in &tensors {
        let count = tensor
            .shape
            .iter()
            .try_fold(1, |count: usize, side| count.checked_mul(*side));
        let size = count.and_then(|count| count.checked_mul(tensor.dtype.size()));
        assert!(size == Some(tensor.data.len()), "a tensor of another size");
        let _ = tensor.to_f64s();
    }
    let written = to_safetensors(&tensors).unwrap_or_default();
    assert!(
        from_safetensors(&written) == Ok(tensors),
        "tensors changed by being written"
    );
    let model = ModelInfo {
        inputs: vec![port("a", DType::F32), port("b", DType::Bool)],
        ..empty()
    };
    if let Ok(fitting) = model.check_input(bytes, u64::MAX) {
        assert!(fitting.len() == 2);
    }
}

fn empty() -> ModelInfo {
    ModelInfo {
        inputs: vec![],
        outputs: vec![],
        metadata: Default::default(),
    }
}

fn port(name: &str, dtype: DType) -> TensorInfo {
    TensorInfo {
        name: name.into(),
        dtype,
        shape: Some(vec![Dimension::Named("n".into()), Dimension::Fixed(2)]),
    }
}
