//! Processor, devices, libraries, and whether models really run.

use std::time::{Duration, Instant};

use assay_engine::{
    Class, Confinement, DType, Hardware, Host, HostConfig, Model, Nvidia, Outcome, Provider,
    RuntimeLibrary, Sensors, Tensor,
};

use super::{Patient, report::Report};
use crate::command::{
    benchmark::{DIGITS, THREE},
    init::gibibytes,
};

/// The runtime class of this machine as set up, if it computes.
pub async fn check(report: &mut Report, patient: &Patient) -> Option<[u8; 32]> {
    let engine = &patient.config.engine;
    let hardware = Hardware::look(engine.library.as_deref());
    processor(report, patient, &hardware);
    gpus(report, engine.provider, &hardware);
    libraries(report, engine.provider, &hardware);
    sensors(report);
    computing(report, patient).await
}

fn processor(report: &mut Report, patient: &Patient, hardware: &Hardware) {
    let cpu = &hardware.cpu;
    report.good(
        "processor",
        format!(
            "{}, {} threads, {}, {}",
            cpu.model.as_deref().unwrap_or("unnamed"),
            cpu.threads,
            hardware.arch,
            best_set(&cpu.instruction_sets)
        ),
    );
    let memory = &hardware.memory;
    let most = memory.limit_bytes.unwrap_or(memory.total_bytes);
    report.good(
        "memory",
        format!(
            "{} for us, {} available",
            gibibytes(most.min(memory.total_bytes)),
            gibibytes(memory.available_bytes)
        ),
    );
    let engine = &patient.config.engine;
    let wanted = engine.concurrency.saturating_mul(engine.threads);
    if engine.provider == Provider::Cpu && wanted > cpu.threads {
        report.notice(
            "engines",
            format!(
                "{} engines of {} threads on {} threads: runs slow each other down",
                engine.concurrency, engine.threads, cpu.threads
            ),
            format!(
                "engine.concurrency = {}",
                (cpu.threads / engine.threads.max(1)).max(1)
            ),
        );
    }
}

/// The widest vectors there are: what decides speed, and the last digits of results.
fn best_set(sets: &[String]) -> &str {
    ["avx512f", "avx2", "sve", "neon", "asimd", "sse2"]
        .into_iter()
        .find(|wanted| sets.iter().any(|set| set == wanted))
        .unwrap_or("no vectors known")
}

fn gpus(report: &mut Report, provider: Provider, hardware: &Hardware) {
    let name = "gpu";
    let needed = matches!(provider, Provider::Cuda | Provider::Tensorrt);
    match &hardware.nvidia {
        Nvidia::Absent { reason } if needed => report.broken(
            name,
            format!("{} needs an NVIDIA device: {reason}", provider.name()),
            "install the driver (`nvidia-smi` must work), or set engine.provider = \"cpu\"",
        ),
        Nvidia::Absent { .. } => report.good(name, "no NVIDIA device, and none is needed"),
        Nvidia::Present { driver, cuda, gpus } => {
            let unknown = || "unknown".to_owned();
            let driver = driver.clone().unwrap_or_else(unknown);
            let cuda = cuda.clone().unwrap_or_else(unknown);
            for gpu in gpus {
                report.good(
                    format!("gpu {}", gpu.index),
                    format!(
                        "{}, {} of memory, driver {driver}, CUDA up to {cuda}",
                        gpu.name.as_deref().unwrap_or("unnamed"),
                        gpu.memory_bytes.map_or_else(unknown, gibibytes)
                    ),
                );
            }
            if gpus.is_empty() {
                report.notice(
                    name,
                    format!("driver {driver} gives out no device"),
                    "look at `nvidia-smi` and at the rights on /dev/nvidia*",
                );
            }
        }
    }
}

fn libraries(report: &mut Report, provider: Provider, hardware: &Hardware) {
    match &hardware.runtime {
        RuntimeLibrary::Absent { reason } => report.broken(
            "onnx runtime",
            reason.clone(),
            "set engine.library or ORT_DYLIB_PATH to a libonnxruntime of version 1.24 or later",
        ),
        RuntimeLibrary::Present { path, providers } => {
            report.good("onnx runtime", path.display().to_string());
            for library in providers {
                let file = library.path.file_name().unwrap_or_default();
                let file = file.to_string_lossy();
                let missing = library.missing();
                let wanted = file.contains(&format!("_{}", provider.name()));
                if missing.is_empty() {
                    report.good("provider", format!("{file}, with all that it needs"));
                } else if wanted {
                    report.broken(
                        "provider",
                        format!("{file} lacks {}", missing.join(", ")),
                        "install them where the dynamic loader looks (ldconfig, LD_LIBRARY_PATH)",
                    );
                } else {
                    report.skipped(
                        "provider",
                        format!("{file} lacks {}; not used", missing.join(", ")),
                    );
                }
            }
        }
    }
}

