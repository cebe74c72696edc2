//! The walls around an engine, tried from inside.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use assay_engine::{Attempt, Call, EngineConfig, EngineError, Fault, Host, Limits, Sandbox};
use assay_protocol::OutputProfile;

use crate::kit::{LONG, host, host_with, keeping, model, models};

/// Every call that ends the process that makes it.
const DEADLY: [Call; 17] = [
    Call::SignalWorker,
    Call::TraceWorker,
    Call::ReadWorkersMemory,
    Call::SocketOfAnyKind,
    Call::MapCode,
    Call::AllowCode,
    Call::RaiseLimit,
    Call::LimitWorker,
    Call::CatchTimeLimit,
    Call::NewNamespace,
    Call::Mount,
    Call::IoUring,
    Call::Bpf,
    Call::Keyring,
    Call::PerfEvent,
    Call::UserFault,
    Call::SharedMemory,
];

async fn is_killed(host: &Host, attempt: Attempt) {
    let shown = format!("{attempt:?}");
    match host.attempt(attempt, LONG).await {
        Err(error @ EngineError::BrokeOut { .. }) => assert_eq!(error.fault(), Fault::Job),
        other => panic!("{shown}: {other:?}"),
    }
}

async fn is_denied(host: &Host, attempt: Attempt) {
    let shown = format!("{attempt:?}");
    let said = host.attempt(attempt, LONG).await.unwrap();
    let said = said.unwrap_or_else(|| panic!("{shown} worked"));
    assert!(said.contains("os error"), "{shown}: {said}");
}

/// Denied as something that it has no right to, and not for want of what would be there to read.
async fn is_forbidden(host: &Host, attempt: Attempt) {
    let shown = format!("{attempt:?}");
    let said = host.attempt(attempt, LONG).await.unwrap();
    let said = said.unwrap_or_else(|| panic!("{shown} worked"));
    let right = ["(os error 1)", "(os error 13)"];
    assert!(
        right.iter().any(|right| said.contains(right)),
        "{shown}: {said}"
    );
}

fn without_sandbox() -> Host {
    host_with(EngineConfig {
        sandbox: Sandbox::Off,
        ..EngineConfig::default()
    })
}

/// A host, and one whose engines may write their optimised model to memory, in this folder.
fn both(folder: &Path) -> [Host; 2] {
    [host(), keeping(folder, EngineConfig::default())]
}

#[tokio::test]
async fn sandbox_of_this_machine_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    for host in both(folder.path()) {
        let confinement = host.probe().await.unwrap().confinement;
        assert_eq!(confinement.missing, vec![]);
        let parts = confinement.in_force.join(", ");
        for part in [
            "Landlock ABI",
            "seccomp",
            "limits on memory",
            "no new privileges",
        ] {
            assert!(parts.contains(part), "{parts}");
        }
    }
}

#[tokio::test]
async fn engine_reads_and_writes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("operator.json");
    fs::write(&secret, "key").unwrap();
    let kept = tempfile::tempdir().unwrap();
    let [plain, keeps] = both(kept.path());
    let worker = |file: &str| PathBuf::from(format!("/proc/{}/{file}", process::id()));
    for path in [
        secret.clone(),
        PathBuf::from("/etc/passwd"),
        PathBuf::from("/proc/self/environ"),
        PathBuf::from("/proc/self/maps"),
        PathBuf::from("/dev/null"),
        worker("environ"),
        worker("mem"),
        worker("fd/0"),
    ] {
        is_forbidden(&plain, Attempt::ReadFile(path.clone())).await;
        is_forbidden(&keeps, Attempt::ReadFile(path)).await;
    }
    let canary = folder.path().join("canary");
    for path in [
        canary.clone(),
        secret.clone(),
        PathBuf::from("/dev/shm/assay-canary"),
    ] {
        is_forbidden(&plain, Attempt::CreateFile(path.clone())).await;
        is_forbidden(&keeps, Attempt::CreateFile(path)).await;
    }
    assert!(!canary.exists());
    assert_eq!(fs::read_to_string(&secret).unwrap(), "key");
}

