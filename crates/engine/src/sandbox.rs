//! What holds an engine once it may be shown a model.
//!
//! A model file is a program for an interpreter written in C++, whose authors fix out-of-bounds
//! reads every few weeks: take over of the engine's process is what must be expected. So the child
//! gives up, after ONNX Runtime's library is loaded and before the first foreign byte is read,
//! everything that an inference does not need. There are three walls, each complete by itself where
//! it can be: Landlock takes away the files, the network and other processes; seccomp all system
//! calls but a handful; limits memory, files and processes. Nothing is got back until the process ends.
//!
//! | module | does |
//! |---|---|
//! | `landlock` | files, ports and signals, by the kernel's access control |
//! | `seccomp` | system calls, by list |
//! | `limits` | memory, processor time, descriptors, processes |
//! | `opening` | the one file that may be "opened": memory for an optimised model |
//! | `attempt` | tries to get out, to show that the walls stand |

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{
    config::{EngineConfig, Provider, Sandbox},
    error::RuntimeFault,
    settings::Settings,
    shared::Blank,
};

pub use attempt::{Attempt, Call};
#[cfg(target_os = "linux")]
pub use limits::allow_cpu;
#[cfg(target_os = "linux")]
pub use opening::{close as close_blank, path as blank_path};

mod attempt;
#[cfg(target_os = "linux")]
mod landlock;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod opening;
#[cfg(target_os = "linux")]
mod seccomp;

/// What holds an engine, as it found itself when it started and before it saw a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    pub in_force: Vec<String>,
    pub missing: Vec<Missing>,
}

/// A part of the sandbox that this system lacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("no {part}: {reason}, so {meaning}")]
pub struct Missing {
    pub part: String,
    pub reason: String,
    /// What a model that takes over its engine can do for it.
    pub meaning: String,
}

impl Confinement {
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    fn missing_text(&self) -> String {
        let texts: Vec<String> = self.missing.iter().map(Missing::to_string).collect();
        texts.join("; ")
    }

    fn note(&mut self, part: Result<String, Missing>) {
        match part {
            Ok(part) => self.in_force.push(part),
            Err(missing) => self.missing.push(missing),
        }
    }

    fn required_by(self, sandbox: Sandbox) -> Result<Self, RuntimeFault> {
        if sandbox == Sandbox::Required && !self.is_complete() {
            let missing = self.missing_text();
            return Err(RuntimeFault::Unconfined { missing });
        }
        Ok(self)
    }
}

/// What an engine is going to need, which decides what it must give up.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "there is no sandbox to fit")
)]
struct Needs {
    sandbox: Sandbox,
    threads: usize,
    memory_bytes: u64,
    /// GPU providers talk to a driver by files and `ioctl`, and load libraries with a model.
    driver: bool,
    library: Option<PathBuf>,
    /// Where an optimised model may be written, if it may.
    writes: Option<Writes>,
}

/// Memory that is open for writing.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "there is no sandbox to fit")
)]
struct Writes {
    descriptor: i32,
    /// Bytes.
    limit: u64,
}

/// A sandbox entered by this thread and by those that it starts from now on, but not closed yet.
pub struct Entered {
    needs: Needs,
    confinement: Confinement,
}

/// Gives up files, network and memory. Must be called while the process has one thread: Landlock
/// holds the thread that asks for it and its later children. What is blank stays open to be written
/// once, if seccomp is there to see to it that nothing else is opened.
pub fn enter(config: &EngineConfig, settings: &Settings, blank: Option<Blank>) -> Entered {
    let held = config.sandbox != Sandbox::Off && settings.provider == Provider::Cpu;
    let writes = blank.filter(|_| held).and_then(keep_open);
    let needs = Needs {
        sandbox: config.sandbox,
        threads: settings.threads,
        memory_bytes: config.limits.memory_bytes,
        driver: settings.provider != Provider::Cpu,
        library: config.library.clone(),
        writes,
    };
    let confinement = if needs.sandbox == Sandbox::Off {
        off()
    } else {
        walls(&needs)
    };
    Entered { needs, confinement }
}

