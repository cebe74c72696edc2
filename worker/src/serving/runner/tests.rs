use std::{
    sync::atomic::{AtomicBool, AtomicUsize},
    task::Poll,
};

use assay_engine::{
    DType, Dimension, EngineError, Model, ModelInfo, Outcome, RuntimeFault, TensorInfo,
    from_safetensors, to_safetensors,
};
use futures_util::{FutureExt, future::BoxFuture, poll};
use tokio::sync::Semaphore;

use super::*;
use crate::serving::models::Trial;

mod sharing;

/// Engines that add 1 to each byte, once they are let.
struct Adding {
    let_through: Semaphore,
    /// Rows of each run that began.
    runs: Mutex<Vec<usize>>,
    /// Whether models load anew.
    loads: AtomicBool,
    /// Whether the engine keeps memory for others.
    keeps: AtomicBool,
    /// A run of more takes too long.
    most_rows: AtomicUsize,
}

/// An input that uses up the time of its run.
const LONG: u8 = 255;
/// One that there is no memory for beside what an engine keeps for others.
const LARGE: u8 = 253;
/// One that there is none for anywhere.
const TOO_LARGE: u8 = 252;
/// One in whose run the engine is killed from outside.
const KILLED: u8 = 254;

impl Adding {
    fn runs(&self) -> Vec<usize> {
        self.runs.lock().unwrap().clone()
    }
}

impl Engines for Adding {
    /// Some engine has it.
    fn load<'a>(&'a self, _: &'a Model) -> BoxFuture<'a, Result<ModelInfo, EngineError>> {
        async { Ok(ModelInfo::default()) }.boxed()
    }

    fn load_anew<'a>(&'a self, _: &'a Model) -> BoxFuture<'a, Result<ModelInfo, EngineError>> {
        let loaded = if self.loads.load(Ordering::SeqCst) {
            self.keeps.store(false, Ordering::SeqCst);
            Ok(ModelInfo::default())
        } else {
            Err(EngineError::Stopped { doing: "test" })
        };
        async move { loaded }.boxed()
    }

    fn run<'a>(
        &'a self,
        _: &'a Model,
        input: &'a [u8],
        _: Duration,
    ) -> BoxFuture<'a, Result<Outcome, EngineError>> {
        async move {
            let mut tensors = from_safetensors(input).unwrap();
            self.runs.lock().unwrap().push(tensors[0].shape[0]);
            self.let_through.acquire().await.unwrap().forget();
            if tensors[0].data.contains(&0) {
                return Err(EngineError::Stopped { doing: "test" });
            }
            let is_large = tensors[0].shape[0] > self.most_rows.load(Ordering::SeqCst);
            if is_large || tensors[0].data.contains(&LONG) {
                return Err(EngineError::TimedOut {
                    doing: "run the model",
                    limit: Duration::from_secs(9),
                });
            }
            let keeps = self.keeps.load(Ordering::SeqCst);
            let is = |byte| tensors[0].data.contains(&byte);
            if keeps && (is(LARGE) || is(TOO_LARGE)) {
                let doing = "run the model";
                return Err(EngineError::GaveWay { doing });
            }
            if is(TOO_LARGE) {
                let reason = "it is too large".to_owned();
                return Err(RuntimeFault::OutOfMemory { reason }.into());
            }
            if tensors[0].data.contains(&KILLED) {
                let doing = "run the model".to_owned();
                return Err(RuntimeFault::Killed { doing }.into());
            }
            tensors[0].data.iter_mut().for_each(|byte| *byte += 1);
            Ok(Outcome::Outputs(tensors))
        }
        .boxed()
    }

    fn kill(&self) {}
}

struct Bench {
    engines: Arc<Adding>,
    runner: Arc<Runner>,
    served: Arc<Served>,
}

impl Bench {
    fn new(batch_wait: Duration, waiting: usize) -> Self {
        let engines = Arc::new(Adding {
            let_through: Semaphore::new(0),
            runs: Mutex::default(),
            loads: AtomicBool::new(true),
            keeps: AtomicBool::new(true),
            most_rows: AtomicUsize::new(usize::MAX),
        });
        let limits = QueueLimits {
            engines: 1,
            batch_rows: 4,
            batch_bytes: 10_000,
            batch_wait,
            waiting,
        };
        let port = TensorInfo {
            name: "x".into(),
            dtype: DType::U8,
            shape: Some(vec![Dimension::Any, Dimension::Any]),
        };
        let info = ModelInfo {
            inputs: vec![port.clone()],
            outputs: vec![port],
            ..ModelInfo::default()
        };
        let host: Arc<dyn Engines> = Arc::<Adding>::clone(&engines);
        let served = Arc::new(Served::new(Model::new(vec![1, 2, 3]), info));
        served.sharing.tried(Trial::Same);
        Self {
            runner: Runner::new(host, limits, Duration::from_secs(9)),
            engines,
            served,
        }
    }

    fn ask(&self, byte: u8) -> BoxFuture<'static, Result<u8, ServeError>> {
        let input = Tensor {
            name: "x".into(),
            dtype: DType::U8,
            shape: vec![1, 1],
            data: vec![byte],
        };
        let file = to_safetensors(&[input]).unwrap();
        let form = self.served.info.form(&file, u64::MAX).unwrap();
        let (runner, served) = (Arc::clone(&self.runner), Arc::clone(&self.served));
        async move {
            let input = Input {
                file: file.into(),
                form,
                step: None,
            };
            let outputs = runner.run(&served, input, Turn::New).await?;
            Ok(outputs[0].data[0])
        }
        .boxed()
    }

    /// Asks, and sees the request into the queue.
    async fn asked(&self, byte: u8) -> BoxFuture<'static, Result<u8, ServeError>> {
        let mut asked = self.ask(byte);
        assert_eq!(poll!(&mut asked), Poll::Pending);
        asked
    }

    async fn until_runs(&self, expected: &[usize]) {
        while self.engines.runs().len() < expected.len() {
            tokio::task::yield_now().await;
        }
        assert_eq!(self.engines.runs(), expected);
    }
}

