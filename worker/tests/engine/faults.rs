//! Engines that hang, crash, talk nonsense or lack something.

use std::{fs, path::PathBuf, time::Duration};

use assay_engine::{
    EngineConfig, EngineError, Fault, Host, HostConfig, Limits, Provider, RuntimeFault,
    to_safetensors,
};

use crate::kit::{LONG, host, host_with, integers, model, outputs, read_floats, run, scripted};

#[tokio::test]
async fn hang_is_killed_at_its_deadline_and_the_next_run_is_served() {
    let (host, looping) = (host(), model("odd/loop.onnx"));
    let forever = to_safetensors(&[integers("turns", &[], &[i64::MAX])]).unwrap();
    let limit = Duration::from_millis(200);
    let error = host.run(&looping, &forever, limit).await.unwrap_err();
    assert!(matches!(error, EngineError::TimedOut { .. }), "{error}");
    assert_eq!(error.fault(), Fault::Run);
    let ten = outputs(
        run(&host, &looping, &[integers("turns", &[], &[10])])
            .await
            .unwrap(),
    );
    assert_eq!(read_floats(&ten[0]), [10.0]);

    // A caller that goes away in the middle takes its engine with it.
    let abandoned = tokio::time::timeout(limit, host.run(&looping, &forever, LONG)).await;
    assert!(abandoned.is_err());
    let ten = outputs(
        run(&host, &looping, &[integers("turns", &[], &[10])])
            .await
            .unwrap(),
    );
    assert_eq!(read_floats(&ten[0]), [10.0]);
}

#[tokio::test]
async fn kill_ends_what_runs_and_starts_nothing_more() {
    let host = host_with(EngineConfig {
        concurrency: 1,
        ..EngineConfig::default()
    });
    let looping = model("odd/loop.onnx");
    host.load(&looping).await.unwrap();
    let forever = to_safetensors(&[integers("turns", &[], &[i64::MAX])]).unwrap();
    let running = host.run(&looping, &forever, LONG);
    let waiting = host.run(&looping, &forever, LONG);
    let killing = async {
        tokio::task::yield_now().await;
        host.kill();
    };
    let (running, waiting, ()) = tokio::join!(running, waiting, killing);
    for ended in [
        running,
        waiting,
        host.load(&looping).await.map(|_| unreachable!()),
    ] {
        let error = ended.unwrap_err();
        assert!(matches!(error, EngineError::Stopped { .. }), "{error}");
    }
}

#[tokio::test]
async fn want_of_memory_and_oversize_are_faults_and_no_answers() {
    let fill = model("odd/fill.onnx");
    let ask = async |engine: EngineConfig, count: i64| {
        run(
            &host_with(engine),
            &fill,
            &[integers("shape", &[1], &[count])],
        )
        .await
        .unwrap_err()
    };
    let error = ask(EngineConfig::default(), 1 << 50).await;
    assert!(
        matches!(
            error,
            EngineError::Runtime(RuntimeFault::OutOfMemory { .. })
        ),
        "{error}"
    );
    assert_eq!(error.fault(), Fault::Run);
    let limits = Limits {
        output_bytes: 1_000,
        ..Limits::default()
    };
    let error = ask(
        EngineConfig {
            limits,
            ..EngineConfig::default()
        },
        251,
    )
    .await;
    let expected = RuntimeFault::OutputTooLarge {
        size: 1_004,
        limit: 1_000,
    };
    assert!(
        matches!(&error, EngineError::Runtime(fault) if *fault == expected),
        "{error}"
    );
}

