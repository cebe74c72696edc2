//! Whether requests share runs, as it is tried and found out.

use super::*;

/// Engines that take something of all rows from each element.
struct Mixing {
    /// Of all elements.
    of_all: fn(&[f32]) -> f32,
}

impl Engines for Mixing {
    fn load<'a>(&'a self, _: &'a Model) -> BoxFuture<'a, Result<ModelInfo, EngineError>> {
        async { Ok(ModelInfo::default()) }.boxed()
    }

    fn run<'a>(
        &'a self,
        _: &'a Model,
        input: &'a [u8],
        _: Duration,
    ) -> BoxFuture<'a, Result<Outcome, EngineError>> {
        let mut tensors = from_safetensors(input).unwrap();
        let values = values(&tensors[0]);
        let of_all = (self.of_all)(&values);
        let made = values
            .iter()
            .flat_map(|value| (value - of_all).to_le_bytes());
        tensors[0].data = made.collect();
        async move { Ok(Outcome::Outputs(tensors)) }.boxed()
    }

    fn kill(&self) {}
}

fn values(tensor: &Tensor) -> Vec<f32> {
    let (elements, _) = tensor.data.as_chunks();
    elements
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "there are few")]
fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

fn least(values: &[f32]) -> f32 {
    values.iter().copied().fold(f32::INFINITY, f32::min)
}

/// Whether requests of one row each share runs after these.
async fn shares(of_all: fn(&[f32]) -> f32, rows: &[[f32; 4]]) -> bool {
    let port = TensorInfo {
        name: "x".into(),
        dtype: DType::F32,
        shape: Some(vec![Dimension::Any, Dimension::Fixed(4)]),
    };
    let info = ModelInfo {
        inputs: vec![port.clone()],
        outputs: vec![port],
        ..ModelInfo::default()
    };
    let served = Arc::new(Served::new(Model::new(vec![1, 2, 3]), info));
    let limits = QueueLimits {
        engines: 1,
        batch_rows: 4,
        batch_bytes: 10_000,
        batch_wait: Duration::ZERO,
        waiting: 9,
    };
    let runner = Runner::new(Arc::new(Mixing { of_all }), limits, Duration::from_secs(9));
    // One more than are tried: its turn comes when the last trial is over.
    for row in rows.iter().chain(rows.last()) {
        let tensor = Tensor {
            name: "x".into(),
            dtype: DType::F32,
            shape: vec![1, 4],
            data: row.iter().flat_map(|value| value.to_le_bytes()).collect(),
        };
        let file = to_safetensors(&[tensor]).unwrap();
        let form = served.info.form(&file, u64::MAX).unwrap();
        let input = Input {
            file: file.into(),
            form,
            step: None,
        };
        runner.run(&served, input, Turn::New).await.unwrap();
    }
    served.sharing.is_known_to_work()
}

const ROW: [f32; 4] = [1.0, 2.0, 3.0, 4.0];

#[tokio::test]
async fn model_of_rows_of_their_own_shares_runs_after_one_trial() {
    assert!(shares(|_| 0.0, &[ROW]).await);
}

/// That of a row in reverse is the same.
#[tokio::test]
async fn model_that_takes_something_of_all_rows_shares_no_runs() {
    for of_all in [mean, least] {
        assert!(!shares(of_all, &[ROW]).await);
    }
    // The first trial tells nothing, and at the second there is another requester's row of the same mean.
    assert!(!shares(mean, &[[2.5; 4], ROW]).await);
}

/// Five at once, of which the first finds the engine free.
async fn five(bench: &Bench, bytes: [u8; 5]) -> Vec<Result<u8, ServeError>> {
    let asked = bytes.map(|byte| bench.ask(byte));
    futures_util::future::join_all(asked).await
}

#[tokio::test]
async fn shared_run_that_takes_too_long_is_not_made_as_large_again() {
    let bench = Bench::new(Duration::ZERO, 9);
    bench.engines.let_through.add_permits(99);
    bench.engines.most_rows.store(2, Ordering::SeqCst);
    for runs in [&[1, 4, 1, 1, 1, 1][..], &[1, 2, 2]] {
        let answers = five(&bench, [1, 2, 3, 4, 5]).await;
        assert_eq!(answers, [2, 3, 4, 5, 6].map(Ok));
        assert_eq!(bench.engines.runs.lock().unwrap().split_off(0), runs);
    }
}

#[tokio::test]
async fn request_that_takes_too_long_by_itself_keeps_nobody_from_sharing() {
    let bench = Bench::new(Duration::ZERO, 9);
    bench.engines.let_through.add_permits(99);
    let answers = five(&bench, [1, 2, LONG, 4, 5]).await;
    assert!(matches!(answers[2], Err(ServeError::RunLost(_))));
    assert_eq!(bench.engines.runs(), [1, 4, 1, 1, 1, 1]);
    bench.engines.runs.lock().unwrap().clear();
    five(&bench, [1, 2, 3, 4, 5]).await;
    assert_eq!(bench.engines.runs(), [1, 4]);
}
