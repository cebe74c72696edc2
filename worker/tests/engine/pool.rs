//! Several engines: which lives, which ends, which serves whom.

use std::{fs, os::unix::fs::PermissionsExt, process::Command, time::Duration};

use assay_engine::{
    EngineConfig, EngineError, EngineState, EngineStatus, Fault, Host, Model, ModelRefused, Step,
    Work, to_safetensors,
};

use crate::kit::{LONG, floats, host_with, integers, model, outputs, read_floats, run};

/// Without a spare process, so that each process is one that a test has asked for.
fn alone() -> EngineConfig {
    EngineConfig {
        spare: false,
        ..EngineConfig::default()
    }
}

fn engines_of(host: &Host, model: &Model) -> Vec<EngineStatus> {
    let of = |engine: &EngineStatus| engine.model == Some(model.digest());
    host.ps().engines.into_iter().filter(of).collect()
}

async fn ten_turns(host: &Host) {
    let ten = integers("turns", &[], &[10]);
    let ten = outputs(run(host, &model("odd/loop.onnx"), &[ten]).await.unwrap());
    assert_eq!(read_floats(ten.first().unwrap()), [10.0]);
}

#[tokio::test]
async fn spare_process_takes_one_model_and_never_a_second() {
    let host = host_with(EngineConfig::default());
    let spare = async || {
        host.probe().await.unwrap();
        let spare = |engine: &&EngineStatus| engine.state == EngineState::Spare;
        let ps = host.ps();
        let engine = ps.engines.iter().find(spare).unwrap();
        assert_eq!(engine.model, None);
        engine.pid.unwrap()
    };
    let process = spare().await;
    let digits = model("digits.onnx");
    host.load(&digits).await.unwrap();
    let [engine] = &engines_of(&host, &digits)[..] else {
        panic!("{:?}", host.ps())
    };
    assert_eq!(engine.pid, Some(process));

    let process = spare().await;
    assert_ne!(engine.pid, Some(process));
    let refused = host.load(&model("odd/custom_operator.onnx")).await;
    refused.unwrap_err();
    let looping = model("odd/loop.onnx");
    host.load(&looping).await.unwrap();
    let engines = host.ps().engines;
    assert!(
        engines.iter().all(|engine| engine.pid != Some(process)),
        "it has seen a model that was refused"
    );
    assert_eq!(engines_of(&host, &looping).len(), 1);
}

#[tokio::test]
async fn instances_of_a_model_run_side_by_side_up_to_their_number() {
    for (instances, engines) in [(1, 1), (2, 2), (0, 2)] {
        let host = host_with(EngineConfig {
            instances,
            ..alone()
        });
        tokio::join!(ten_turns(&host), ten_turns(&host));
        let looping = engines_of(&host, &model("odd/loop.onnx"));
        assert_eq!(looping.len(), engines, "{instances}");
        let runs: u64 = looping.iter().map(|engine| engine.runs).sum();
        assert_eq!(runs, 2);
    }
}

#[tokio::test]
async fn model_that_needs_more_memory_than_there_may_be_is_refused_at_once() {
    let memory_bytes = 4 << 20;
    let host = host_with(EngineConfig {
        memory_bytes,
        ..alone()
    });
    let digits = model("digits.onnx");
    // Once it was measured, and then because it was.
    for _ in 0..2 {
        let error = host.load(&digits).await.unwrap_err();
        let EngineError::Model(ModelRefused::Memory { needs, limit }) = &error else {
            panic!("{error}")
        };
        assert!(*needs > memory_bytes && *limit == memory_bytes);
        assert_eq!(error.fault(), Fault::Job);
        assert!(error.to_string().contains("engine.memory_bytes"), "{error}");
        assert_eq!(host.ps().engines, []);
    }
    // By its size alone: no engine looks at it, or it would be refused as no model.
    let large = Model::new(vec![0; 5 << 20]);
    let error = host.load(&large).await.unwrap_err();
    let EngineError::Model(ModelRefused::Memory { needs, limit }) = &error else {
        panic!("{error}")
    };
    assert_eq!((*needs, *limit), (5 << 20, memory_bytes));
}

#[tokio::test]
async fn least_recently_used_engine_ends_for_a_model_that_needs_its_memory() {
    let digits = model("digits.onnx");
    let held = {
        let host = host_with(alone());
        host.load(&digits).await.unwrap();
        let held = host.measured(&digits.digest()).unwrap().memory_bytes;
        held.unwrap()
    };
    let host = host_with(EngineConfig {
        memory_bytes: held + (20 << 20),
        ..alone()
    });
    host.load(&digits).await.unwrap();
    ten_turns(&host).await;
    assert_eq!(engines_of(&host, &digits), []);
    assert_eq!(host.ps().engines.len(), 1);
}

