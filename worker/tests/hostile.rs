//! Models that are out to do harm, each shown to a real engine in its sandbox.
//!
//! The corpus is written here, byte by byte and from a seed, so that there is nothing to keep but
//! this. What must hold: nothing outside is opened, created or connected to; the worker's process
//! lives on and serves honest models; each file comes to an end with a reason. A model that is
//! refused by looking at it is also given to ONNX Runtime unseen, so that the sandbox is tried and not
//! only the check.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a test ends by panicking, and writes wrong numbers on purpose"
)]

#[path = "hostile/bombs.rs"]
mod bombs;
#[path = "hostile/functions.rs"]
mod functions;
#[path = "hostile/kernels.rs"]
mod kernels;
#[path = "hostile/mutants.rs"]
mod mutants;
#[path = "hostile/onnx.rs"]
mod onnx;
#[path = "hostile/operators.rs"]
mod operators;
#[path = "hostile/paths.rs"]
mod paths;
#[path = "hostile/structure.rs"]
mod structure;
#[path = "hostile/tensors.rs"]
mod tensors;
#[path = "hostile/tripwire.rs"]
mod tripwire;
#[path = "hostile/wire.rs"]
mod wire;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use assay_engine::{
    Dimension, EngineConfig, EngineError, Host, HostConfig, Limits, Model, ModelInfo,
    OptimisedModels, Outcome, Tensor, inspect, to_safetensors,
};
use futures_util::{StreamExt as _, stream};

use tempfile::TempDir;
use tripwire::Tripwire;

/// The promise; the corpus is larger.
const FEWEST: usize = 200;
/// What a stranger's inference gets here before it is killed.
const DEADLINE: Duration = Duration::from_millis(300);

/// A hostile file.
pub struct Case {
    name: String,
    bytes: Vec<u8>,
    /// The kind of refusal that looking at it must come to; none where any end will do.
    refused: Option<&'static str>,
    /// Whether it may use up the time to load.
    slow: bool,
}

impl Case {
    pub fn refused(name: impl Into<String>, kind: &'static str, bytes: Vec<u8>) -> Self {
        Self {
            refused: Some(kind),
            ..Self::any(name, bytes)
        }
    }

    pub fn any(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            bytes,
            refused: None,
            slow: false,
        }
    }

    pub fn slow(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self {
            slow: true,
            ..Self::any(name, bytes)
        }
    }
}

