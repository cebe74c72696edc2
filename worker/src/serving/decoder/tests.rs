use std::collections::BTreeMap;

use super::*;

fn open() -> Dimension {
    Dimension::Any
}

fn port(name: &str, dtype: DType, shape: Vec<Dimension>) -> TensorInfo {
    TensorInfo {
        name: name.into(),
        dtype,
        shape: Some(shape),
    }
}

/// A decoder with a cache of one layer: 2 heads of 3.
fn cached() -> ModelInfo {
    let layer = |name: &str| {
        let shape = vec![open(), Dimension::Fixed(2), open(), Dimension::Fixed(3)];
        port(name, DType::F16, shape)
    };
    let row = |name: &str| port(name, DType::I64, vec![open(), open()]);
    ModelInfo {
        inputs: vec![
            row("input_ids"),
            row("attention_mask"),
            row("position_ids"),
            layer("past_key_values.0.key"),
            layer("past_key_values.0.value"),
            port("use_cache_branch", DType::Bool, vec![Dimension::Fixed(1)]),
        ],
        outputs: vec![
            port(
                "logits",
                DType::F32,
                vec![open(), open(), Dimension::Fixed(4)],
            ),
            layer("present.0.key"),
            layer("present.0.value"),
        ],
        metadata: BTreeMap::new(),
    }
}

/// Without a cache, and with nothing but tokens.
fn plain() -> ModelInfo {
    let mut info = cached();
    info.inputs.truncate(1);
    info.outputs.truncate(1);
    info
}

fn tensor(name: &str, dtype: DType, shape: &[usize], data: Vec<u8>) -> Tensor {
    Tensor {
        name: name.into(),
        dtype,
        shape: shape.into(),
        data,
    }
}

fn logits(rows: usize, last: [f32; 4]) -> Tensor {
    let mut values = vec![9.0; (rows - 1) * 4];
    values.extend(last);
    let data = values.iter().flat_map(|value| value.to_le_bytes());
    tensor("logits", DType::F32, &[1, rows, 4], data.collect())
}

fn present(name: &str, length: usize) -> Tensor {
    tensor(
        name,
        DType::F16,
        &[1, 2, length, 3],
        vec![u8::try_from(length).unwrap(); length * 12],
    )
}

fn integers(tensor: &Tensor) -> Vec<i64> {
    let (elements, _) = tensor.data.as_chunks::<8>();
    elements
        .iter()
        .map(|bytes| i64::from_le_bytes(*bytes))
        .collect()
}

fn named<'a>(tensors: &'a [Tensor], name: &str) -> &'a Tensor {
    tensors.iter().find(|tensor| tensor.name == name).unwrap()
}

#[test]
fn first_step_gives_the_prompt_and_each_other_one_token_with_what_was_kept() {
    let info = cached();
    let decoder = Decoder::of(&info).unwrap();
    assert_eq!((decoder.vocabulary(), decoder.room()), (Some(4), None));
    let inputs = decoder.inputs(&[3, 1, 2], Kept::default());
    assert_eq!(integers(named(&inputs, "input_ids")), [3, 1, 2]);
    assert_eq!(integers(named(&inputs, "attention_mask")), [1, 1, 1]);
    assert_eq!(integers(named(&inputs, "position_ids")), [0, 1, 2]);
    assert_eq!(named(&inputs, "use_cache_branch").data, [0]);
    let past = named(&inputs, "past_key_values.0.key");
    assert_eq!((&*past.shape, past.data.len()), (&[1, 2, 0, 3][..], 0));
    let mut ordered = inputs.clone();
    ordered.sort_by_key(|one| info.inputs.iter().position(|input| input.name == one.name));
    info.check_tensors(&ordered).unwrap();

    let outputs = vec![
        present("present.0.value", 3),
        logits(3, [0.0, 1.0, 2.0, 3.0]),
        present("present.0.key", 3),
    ];
    let (row, kept) = decoder.take(outputs, 3).unwrap();
    assert_eq!(row, [0.0, 1.0, 2.0, 3.0]);
    let inputs = decoder.inputs(&[3, 1, 2, 0], kept);
    assert_eq!(integers(named(&inputs, "input_ids")), [0]);
    assert_eq!(integers(named(&inputs, "attention_mask")), [1; 4]);
    assert_eq!(integers(named(&inputs, "position_ids")), [3]);
    assert_eq!(named(&inputs, "use_cache_branch").data, [1]);
    let past = named(&inputs, "past_key_values.0.value");
    assert_eq!(
        (&*past.shape, &*past.data),
        (&[1, 2, 3, 3][..], &[3; 36][..])
    );
}