#[tokio::test]
async fn engine_without_work_ends_after_its_time() {
    let host = host_with(EngineConfig {
        keep_alive_secs: 0,
        ..alone()
    });
    ten_turns(&host).await;
    assert_eq!(host.ps().engines, []);
}

/// Killed for want of memory on the machine, say.
#[tokio::test]
async fn engine_that_died_while_idle_is_replaced() {
    let host = host_with(alone());
    ten_turns(&host).await;
    let looping = model("odd/loop.onnx");
    let process = engines_of(&host, &looping)[0].pid.unwrap();
    let killed = Command::new("kill")
        .args(["-9", &process.to_string()])
        .status();
    assert!(killed.unwrap().success());
    // Its other threads may end after the first.
    let ended = || {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
        stat.contains(") Z ") && threads.count() == 1
    };
    while !ended() {
        std::thread::yield_now();
    }
    ten_turns(&host).await;
    let [engine] = &engines_of(&host, &looping)[..] else {
        panic!("{:?}", host.ps())
    };
    assert_ne!(engine.pid, Some(process));
}

#[tokio::test]
async fn claimed_work_runs_while_a_preparation_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("engine");
    let worker = env!("CARGO_BIN_EXE_assay-worker");
    let first = folder.path().join("first");
    // The first to be started hangs, as one whose model takes for ever to load.
    let script = format!(
        "#!/bin/sh\nmkdir {0} 2>/dev/null && exec sleep 600\nexec {worker} engine\n",
        first.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    let host = Host::new(assay_engine::HostConfig {
        engine: EngineConfig {
            concurrency: 1,
            ..alone()
        },
        program,
        arguments: vec![],
    });
    let digits = model("digits.onnx");
    let preparing = host.load_for(Work::Preparing, &digits);
    let working = async {
        while !first.exists() {
            tokio::task::yield_now().await;
        }
        ten_turns(&host).await;
        host.kill();
    };
    let (prepared, ()) = tokio::join!(preparing, working);
    let error = prepared.unwrap_err();
    assert!(matches!(error, EngineError::Stopped { .. }), "{error}");
}

#[tokio::test]
async fn large_tensors_come_through_whole_and_small_ones_after_them() {
    let host = host_with(alone());
    let fill = model("odd/fill.onnx");
    for count in [4_000_000_i64, 1, 4_000_000, 0] {
        let shape = integers("shape", &[1], &[count]);
        let filled = outputs(run(&host, &fill, &[shape]).await.unwrap());
        let filled = read_floats(&filled[0]);
        assert_eq!(i64::try_from(filled.len()).unwrap(), count);
        assert!(filled.windows(2).all(|two| two[0] == two[1]));
    }
    let shared = model("odd/shared_dimension.onnx");
    for rows in [1_000_000, 2, 1_000_000] {
        let values: Vec<f32> = (0..rows * 3).map(|value| value as f32).collect();
        let (left, right) = (
            floats("left", &[rows, 3], &values),
            floats("right", &[rows, 3], &values),
        );
        let sum = outputs(run(&host, &shared, &[left, right]).await.unwrap());
        let twice: Vec<f32> = values.iter().map(|value| value * 2.0).collect();
        assert!(read_floats(&sum[0]) == twice);
    }
    assert_eq!(host.ps().engines.len(), 2);
}

#[tokio::test]
async fn run_that_takes_more_memory_than_there_may_be_is_ended() {
    let limit = 300 << 20;
    let mut config = EngineConfig {
        memory_bytes: limit,
        ..alone()
    };
    config.limits.output_bytes = 8 << 30;
    let host = host_with(config);
    let fill = model("odd/fill.onnx");
    host.load(&fill).await.unwrap();
    let shape = integers("shape", &[1], &[1 << 30]);
    let input = to_safetensors(&[shape]).unwrap();
    let error = host.run(&fill, &input, LONG).await.unwrap_err();
    assert_eq!(error.code(), "out_of_memory", "{error}");
    assert_eq!(host.ps().engines, []);
    // Beside what the engine keeps for others, the input is not at fault; alone it is.
    let sequence = host.sequence(1 << 20).unwrap();
    let begun = || Step {
        goes_on: false,
        carries: Vec::new(),
        last: Vec::new(),
    };
    let little = to_safetensors(&[integers("shape", &[1], &[4])]).unwrap();
    let ran = host.run_step(&fill, (&sequence, begun()), &little, LONG);
    assert!(ran.await.unwrap().is_some());
    let error = host.run(&fill, &input, LONG).await.unwrap_err();
    assert_eq!(error.code(), "engine_gave_way", "{error}");
    let ran = host.run_step(&fill, (&sequence, begun()), &input, LONG);
    assert_eq!(ran.await.unwrap_err().code(), "out_of_memory");
    let short = Duration::from_millis(1);
    let error = host.run(&fill, &input, short).await.unwrap_err();
    assert_eq!(error.code(), "engine_timed_out", "{error}");
}
