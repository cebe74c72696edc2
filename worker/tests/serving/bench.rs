//! Models served to sessions as a worker does it, and what its engines were asked for.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use assay_client::session::{GenerateRequest, Sampling};
use assay_engine::{
    EngineConfig, EngineError, Limits, Measured, Mode, Model, ModelInfo, Outcome, Sequence, Step,
    Tensor, from_safetensors, to_safetensors,
};
use assay_protocol::Digest;
use assay_worker::{
    artifacts::{Artifacts, Cache, FetchSettings, NetworkPolicy},
    driver::{Engines, Threads},
    serving::{Piece, Serve, ServeError, Serving, ServingConfig, Shares},
};
use futures_util::{StreamExt, future::BoxFuture};

use crate::kit::{LONG, host_with, models};

/// Counts what a host is asked for.
struct Counting {
    host: assay_engine::Host,
    runs: AtomicUsize,
    steps: Mutex<Vec<Crossed>>,
}

/// What one step of a sequence gave to the engine and took from it, in bytes of tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossed {
    pub goes_on: bool,
    pub given: usize,
    pub taken: usize,
}

fn size(tensors: &[Tensor]) -> usize {
    tensors.iter().map(|tensor| tensor.data.len()).sum()
}

impl Engines for Counting {
    fn load<'a>(&'a self, model: &'a Model) -> BoxFuture<'a, Result<ModelInfo, EngineError>> {
        Engines::load(&self.host, model)
    }

    fn run<'a>(
        &'a self,
        model: &'a Model,
        input: &'a [u8],
        limit: Duration,
    ) -> BoxFuture<'a, Result<Outcome, EngineError>> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        Engines::run(&self.host, model, input, limit)
    }

    fn sequence(&self, bytes: u64) -> Option<Sequence> {
        self.host.sequence(bytes)
    }

    fn run_step<'a>(
        &'a self,
        model: &'a Model,
        (sequence, step): (&'a Sequence, Step),
        input: &'a [u8],
        limit: Duration,
    ) -> BoxFuture<'a, Result<Option<Outcome>, EngineError>> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let (goes_on, given) = (step.goes_on, size(&from_safetensors(input).unwrap()));
        let running = self.host.run_step(model, (sequence, step), input, limit);
        Box::pin(async move {
            let outcome = running.await?;
            if let Some(Outcome::Outputs(outputs)) = &outcome {
                let taken = size(outputs);
                self.steps.lock().unwrap().push(Crossed {
                    goes_on,
                    given,
                    taken,
                });
            }
            Ok(outcome)
        })
    }

    fn measured(&self, model: &Digest) -> Option<Measured> {
        self.host.measured(model)
    }

    fn kill(&self) {
        self.host.kill();
    }
}

pub struct Bench {
    pub serving: Serving,
    engines: Arc<Counting>,
    names: BTreeMap<&'static str, Digest>,
    _folder: tempfile::TempDir,
}

impl Bench {
    /// Serves these files of `models`.
    pub async fn new(files: &[&'static str], change: impl FnOnce(&mut ServingConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cache = |name| Cache::open(name, &folder.path().join(name), 1 << 20).unwrap();
        let fetch = FetchSettings {
            network: NetworkPolicy::default(),
            gateways: vec![],
            timeout: LONG,
            connections: 1,
        };
        let paths = files.iter().map(|file| models().join(file));
        let folders = paths.map(|path| path.parent().map(Path::to_owned).unwrap());
        let (kept, blobs) = (cache("models"), cache("blobs"));
        let artifacts = Artifacts::new(kept, blobs, folders.collect(), fetch).unwrap();
        let digest = |file: &&'static str| {
            let bytes = fs::read(models().join(file)).unwrap();
            (*file, Digest::of(&[&bytes]))
        };
        let names: BTreeMap<_, _> = files.iter().map(digest).collect();
        let mut config = ServingConfig {
            models: names.values().copied().collect(),
            engines: 1,
            batch_size: 16,
            batch_wait: Duration::ZERO,
            queue: 256,
            max_tokens: 256,
            longest: BTreeMap::new(),
            run_limit: LONG,
        };
        change(&mut config);
        let served = config.models.clone();
        let Shares { sessions, .. } = Shares::of(&EngineConfig::default(), &config);
        let engines = Arc::new(Counting {
            host: host_with(sessions).in_mode(Mode::Fast),
            runs: AtomicUsize::new(0),
            steps: Mutex::default(),
        });
        let host: Arc<dyn Engines> = Arc::<Counting>::clone(&engines);
        let ways = (Limits::default(), Threads::Many);
        let serving = Serving::new(config, host, Arc::new(artifacts), ways);
        for model in served {
            // One that is not there is its test's affair.
            drop(serving.info(model).await);
        }
        Self {
            serving,
            engines,
            names,
            _folder: folder,
        }
    }

    /// Runs so far.
    pub fn runs(&self) -> usize {
        self.engines.runs.load(Ordering::Relaxed)
    }

    /// What crossed in each step of a sequence that succeeded.
    pub fn steps(&self) -> Vec<Crossed> {
        self.engines.steps.lock().unwrap().clone()
    }

    /// Processes that hold a model, by number.
    pub fn engines(&self) -> Vec<Option<u32>> {
        let engines = self.engines.host.ps().engines;
        engines.iter().map(|engine| engine.pid).collect()
    }

    /// Ends every process that holds a model, as the kernel does when memory is short.
    pub fn kill_engines(&self) {
        let pids: Vec<String> = self
            .engines()
            .iter()
            .map(|pid| pid.unwrap().to_string())
            .collect();
        let killed = Command::new("kill").arg("-KILL").args(pids).status();
        assert!(killed.unwrap().success());
    }

    pub fn model(&self, file: &str) -> Digest {
        self.names[file]
    }

    pub async fn run(&self, file: &str, input: &[Tensor]) -> Result<Vec<Tensor>, ServeError> {
        let input = to_safetensors(input).unwrap().into();
        let output = self.serving.run(self.model(file), input).await?;
        let mut outputs = from_safetensors(&output).unwrap();
        outputs.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(outputs)
    }

    /// Has a model run two inputs, the second one twice. After the first two answers the engine tries whether requests
    /// can share runs; the third waits for that.
    pub async fn settle(&self, file: &str, inputs: [&[Tensor]; 2]) {
        for input in [inputs[0], inputs[1], inputs[1]] {
            self.run(file, input).await.unwrap();
        }
    }

    /// All pieces of an answer, and the error that ended it.
    pub async fn generate(
        &self,
        file: &str,
        request: GenerateRequest,
    ) -> (Vec<Piece>, Option<ServeError>) {
        let mut stream = match self.serving.generate(self.model(file), request).await {
            Ok(stream) => stream,
            Err(error) => return (vec![], Some(error)),
        };
        let mut pieces = Vec::new();
        while let Some(piece) = stream.next().await {
            match piece {
                Ok(piece) => pieces.push(piece),
                Err(error) => return (pieces, Some(error)),
            }
        }
        (pieces, None)
    }
}

pub fn request(tokens: &[u32], max_tokens: u32) -> GenerateRequest {
    GenerateRequest {
        tokens: tokens.into(),
        max_tokens,
        stop_tokens: vec![],
        sampling: Sampling::default(),
        logprobs: 0,
    }
}

/// The ids of an answer's tokens.
pub fn ids(pieces: &[Piece]) -> Vec<u32> {
    let id = |piece: &Piece| match piece {
        Piece::Token(token) => Some(token.id),
        Piece::Done(_) => None,
    };
    pieces.iter().filter_map(id).collect()
}