#[tokio::test]
async fn those_that_waited_share_a_run_and_each_gets_its_own_answer() {
    let bench = Bench::new(Duration::ZERO, 9);
    let first = bench.asked(1).await;
    bench.until_runs(&[1]).await;
    let (second, third) = (bench.asked(10).await, bench.asked(20).await);
    bench.engines.let_through.add_permits(2);
    assert_eq!(first.await, Ok(2));
    assert_eq!(second.await, Ok(11));
    assert_eq!(third.await, Ok(21));
    assert_eq!(bench.engines.runs(), [1, 2]);
}

#[tokio::test]
async fn request_that_is_dropped_leaves_the_queue_and_a_run_that_began_goes_on() {
    let bench = Bench::new(Duration::ZERO, 9);
    let first = bench.asked(1).await;
    bench.until_runs(&[1]).await;
    let (second, third) = (bench.asked(10).await, bench.asked(20).await);
    drop((first, second));
    assert_eq!(bench.runner.waiting(&bench.served), 1);
    bench.engines.let_through.add_permits(2);
    assert_eq!(third.await, Ok(21));
    assert_eq!(bench.engines.runs(), [1, 1]);
}

#[tokio::test]
async fn one_that_fails_does_not_fail_those_it_shared_a_run_with() {
    let bench = Bench::new(Duration::ZERO, 9);
    let first = bench.asked(1).await;
    bench.until_runs(&[1]).await;
    let (second, bad) = (bench.asked(10).await, bench.asked(0).await);
    bench.engines.let_through.add_permits(4);
    assert_eq!(first.await, Ok(2));
    assert_eq!(second.await, Ok(11));
    assert!(matches!(bad.await, Err(ServeError::Unavailable(_))));
    assert_eq!(bench.engines.runs(), [1, 2, 1, 1]);
    bench.engines.let_through.add_permits(1);
    assert_eq!(bench.ask(5).await, Ok(6), "the engine is free again");
}

#[tokio::test]
async fn run_that_its_input_ended_is_lost_unless_the_machine_is_at_fault() {
    let bench = Bench::new(Duration::ZERO, 9);
    bench.engines.let_through.add_permits(9);
    let lost = bench.ask(LONG).await;
    assert!(matches!(lost, Err(ServeError::RunLost(_))), "{lost:?}");
    // What is not of the run itself costs nothing.
    for byte in [0, KILLED] {
        let ended = bench.ask(byte).await;
        assert!(matches!(ended, Err(ServeError::Unavailable(_))));
    }
    bench.engines.loads.store(false, Ordering::SeqCst);
    let ours = bench.ask(LONG).await;
    assert!(matches!(ours, Err(ServeError::Unavailable(_))), "{ours:?}");
}

#[tokio::test]
async fn input_that_lacks_memory_is_judged_by_a_run_beside_nobody_elses() {
    let bench = Bench::new(Duration::ZERO, 9);
    bench.engines.let_through.add_permits(9);
    assert_eq!(bench.ask(LARGE).await, Ok(LARGE + 1));
    assert_eq!(bench.engines.runs(), [1, 1]);
    bench.engines.keeps.store(true, Ordering::SeqCst);
    let lost = bench.ask(TOO_LARGE).await;
    assert!(matches!(lost, Err(ServeError::RunLost(_))), "{lost:?}");
    assert_eq!(bench.engines.runs(), [1; 4]);
    // Where there is no such engine, nothing is known of the input.
    bench.engines.keeps.store(true, Ordering::SeqCst);
    bench.engines.loads.store(false, Ordering::SeqCst);
    let ours = bench.ask(TOO_LARGE).await;
    assert!(matches!(ours, Err(ServeError::Unavailable(_))), "{ours:?}");
    assert_eq!(bench.engines.runs(), [1; 5]);
}

#[tokio::test]
async fn too_many_are_told_when_to_come_back() {
    let bench = Bench::new(Duration::ZERO, 1);
    let _first = bench.asked(1).await;
    bench.until_runs(&[1]).await;
    let _second = bench.asked(2).await;
    let Err(ServeError::Busy {
        retry_after_secs, ..
    }) = bench.ask(3).await
    else {
        panic!("not busy");
    };
    assert_eq!(retry_after_secs, 1);
}

#[tokio::test]
async fn request_waits_for_others_and_a_full_run_for_nobody() {
    let bench = Bench::new(Duration::from_millis(1), 9);
    bench.engines.let_through.add_permits(9);
    let (first, second) = (bench.asked(1).await, bench.asked(2).await);
    assert_eq!(first.await, Ok(2));
    assert_eq!(second.await, Ok(3));
    assert_eq!(bench.engines.runs(), [2]);
    let bench = Bench::new(Duration::from_secs(3_600), 9);
    bench.engines.let_through.add_permits(9);
    let four = [5, 6, 7, 8].map(|byte| bench.ask(byte));
    for (answer, byte) in futures_util::future::join_all(four).await.iter().zip(6..) {
        assert_eq!(*answer, Ok(byte));
    }
    assert_eq!(bench.engines.runs(), [4]);
}