#[tokio::test]
async fn engine_reaches_no_network_and_no_other_process() {
    let folder = tempfile::tempdir().unwrap();
    for host in both(folder.path()) {
        reaches_nothing(&host).await;
    }
    // With threads, `clone` starts those and nothing else.
    let threaded = host_with(EngineConfig {
        threads: 2,
        ..EngineConfig::default()
    });
    is_killed(&threaded, Attempt::Call(Call::Fork)).await;
    is_killed(&threaded, Attempt::RunProgram("/bin/true".into())).await;
}

async fn reaches_nothing(host: &Host) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    is_killed(host, Attempt::Connect(listener.local_addr().unwrap())).await;
    assert!(listener.accept().is_err(), "somebody connected");
    // With one thread there is no reason to start another, or a process.
    is_denied(host, Attempt::Call(Call::Fork)).await;
    is_denied(host, Attempt::Call(Call::OpenDescriptor)).await;
    is_denied(host, Attempt::Call(Call::BecomeDumpable)).await;
    is_denied(host, Attempt::RunProgram("/bin/true".into())).await;
    for call in DEADLY {
        is_killed(host, Attempt::Call(call)).await;
    }
    if cfg!(target_arch = "x86_64") {
        is_killed(host, Attempt::Call(Call::ForeignCall)).await;
    }
}

/// What shows that the attempts above are none that fail by themselves.
#[tokio::test]
async fn attempts_work_where_there_is_no_sandbox() {
    let host = without_sandbox();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("canary");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    for attempt in [
        Attempt::CreateFile(file.clone()),
        Attempt::ReadFile(file.clone()),
        Attempt::ReadFile("/proc/self/environ".into()),
        Attempt::Connect(address),
        Attempt::RunProgram("/bin/true".into()),
        Attempt::Call(Call::Fork),
        Attempt::Call(Call::SignalWorker),
        Attempt::Call(Call::SocketOfAnyKind),
        Attempt::Call(Call::MapCode),
        Attempt::Call(Call::AllowCode),
        Attempt::Call(Call::CatchTimeLimit),
        Attempt::Call(Call::BecomeDumpable),
        Attempt::Call(Call::OpenDescriptor),
    ] {
        let shown = format!("{attempt:?}");
        assert_eq!(host.attempt(attempt, LONG).await.unwrap(), None, "{shown}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "escaped");
    let missing = host.probe().await.unwrap().confinement.missing;
    assert!(missing[0].to_string().contains("`engine.sandbox` is off"));
}

#[tokio::test]
async fn ends_of_an_engine_are_told_apart() {
    let limits = Limits {
        memory_bytes: 256 << 20,
        ..Limits::default()
    };
    let host = host_with(EngineConfig {
        limits,
        ..EngineConfig::default()
    });
    let ended = async |attempt| {
        let error = host.attempt(attempt, LONG).await.unwrap_err();
        (error.code(), error.fault())
    };
    assert_eq!(
        ended(Attempt::TakeMemory).await,
        ("out_of_memory", Fault::Run)
    );
    assert_eq!(ended(Attempt::Crash).await, ("model_crashed", Fault::Job));
    assert_eq!(ended(Attempt::Abort).await, ("model_crashed", Fault::Job));
    assert_eq!(ended(Attempt::Recurse).await, ("model_crashed", Fault::Job));
    let limit = Duration::from_millis(300);
    let error = host.attempt(Attempt::Spin, limit).await.unwrap_err();
    assert_eq!(
        (error.code(), error.fault()),
        ("engine_timed_out", Fault::Run)
    );
    // The host itself is as good as before.
    host.load(&model("digits.onnx")).await.unwrap();
}

#[tokio::test]
async fn sandbox_changes_no_result() {
    let (confined, free) = (host(), without_sandbox());
    let threaded = host_with(EngineConfig {
        threads: 2,
        ..EngineConfig::default()
    });
    let digits = model("digits.onnx");
    let input = fs::read(models().join("digits/sample-3.safetensors")).unwrap();
    let profile = OutputProfile::exact(2).unwrap();
    let mut roots = Vec::new();
    for host in [&confined, &free, &threaded] {
        let outcome = host.run(&digits, &input, LONG).await.unwrap();
        roots.push(outcome.answer(&profile).unwrap().root);
    }
    assert_eq!(roots[0], roots[1]);
    assert_eq!(roots[0], roots[2]);
}