#[tokio::test]
async fn engine_that_misbehaves_is_a_typed_error() {
    let digits = model("digits.onnx");
    let patient = EngineConfig::default;
    let error = scripted("echo broken >&2; exit 3", patient())
        .load(&digits)
        .await
        .unwrap_err();
    let EngineError::Crashed { status, said, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(
        (status.as_str(), said.as_str()),
        ("exit status: 3", "broken")
    );

    let error = scripted("kill -SEGV $$", patient())
        .load(&digits)
        .await
        .unwrap_err();
    let EngineError::Crashed { status, .. } = &error else {
        panic!("{error}")
    };
    assert!(status.contains("SIGSEGV"), "{status}");

    let chatter = "echo I would rather talk than answer; exec cat > /dev/null";
    let error = scripted(chatter, patient())
        .load(&digits)
        .await
        .unwrap_err();
    assert!(matches!(error, EngineError::Nonsense { .. }), "{error}");

    // A well-formed frame that announces more than it may send.
    let greedy =
        r"printf 'ASE1\002\000\000\000\377\377\377\377\377\377\377\177{}'; exec cat > /dev/null";
    let error = scripted(greedy, patient()).load(&digits).await.unwrap_err();
    assert!(error.to_string().contains("a body of"), "{error}");

    // A failure that is told at length would fill logs and journals.
    let words = "a".repeat(20_000);
    let response = format!(r#"{{"failed":{{"failure":{{"message":"{words}"}}}}}}"#);
    let folder = tempfile::tempdir().unwrap();
    let frame = folder.path().join("frame");
    let length = u32::try_from(response.len()).unwrap().to_le_bytes();
    fs::write(
        &frame,
        [b"ASE1", &length[..], &[0; 8], response.as_bytes()].concat(),
    )
    .unwrap();
    let wordy = format!("cat {}; exec cat > /dev/null", frame.display());
    let error = scripted(&wordy, patient()).load(&digits).await.unwrap_err();
    assert!(error.to_string().contains("bytes of words"), "{error}");

    // Silent, with its pipe open; and with its pipe closed, which only looks like an end.
    let quick = EngineConfig {
        load_timeout_secs: 1,
        ..EngineConfig::default()
    };
    let error = scripted("exec sleep 600", quick)
        .load(&digits)
        .await
        .unwrap_err();
    assert!(matches!(error, EngineError::TimedOut { .. }), "{error}");
    let error = scripted("exec sleep 600 >&-", patient())
        .load(&digits)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("closed its pipe and was killed"),
        "{error}"
    );

    let program = PathBuf::from("/nowhere/assay-worker");
    let absent = Host::new(HostConfig {
        engine: patient(),
        program,
        arguments: vec![],
    });
    let error = absent.load(&digits).await.unwrap_err();
    assert_eq!(
        (error.code(), error.fault()),
        ("engine_not_started", Fault::Setup)
    );
}

#[tokio::test]
async fn engine_gets_no_more_of_the_environment_than_it_needs() {
    // Cargo sets this for tests, so it stands for anything that a worker may have.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let error = scripted("env >&2; exit 1", EngineConfig::default())
        .probe()
        .await
        .unwrap_err();
    let EngineError::Crashed { said, .. } = error else {
        panic!("{error}")
    };
    assert!(said.contains("PWD="), "{said}");
    assert!(!said.contains("CARGO"), "{said}");
}

#[tokio::test]
async fn probe_tells_a_missing_library_or_provider_with_the_fix() {
    let said = host().probe().await.unwrap().runtime.to_string();
    assert!(said.contains("ORT Build Info"), "{said}");

    let library = Some(PathBuf::from("/nowhere/libonnxruntime.so"));
    let error = host_with(EngineConfig {
        library,
        ..EngineConfig::default()
    })
    .probe()
    .await
    .unwrap_err();
    assert_eq!(
        (error.code(), error.fault()),
        ("library_missing", Fault::Setup)
    );
    assert!(error.to_string().contains("make bootstrap"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libonnxruntime.so");
    fs::write(&library, "not a library").unwrap();
    let config = EngineConfig {
        library: Some(library),
        ..EngineConfig::default()
    };
    let error = host_with(config).probe().await.unwrap_err();
    assert_eq!(
        (error.code(), error.fault()),
        ("library_unusable", Fault::Setup)
    );

    let config = EngineConfig {
        provider: Provider::Tensorrt,
        ..EngineConfig::default()
    };
    let error = host_with(config)
        .load(&model("digits.onnx"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.fault()),
        ("provider_unavailable", Fault::Setup)
    );
}
