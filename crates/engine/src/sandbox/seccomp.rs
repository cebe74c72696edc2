//! The system calls that an inference needs; every other ends the process.
//!
//! Several filters, of which the kernel obeys the strictest: the list of what is allowed, behind which
//! everything ends the process; and others that answer an error to what libraries try and do without.

use std::collections::BTreeMap;

use libc::{
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER,
    CLONE_NEWUTS, CLONE_SIGHAND, CLONE_THREAD, CLONE_VM, EACCES, EAGAIN, ENOSYS, F_GETFD, F_GETFL,
    MSG_DONTWAIT, PR_GET_NAME, PR_SET_NAME, PR_SET_NO_NEW_PRIVS, PROT_EXEC, SIGXCPU,
};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Compare,
    SeccompCondition as Condition, SeccompFilter, SeccompRule, TargetArch,
};

use super::{Missing, Needs};

mod calls;

/// An empty list of rules matches the call whatever its arguments.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

pub fn filter(needs: &Needs) -> Result<String, Missing> {
    let missing = |reason: String| {
        Missing {
        part: "seccomp".into(),
        reason,
        meaning: "a model that takes over its engine can try every system call, and Landlock alone is left to \
                  keep files and network from it"
            .into(),
    }
    };
    let filters = if needs.driver {
        driver_filters()
    } else {
        cpu_filters(needs)
    };
    for filter in filters.map_err(|error| missing(error.to_string()))? {
        seccompiler::apply_filter_all_threads(&filter)
            .map_err(|error| missing(error.to_string()))?;
    }
    Ok(if needs.driver {
        "seccomp (what no driver needs is denied)".into()
    } else {
        "seccomp (all but what an inference needs is denied)".into()
    })
}

/// The one that ends the process comes last: it allows no further filter.
fn cpu_filters(needs: &Needs) -> Result<Vec<BpfProgram>, BackendError> {
    let mut denied = any(calls::DENIED);
    let mut told = Rules::new();
    if needs.writes.is_some() {
        // Denied as well, but by this process itself: see `opening`.
        denied.remove(&libc::SYS_openat);
        told.insert(libc::SYS_openat, vec![]);
    }
    let unless = |argument, values: &[i32]| {
        let conditions: Vec<_> = values.iter().map(|value| (argument, not(*value))).collect();
        Ok::<_, BackendError>(vec![all_of(&conditions)?])
    };
    denied.insert(libc::SYS_fcntl, unless(1, &[F_GETFD, F_GETFL])?);
    // The last is what the next filter itself asks for.
    let harmless = [PR_SET_NAME, PR_GET_NAME, PR_SET_NO_NEW_PRIVS];
    denied.insert(libc::SYS_prctl, unless(0, &harmless)?);
    let mut unknown = any(calls::UNKNOWN);
    unknown.extend(calls::YOUNGER.map(|call| (call, vec![])));
    let mut allowed = any(calls::ALLOWED);
    let mut later = Rules::new();
    if needs.threads > 1 {
        allowed.insert(libc::SYS_clone, vec![all_of(&[(0, only_a_thread())])?]);
    } else {
        later.insert(libc::SYS_clone, vec![]);
    }
    allowed.extend(by_arguments()?);
    for answered in [&denied, &unknown, &later, &told] {
        allowed.extend(answered.keys().map(|call| (*call, vec![])));
    }
    let answers = [
        (denied, answer(EACCES)),
        (unknown, answer(ENOSYS)),
        (later, answer(EAGAIN)),
        (told, SeccompAction::Trap),
    ];
    let mut filters = answers
        .into_iter()
        .filter(|(rules, _)| !rules.is_empty())
        .map(|(rules, answer)| program(rules, SeccompAction::Allow, answer))
        .collect::<Result<Vec<_>, _>>()?;
    filters.push(program(
        allowed,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
    )?);
    Ok(filters)
}

