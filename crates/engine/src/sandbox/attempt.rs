//! What a model would do that has taken over its engine. An engine can be asked to try, so that
//! whoever runs a worker, and the tests, see the walls stand and do not have to believe it.

use std::{fs, io, net::TcpStream, path::PathBuf, process::Command};

use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
mod calls;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attempt {
    ReadFile(PathBuf),
    CreateFile(PathBuf),
    Connect(std::net::SocketAddr),
    RunProgram(PathBuf),
    /// A bare system call, with arguments that would do no harm if it were let through.
    Call(Call),
    /// Takes memory until there is no more.
    TakeMemory,
    /// Never answers.
    Spin,
    /// Calls itself until the stack is used up.
    Recurse,
    /// Ends as a program does that has found itself broken.
    Abort,
    /// Touches memory that is not there.
    Crash,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    Fork,
    SignalWorker,
    TraceWorker,
    ReadWorkersMemory,
    SocketOfAnyKind,
    MapCode,
    AllowCode,
    RaiseLimit,
    LimitWorker,
    CatchTimeLimit,
    BecomeDumpable,
    OpenDescriptor,
    NewNamespace,
    Mount,
    IoUring,
    Bpf,
    Keyring,
    PerfEvent,
    UserFault,
    SharedMemory,
    ForeignCall,
}

impl Attempt {
    /// Nothing if it worked, and what the system said if not; a wall may also end the process.
    pub(crate) fn make(&self) -> Option<String> {
        let tried = match self {
            Self::ReadFile(path) => fs::read(path).map(drop),
            Self::CreateFile(path) => fs::write(path, "escaped"),
            Self::Connect(address) => TcpStream::connect(address).map(drop),
            Self::RunProgram(path) => Command::new(path).status().map(drop),
            Self::Call(call) => call.make(),
            Self::TakeMemory => take_memory(),
            Self::Spin => loop {
                std::hint::spin_loop();
            },
            Self::Recurse => Err(io::Error::other(recurse(0).to_string())),
            Self::Abort => std::process::abort(),
            Self::Crash => crash(),
        };
        tried.err().map(|error| error.to_string())
    }
}

#[cfg(not(target_os = "linux"))]
impl Call {
    fn make(self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Written to, so that it is memory and no promise.
fn take_memory() -> io::Result<()> {
    let mut taken = Vec::new();
    loop {
        taken.push(vec![1_u8; 16 << 20]);
    }
}

#[expect(unconditional_recursion, reason = "that is what is tried")]
fn recurse(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 64]);
    recurse(depth.wrapping_add(1)) ^ room.iter().fold(0, |all, one| all ^ one)
}

fn crash() -> io::Result<()> {
    #[expect(unsafe_code, reason = "a crash is what is tried")]
    // SAFETY: none; the address is no memory, and the process ends here.
    unsafe {
        std::ptr::without_provenance_mut::<u8>(64).write_volatile(1);
    }
    Ok(())
}