#[test]
fn decoder_without_a_cache_is_given_everything_each_time() {
    let decoder = Decoder::of(&plain()).unwrap();
    let (row, kept) = decoder.take(vec![logits(2, [1.0; 4])], 2).unwrap();
    assert_eq!((row, &kept), (vec![1.0; 4], &Kept::default()));
    let inputs = decoder.inputs(&[1, 2, 3], kept);
    assert_eq!(inputs.len(), 1);
    assert_eq!(integers(&inputs[0]), [1, 2, 3]);
    assert_eq!(inputs[0].shape, [1, 3]);
}

#[test]
fn models_that_are_no_decoders_are_not_asked_as_such() {
    let changed = |change: &dyn Fn(&mut ModelInfo)| {
        let mut info = cached();
        change(&mut info);
        Decoder::of(&info)
    };
    assert!(changed(&|_| ()).is_some());
    let odd: [&dyn Fn(&mut ModelInfo); 10] = [
        &|info| info.inputs[0].name = "image".into(),
        &|info| info.inputs[0].dtype = DType::I32,
        &|info| info.inputs[0].shape = Some(vec![open(), Dimension::Fixed(8)]),
        &|info| info.inputs[1].shape = Some(vec![open(); 4]),
        &|info| info.inputs[3].shape = Some(vec![open(); 4]),
        &|info| info.inputs[3].dtype = DType::I64,
        &|info| info.outputs[0].dtype = DType::I64,
        &|info| info.outputs[0].shape = Some(vec![open(); 2]),
        &|info| info.outputs.truncate(2),
        &|info| {
            info.inputs
                .push(port("pixel_values", DType::F32, vec![open()]))
        },
    ];
    for (number, change) in odd.into_iter().enumerate() {
        assert_eq!(changed(change), None, "change {number}");
    }
    let unknown = changed(&|info| info.outputs[0].shape = None).unwrap();
    assert_eq!(unknown.vocabulary(), None);
    let short = changed(&|info| {
        let said = ("n_positions".into(), "512".into());
        info.metadata.extend([said, ("n_ctx".into(), "odd".into())]);
    });
    assert_eq!(short.unwrap().room(), Some(512));
}

#[test]
fn outputs_that_no_decoder_gives_are_refused() {
    let decoder = Decoder::of(&cached()).unwrap();
    let keys = || [present("present.0.key", 1), present("present.0.value", 1)];
    let with = |logits: Tensor, kept: [Tensor; 2]| {
        let outputs = [vec![logits], kept.into()].concat();
        decoder.take(outputs, 1).map(|_| ()).map_err(|odd| odd.0)
    };
    assert_eq!(with(logits(1, [0.0; 4]), keys()), Ok(()));
    let flat = tensor("logits", DType::F32, &[1, 4], vec![0; 16]);
    assert!(with(flat, keys()).unwrap_err().contains("shape"));
    let none = tensor("logits", DType::F32, &[1, 0, 4], vec![]);
    assert!(with(none, keys()).unwrap_err().contains("shape"));
    let two = tensor("logits", DType::F32, &[2, 1, 4], vec![0; 32]);
    assert!(with(two, keys()).unwrap_err().contains("shape"));
    let mut long = keys();
    long[1] = present("present.0.value", 2);
    assert!(
        with(logits(1, [0.0; 4]), long)
            .unwrap_err()
            .contains("after 1 tokens")
    );
    let mut missing = keys();
    missing[0].name = "other".into();
    assert!(
        with(logits(1, [0.0; 4]), missing)
            .unwrap_err()
            .contains("keys")
    );
    let other = tensor("other", DType::F32, &[1, 1, 4], vec![0; 16]);
    assert!(with(other, keys()).unwrap_err().contains("no `logits`"));
}

#[test]
fn logits_of_half_the_width_are_read() {
    let one = [f16::from_f32(1.5), f16::from_f32(-2.0)];
    let bytes = one.iter().flat_map(|value| value.to_le_bytes()).collect();
    let row = tensor("logits", DType::F16, &[1, 1, 2], bytes);
    assert_eq!(last_row(&row).unwrap(), [1.5, -2.0]);
    let bytes = bf16::from_f32(3.0).to_le_bytes().into();
    let row = tensor("logits", DType::BF16, &[1, 1, 1], bytes);
    assert_eq!(last_row(&row).unwrap(), [3.0]);
}
