//! What a session says of its model.

use std::collections::BTreeMap;

use ort::{
    session::Session,
    value::{Outlet, TensorElementType, ValueType},
};

use super::unexpected;
use crate::{
    backend::{LoadError, ModelRefused},
    error::RuntimeFault,
    info::{Dimension, ModelInfo, TensorInfo},
    inspect::Inspected,
    tensor::DType,
};

pub fn info(session: &Session, inspected: &Inspected) -> Result<ModelInfo, LoadError> {
    Ok(ModelInfo {
        inputs: ports(session.inputs(), inspected)?,
        outputs: ports(session.outputs(), inspected)?,
        metadata: metadata(session)?,
    })
}

/// Whether the session takes and gives tensors of these names and types, in this order.
pub fn fit(session: &Session, info: &ModelInfo) -> bool {
    let same = |outlets: &[Outlet], ports: &[TensorInfo]| {
        let fits = |(outlet, port): (&Outlet, &TensorInfo)| {
            let ValueType::Tensor { ty, .. } = outlet.dtype() else {
                return false;
            };
            outlet.name() == port.name && carried(*ty) == Some(port.dtype)
        };
        outlets.len() == ports.len() && outlets.iter().zip(ports).all(fits)
    };
    same(session.inputs(), &info.inputs) && same(session.outputs(), &info.outputs)
}

fn ports(outlets: &[Outlet], inspected: &Inspected) -> Result<Vec<TensorInfo>, ModelRefused> {
    outlets
        .iter()
        .map(|outlet| port(outlet, inspected))
        .collect()
}

fn port(outlet: &Outlet, inspected: &Inspected) -> Result<TensorInfo, ModelRefused> {
    let name = outlet.name().to_string();
    let refuse = |found: String| ModelRefused::Type {
        name: name.clone(),
        found,
    };
    let (ty, sizes, symbols) = match outlet.dtype() {
        ValueType::Tensor {
            ty,
            shape,
            dimension_symbols,
        } => (*ty, shape, dimension_symbols),
        ValueType::Sequence(_) => return Err(refuse("a sequence".into())),
        ValueType::Map { .. } => return Err(refuse("a map".into())),
        ValueType::Optional(_) => return Err(refuse("optional".into())),
    };
    let dtype = carried(ty).ok_or_else(|| refuse(format!("a tensor of {ty}")))?;
    let dimension = |(index, size): (usize, &i64)| match usize::try_from(*size) {
        Ok(size) => Dimension::Fixed(size),
        Err(_) => match symbols.get(index) {
            Some(symbol) if !symbol.is_empty() => Dimension::Named(symbol.clone()),
            Some(_) | None => Dimension::Any,
        },
    };
    let ranked = !inspected.unranked.contains(&name);
    let shape = ranked.then(|| sizes.iter().enumerate().map(dimension).collect());
    Ok(TensorInfo { name, dtype, shape })
}

fn carried(ty: TensorElementType) -> Option<DType> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the foreign enum is non-exhaustive"
    )]
    match ty {
        TensorElementType::Bool => Some(DType::Bool),
        TensorElementType::Uint8 => Some(DType::U8),
        TensorElementType::Int8 => Some(DType::I8),
        TensorElementType::Uint16 => Some(DType::U16),
        TensorElementType::Int16 => Some(DType::I16),
        TensorElementType::Uint32 => Some(DType::U32),
        TensorElementType::Int32 => Some(DType::I32),
        TensorElementType::Uint64 => Some(DType::U64),
        TensorElementType::Int64 => Some(DType::I64),
        TensorElementType::Float16 => Some(DType::F16),
        TensorElementType::Bfloat16 => Some(DType::BF16),
        TensorElementType::Float32 => Some(DType::F32),
        TensorElementType::Float64 => Some(DType::F64),
        _ => None,
    }
}

fn metadata(session: &Session) -> Result<BTreeMap<String, String>, RuntimeFault> {
    let read = || -> ort::Result<_> {
        let metadata = session.metadata()?;
        let pairs = metadata.custom_keys()?.into_iter().filter_map(|key| {
            let value = metadata.custom(&key)?;
            Some((key, value))
        });
        Ok(pairs.collect())
    };
    read().map_err(|error| unexpected(&error))
}
