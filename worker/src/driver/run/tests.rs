use assay_client::protocol::{commitment::error_root, outputs::DType};
use bytemuck::Zeroable;

use std::sync::atomic::{AtomicU32, Ordering};

use assay_engine::{Model, ModelInfo};
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::*;
use crate::{
    core::{Size, Took},
    driver::{Effect, Input, memory::Room},
};
use assay_engine::Tensor;

fn job(output_limit: u32) -> JobData {
    let mut job = JobData::zeroed();
    job.output_profile = [OutputProfile::UNUSED; 8];
    job.output_profile[0] = OutputProfile::EXACT;
    job.output_limit = output_limit;
    job
}

fn outcome() -> Outcome {
    Outcome::Outputs(vec![Tensor {
        name: "y".into(),
        dtype: DType::U8,
        shape: vec![64],
        data: vec![7; 64],
    }])
}

#[test]
fn outputs_beyond_the_jobs_limit_are_the_canonical_error() {
    let (_, fits) = answer(Ok(outcome()), &job(4_096)).unwrap();
    let bytes = u32::try_from(fits.outputs.unwrap().len()).unwrap();
    assert_eq!(
        answer(Ok(outcome()), &job(bytes)).unwrap().1.root,
        fits.root
    );
    let beyond = EngineError::Runtime(RuntimeFault::OutputTooLarge {
        size: 9_999,
        limit: 9_000,
    });
    for large in [Ok(outcome()), Err(beyond)] {
        let (outcome, answer) = answer(large, &job(bytes - 1)).unwrap();
        assert_eq!((answer.root, answer.outputs), (error_root(), None));
        let message = format!("outputs exceed the job's limit of {} bytes", bytes - 1);
        assert_eq!(answer.failure.map(|failure| failure.message), Some(message));
        assert!(describe(&outcome).is_empty());
    }
}

#[test]
fn engine_that_fails_otherwise_gives_no_answer() {
    let error = RuntimeFault::OutOfMemory {
        reason: "test".into(),
    };
    let error = answer(Err(error.into()), &job(4_096)).unwrap_err();
    assert_eq!(error.fault(), RunFault::Again);
}

/// Engines that count their runs and answer at once, or never in time.
#[derive(Default)]
struct Counting {
    runs: AtomicU32,
    slow: bool,
    broken: bool,
}

impl Engines for Counting {
    fn load<'a>(&'a self, _: &'a Model) -> BoxFuture<'a, Result<ModelInfo, EngineError>> {
        unreachable!("nothing is loaded here")
    }

    fn run<'a>(
        &'a self,
        _: &'a Model,
        _: &'a [u8],
        limit: Duration,
    ) -> BoxFuture<'a, Result<Outcome, EngineError>> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let doing = "run the model";
        let result = match (self.slow, self.broken) {
            (true, _) => Err(EngineError::TimedOut { doing, limit }),
            (_, true) => Err(EngineError::Nonsense {
                doing,
                reason: "test".into(),
            }),
            (false, false) => Ok(outcome()),
        };
        Box::pin(async { result })
    }

    fn kill(&self) {}
}

struct Bench {
    engines: Arc<Counting>,
    running: Running,
    prepared: Prepared,
    told: mpsc::Receiver<Input>,
}

impl Bench {
    fn new(engines: Counting) -> Self {
        let (sender, told) = mpsc::channel(8);
        let engines = Arc::new(engines);
        let room = Room::beside(100);
        Self {
            running: Running {
                host: Arc::clone(&engines) as Arc<dyn Engines>,
                meter: Meter::new(sender, &job(4_096)),
                energy: EnergyMeter::default(),
                runtime: "test".into(),
            },
            engines,
            prepared: Prepared {
                name: String::new(),
                model: Model::new(vec![1]),
                input: vec![2],
                model_room: Arc::new(room.take(1, false).unwrap()),
                input_room: room.take(1, false).unwrap(),
                tried: std::sync::OnceLock::new(),
            },
            told,
        }
    }

    async fn try_out(&self) -> Result<(), RunError> {
        try_out(&self.running, Some(&self.prepared), &job(4_096), 5).await
    }

    async fn run(&self, job: &JobData) -> Computed {
        run(&self.running, Some(&self.prepared), job, 5)
            .await
            .unwrap()
    }

    fn runs(&self) -> u32 {
        self.engines.runs.load(Ordering::Relaxed)
    }

    fn told(&mut self) -> Option<(Size, Took)> {
        match self.told.try_recv() {
            Ok(Input::Effect(Effect::Measured(size, took))) => Some((size, took)),
            _ => None,
        }
    }
}

#[tokio::test]
async fn answer_of_a_trial_is_the_claimed_jobs_answer_in_any_attempt() {
    let bench = Bench::new(Counting::default());
    bench.try_out().await.unwrap();
    let mut job = job(4_096);
    (job.attempt, job.generation) = (2, 9);
    let kept = bench.run(&job).await;
    assert_eq!(bench.runs(), 1, "it is not run twice");
    let fresh = Bench::new(Counting::default()).run(&job).await;
    assert_eq!(
        (kept.root, kept.hints_digest),
        (fresh.root, fresh.hints_digest)
    );
    assert_eq!(kept.body.outputs, fresh.body.outputs);
}

/// An account that was closed and made anew at the same address is another job.
#[tokio::test]
async fn answer_of_a_trial_under_other_terms_is_not_used() {
    type Change = fn(&mut JobData);
    let changes: [Change; 5] = [
        |job| job.model_digest = [1; 32],
        |job| job.input_digest = [1; 32],
        |job| job.output_profile[0] = 3,
        |job| job.output_limit = 64,
        |job| job.runtime_class = [1; 32],
    ];
    for change in changes {
        let bench = Bench::new(Counting::default());
        bench.try_out().await.unwrap();
        let mut job = job(4_096);
        change(&mut job);
        let _ = run(&bench.running, Some(&bench.prepared), &job, 5).await;
        assert_eq!(bench.runs(), 2);
    }
}

#[tokio::test]
async fn run_is_measured_and_one_that_is_stopped_says_how_long_it_had() {
    let mut bench = Bench::new(Counting::default());
    bench.try_out().await.unwrap();
    let size = Size::of([0; 32], 0);
    let told = bench.told();
    assert!(
        matches!(told, Some((at, Took::Ended(_))) if at == size),
        "{told:?}"
    );
    let mut slow = Bench::new(Counting {
        slow: true,
        ..Counting::default()
    });
    let error = slow.try_out().await.unwrap_err();
    assert_eq!(error.tried(), Tried::TooLong);
    assert_eq!(slow.told(), Some((size, Took::Unfinished(5_000))));
    let mut broken = Bench::new(Counting {
        broken: true,
        ..Counting::default()
    });
    let error = broken.try_out().await.unwrap_err();
    assert_eq!(error.tried(), Tried::Failed(RunFault::Again));
    assert_eq!(broken.told(), None, "a crash says nothing of the time");
}
