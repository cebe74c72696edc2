//! An engine at the end of a bare pipe, without a host.

use std::{
    fs,
    io::{Read, Write},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    process::{Child, Command, Stdio},
};

use assay_engine::EngineConfig;
use serde_json::{Value, json};

use crate::kit::models;

struct Raw {
    pipe: UnixStream,
    process: Child,
}

impl Raw {
    fn start(command: &mut Command) -> Self {
        let (pipe, its) = UnixStream::pair().unwrap();
        let process = command
            .env("ORT_DISABLE_TELEMETRY", "1")
            .stdin(Stdio::piped())
            .stdout(OwnedFd::from(its))
            .spawn()
            .unwrap();
        let mut raw = Self { pipe, process };
        let config = EngineConfig::default();
        raw.send(&json!({"start": {"config": config}}), b"");
        raw.is_answered("started");
        raw
    }

    fn engine() -> Self {
        Self::start(Command::new(env!("CARGO_BIN_EXE_assay-worker")).arg("engine"))
    }

    fn send(&mut self, header: &Value, body: &[u8]) {
        let header = header.to_string();
        let mut frame = b"ASE1".to_vec();
        frame.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
        frame.extend((body.len() as u64).to_le_bytes());
        frame.extend(header.as_bytes());
        frame.extend(body);
        self.pipe.write_all(&frame).unwrap();
    }

    fn receive(&mut self) -> (Value, Vec<u8>) {
        let mut preamble = [0; 16];
        self.pipe.read_exact(&mut preamble).unwrap();
        let mut header = vec![0; u32::from_le_bytes(preamble[4..8].try_into().unwrap()) as usize];
        self.pipe.read_exact(&mut header).unwrap();
        let body = u64::from_le_bytes(preamble[8..].try_into().unwrap());
        let mut body = vec![0; usize::try_from(body).unwrap()];
        self.pipe.read_exact(&mut body).unwrap();
        (serde_json::from_slice(&header).unwrap(), body)
    }

    fn load(&mut self, name: &str) {
        let model = fs::read(models().join(name)).unwrap();
        self.send(&json!({"load": {"shared": null}}), &model);
        self.is_answered("loaded");
    }

    fn is_answered(&mut self, kind: &str) {
        let (response, _) = self.receive();
        let is_it = response.get(kind).is_some() || response == kind;
        assert!(is_it, "{response}");
    }

    fn run(&mut self, shapes: &Value, shared: bool, body: &[u8]) {
        self.send(&json!({"run": {"shapes": shapes, "shared": shared}}), body);
    }
}

/// As on systems that have no memory to share.
#[test]
fn engine_without_shared_memory_takes_and_gives_all_through_the_pipe() {
    let mut engine = Raw::engine();
    engine.load("odd/shared_dimension.onnx");
    let floats = |values: [f32; 3]| values.map(f32::to_le_bytes).concat();
    let mut inputs = floats([1.0, 2.0, 0.5]);
    inputs.resize(64, 0);
    inputs.extend(floats([3.0, 5.0, 0.5]));
    engine.run(&json!([[1, 3], [1, 3]]), false, &inputs);
    let (response, body) = engine.receive();
    let outputs = json!({"outputs": {"shapes": [[1, 3]], "shared": false}});
    assert_eq!(response, outputs);
    assert_eq!(body, floats([4.0, 7.0, 1.0]));
    for (shapes, shared) in [
        (json!([[1, 3], [1, 3]]), true),
        (json!([[1, 3]]), false),
        (json!([[1, 3], [9, 9]]), false),
        (json!([[usize::MAX, 3], [1, 3]]), false),
    ] {
        engine.run(&shapes, shared, &inputs);
        engine.is_answered("fault");
    }
}

#[test]
fn engine_goes_on_with_what_it_kept_until_it_is_to_forget() {
    let mut engine = Raw::engine();
    engine.load("odd/shared_dimension.onnx");
    let floats = |values: [f32; 3]| values.map(f32::to_le_bytes).concat();
    let mut both = floats([1.0, 2.0, 0.5]);
    both.resize(64, 0);
    both.extend(floats([3.0, 5.0, 0.5]));
    let carry = json!({"output": "sum", "input": "left", "shape": [1, 3]});
    let mut run = |sequence: u64, goes_on: bool, kind: &str| {
        let carrying = json!({
            "sequence": sequence, "goes_on": goes_on, "carries": [carry], "last": [],
        });
        let (shapes, body) = if goes_on {
            (json!([[1, 3]]), &both[64..])
        } else {
            (json!([[1, 3], [1, 3]]), &both[..])
        };
        let run = json!({"shapes": shapes, "shared": false, "carrying": carrying});
        engine.send(&json!({"run": run}), body);
        engine.is_answered(kind);
        if kind == "fault" {
            return;
        }
        let request = json!({"forget": {"sequence": sequence + 1}});
        engine.send(&request, b"");
        engine.is_answered("forgotten");
    };
    run(7, true, "fault");
    run(7, false, "outputs");
    run(7, true, "outputs");
    // Each answer is followed by the end of the next number.
    run(6, false, "outputs");
    run(7, true, "fault");
}

/// Killed with -9, a worker cannot kill its engines: they end because their standard input does,
/// even in the middle of an inference.
#[test]
fn engine_ends_with_its_worker() {
    let mut engine = Raw::engine();
    engine.load("odd/loop.onnx");
    engine.run(&json!([[]]), false, &i64::MAX.to_le_bytes());
    drop(engine.process.stdin.take());
    assert!(engine.process.wait().unwrap().success());
}

/// An engine that was taken over need not look at its pipe: the kernel ends it with its parent.
#[cfg(target_os = "linux")]
#[test]
fn engine_is_killed_with_its_worker_though_its_pipes_are_open() {
    let program = env!("CARGO_BIN_EXE_assay-worker");
    let mut engine =
        Raw::start(Command::new("/bin/sh").args(["-c", r#""$0" engine; true"#, program]));
    let input = engine.process.stdin.take();
    engine.process.kill().unwrap();
    assert_eq!(engine.process.wait().unwrap().signal(), Some(9));
    // Its end of the pipe closes, while ours is open still.
    let mut rest = Vec::new();
    engine.pipe.read_to_end(&mut rest).unwrap();
    drop(input);
}
