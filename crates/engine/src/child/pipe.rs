//! The engine's end of the pipe.

use std::io::{self, Read, Write};

/// Standard output, which the host has made a socket: one thread reads requests from it and writes
/// responses to it, and standard input is left to tell that the host is there. Where there are no
/// such sockets, requests come on standard input, and the end of the host is seen between them.
pub struct Pipe;

#[cfg(unix)]
impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        rustix::io::retry_on_intr(|| rustix::io::read(io::stdout(), &mut *buffer))
            .map_err(Into::into)
    }
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
