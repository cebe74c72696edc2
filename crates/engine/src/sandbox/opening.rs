//! The one file that an engine may "open": memory that it was given to write its optimised model to.
//!
//! ONNX Runtime gives an optimised model away by writing it to a path, and in no other way. So there
//! is a path that stands for a descriptor which is open already. Where seccomp would deny `openat`, it
//! has the kernel tell this process of the call instead, and the handler here answers in the
//! kernel's place: with that descriptor for that path, once, and for everything else that it is
//! denied. The call itself is never made, so nothing is opened, whoever makes it: a model that has taken
//! over its engine may answer itself what it likes, and has no more descriptors than before.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    io,
    os::fd::{FromRawFd, IntoRawFd, OwnedFd},
    path::Path,
    sync::atomic::{AtomicI32, Ordering},
};

use libc::{EACCES, SA_SIGINFO, SIG_IGN, SIGSYS, SIGXFSZ, siginfo_t, ucontext_t};

/// A name and no more: whether there is such a file is never asked.
const PATH: &CStr = c"/assay/optimised";

/// The descriptor, until it is given out or closed.
static DESCRIPTOR: AtomicI32 = AtomicI32::new(NONE);
const NONE: i32 = -1;

/// The path to have ONNX Runtime write to; none if there is nothing to write to, or not any more.
pub fn path() -> Option<&'static Path> {
    let open = DESCRIPTOR.load(Ordering::Acquire) != NONE;
    let path = PATH.to_str().ok()?;
    open.then(|| Path::new(path))
}

/// Prepares for calls to be answered here. A write beyond the limit on files becomes an error, where it
/// would end the process.
pub fn prepare(file: OwnedFd) -> io::Result<()> {
    if !registers::KNOWN {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = answer;
    set_action(SIGSYS, handler as usize, SA_SIGINFO)?;
    set_action(SIGXFSZ, SIG_IGN, 0)?;
    close();
    DESCRIPTOR.store(file.into_raw_fd(), Ordering::Release);
    Ok(())
}

/// Leaves the process without a file that it could write.
pub fn close() {
    let descriptor = DESCRIPTOR.swap(NONE, Ordering::AcqRel);
    if descriptor != NONE {
        #[expect(unsafe_code, reason = "a number becomes a descriptor again")]
        // SAFETY: it was one, and whoever takes the number out of the static owns it.
        drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
    }
}

fn set_action(signal: c_int, handler: usize, flags: c_int) -> io::Result<()> {
    #[expect(unsafe_code, reason = "handlers are set by the C library")]
    // SAFETY: an action of zeros is one without flags and mask; the handler has the form that its flags
    // promise, and does what a handler may: it makes no system call and takes no lock.
    let set = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut())
    };
    if set == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Called by the kernel instead of making an `openat`.
extern "C" fn answer(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
    #[expect(unsafe_code, reason = "the call's registers are read and written")]
    // SAFETY: for a handler of this form the kernel passes the interrupted thread's registers, which
    // nobody else has, and gives them back to it. The second argument of `openat` is a path: what
    // passes anything else crashes here instead of being told so.
    unsafe {
        let Some(context) = context.cast::<ucontext_t>().as_mut() else {
            return;
        };
        let path = registers::second_argument(context);
        let path = std::ptr::with_exposed_provenance::<c_char>(path);
        let wanted = !path.is_null() && CStr::from_ptr(path) == PATH;
        let result = if wanted {
            DESCRIPTOR.swap(NONE, Ordering::AcqRel)
        } else {
            NONE
        };
        let result = if result == NONE { -EACCES } else { result };
        registers::set_result(context, result);
    }
}

#[cfg(target_arch = "x86_64")]
mod registers {
    use libc::{REG_RAX, REG_RSI, c_int, greg_t, ucontext_t};

    pub const KNOWN: bool = true;

    pub fn second_argument(context: &ucontext_t) -> usize {
        let register = place(REG_RSI).and_then(|place| context.uc_mcontext.gregs.get(place));
        register
            .and_then(|value| usize::try_from(*value).ok())
            .unwrap_or(0)
    }

    pub fn set_result(context: &mut ucontext_t, result: i32) {
        let place = place(REG_RAX);
        let register = place.and_then(|place| context.uc_mcontext.gregs.get_mut(place));
        if let Some(register) = register {
            *register = greg_t::from(result);
        }
    }

    fn place(register: c_int) -> Option<usize> {
        usize::try_from(register).ok()
    }
}

#[cfg(target_arch = "aarch64")]
mod registers {
    use libc::ucontext_t;

    pub const KNOWN: bool = true;

    pub fn second_argument(context: &ucontext_t) -> usize {
        let register = context.uc_mcontext.regs.get(1);
        register
            .and_then(|value| usize::try_from(*value).ok())
            .unwrap_or(0)
    }

    pub fn set_result(context: &mut ucontext_t, result: i32) {
        if let Some(register) = context.uc_mcontext.regs.first_mut() {
            *register = i64::from(result).cast_unsigned();
        }
    }
}

/// On other processors nothing is kept.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod registers {
    use libc::ucontext_t;

    pub const KNOWN: bool = false;

    pub fn second_argument(_: &ucontext_t) -> usize {
        0
    }

    pub fn set_result(_: &mut ucontext_t, _: i32) {}
}
