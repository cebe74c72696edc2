//! What a process may use, and what others may see of it.

use std::{fs, num::NonZero, thread::available_parallelism, time::Duration};

use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, Signal, getrlimit, prlimit, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};

use super::{Missing, Needs};

/// Address space that allocators and thread stacks reserve and hardly use.
const RESERVED: u64 = 1 << 30;
const RESERVED_PER_THREAD: u64 = 256 << 20;
/// Stack of the main thread, where models are read and run. More than ONNX Runtime needs for the
/// deepest graph that is let through.
const STACK: u64 = 8 << 20;
/// Tasks of the user that an engine with several threads may raise the number to. It stops a bomb,
/// and no desktop comes near it.
const PROCESSES: u64 = 16_384;
/// Seconds of processor time beyond the deadline, so that the deadline is what ends an engine.
const GRACE: u64 = 10;
const PAGE: u64 = 4_096;

/// Ends with its worker, cannot be looked into or dumped, gains no rights, holds no foreign
/// descriptor.
pub fn secrets() -> Result<String, Missing> {
    let missing = |reason: String| {
        Missing {
        part: "privacy of the process".into(),
        reason,
        meaning: "other processes of this user could look into the engine, or it could outlive its worker"
            .into(),
    }
    };
    set_parent_process_death_signal(Some(Signal::KILL))
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .and_then(|()| rustix::thread::set_no_new_privs(true))
        .map_err(|error| missing(error.to_string()))?;
    Ok("no new privileges".into())
}

/// Memory, files, core dumps. What is handed over is counted from what the runtime already holds.
pub fn limits(needs: &Needs) -> Result<String, Missing> {
    let missing = |reason: String| Missing {
        part: "limits".into(),
        reason,
        meaning: "a model can use up the machine's memory".into(),
    };
    let set =
        |resource, value: u64| lower(resource, value).map_err(|error| missing(error.to_string()));
    set(Resource::Core, 0)?;
    set(Resource::Stack, STACK)?;
    if needs.driver {
        return Ok(
            "limits on core dumps and stack (not on memory and files: a driver needs them)".into(),
        );
    }
    let kept = needs.writes.map(|writes| writes.descriptor);
    close_foreign_descriptors(kept).map_err(|error| missing(error.to_string()))?;
    let held = Held::now().ok_or_else(|| missing("/proc/self/statm cannot be read".into()))?;
    let memory = needs.memory_bytes;
    let threads = u64::try_from(needs.threads).unwrap_or(u64::MAX);
    let reserved = RESERVED.saturating_add(threads.saturating_mul(RESERVED_PER_THREAD));
    set(Resource::Data, held.data.saturating_add(memory))?;
    let space = held.space.saturating_add(memory).saturating_add(reserved);
    set(Resource::As, space)?;
    // Memory is the only file that can be written, and only if there is a place for an optimised model.
    let written = needs.writes.map_or(0, |writes| writes.limit);
    set(Resource::Fsize, written)?;
    set(Resource::Memlock, 0)?;
    Ok(format!(
        "limits on memory ({} MiB), files, core dumps, stack",
        memory >> 20
    ))
}

/// What may be started and opened, once that is there which is needed. Root is not bound by the first,
/// but seccomp binds root too.
pub fn nothing_new(needs: &Needs) -> Result<String, Missing> {
    let missing = |error: rustix::io::Errno| Missing {
        part: "limit on processes and descriptors".into(),
        reason: error.to_string(),
        meaning: "a model could start threads until the user may start no more".into(),
    };
    let several = needs.driver || needs.threads > 1;
    lower(Resource::Nproc, if several { PROCESSES } else { 0 }).map_err(missing)?;
    if !needs.driver {
        // What is open stays.
        lower(Resource::Nofile, 0).map_err(missing)?;
    }
    Ok("limit on processes and descriptors".into())
}

/// Files, from now on.
pub fn nothing_written() {
    // Where this fails, the limit stays what it was said to be.
    let _: rustix::io::Result<()> = lower(Resource::Fsize, 0);
}

