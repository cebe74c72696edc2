//! No file, no port, no signal to others: the kernel's own access control, given up by the process
//! itself. It holds whatever system call is tried, also those that nobody has thought of.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    path_beneath_rules,
};

use super::{Missing, Needs};

/// The newest rights that are asked for; a kernel that is older gives those that it has.
const NEWEST: ABI = ABI::V10;

/// What a driver's user-space half reads and loads. None of these holds a worker's keys or data,
/// unless its owner puts them there.
const LIBRARIES: [&str; 7] = ["/usr", "/lib", "/lib64", "/opt", "/etc", "/proc", "/sys"];
const DEVICES: [&str; 2] = ["/dev", "/dev/shm"];

pub fn restrict(needs: &Needs) -> Result<String, Missing> {
    let missing = |reason: String| Missing {
        part: "Landlock".into(),
        reason,
        meaning: "files, ports and other processes are kept from models by seccomp alone".into(),
    };
    match std::fs::read_dir("/proc/self/task").map(Iterator::count) {
        Ok(1) => {}
        Ok(threads) => {
            return Err(missing(format!(
                "it holds one thread and the engine already has {threads}"
            )));
        }
        Err(error) => return Err(missing(format!("its threads cannot be counted: {error}"))),
    }
    let ruleset = rules(needs).and_then(RulesetCreated::restrict_self);
    let status = ruleset.map_err(|error| missing(error.to_string()))?;
    match (status.ruleset, status.landlock) {
        (
            RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced,
            LandlockStatus::Available { effective_abi, .. },
        ) => Ok(describe(effective_abi)),
        (_, LandlockStatus::NotEnabled) => Err(missing(
            "the kernel was started without it (add `landlock` to its `lsm=` parameter)".into(),
        )),
        (_, LandlockStatus::NotImplemented | LandlockStatus::Available { .. }) => {
            Err(missing("the kernel has none (5.13 and later may)".into()))
        }
    }
}

/// No rule allows anything on a CPU; a driver gets its libraries and devices.
fn rules(needs: &Needs) -> Result<RulesetCreated, RulesetError> {
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    if !needs.driver {
        return Ok(ruleset);
    }
    let beside = needs.library.as_deref().and_then(Path::parent);
    let libraries = LIBRARIES.iter().map(Path::new).chain(beside);
    let read = AccessFs::from_read(NEWEST);
    let use_device = read | AccessFs::WriteFile | AccessFs::IoctlDev;
    ruleset
        .add_rules(path_beneath_rules(libraries, read))?
        .add_rules(path_beneath_rules(DEVICES, use_device))
}

/// What earlier kernels lack is left to seccomp, which allows no socket and no signal either.
fn describe(abi: ABI) -> String {
    let holds = if abi >= ABI::V6 {
        "files, TCP, abstract sockets and signals"
    } else if abi >= ABI::V4 {
        "files and TCP; other network and signals by seccomp"
    } else {
        "files; network and signals by seccomp"
    };
    format!("Landlock ABI {} ({holds})", abi as i32)
}
