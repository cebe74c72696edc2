//! ONNX's own backend tests, through the engine.
//!
//! Every model whose tensors Assay carries must give the outputs that ONNX expects. Those that do
//! not are listed, each with its reason, in models/conformance/unsupported.txt; a listed one that
//! starts to pass fails this test like one that stops passing.
//!
//! The data comes from the PyPI package `onnx`: `models/conformance/fetch.sh` puts it where this
//! test looks, and ASSAY_ONNX_TESTS names another place.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends by panicking"
)]

#[path = "conformance/case.rs"]
mod case;
#[path = "conformance/proto.rs"]
mod proto;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use assay_engine::{
    Backend, EngineConfig, Host, HostConfig, Mode, Model, OrtBackend, Outcome, RunError,
    to_safetensors,
};

use case::{Case, difference};

const VERSION: &str = "1.22.0";
/// Below this the data is not what it should be, and passing would mean nothing.
const FEWEST: usize = 1_500;

#[test]
fn onnx_backend_tests_pass_or_are_listed() {
    let cases = Case::all(&data());
    assert!(
        cases.len() >= FEWEST,
        "only {} of ONNX's tests found",
        cases.len()
    );
    let config = EngineConfig {
        warm_up: false,
        ..EngineConfig::default()
    };
    let mut backend = OrtBackend::open(&config, Mode::Audited).unwrap();
    let mut failed = BTreeMap::new();
    let mut passed = Vec::new();
    for case in &cases {
        match check(case, &mut backend) {
            Ok(()) => passed.push(case.name.as_str()),
            Err(reason) => {
                failed.insert(case.name.as_str(), reason);
            }
        }
    }
    println!(
        "{} of {} models give the expected outputs",
        passed.len(),
        cases.len()
    );
    let list = fs::read_to_string(root().join("models/conformance/unsupported.txt")).unwrap();
    let listed: BTreeMap<&str, &str> = list
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('\t'))
        .collect();
    let news: Vec<String> = failed
        .iter()
        .filter(|(name, _)| !listed.contains_key(*name))
        .map(|(name, reason)| format!("{name}\t{reason}"))
        .collect();
    assert!(
        news.is_empty(),
        "these fail and are not listed:\n{}",
        news.join("\n")
    );
    let stale: Vec<&&str> = listed
        .keys()
        .filter(|name| !failed.contains_key(*name))
        .collect();
    assert!(
        stale.is_empty(),
        "these are listed but pass, or are gone: {stale:?}"
    );
}

/// The process boundary adds nothing and takes nothing away: a few models of different types
/// answer the same through a child process.
#[tokio::test]
async fn onnx_backend_tests_pass_through_the_child() {
    let cases = Case::all(&data());
    let engine = EngineConfig::default();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_assay-worker"));
    let host = Host::new(HostConfig {
        engine,
        program,
        arguments: vec!["engine".into()],
    });
    let names = [
        "node/test_add_uint8",
        "node/test_cast_FLOAT_to_BFLOAT16",
        "node/test_cast_DOUBLE_to_FLOAT16",
        "node/test_loop11",
        "node/test_not_2d",
        "node/test_top_k",
        "pytorch-converted/test_Conv2d",
        "simple/test_expand_shape_model1",
    ];
    for name in names {
        let case = cases.iter().find(|case| case.name == name).unwrap();
        let model = Model::new(fs::read(case.folder.join("model.onnx")).unwrap());
        let info = host.load(&model).await.unwrap();
        for set in case.data_sets() {
            let input = to_safetensors(&set.inputs(&info).unwrap()).unwrap();
            let outcome = host
                .run(&model, &input, Duration::from_secs(60))
                .await
                .unwrap();
            let Outcome::Outputs(outputs) = outcome else {
                panic!("{name}: {outcome:?}")
            };
            assert_eq!(
                difference(&outputs, &set.outputs(&info).unwrap()),
                None,
                "{name}"
            );
        }
    }
}

fn check(case: &Case, backend: &mut OrtBackend) -> Result<(), String> {
    let bytes = fs::read(case.folder.join("model.onnx")).map_err(|error| error.to_string())?;
    let info = backend
        .load(&bytes)
        .map_err(|error| first_line(&error.to_string()))?;
    for set in case.data_sets() {
        let inputs = set.inputs(&info)?;
        let file = to_safetensors(&inputs).map_err(|error| error.to_string())?;
        let checked = info
            .check_input(&file, u64::MAX)
            .map_err(|error| error.to_string())?;
        let outputs = backend.run(&checked).map_err(|error| match error {
            RunError::Failed(failure) => first_line(&failure.to_string()),
            RunError::Fault(fault) => first_line(&fault.to_string()),
        })?;
        if let Some(difference) = difference(&outputs, &set.outputs(&info)?) {
            return Err(difference);
        }
    }
    Ok(())
}

fn first_line(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect()
}

fn data() -> PathBuf {
    let given = env::var_os("ASSAY_ONNX_TESTS").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| {
        let path = |name: &str| env::var_os(name).map(PathBuf::from);
        let cache = path("ASSAY_CACHE").unwrap_or_else(|| {
            let home = || path("HOME").unwrap().join(".cache");
            path("XDG_CACHE_HOME").unwrap_or_else(home).join("assay")
        });
        cache.join(format!("onnx-tests-{VERSION}"))
    });
    assert!(
        folder.join("node").is_dir(),
        "ONNX's backend tests are not in {}; run models/conformance/fetch.sh, which `make \
         bootstrap` does too, or set ASSAY_ONNX_TESTS",
        folder.display()
    );
    folder
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
