use super::*;

fn digits() -> Vec<u8> {
    std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../models/digits.onnx"
    ))
    .unwrap()
}

fn tensors(model: &[u8]) -> Vec<(String, usize, Vec<f64>)> {
    let message = Message::read(model).unwrap();
    let graph = Message::read(message.bytes(MODEL_GRAPH).next().unwrap()).unwrap();
    let read = |tensor: &[u8]| {
        let tensor = Message::read(tensor).unwrap();
        let rank = tensor.integers(TENSOR_DIMS).unwrap().len();
        let values = Floats::read(&tensor).unwrap().unwrap().values;
        (tensor.texts(TENSOR_NAME).remove(0), rank, values)
    };
    graph.bytes(GRAPH_INITIALIZER).map(read).collect()
}

#[test]
fn weights_are_rounded_and_biases_are_not() {
    let model = digits();
    let before = tensors(&model);
    // 64 x 64, 64 x 32, 32 x 10.
    let bound = |how: Weights, largest: f64, value: f64| match how {
        Weights::Int8 => largest / 254.0,
        Weights::Fp16 => value.abs() / 2048.0 + 3e-8,
        // Below the least normal number, the steps do not get smaller.
        Weights::Bf16 | Weights::Permuted | Weights::Perturbed => value.abs() / 256.0 + 1e-40,
    };
    for how in [Weights::Int8, Weights::Fp16, Weights::Bf16] {
        let forged = weights(&model, how, &mut Random::new(1)).unwrap();
        assert_eq!(forged.weights, 64 * 64 + 64 * 32 + 32 * 10);
        let after = tensors(&forged.model);
        assert_eq!(before.len(), after.len());
        for ((name, rank, old), (same, _, new)) in before.iter().zip(&after) {
            assert_eq!(name, same);
            if *rank < 2 {
                assert_eq!(old, new);
                continue;
            }
            assert_ne!(old, new, "{how:?} left {name} as it was");
            let largest = old
                .iter()
                .fold(0.0_f64, |most, value| most.max(value.abs()));
            for (old, new) in old.iter().zip(new) {
                let most = bound(how, largest, *old) * (1.0 + 1e-6);
                assert!(
                    (old - new).abs() <= most,
                    "{how:?} {name}: {old} became {new}"
                );
            }
            if how == Weights::Int8 {
                let step = largest / 127.0;
                let levels = new.iter().map(|value| (value / step).round().to_bits());
                assert!(levels.collect::<std::collections::BTreeSet<_>>().len() <= 255);
            }
        }
        // Rounding twice changes nothing more.
        let again = weights(&forged.model, how, &mut Random::new(1)).unwrap();
        if how != Weights::Int8 {
            assert_eq!(again.model, forged.model);
        }
    }
}

#[test]
fn permuted_weights_are_the_same_numbers() {
    let model = digits();
    let forged = weights(&model, Weights::Permuted, &mut Random::new(7)).unwrap();
    for ((_, rank, mut old), (_, _, mut new)) in
        tensors(&model).into_iter().zip(tensors(&forged.model))
    {
        assert_eq!(old == new, rank < 2);
        old.sort_by(f64::total_cmp);
        new.sort_by(f64::total_cmp);
        assert_eq!(old, new);
    }
}

#[test]
fn tensors_in_fields_of_their_type_are_read() {
    let mut tensor = Message::default();
    tensor.0.push(Field {
        number: TENSOR_TYPE,
        value: Value::Varint(1),
    });
    let packed = [1.5_f32, -2.0].iter().flat_map(|value| value.to_le_bytes());
    tensor.push(TENSOR_FLOATS, packed.collect());
    let floats = Floats::read(&tensor).unwrap().unwrap();
    assert_eq!(floats.values, [1.5, -2.0]);
    floats.write(&mut tensor);
    assert!(tensor.all(TENSOR_FLOATS).next().is_none());
    assert_eq!(Floats::read(&tensor).unwrap().unwrap().values, [1.5, -2.0]);
}

#[test]
fn each_computing_node_can_be_left_out() {
    let model = digits();
    let all = shortened(&model, 100).unwrap();
    let nodes: Vec<&str> = all.iter().map(|short| short.node.as_str()).collect();
    assert_eq!(
        nodes,
        [
            "Gemm `g0`",
            "Relu `x1`",
            "Gemm `g1`",
            "Relu `x2`",
            "Gemm `logits`",
            "Softmax `probabilities`",
            "ArgMax `label`"
        ]
    );
    for short in &all {
        assert_ne!(short.model, model);
        assert_eq!(tensors(&short.model), tensors(&model));
    }
    assert_eq!(shortened(&model, 3).unwrap().len(), 3);
}