impl Entered {
    /// Gives up all other system calls, in every thread. What is missing is an error where all is
    /// required.
    pub fn close(mut self) -> Result<Confinement, RuntimeFault> {
        if self.needs.sandbox != Sandbox::Off {
            close(&self.needs, &mut self.confinement);
        }
        self.confinement.required_by(self.needs.sandbox)
    }
}

#[cfg(target_os = "linux")]
fn keep_open(blank: Blank) -> Option<Writes> {
    use std::os::fd::AsRawFd as _;
    let writes = Writes {
        descriptor: blank.file.as_raw_fd(),
        limit: blank.limit,
    };
    opening::prepare(blank.file).ok().map(|()| writes)
}

#[cfg(not(target_os = "linux"))]
fn keep_open(_: Blank) -> Option<Writes> {
    None
}

fn off() -> Confinement {
    let missing = Missing {
        part: "sandbox".into(),
        reason: "`engine.sandbox` is off".into(),
        meaning: UNCONFINED.into(),
    };
    Confinement {
        in_force: Vec::new(),
        missing: vec![missing],
    }
}

const UNCONFINED: &str =
    "a model that takes over its engine can do whatever the user that the worker runs as can do";

#[cfg(target_os = "linux")]
fn walls(needs: &Needs) -> Confinement {
    let mut confinement = Confinement::default();
    confinement.note(limits::secrets());
    confinement.note(limits::limits(needs));
    confinement.note(landlock::restrict(needs));
    confinement
}

#[cfg(target_os = "linux")]
fn close(needs: &Needs, confinement: &mut Confinement) {
    confinement.note(limits::nothing_new(needs));
    let filtered = seccomp::filter(needs);
    if filtered.is_err() {
        // Nobody would answer in the kernel's place, and what can be opened shall not be written.
        opening::close();
        limits::nothing_written();
    }
    confinement.note(filtered);
}

#[cfg(not(target_os = "linux"))]
fn walls(_: &Needs) -> Confinement {
    let missing = Missing {
        part: "sandbox".into(),
        reason: "Assay has none for this system yet, only for Linux".into(),
        meaning: UNCONFINED.into(),
    };
    Confinement {
        in_force: Vec::new(),
        missing: vec![missing],
    }
}

#[cfg(not(target_os = "linux"))]
fn close(_: &Needs, _: &mut Confinement) {}

/// Nothing is written here.
#[cfg(not(target_os = "linux"))]
pub fn blank_path() -> Option<&'static std::path::Path> {
    None
}

#[cfg(not(target_os = "linux"))]
pub fn close_blank() {}

/// There is no such limit here; the deadline stands alone.
#[cfg(not(target_os = "linux"))]
pub fn allow_cpu(_: Option<u32>, _: std::time::Duration) {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Mode;

    fn incomplete() -> Confinement {
        Confinement {
            in_force: vec!["limits".into()],
            missing: vec![Missing {
                part: "Landlock".into(),
                reason: "the kernel has none".into(),
                meaning: "files are kept from models by seccomp alone".into(),
            }],
        }
    }

    #[test]
    fn missing_part_is_an_error_only_where_all_is_required() {
        let fault = incomplete().required_by(Sandbox::Required).unwrap_err();
        let text = fault.to_string();
        assert!(
            text.contains("no Landlock: the kernel has none, so files are kept"),
            "{text}"
        );
        assert!(text.contains("engine.sandbox = \"best-effort\""), "{text}");
        for sandbox in [Sandbox::BestEffort, Sandbox::Off] {
            assert_eq!(incomplete().required_by(sandbox).unwrap(), incomplete());
        }
        let complete = Confinement::default();
        assert_eq!(
            complete.clone().required_by(Sandbox::Required).unwrap(),
            complete
        );
    }

    #[test]
    fn sandbox_that_is_off_says_what_that_means() {
        let config = EngineConfig {
            sandbox: Sandbox::Off,
            ..EngineConfig::default()
        };
        let confinement = enter(&config, &config.settings(Mode::Audited), None)
            .close()
            .unwrap();
        assert!(!confinement.is_complete());
        assert!(
            confinement
                .missing_text()
                .contains("`engine.sandbox` is off")
        );
    }
}
