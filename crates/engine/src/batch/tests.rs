use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::tensor::from_safetensors;

const TYPES: [DType; 13] = [
    DType::Bool,
    DType::U8,
    DType::I8,
    DType::U16,
    DType::I16,
    DType::U32,
    DType::I32,
    DType::U64,
    DType::I64,
    DType::F16,
    DType::BF16,
    DType::F32,
    DType::F64,
];

fn port(name: &str, dtype: DType, shape: Option<Vec<Dimension>>) -> TensorInfo {
    TensorInfo {
        name: name.into(),
        dtype,
        shape,
    }
}

fn named(name: &str) -> Dimension {
    Dimension::Named(name.into())
}

fn info(inputs: Vec<TensorInfo>, outputs: Vec<TensorInfo>) -> ModelInfo {
    ModelInfo {
        inputs,
        outputs,
        metadata: BTreeMap::new(),
    }
}

/// A model of open shapes for these tensors.
fn taking(tensors: &[Tensor]) -> ModelInfo {
    let ports = tensors.iter().map(|tensor| {
        let shape = tensor.shape.iter().map(|_| Dimension::Any).collect();
        port(&tensor.name, tensor.dtype, Some(shape))
    });
    info(ports.collect(), vec![])
}

fn floats(name: &str, shape: &[usize], values: &[f32]) -> Tensor {
    Tensor {
        name: name.into(),
        dtype: DType::F32,
        shape: shape.into(),
        data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    }
}

/// Some tensors' types and shapes but for the rows.
fn forms() -> impl Strategy<Value = Vec<(DType, Vec<usize>)>> {
    let form = (
        prop::sample::select(&TYPES[..]),
        prop::collection::vec(0..4_usize, 0..4),
    );
    prop::collection::vec(form, 1..4)
}

fn tensors_of(forms: &[(DType, Vec<usize>)], rows: usize, seed: u8) -> Vec<Tensor> {
    let tensor = |(index, (dtype, rest)): (usize, &(DType, Vec<usize>))| {
        let shape = [&[rows], &**rest].concat();
        let elements: usize = shape.iter().product();
        let least = if *dtype == DType::Bool { 2 } else { 251 };
        let bytes = (0..elements * dtype.size()).map(|at| (at * 7 + usize::from(seed)) % least);
        Tensor {
            name: format!("t{index}"),
            dtype: *dtype,
            shape,
            data: bytes.map(|byte| u8::try_from(byte).unwrap()).collect(),
        }
    };
    forms.iter().enumerate().map(tensor).collect()
}

proptest! {
    #[test]
    fn what_is_joined_and_split_is_what_it_was(
        forms in forms(),
        parts in prop::collection::vec((1..5_usize, any::<u8>()), 1..6),
    ) {
        let inputs: Vec<Vec<Tensor>> =
            parts.iter().map(|(rows, seed)| tensors_of(&forms, *rows, *seed)).collect();
        let model = taking(&inputs[0]);
        let files: Vec<Vec<u8>> = inputs.iter().map(|one| to_safetensors(one).unwrap()).collect();
        let found: Vec<Form> = files
            .iter()
            .map(|file| model.form(file, u64::MAX).unwrap().unwrap())
            .collect();
        prop_assert!(found.iter().all(|form| form.joins(&found[0])));
        let rows: Vec<usize> = found.iter().map(|form| form.rows).collect();
        let given: Vec<usize> = parts.iter().map(|(rows, _)| *rows).collect();
        prop_assert_eq!(&rows, &given);
        let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
        let joined = from_safetensors(&model.join(&files).unwrap()).unwrap();
        prop_assert_eq!(split(&joined, &rows).unwrap(), inputs);
    }

    #[test]
    fn unlike_input_is_another_one_of_the_same_form(forms in forms(), rows in 1..4_usize, seed: u8) {
        let input = tensors_of(&forms, rows, seed);
        let model = taking(&input);
        let file = to_safetensors(&input).unwrap();
        if let Some(other) = model.unlike(&file) {
            prop_assert_ne!(&other, &file);
            let forms = (model.form(&file, u64::MAX), model.form(&other, u64::MAX));
            prop_assert_eq!(forms.0, forms.1);
        }
    }
}

#[test]
fn models_that_take_any_rows_and_say_so_may_be_batched() {
    let rows = |first: Dimension| Some(vec![first, Dimension::Fixed(3)]);
    let of = |inputs: &[Option<Vec<Dimension>>], outputs: &[Option<Vec<Dimension>>]| {
        let ports = |shapes: &[Option<Vec<Dimension>>]| {
            let port = |shape: &Option<_>| port("x", DType::F32, Clone::clone(shape));
            shapes.iter().map(port).collect()
        };
        info(ports(inputs), ports(outputs)).may_batch()
    };
    let n = || rows(named("n"));
    assert!(of(&[n(), n()], &[n()]));
    assert!(of(&[rows(Dimension::Any), n()], &[rows(Dimension::Any)]));
    assert!(of(&[n()], &[rows(named("made up by an exporter"))]));
    assert!(!of(&[n(), rows(named("m"))], &[n()]), "two numbers of rows");
    assert!(!of(&[n(), rows(Dimension::Fixed(1))], &[n()]));
    assert!(!of(&[n()], &[rows(Dimension::Fixed(1))]));
    assert!(!of(&[n()], &[None]), "an output of unknown rank");
    assert!(!of(&[None], &[n()]), "an input of unknown rank");
    assert!(!of(&[Some(vec![])], &[n()]), "a scalar");
    assert!(!of(&[Some(vec![named("n"), named("n")])], &[n()]), "square");
    assert!(!of(&[n()], &[Some(vec![named("n"), named("n")])]));
    assert!(!of(&[], &[n()]) && !of(&[n()], &[]));
}

