//! Bare system calls.

use std::io;

use libc::c_long;

use super::Call;

impl Call {
    pub(super) fn make(self) -> io::Result<()> {
        let worker = rustix::process::getppid().map_or(1, |parent| parent.as_raw_nonzero().get());
        match self {
            Self::Fork => fork(),
            // Signal 0 only asks whether one could be sent.
            Self::SignalWorker => call(libc::SYS_kill, [int(worker), 0, 0, 0, 0, 0]),
            Self::TraceWorker => {
                let seize = c_long::from(libc::PTRACE_SEIZE);
                call(libc::SYS_ptrace, [seize, int(worker), 0, 0, 0, 0])
            }
            Self::ReadWorkersMemory => {
                call(libc::SYS_process_vm_readv, [int(worker), 0, 0, 0, 0, 0])
            }
            Self::SocketOfAnyKind => call(
                libc::SYS_socket,
                [int(libc::AF_UNIX), int(libc::SOCK_DGRAM), 0, 0, 0, 0],
            ),
            Self::MapCode => {
                let how = int(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
                let code = int(libc::PROT_READ | libc::PROT_EXEC);
                call(libc::SYS_mmap, [0, 4_096, code, how, -1, 0])
            }
            Self::AllowCode => call(libc::SYS_mprotect, [0, 0, int(libc::PROT_EXEC), 0, 0, 0]),
            Self::RaiseLimit => set_core_limit(0, libc::RLIM64_INFINITY),
            Self::LimitWorker => set_core_limit(worker, 0),
            Self::CatchTimeLimit => {
                call(libc::SYS_rt_sigaction, [int(libc::SIGXCPU), 0, 0, 8, 0, 0])
            }
            Self::BecomeDumpable => {
                call(libc::SYS_prctl, [int(libc::PR_SET_DUMPABLE), 1, 0, 0, 0, 0])
            }
            Self::OpenDescriptor => call(libc::SYS_fcntl, [0, int(libc::F_DUPFD), 0, 0, 0, 0]),
            Self::NewNamespace => {
                call(libc::SYS_unshare, [int(libc::CLONE_NEWUSER), 0, 0, 0, 0, 0])
            }
            Self::Mount => call(libc::SYS_mount, [0; 6]),
            Self::IoUring => call(libc::SYS_io_uring_setup, [1, 0, 0, 0, 0, 0]),
            Self::Bpf => call(libc::SYS_bpf, [0; 6]),
            Self::Keyring => call(libc::SYS_keyctl, [0; 6]),
            Self::PerfEvent => call(libc::SYS_perf_event_open, [0; 6]),
            Self::UserFault => call(libc::SYS_userfaultfd, [0; 6]),
            Self::SharedMemory => call(libc::SYS_shmget, [1, 4_096, 0, 0, 0, 0]),
            // On x86-64 a number of the x32 interface, elsewhere none at all.
            Self::ForeignCall => call(0x4000_0000 | libc::SYS_getpid, [0; 6]),
        }
    }
}

fn fork() -> io::Result<()> {
    let child = raw(libc::SYS_clone, [int(libc::SIGCHLD), 0, 0, 0, 0, 0]);
    if child == 0 {
        // Got out: this is the new process. It must not answer on the pipe that it shares.
        std::process::abort();
    }
    checked(child)
}

fn set_core_limit(process: i32, value: u64) -> io::Result<()> {
    let limit = libc::rlimit64 {
        rlim_cur: value,
        rlim_max: value,
    };
    let at = c_long::try_from((&raw const limit).addr()).map_err(io::Error::other)?;
    let core = c_long::from(libc::RLIMIT_CORE);
    call(libc::SYS_prlimit64, [int(process), core, at, 0, 0, 0])
}

fn int(value: i32) -> c_long {
    c_long::from(value)
}

fn call(number: c_long, arguments: [c_long; 6]) -> io::Result<()> {
    checked(raw(number, arguments))
}

fn checked(result: c_long) -> io::Result<()> {
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn raw(number: c_long, [a, b, c, d, e, f]: [c_long; 6]) -> c_long {
    #[expect(unsafe_code, reason = "what is tried has no safe function")]
    // SAFETY: none of the calls above writes to this process's memory: pointers are null, or to a
    // value that is only read and outlives the call.
    unsafe {
        libc::syscall(number, a, b, c, d, e, f)
    }
}
