//! Inputs to an engine and outputs from it, through shared memory or else through the pipe.

use crate::{
    carry::Carrying,
    error::RuntimeFault,
    info::ModelInfo,
    shared::{Layout, Shared},
    tensor::{DType, Tensor, View, data_size},
};

/// Inputs on their way: in shared memory, or in the body of the request.
pub struct Given {
    pub shapes: Vec<Vec<usize>>,
    pub shared: bool,
    pub body: Vec<u8>,
    /// Bytes from the first to the last.
    pub extent: usize,
}

/// Puts the inputs where the engine finds them.
pub fn give(shared: Option<&Shared>, inputs: &[View<'_>]) -> Result<Given, RuntimeFault> {
    let failed = |reason: String| RuntimeFault::OutOfMemory { reason };
    let mut layout = Layout::default();
    let places: Option<Vec<_>> = inputs
        .iter()
        .map(|input| layout.next(input.data.len()))
        .collect();
    let places = places.ok_or_else(|| failed("the inputs have no end".into()))?;
    let extent = places.last().map_or(0, |place| place.end);
    let shapes = inputs.iter().map(|input| input.shape.to_vec()).collect();
    let mut given = Given {
        shapes,
        shared: false,
        body: Vec::new(),
        extent,
    };
    let placed = places.into_iter().zip(inputs);
    if let Some(shared) = shared.filter(|shared| shared.fits(extent)) {
        for (place, input) in placed {
            shared
                .give(place.start, input.data)
                .map_err(|error| failed(error.to_string()))?;
        }
        given.shared = true;
    } else {
        given.body.reserve_exact(extent);
        for (place, input) in placed {
            given.body.resize(place.start, 0);
            given.body.extend_from_slice(input.data);
        }
    }
    Ok(given)
}

/// What an engine says that it has made.
pub struct Made {
    pub shapes: Vec<Vec<usize>>,
    /// Where it is; else in `body`.
    pub shared: bool,
    pub body: Vec<u8>,
}

/// Copies of the outputs that are given, in the model's order, checked after copying; and their extent. The engine
/// may be a model that has taken over its process, so an answer that does not fit is no answer.
pub fn take(
    shared: Option<&Shared>,
    (info, carrying): (&ModelInfo, Option<&Carrying>),
    made: Made,
    limit: u64,
) -> Result<(Vec<Tensor>, usize), String> {
    let Made {
        shapes,
        shared: in_memory,
        body,
    } = made;
    let stays = |name: &str| carrying.is_some_and(|carrying| carrying.keeps(name).is_some());
    let ports = info.outputs.iter().filter(|output| !stays(&output.name));
    let ports: Vec<_> = ports.collect();
    if shapes.len() != ports.len() {
        let (found, expected) = (shapes.len(), ports.len());
        return Err(format!("{found} outputs where the model gives {expected}"));
    }
    let shared = match (in_memory, shared) {
        (true, None) => return Err("outputs in memory that is not shared".into()),
        (true, Some(shared)) => Some(shared),
        (false, _) => None,
    };
    let mut room = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut layout = Layout::default();
    let mut outputs = Vec::with_capacity(shapes.len());
    let mut extent = 0;
    for (output, shape) in ports.into_iter().zip(shapes) {
        let large = || format!("output `{}` is larger than was allowed", output.name);
        let size = data_size(output.dtype, &shape).ok_or_else(large)?;
        room = room.checked_sub(size).ok_or_else(large)?;
        let place = layout.next(size).ok_or_else(large)?;
        extent = place.end;
        let data = match shared {
            Some(shared) => shared.made(place).map_err(|error| error.to_string())?,
            None => body.get(place).ok_or("outputs cut short")?.to_vec(),
        };
        if output.dtype == DType::Bool && data.iter().any(|byte| *byte > 1) {
            return Err(format!("output `{}` is no boolean", output.name));
        }
        outputs.push(Tensor {
            name: output.name.clone(),
            dtype: output.dtype,
            shape,
            data,
        });
    }
    if !in_memory && body.len() != extent {
        return Err("bytes after the outputs".into());
    }
    Ok((outputs, extent))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::info::TensorInfo;

    fn info() -> ModelInfo {
        let port = |name: &str, dtype| TensorInfo {
            name: name.into(),
            dtype,
            shape: None,
        };
        ModelInfo {
            inputs: vec![],
            outputs: vec![port("flags", DType::Bool), port("sum", DType::U16)],
            metadata: BTreeMap::new(),
        }
    }

    fn made(shapes: &[&[usize]], body: &[u8]) -> Made {
        Made {
            shapes: shapes.iter().map(|shape| shape.to_vec()).collect(),
            shared: false,
            body: body.into(),
        }
    }

    fn body() -> Vec<u8> {
        let mut body = vec![1, 0, 1];
        body.resize(64, 0);
        body.extend([5, 6, 7, 8]);
        body
    }

    #[test]
    fn outputs_of_the_announced_types_are_taken() {
        let (outputs, extent) =
            take(None, (&info(), None), made(&[&[3], &[2, 1]], &body()), 7).unwrap();
        assert_eq!(extent, 68);
        assert_eq!(outputs[0].data, [1, 0, 1]);
        assert_eq!(
            (&*outputs[1].name, &*outputs[1].shape),
            ("sum", &[2, 1][..])
        );
        assert_eq!(outputs[1].data, [5, 6, 7, 8]);
    }

    #[test]
    fn outputs_that_stay_are_none_of_those_that_are_taken() {
        let carry = crate::Carry {
            output: "flags".into(),
            input: "before".into(),
            shape: vec![3],
        };
        let carrying = Carrying {
            sequence: 1,
            goes_on: true,
            carries: vec![carry],
            last: vec![],
        };
        let (info, with) = (info(), Some(&carrying));
        let sum = made(&[&[2]], &[5, 6, 7, 8]);
        let (outputs, extent) = take(None, (&info, with), sum, 4).unwrap();
        assert_eq!((outputs.len(), extent), (1, 4));
        assert_eq!(
            (&*outputs[0].name, &*outputs[0].data),
            ("sum", &[5, 6, 7, 8][..])
        );
        let both = made(&[&[3], &[2]], &body());
        assert!(
            take(None, (&info, with), both, 99)
                .unwrap_err()
                .contains("2 outputs")
        );
    }

    #[test]
    fn outputs_that_do_not_fit_are_nonsense() {
        let refused = |made: Made, limit| take(None, (&info(), None), made, limit).unwrap_err();
        let good: &[&[usize]] = &[&[3], &[2]];
        assert!(refused(made(&[&[3]], &body()), 99).contains("1 outputs"));
        assert!(refused(made(good, &body()), 6).contains("larger than was allowed"));
        let huge: &[&[usize]] = &[&[usize::MAX, 3], &[2]];
        assert!(refused(made(huge, &body()), u64::MAX).contains("larger"));
        assert!(refused(made(good, &body()[..67]), 99).contains("cut short"));
        assert!(refused(made(good, &[body(), vec![0]].concat()), 99).contains("after"));
        let mut odd = body();
        odd[1] = 2;
        assert!(refused(made(good, &odd), 99).contains("no boolean"));
        let elsewhere = Made {
            shared: true,
            ..made(good, &body())
        };
        assert!(refused(elsewhere, 99).contains("not shared"));
    }

    #[test]
    fn inputs_without_shared_memory_lie_in_the_body_as_they_would_there() {
        let first = Tensor {
            name: "a".into(),
            dtype: DType::U8,
            shape: vec![3],
            data: vec![1, 2, 3],
        };
        let given = give(None, &[View::from(&first), View::from(&first)]).unwrap();
        assert_eq!((given.shared, given.extent), (false, 67));
        assert_eq!(given.shapes, [[3], [3]]);
        assert_eq!(given.body[..3], given.body[64..]);
    }
}
