//! The runtime class: which machines are expected to find the same bits.
//!
//! A provider's account holds 32 bytes that a job can ask for. Here they are the digest of a text
//! that states, one fact a line, what a result is known to depend on: the runtime's build, the
//! instruction sets that it chooses kernels by, the provider with its device and libraries, and how
//! a session is set up. The text is `docs/determinism.md`'s; a changed form changes its first line.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use assay_protocol::Digest;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{
    config::{EngineConfig, Provider},
    error::RuntimeFault,
    hardware::{Needed, Nvidia, ProviderLibrary, RuntimeLibrary, counted},
    runtime::{self, Runtime},
    settings::{Mode, Settings},
};

/// A text and its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Class {
    pub text: String,
    /// Sha256 of the text, as the account holds it.
    #[serde(serialize_with = "hex")]
    pub digest: [u8; 32],
}

#[derive(Debug, thiserror::Error)]
pub enum ClassError {
    #[error(transparent)]
    Runtime(#[from] RuntimeFault),
    #[error("{path} cannot be read ({source}), so its part of the runtime class is not known")]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "the runtime class depends on {name}, which is not found; `assay-worker doctor` says where it is looked for"
    )]
    Missing { name: String },
    #[error("`auto` has no class: which provider it means is decided first")]
    Auto,
}

impl Class {
    /// Of audited work on this machine. Hashes ONNX Runtime's libraries: some tenths of a second.
    pub fn of(config: &EngineConfig, runtime: &Runtime) -> Result<Self, ClassError> {
        let settings = config.settings(Mode::Audited);
        let path = runtime::locate(config.library.as_deref())?;
        let mut facts = Facts::new(runtime, hash(&path)?, &settings);
        match settings.provider {
            Provider::Auto => return Err(ClassError::Auto),
            Provider::Cpu => {}
            // In the library itself, over frameworks that are the system's.
            Provider::Coreml | Provider::Directml => {
                let version = sysinfo::System::long_os_version().unwrap_or_default();
                facts.add("system version", &version);
            }
            Provider::Cuda | Provider::Tensorrt => facts.nvidia(&path, &settings)?,
        }
        Ok(facts.seal())
    }
}

/// The text while it grows.
struct Facts(String);

impl Facts {
    fn new(runtime: &Runtime, library: Digest, settings: &Settings) -> Self {
        let mut facts = Self("assay runtime class 1\n".into());
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        facts.add("runtime", &format!("ONNX Runtime {}", runtime.version));
        facts.add("build", &runtime.build);
        facts.add("library", &text(&library));
        facts.add("system", &format!("{os} {arch}"));
        facts.add("instruction sets", &runtime.instruction_sets.join(" "));
        facts.add("provider", settings.provider.name());
        facts.add("optimization", settings.optimization.name());
        facts.add("threads", &settings.threads.to_string());
        facts.add("deterministic", yes(settings.deterministic));
        facts.add("precise quantized", yes(settings.precise_quantized));
        facts
    }

    fn nvidia(&mut self, library: &Path, settings: &Settings) -> Result<(), ClassError> {
        self.add("tf32", yes(settings.tf32));
        self.add("racing", yes(settings.racing));
        let name = format!("onnxruntime_providers_{}", settings.provider.name());
        let RuntimeLibrary::Present { providers, .. } = RuntimeLibrary::look(Some(library)) else {
            return Err(ClassError::Missing { name });
        };
        let provider = providers.into_iter().find(|found| {
            let file = found.path.file_stem().and_then(|stem| stem.to_str());
            file.is_some_and(|stem| stem.trim_start_matches("lib") == name)
        });
        let ProviderLibrary { path, needs } = provider.ok_or(ClassError::Missing { name })?;
        self.add("provider library", &text(&hash(&path)?));
        for needed in needs {
            self.needed(needed)?;
        }
        let Nvidia::Present { driver, cuda, gpus } = Nvidia::look() else {
            let name = "NVIDIA's driver".into();
            return Err(ClassError::Missing { name });
        };
        self.add("driver", &driver.unwrap_or_default());
        self.add("driver's cuda", &cuda.unwrap_or_default());
        let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
        let device = counted(gpus, visible.as_deref(), settings.device);
        let device = device.ok_or_else(|| ClassError::Missing {
            name: format!("NVIDIA device {}", settings.device),
        })?;
        self.add("device", &device.name.unwrap_or_default());
        self.add(
            "compute capability",
            &device.compute_capability.unwrap_or_default(),
        );
        Ok(())
    }

    /// By its version, or by its content where its name has none.
    fn needed(&mut self, needed: Needed) -> Result<(), ClassError> {
        let Needed {
            name,
            path,
            version,
        } = needed;
        let Some(path) = path else {
            return Err(ClassError::Missing { name });
        };
        let what = match version {
            Some(version) => version,
            None => text(&hash(&path)?),
        };
        self.add(&name, &what);
        Ok(())
    }

    /// One line, whatever the value holds: no value may look like another fact.
    fn add(&mut self, key: &str, value: &str) {
        let value: String = value
            .chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect();
        self.0.push_str(key);
        self.0.push_str(": ");
        self.0.push_str(value.trim());
        self.0.push('\n');
    }

    fn seal(self) -> Class {
        Class {
            digest: Digest::of(&[self.0.as_bytes()]).0,
            text: self.0,
        }
    }
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

fn hash(path: &Path) -> Result<Digest, ClassError> {
    let failed = |source| ClassError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut piece).map_err(failed)?;
        match piece.get(..read) {
            Some([]) | None => return Ok(Digest(hasher.finalize().into())),
            Some(bytes) => hasher.update(bytes),
        }
    }
}

fn text(digest: &Digest) -> String {
    let mut text = String::from("sha256 ");
    for byte in digest.0 {
        // A string takes every byte.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn hex<S: serde::Serializer>(digest: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text(&Digest(*digest)).trim_start_matches("sha256 "))
}

#[cfg(test)]
mod tests;
