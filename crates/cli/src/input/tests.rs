use super::*;

const MODEL: &[u8] = include_bytes!("../../../../models/digits.onnx");

fn sample(name: &str) -> InputFile {
    InputFile {
        name: None,
        path: Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../models/digits")
            .join(name),
    }
}

fn model() -> Model {
    Model::read(MODEL).unwrap()
}

fn image_tensor(prepared: &Prepared) -> Vec<u8> {
    let tensors = SafeTensors::deserialize(&prepared.bytes).unwrap();
    let tensor = tensors.tensor("image").unwrap();
    assert_eq!(
        (tensor.dtype(), tensor.shape()),
        (Dtype::F32, &[1, 1, 8, 8][..])
    );
    tensor.data().to_vec()
}

/// The same digit in three formats is the same input to the last bit.
#[test]
fn picture_array_and_tensor_give_the_same_values() {
    let model = model();
    for digit in 0..6 {
        let tensor = prepare(
            &[sample(&format!("sample-{digit}.safetensors"))],
            Some(&model),
        )
        .unwrap();
        let picture = prepare(&[sample(&format!("sample-{digit}.png"))], Some(&model)).unwrap();
        assert_eq!(
            image_tensor(&picture),
            image_tensor(&tensor),
            "digit {digit}"
        );
        assert!(picture.notes.is_empty());
    }
    let array = prepare(&[sample("sample-0.npy")], Some(&model)).unwrap();
    let tensor = prepare(&[sample("sample-0.safetensors")], Some(&model)).unwrap();
    assert_eq!(image_tensor(&array), image_tensor(&tensor));
}

#[test]
fn safetensors_file_is_taken_byte_for_byte() {
    let file = sample("sample-1.safetensors");
    let prepared = prepare(std::slice::from_ref(&file), None).unwrap();
    assert_eq!(prepared.bytes, fs::read(&file.path).unwrap());
    assert_eq!(prepared.digest, digest(&prepared.bytes));
}

#[test]
fn what_does_not_fit_the_model_is_refused_before_it_costs_anything() {
    let model = model();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, dtype: Dtype, shape: Vec<usize>| {
        let count: usize = shape.iter().product();
        let data = vec![0; count * dtype.bitsize() / 8];
        let path = folder.path().join("x.safetensors");
        fs::write(
            &path,
            pack(&[Tensor {
                name: name.into(),
                dtype,
                shape,
                data,
            }])
            .unwrap(),
        )
        .unwrap();
        let refused = prepare(&[InputFile { name: None, path }], Some(&model)).unwrap_err();
        refused.to_string()
    };
    let wrong_shape = write("image", Dtype::F32, vec![1, 1, 8, 9]);
    assert_eq!(
        wrong_shape,
        "the tensor \"image\" is F32 [1, 1, 8, 9], the model wants F32 [?, 1, 8, 8]"
    );
    assert!(write("image", Dtype::F64, vec![1, 1, 8, 8]).contains("F64"));
    assert!(write("other", Dtype::F32, vec![1, 1, 8, 8]).contains("lacks the tensor \"image\""));
    let text = folder.path().join("x.txt");
    fs::write(&text, "x").unwrap();
    let refused = prepare(
        &[InputFile {
            name: None,
            path: text,
        }],
        Some(&model),
    )
    .unwrap_err();
    assert!(refused.to_string().contains("\"txt\""));
    assert!(prepare(&[], Some(&model)).is_err());
}

#[test]
fn image_without_metadata_or_array_without_name_is_refused() {
    let mut plain = model();
    plain.image = None;
    let refused = prepare(&[sample("sample-0.png")], Some(&plain)).unwrap_err();
    assert!(refused.to_string().contains("assay.input.image"));
    assert!(prepare(&[sample("sample-0.png")], None).is_err());
    assert!(prepare(&[sample("sample-0.npy")], None).is_err());
    let named = InputFile {
        name: Some("image".into()),
        ..sample("sample-0.npy")
    };
    assert!(prepare(&[named], None).is_ok());
}

#[test]
fn arrays_get_their_batch_dimension() {
    let port = Port {
        name: "x".into(),
        dtype: Some(Dtype::F32),
        shape: Some(vec![None, Some(1), Some(8)]),
    };
    assert_eq!(batched(&[8], Some(&port)), [1, 1, 8]);
    assert_eq!(batched(&[2, 1, 8], Some(&port)), [2, 1, 8]);
    let fixed = Port {
        shape: Some(vec![Some(4), Some(8)]),
        ..port
    };
    assert_eq!(batched(&[8], Some(&fixed)), [8]);
    assert_eq!(batched(&[8], None), [8]);
}

#[test]
fn input_argument_may_name_its_tensor() {
    let plain: InputFile = "a/b.npy".parse().unwrap();
    assert_eq!(
        plain,
        InputFile {
            name: None,
            path: "a/b.npy".into()
        }
    );
    let named: InputFile = "x=a/b.npy".parse().unwrap();
    assert_eq!(
        named,
        InputFile {
            name: Some("x".into()),
            path: "a/b.npy".into()
        }
    );
}