fn corpus(wire: &Tripwire) -> Vec<Case> {
    let families = [
        paths::cases(wire),
        bombs::cases(),
        functions::cases(),
        tensors::cases(),
        structure::cases(),
        wire::cases(),
        operators::cases(),
        kernels::cases(),
        mutants::cases(models()),
    ];
    let numbered = families.into_iter().flatten().enumerate();
    numbered
        .map(|(number, case)| Case {
            name: format!("{number} {}", case.name),
            ..case
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_models_are_refused_or_contained() {
    let wire = Tripwire::set();
    let cases = corpus(&wire);
    assert!(cases.len() >= FEWEST, "only {} files", cases.len());
    let hosts = Hosts::new(&wire);

    let trials = stream::iter(&cases).map(|case| hosts.shown(case));
    let ends: Vec<(String, String)> = trials.buffer_unordered(4).collect().await;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (end, _) in &ends {
        *counts.entry(end).or_default() += 1;
    }
    println!("{} hostile files", cases.len());
    for (end, count) in &counts {
        println!("{count:6}  {end}");
    }
    let wrong: Vec<&String> = ends
        .iter()
        .map(|(_, wrong)| wrong)
        .filter(|wrong| !wrong.is_empty())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    wire.untouched();

    // The process that all of them were shown to serves honest models as before.
    let digits = Model::new(fs::read(models().join("digits.onnx")).unwrap());
    let input = fs::read(models().join("digits/sample-3.safetensors")).unwrap();
    for host in [&hosts.patient, &hosts.hasty] {
        let outcome = host
            .run(&digits, &input, Duration::from_secs(60))
            .await
            .unwrap();
        let Outcome::Outputs(outputs) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(outputs[1].data, 3_i64.to_le_bytes());
    }
}

/// What the check refuses is given to ONNX Runtime all the same: it may load it, fail or die, but
/// it opens nothing, connects to nothing and makes no system call that it should not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sandbox_holds_models_that_nobody_looked_at() {
    let wire = Tripwire::set();
    let mut cases = paths::cases(&wire);
    cases.extend(operators::cases());
    cases.extend(
        bombs::cases()
            .into_iter()
            .filter(|case| case.refused.is_some()),
    );
    let hosts = Hosts::new(&wire);
    let limit = Duration::from_secs(2);
    let trials = stream::iter(&cases).map(async |case| {
        let end = hosts
            .hasty
            .load_unchecked(&Model::new(case.bytes.clone()), limit)
            .await;
        let escaped = matches!(
            end,
            Err(EngineError::BrokeOut { .. } | EngineError::Nonsense { .. })
        );
        let read = end.is_ok() && case.name.starts_with("path ");
        let end = end.map_or_else(|error| error.code(), |()| "loaded");
        (
            end,
            (escaped || read).then(|| format!("{}: {end}", case.name)),
        )
    });
    let ends: Vec<(&str, Option<String>)> = trials.buffer_unordered(4).collect().await;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (end, _) in &ends {
        *counts.entry(end).or_default() += 1;
    }
    println!("{} files that nobody looked at: {counts:?}", cases.len());
    let wrong: Vec<&String> = ends
        .iter()
        .filter_map(|(_, wrong)| wrong.as_ref())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    wire.untouched();
}

/// One for files that end by being looked at, one for those that must be stopped.
struct Hosts {
    patient: Host,
    hasty: Host,
    /// What they keep.
    _kept: TempDir,
}

impl Hosts {
    /// Their engines start where the canary lies, so that a bare name would find it.
    fn new(wire: &Tripwire) -> Self {
        let kept = tempfile::tempdir().unwrap();
        let host = |load_timeout_secs| {
            let limits = Limits {
                memory_bytes: 512 << 20,
                output_bytes: 16 << 20,
                ..Limits::default()
            };
            let engine = EngineConfig {
                concurrency: 4,
                load_timeout_secs,
                limits,
                ..EngineConfig::default()
            };
            let script = r#"cd "$1" && exec "$0" engine"#;
            let worker = env!("CARGO_BIN_EXE_assay-worker");
            let arguments = ["-c", script, worker].map(OsString::from);
            let host = Host::new(HostConfig {
                engine,
                program: PathBuf::from("/bin/sh"),
                arguments: arguments
                    .into_iter()
                    .chain([wire.inside().into()])
                    .collect(),
            });
            // As the worker does, which gives models one thing more that they could misuse.
            host.keeping(OptimisedModels::open(kept.path(), 1 << 30).unwrap())
        };
        Self {
            patient: host(60),
            hasty: host(2),
            _kept: kept,
        }
    }

    /// How it ended, and what was wrong with that, if anything.
    async fn shown(&self, case: &Case) -> (String, String) {
        let host = if case.slow {
            &self.hasty
        } else {
            &self.patient
        };
        let end = end(host, &Model::new(case.bytes.clone())).await;
        let looked = inspect(&case.bytes, u64::MAX).map_err(|refused| kind(&refused));
        let wrong = match (&end, case.refused) {
            (
                End::Error(
                    EngineError::BrokeOut { .. }
                    | EngineError::Nonsense { .. }
                    | EngineError::Spawn { .. },
                ),
                _,
            ) => {
                format!("{}: {end}", case.name)
            }
            (End::Error(EngineError::Model(refused)), Some(expected))
                if kind(refused) == expected =>
            {
                String::new()
            }
            (_, Some(expected)) => format!("{}: {end} where {expected} was expected", case.name),
            // The child looks as this process does.
            (End::Error(EngineError::Model(refused)), None) if looked.is_err() => {
                assert_eq!(looked.unwrap_err(), kind(refused));
                String::new()
            }
            (_, None) => String::new(),
        };
        (end.to_string(), wrong)
    }
}

/// How a model ended.
enum End {
    Ran,
    Failed,
    Error(EngineError),
}

impl std::fmt::Display for End {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ran => out.write_str("gave outputs"),
            Self::Failed => out.write_str("failed by its own rules"),
            Self::Error(EngineError::Model(refused)) => write!(out, "refused: {}", kind(refused)),
            Self::Error(error) => out.write_str(error.code()),
        }
    }
}

async fn end(host: &Host, model: &Model) -> End {
    let run = async {
        let info = host.load(model).await?;
        let input = to_safetensors(&zeros(&info)).unwrap();
        host.run(model, &input, DEADLINE).await
    };
    match run.await {
        Ok(Outcome::Outputs(_)) => End::Ran,
        Ok(Outcome::Failed(_)) => End::Failed,
        Err(error) => End::Error(error),
    }
}

/// An input of zeros; what would be larger than a megabyte is left empty, and does not fit.
fn zeros(info: &ModelInfo) -> Vec<Tensor> {
    let zero = |input: &assay_engine::TensorInfo| {
        let sides = input.shape.iter().flatten().map(|side| match side {
            Dimension::Fixed(size) => *size,
            Dimension::Named(_) | Dimension::Any => 1,
        });
        let mut shape: Vec<usize> = sides.collect();
        let size = shape
            .iter()
            .try_fold(input.dtype.size(), |size, side| size.checked_mul(*side));
        let size = size.filter(|size| *size <= 1 << 20).unwrap_or_else(|| {
            shape = vec![0];
            0
        });
        Tensor {
            name: input.name.clone(),
            dtype: input.dtype,
            shape,
            data: vec![0; size],
        }
    };
    info.inputs.iter().map(zero).collect()
}

/// The name under which a refusal crosses the pipe.
fn kind(refused: &assay_engine::ModelRefused) -> String {
    let value = serde_json::to_value(refused).unwrap();
    value["kind"].as_str().unwrap().to_owned()
}

fn models() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models"))
}
