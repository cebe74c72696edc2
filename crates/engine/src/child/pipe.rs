//! The engine's end of the pipe.

#[cfg(unix)]
use std::thread;
use std::{
    io::{self, Read, Write},
    time::{Duration, Instant},
};

/// Standard output, which the host has made a socket: one thread reads requests from it and writes
/// responses to it, and standard input is left to tell that the host is there. Where there are no
/// such sockets, requests come on standard input, and the end of the host is seen between them.
#[derive(Debug, Default)]
pub struct Pipe {
    /// When the last request was answered, until something of the next one is there.
    answered: Option<Instant>,
    /// How long the next one may be looked for in a loop.
    linger: Duration,
    /// Whether the last one came so soon. What comes now and then is never looked for in a loop.
    came_soon: bool,
}

impl Pipe {
    /// A request was answered, and the next one is waited for.
    pub fn answered(&mut self, linger: Duration) {
        (self.answered, self.linger) = (Some(Instant::now()), linger);
    }
}

#[cfg(unix)]
impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(answered) = self.answered.take() else {
            return block(buffer);
        };
        let linger = self.linger;
        let found = if self.came_soon {
            look(buffer, || answered.elapsed() < linger)?
        } else {
            None
        };
        let read = found.map_or_else(|| block(buffer), Ok);
        self.came_soon = answered.elapsed() < linger;
        read
    }
}

#[cfg(unix)]
fn block(buffer: &mut [u8]) -> io::Result<usize> {
    rustix::io::retry_on_intr(|| rustix::io::read(io::stdout(), &mut *buffer)).map_err(Into::into)
}

/// What arrives while it may be waited for in a loop. Whoever else wants this core gets it in between.
#[cfg(unix)]
fn look(buffer: &mut [u8], may_wait: impl Fn() -> bool) -> io::Result<Option<usize>> {
    use rustix::{
        io::Errno,
        net::{RecvFlags, recv},
    };
    while may_wait() {
        match recv(io::stdout(), &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((read, _)) => return Ok(Some(read)),
            Err(Errno::AGAIN | Errno::INTR) => thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

#[cfg(unix)]
impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        rustix::io::write(io::stdout(), bytes).map_err(Into::into)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(not(unix))]
impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        io::stdin().lock().read(buffer)
    }
}

#[cfg(not(unix))]
impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}