/// Allowed with some arguments only.
fn by_arguments() -> Result<Rules, BackendError> {
    let own = u64::from(std::process::id());
    let no_code = || (Compare::MaskedEq(bits(PROT_EXEC)), 0);
    let rules = [
        // No new code: nothing here compiles at run time.
        (libc::SYS_mmap, vec![(2, no_code())]),
        (libc::SYS_mprotect, vec![(2, no_code())]),
        // How a process aborts; other processes get no signal.
        (libc::SYS_tgkill, vec![(0, (Compare::Eq, own))]),
        // The limit on processor time is not to be caught.
        (libc::SYS_rt_sigaction, vec![(0, not(SIGXCPU))]),
        // Limits are read, never set, and never another process's.
        (
            libc::SYS_prlimit64,
            vec![(0, (Compare::Eq, 0)), (2, (Compare::Eq, 0))],
        ),
        // Whether the next request is there: of the pipe alone, and never waiting.
        (
            libc::SYS_recvfrom,
            vec![
                (0, (Compare::Eq, 1)),
                (3, (Compare::Eq, bits(MSG_DONTWAIT))),
            ],
        ),
    ];
    let rule = |(call, conditions): (i64, Vec<_>)| Ok((call, vec![all_of(&conditions)?]));
    rules.into_iter().map(rule).collect()
}

/// What nobody needs who runs a model on a device; the rest is left to Landlock. Written from what
/// NVIDIA's driver is known to call, and never run on a machine that has one.
fn driver_filters() -> Result<Vec<BpfProgram>, BackendError> {
    let mut deadly = any(calls::DEADLY);
    deadly.insert(
        libc::SYS_clone,
        vec![all_of(&[(0, (Compare::MaskedEq(bits(CLONE_THREAD)), 0))])?],
    );
    // Its flags lie in memory, where a filter cannot look; libraries fall back to `clone`.
    let unknown = Rules::from([(libc::SYS_clone3, vec![])]);
    Ok(vec![
        program(any(calls::NETWORK), SeccompAction::Allow, answer(EACCES))?,
        program(unknown, SeccompAction::Allow, answer(ENOSYS))?,
        program(deadly, SeccompAction::Allow, SeccompAction::KillProcess)?,
    ])
}

type Wanted = (Compare, u64);

fn any(calls: &[i64]) -> Rules {
    calls.iter().map(|call| (*call, vec![])).collect()
}

fn all_of(conditions: &[(u8, Wanted)]) -> Result<SeccompRule, BackendError> {
    let condition = |(argument, (compare, value)): &(u8, Wanted)| {
        // An `int` may have anything in its upper half; a pointer's or a flag's upper half counts.
        let width = match compare {
            Compare::Ne | Compare::MaskedEq(_) => Width::Dword,
            Compare::Eq | Compare::Ge | Compare::Gt | Compare::Le | Compare::Lt => Width::Qword,
        };
        Condition::new(*argument, width, compare.clone(), *value)
    };
    SeccompRule::new(conditions.iter().map(condition).collect::<Result<_, _>>()?)
}

fn not(value: i32) -> Wanted {
    (Compare::Ne, bits(value))
}

/// A thread of this process, in no new namespace.
fn only_a_thread() -> Wanted {
    const THREAD: i32 = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND;
    const NAMESPACES: i32 = CLONE_NEWCGROUP
        | CLONE_NEWIPC
        | CLONE_NEWNET
        | CLONE_NEWNS
        | CLONE_NEWPID
        | CLONE_NEWUSER
        | CLONE_NEWUTS;
    (Compare::MaskedEq(bits(THREAD | NAMESPACES)), bits(THREAD))
}

/// Flags are bits, whatever sign C gave them.
fn bits(value: i32) -> u64 {
    u64::from(value.cast_unsigned())
}

fn answer(error: i32) -> SeccompAction {
    SeccompAction::Errno(error.cast_unsigned())
}

fn program(
    rules: Rules,
    otherwise: SeccompAction,
    matching: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, otherwise, matching, architecture)?.try_into()
}