fn sensors(report: &mut Report) {
    let readings = Sensors::open().read();
    let mut readable = Vec::new();
    if let Some(celsius) = readings.hottest_celsius() {
        readable.push(format!("GPU {celsius} C"));
    }
    if let Some(milliwatts) = readings.gpu_milliwatts() {
        readable.push(format!("GPU {} W", milliwatts / 1_000));
    }
    for counter in &readings.cpu_energy {
        readable.push(format!("energy of {}", counter.name));
    }
    if readable.is_empty() {
        report.skipped(
            "sensors",
            "neither temperature nor power can be read; limits on them do nothing",
        );
    } else {
        report.good("sensors", readable.join(", "));
    }
}

/// What a model that takes over its engine could still do.
fn sandbox(report: &mut Report, confinement: &Confinement) {
    let name = "sandbox";
    if !confinement.in_force.is_empty() {
        report.good(name, confinement.in_force.join("; "));
    }
    for missing in &confinement.missing {
        report.notice(
            name,
            missing.to_string(),
            "run a newer kernel, or serve only models that you trust (policy.models)",
        );
    }
}

/// Whether what an engine holds in memory can be read.
pub(super) fn held(report: &mut Report, bytes: Option<u64>) {
    let name = "engine's memory";
    match bytes {
        Some(bytes) => report.good(name, format!("can be read: {} MiB", bytes >> 20)),
        None if cfg!(target_os = "linux") => report.notice(
            name,
            "cannot be read: nothing holds the engines to engine.memory_bytes, and limits.cpu_percent counts them as others",
            "take ProtectProc= and ProcSubset= out of the worker's unit, and hidepid off /proc",
        ),
        None => report.skipped(name, "this system does not tell it; engine.memory_bytes does nothing"),
    }
}

/// A real engine on a real model; the class that it computes in.
async fn computing(report: &mut Report, patient: &Patient) -> Option<[u8; 32]> {
    let resolved = match HostConfig::new(patient.config.engine.clone()) {
        Ok(config) => config.resolve().await.map_err(|error| error.to_string()),
        Err(error) => Err(format!("this program's own file cannot be found: {error}")),
    };
    let config = match resolved {
        Ok((config, _)) => config,
        Err(reason) => {
            report.broken("engine", reason, "set engine.provider and engine.program");
            return None;
        }
    };
    let engine = config.engine.clone();
    let host = Host::new(config);
    let probe = match host.probe().await {
        Ok(probe) => probe,
        Err(error) => {
            report.failed("engine", &error);
            report.skipped("a model", "no engine starts");
            return None;
        }
    };
    report.good(
        "engine",
        format!("starts; ONNX Runtime {}", probe.runtime.version),
    );
    sandbox(report, &probe.confinement);
    let class = match Class::of(&engine, &probe.runtime) {
        Ok(class) => {
            report.good("class", hex::encode(class.digest));
            Some(class.digest)
        }
        Err(error) => {
            report.notice("class", error.to_string(), "assay-worker class");
            None
        }
    };
    let digits = Model::new(DIGITS);
    let loaded = host.load(&digits).await;
    let begun = Instant::now();
    let ran = match loaded {
        Ok(_) => host.run(&digits, THREE, Duration::from_secs(60)).await,
        Err(error) => Err(error),
    };
    let took = begun.elapsed();
    let used = host.ps().engines.into_iter().next();
    if let Some(used) = &used {
        held(report, used.memory_bytes);
    }
    let placement = used.map(|engine| engine.placement.to_string());
    let placement = placement.unwrap_or_default();
    host.kill();
    match ran {
        Ok(Outcome::Outputs(outputs)) if label(&outputs) == Some(3) => report.good(
            "a model",
            format!(
                "reads a handwritten 3 in {} us, with {}; nodes by provider: {placement}",
                took.as_micros(),
                engine.provider.name()
            ),
        ),
        Ok(Outcome::Outputs(_) | Outcome::Failed(_)) => report.broken(
            "a model",
            "a handwritten 3 is not read as one: results of this machine are wrong",
            "do not take jobs; try engine.provider = \"cpu\", another ONNX Runtime, and a memory test",
        ),
        Err(error) => report.failed("a model", &error),
    }
    class
}

fn label(outputs: &[Tensor]) -> Option<i64> {
    let tensor = outputs.iter().find(|tensor| tensor.name == "label")?;
    let bytes = tensor.data.as_slice().try_into().ok()?;
    (tensor.dtype == DType::I64).then(|| i64::from_le_bytes(bytes))
}