/// A backstop for a worker that is itself stuck: an engine may use as much processor time as the
/// machine has until its deadline, and is then ended by the kernel.
pub fn allow_cpu(process: Option<u32>, limit: Duration) {
    let set = || {
        let process = i32::try_from(process?).ok()?;
        let used = used_cpu(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)?;
        let processors = available_parallelism().map_or(1, NonZero::get);
        let seconds = limit.as_secs().saturating_add(GRACE);
        let allowed = seconds.saturating_mul(u64::try_from(processors).ok()?);
        let cpu = Rlimit {
            current: Some(used.saturating_add(allowed)),
            maximum: None,
        };
        prlimit(Pid::from_raw(process), Resource::Cpu, cpu).ok()
    };
    // An engine that has ended is found out by the call that follows.
    let _: Option<Rlimit> = set();
}

/// Whole seconds, from the text of /proc/<pid>/stat: the fields behind the program's name, which
/// may hold anything but ends with the last parenthesis.
fn used_cpu(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.saturating_add(system)
        .checked_div(rustix::param::clock_ticks_per_second())
}

/// Never raised: a limit that is lower already stays.
fn lower(resource: Resource, value: u64) -> rustix::io::Result<()> {
    let hard = getrlimit(resource).maximum;
    let value = Some(hard.map_or(value, |hard| hard.min(value)));
    setrlimit(
        resource,
        Rlimit {
            current: value,
            maximum: value,
        },
    )
}

struct Held {
    space: u64,
    data: u64,
}

impl Held {
    fn now() -> Option<Self> {
        let text = fs::read_to_string("/proc/self/statm").ok()?;
        let mut pages = text
            .split_whitespace()
            .map(|field| field.parse::<u64>().ok());
        let space = pages.next()??;
        let data = pages.nth(4)??;
        let size = u64::try_from(rustix::param::page_size()).unwrap_or(PAGE);
        Some(Self {
            space: space.saturating_mul(size),
            data: data.saturating_mul(size),
        })
    }
}

/// The worker opens everything so that it closes in its children; this is for what did not.
fn close_foreign_descriptors(kept: Option<i32>) -> std::io::Result<()> {
    let open: Vec<i32> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor > 2 && Some(*descriptor) != kept)
        .collect();
    for descriptor in open {
        #[expect(
            unsafe_code,
            reason = "closing what nobody here owns is nobody's safe function"
        )]
        // SAFETY: nothing in this process has opened a file that it still holds, but the one to be
        // kept: it has read its first request, loaded a library and listed this directory, whose own
        // descriptor is closed.
        unsafe {
            libc::close(descriptor);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_time_is_read_behind_a_name_that_lies() {
        let ticks = rustix::param::clock_ticks_per_second();
        let stat = format!(
            "42 (a) 1 2) R 1 1 1 0 -1 4194304 9 0 0 0 {} {} 0 0 20 0",
            3 * ticks,
            2 * ticks
        );
        assert_eq!(used_cpu(&stat), Some(5));
        assert_eq!(used_cpu("42 (cut) R 1 1"), None);
        assert_eq!(used_cpu(""), None);
    }

    #[test]
    fn processor_time_is_limited_by_the_deadline_and_what_is_used_counts() {
        let limit = Duration::from_secs(1_000_000);
        allow_cpu(Some(std::process::id()), limit);
        let set = getrlimit(Resource::Cpu);
        let processors = u64::try_from(available_parallelism().unwrap().get()).unwrap();
        let used = set.current.unwrap() - processors * (1_000_000 + GRACE);
        assert!(used < 600, "{used} s are said to be used");
        assert_eq!(set.maximum, None);
        // Neither of these has a process to limit.
        allow_cpu(None, Duration::ZERO);
        allow_cpu(Some(u32::MAX), Duration::ZERO);
        assert_eq!(getrlimit(Resource::Cpu), set);
    }
}
