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
    let inputs = decoder.inputs(&[3, 1, 2], 0);
    assert_eq!(integers(named(&inputs, "input_ids")), [3, 1, 2]);
    assert_eq!(integers(named(&inputs, "attention_mask")), [1, 1, 1]);
    assert_eq!(integers(named(&inputs, "position_ids")), [0, 1, 2]);
    assert_eq!(named(&inputs, "use_cache_branch").data, [0]);
    let past = named(&inputs, "past_key_values.0.key");
    assert_eq!((&*past.shape, past.data.len()), (&[1, 2, 0, 3][..], 0));
    let mut ordered = inputs.clone();
    ordered.sort_by_key(|one| info.inputs.iter().position(|input| input.name == one.name));
    info.check_tensors(&ordered).unwrap();

    let inputs = decoder.inputs(&[3, 1, 2, 0], 3);
    assert_eq!(integers(named(&inputs, "input_ids")), [0]);
    assert_eq!(integers(named(&inputs, "attention_mask")), [1; 4]);
    assert_eq!(integers(named(&inputs, "position_ids")), [3]);
    assert_eq!(named(&inputs, "use_cache_branch").data, [1]);
    assert_eq!(inputs.len(), 4, "the engine has the others");
}

#[test]
fn step_names_what_stays_in_the_engine_and_its_bytes() {
    let decoder = Decoder::of(&cached()).unwrap();
    let carry = |name: &str| Carry {
        output: format!("present.0.{name}"),
        input: format!("past_key_values.0.{name}"),
        shape: vec![1, 2, 5, 3],
    };
    let expected = Step {
        goes_on: true,
        carries: vec![carry("key"), carry("value")],
        last: vec!["logits".into()],
    };
    assert_eq!(decoder.step(5, true), expected);
    // Keys and values, two bytes each.
    assert_eq!(decoder.kept_bytes(5), Some(2 * 2 * 2 * 5 * 3));
    assert_eq!(decoder.kept_bytes(usize::MAX), Some(u64::MAX));
}

#[test]
fn decoder_without_a_cache_is_given_everything_each_time() {
    let decoder = Decoder::of(&plain()).unwrap();
    assert_eq!(decoder.kept_bytes(5), None);
    let row = Decoder::logits(&[logits(2, [1.0; 4])]).unwrap();
    assert_eq!(row, vec![1.0; 4]);
    let inputs = decoder.inputs(&[1, 2, 3], 0);
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
    let refused = |output: Tensor| Decoder::logits(&[output]).unwrap_err().0;
    assert!(refused(tensor("logits", DType::F32, &[1, 4], vec![0; 16])).contains("shape"));
    assert!(refused(tensor("logits", DType::F32, &[1, 0, 4], vec![])).contains("shape"));
    assert!(refused(tensor("logits", DType::F32, &[2, 1, 4], vec![0; 32])).contains("shape"));
    let other = tensor("other", DType::F32, &[1, 1, 4], vec![0; 16]);
    assert!(refused(other).contains("no `logits`"));
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
