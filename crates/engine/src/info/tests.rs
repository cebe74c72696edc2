use super::*;
use crate::tensor::to_safetensors;

fn info() -> ModelInfo {
    let named = |name: &str| Dimension::Named(name.into());
    ModelInfo {
        inputs: vec![
            TensorInfo {
                name: "left".into(),
                dtype: DType::F32,
                shape: Some(vec![named("n"), Dimension::Fixed(3)]),
            },
            TensorInfo {
                name: "right".into(),
                dtype: DType::I64,
                shape: Some(vec![named("n"), Dimension::Any]),
            },
            TensorInfo {
                name: "free".into(),
                dtype: DType::U8,
                shape: None,
            },
        ],
        outputs: vec![],
        metadata: BTreeMap::new(),
    }
}

fn tensor(name: &str, dtype: DType, shape: &[usize]) -> Tensor {
    let bytes = shape.iter().product::<usize>() * dtype.size();
    Tensor {
        name: name.into(),
        dtype,
        shape: shape.into(),
        data: vec![0; bytes],
    }
}

fn good() -> Vec<Tensor> {
    vec![
        tensor("free", DType::U8, &[1, 2, 3]),
        tensor("left", DType::F32, &[2, 3]),
        tensor("right", DType::I64, &[2, 9]),
    ]
}

fn check(tensors: &[Tensor]) -> Result<Vec<String>, InputMismatch> {
    let file = to_safetensors(tensors).unwrap();
    let ordered = info().check_input(&file, 1_000)?;
    Ok(ordered.into_iter().map(|tensor| tensor.name).collect())
}

#[test]
fn fitting_input_comes_back_in_the_models_order() {
    assert_eq!(check(&good()).unwrap(), ["left", "right", "free"]);
}

/// What no engine could be given, though a file may hold it.
#[test]
fn shape_that_cannot_be_carried_does_not_fit() {
    let port = |shape| TensorInfo {
        name: "x".into(),
        dtype: DType::I64,
        shape,
    };
    let open = |rank| Some(vec![Dimension::Any; rank]);
    for shape in [
        vec![1 << 40, 0],
        vec![1 << 61, 0],
        vec![1 << 63, 0],
        vec![1; RANK + 1],
    ] {
        let file = to_safetensors(&[tensor("x", DType::I64, &shape)]).unwrap();
        for known in [None, open(shape.len())] {
            let info = ModelInfo {
                inputs: vec![port(known)],
                ..ModelInfo::default()
            };
            let refused = info.check_input(&file, 10_000).unwrap_err();
            let (name, rank) = ("x".to_owned(), shape.len());
            let expected = if rank > RANK {
                InputMismatch::Rank { name, rank }
            } else {
                InputMismatch::Unbounded { name }
            };
            assert_eq!(refused, expected);
        }
    }
    let most = to_safetensors(&[tensor("x", DType::I64, &[1; RANK])]).unwrap();
    let info = ModelInfo {
        inputs: vec![port(None)],
        ..ModelInfo::default()
    };
    assert!(info.check_input(&most, 10_000).is_ok());
}

/// Messages go to logs.
#[test]
fn message_of_a_misfit_is_short_and_one_line_whatever_the_file_names() {
    let text = |names: usize| {
        let name = |number| match number {
            0 => "a\nb".to_owned(),
            _ => format!("tensor {number}"),
        };
        let tensors: Vec<Tensor> = (0..names)
            .map(|number| tensor(&name(number), DType::U8, &[0]))
            .collect();
        let file = to_safetensors(&tensors).unwrap();
        let refused = info().check_input(&file, u64::MAX).unwrap_err().to_string();
        assert!(refused.len() < 2_048, "{} bytes", refused.len());
        assert!(!refused.contains('\n'), "{refused}");
        refused
    };
    assert!(text(500).contains(r"the input has a\nb, tensor 1, tensor 10, "));
    assert!(text(500).contains("and 484 more"));
    assert!(text(100_000).contains("header"));
}

#[test]
fn each_misfit_is_named() {
    let mut missing = good();
    missing.remove(1);
    let found = "free, right".to_string();
    assert_eq!(
        check(&missing),
        Err(InputMismatch::Missing {
            name: "left".into(),
            found
        })
    );

    let mut extra = good();
    extra.push(tensor("more", DType::U8, &[1]));
    let expected = "left, right, free".to_string();
    assert_eq!(
        check(&extra),
        Err(InputMismatch::Unexpected {
            name: "more".into(),
            expected
        })
    );

    let mut wrong = good();
    wrong[1] = tensor("left", DType::F64, &[2, 3]);
    let (expected, found) = ("f32".to_string(), "f64".to_string());
    let name = "left".to_string();
    assert_eq!(
        check(&wrong),
        Err(InputMismatch::Type {
            name,
            expected,
            found
        })
    );

    for shape in [&[2, 4][..], &[2], &[2, 3, 1], &[]] {
        let mut wrong = good();
        wrong[1] = tensor("left", DType::F32, shape);
        let (name, expected, found) = ("left".into(), "n, 3".into(), list(shape));
        assert_eq!(
            check(&wrong),
            Err(InputMismatch::Shape {
                name,
                expected,
                found
            })
        );
    }

    let mut uneven = good();
    uneven[2] = tensor("right", DType::I64, &[5, 9]);
    let (name, dimension) = ("right".into(), "n".into());
    let expected = InputMismatch::Dimension {
        name,
        dimension,
        first: 2,
        second: 5,
    };
    assert_eq!(check(&uneven), Err(expected));

    let file = to_safetensors(&[tensor("left", DType::U8, &[2_000])]).unwrap();
    let size = file.len() as u64;
    assert_eq!(
        info().check_input(&file, 1_000),
        Err(InputMismatch::TooLarge { size, limit: 1_000 })
    );
}