#[test]
fn inputs_with_other_dimensions_are_not_joined() {
    let model = taking(&[floats("x", &[1, 2], &[0.0; 2])]);
    let file = |rows, wide| {
        let values = vec![0.0; rows * wide];
        to_safetensors(&[floats("x", &[rows, wide], &values)]).unwrap()
    };
    let form = |file: &[u8]| model.form(file, u64::MAX).unwrap();
    let (narrow, wide, none) = (file(1, 2), file(2, 3), file(0, 2));
    assert!(!form(&narrow).unwrap().joins(&form(&wide).unwrap()));
    assert_eq!(model.join(&[&narrow, &wide]), None);
    assert_eq!(form(&none), None, "no rows");
    assert!(model.form(&narrow, 8).is_err(), "too large");
    let two = [floats("a", &[1], &[0.0]), floats("b", &[2], &[0.0; 2])];
    let file = to_safetensors(&two).unwrap();
    assert_eq!(taking(&two).form(&file, u64::MAX).unwrap(), None);
}

#[test]
fn outputs_that_are_not_a_row_for_each_row_are_not_split() {
    let rows = floats("y", &[3, 1], &[1.0, 2.0, 3.0]);
    let parts = split(std::slice::from_ref(&rows), &[1, 2]).unwrap();
    assert_eq!(parts[1], [floats("y", &[2, 1], &[2.0, 3.0])]);
    assert_eq!(split(std::slice::from_ref(&rows), &[1, 1]), None);
    assert_eq!(split(&[rows, floats("sum", &[1], &[6.0])], &[1, 2]), None);
    assert_eq!(split(&[floats("scalar", &[], &[6.0])], &[1]), None);
}

#[test]
fn noise_is_alike_and_another_answer_is_not() {
    let one = [floats("y", &[2], &[100.0, 1.0])];
    assert!(alike(&one, &[floats("y", &[2], &[100.01, 1.01])]));
    assert!(!alike(&one, &[floats("y", &[2], &[100.0, 2.0])]));
    assert!(!alike(&one, &[floats("y", &[2], &[100.0, f32::NAN])]));
    assert!(!alike(&one, &[floats("y", &[1, 2], &[100.0, 1.0])]));
    assert!(!alike(&one, &[]));
    let odd = [floats("y", &[3], &[f32::NAN, f32::INFINITY, 0.0])];
    assert!(alike(&odd, &odd));
    let label = |value: u8| Tensor {
        name: "label".into(),
        dtype: DType::U8,
        shape: vec![1],
        data: vec![value],
    };
    assert!(alike(&[label(200)], &[label(200)]));
    assert!(!alike(&[label(200)], &[label(201)]));
}

#[test]
fn unlike_floats_have_another_mean_and_other_bounds_and_stay_finite() {
    let unlike = |input: Tensor| {
        let file = to_safetensors(std::slice::from_ref(&input)).unwrap();
        let other = taking(&[input]).unlike(&file).unwrap();
        from_safetensors(&other).unwrap()[0].to_f64s()
    };
    let rows = floats("x", &[2, 2], &[1.0, 2.0, 3.0, -4.0]);
    assert_eq!(unlike(rows), [67.0, 67.0, -125.0, -125.0]);
    let nothing = floats("x", &[1, 2], &[0.0; 2]);
    assert_eq!(unlike(nothing), [3.0; 2]);
    let largest = floats("x", &[1, 1], &[f32::MAX]);
    assert!(unlike(largest)[0].is_finite());
    let half = Tensor {
        dtype: DType::F16,
        data: half::f16::MAX.to_le_bytes().into(),
        ..floats("x", &[1, 1], &[])
    };
    assert_eq!(unlike(half), [2_050.0]);
}

/// Tokens, places and masks stay what the model takes.
#[test]
fn unlike_integers_are_others_of_their_row() {
    let of = |dtype: DType, data: Vec<u8>| {
        let shape = vec![2, data.len() / 2 / dtype.size()];
        let name = "x".into();
        let input = Tensor {
            name,
            dtype,
            shape,
            data,
        };
        let file = to_safetensors(std::slice::from_ref(&input)).unwrap();
        let other = taking(&[input]).unlike(&file)?;
        Some(from_safetensors(&other).unwrap()[0].to_f64s())
    };
    let tokens = [7_i64, 300, 9, 1, 1, 0];
    let data = tokens.iter().flat_map(|token| token.to_le_bytes());
    let other = of(DType::I64, data.collect());
    assert_eq!(other.unwrap(), [9.0, 300.0, 9.0, 1.0, 1.0, 1.0]);
    assert_eq!(of(DType::U8, vec![5, 5, 3, 3]), None, "no other values");
    assert_eq!(of(DType::Bool, vec![1, 0]), None, "one a row");
}
