//! The host's end of the pipe, which is waited for asleep or in a loop.
//!
//! Who waits in a loop takes the socket from the runtime first: what arrives at one that it watches wakes
//! a thread of it, although the caller has seen it by then.

use std::{
    io::{self, ErrorKind},
    mem,
    os::unix::net::UnixStream as Unwatched,
    thread,
};

use rustix::{
    buffer::spare_capacity,
    io::{Errno, read},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream as Watched,
    task,
};

use crate::host::cores::Looking;

/// Room for what is taken at once, at least.
const PIECE: usize = 4 << 10;

/// A socket that does not block.
#[derive(Default)]
pub enum Socket {
    Watched(Watched),
    Unwatched(Unwatched),
    /// It has failed while it changed hands.
    #[default]
    Lost,
}

impl Socket {
    pub fn new(socket: Unwatched) -> Self {
        Self::Unwatched(socket)
    }

    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut left = bytes;
        if let Self::Unwatched(socket) = self {
            while !left.is_empty() {
                match rustix::io::write(&*socket, left) {
                    Ok(written) => left = left.get(written..).unwrap_or_default(),
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        if left.is_empty() {
            return Ok(());
        }
        self.watched()?.write_all(left).await
    }

    /// Appends what arrives next; 0 bytes at the end. Looks for it in a loop as long as that may be.
    pub async fn read(
        &mut self,
        to: &mut Vec<u8>,
        looking: &mut Option<Looking<'_>>,
    ) -> io::Result<usize> {
        to.reserve(PIECE);
        if looking.is_some() {
            let socket = self.unwatched()?;
            while let Some(looking) = looking.as_mut()
                && looking.goes_on()
            {
                match read(&*socket, spare_capacity(to)) {
                    Ok(read) => return Ok(read),
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
                // Whoever else wants this core gets it, and now and then what else this thread has to do is done.
                thread::yield_now();
                if looking.lets_others_go() {
                    task::yield_now().await;
                }
            }
            *looking = None;
        }
        self.watched()?.read_buf(to).await
    }

    fn watched(&mut self) -> io::Result<&mut Watched> {
        *self = match mem::take(self) {
            Self::Unwatched(socket) => Self::Watched(Watched::from_std(socket)?),
            same @ (Self::Watched(_) | Self::Lost) => same,
        };
        if let Self::Watched(socket) = self {
            return Ok(socket);
        }
        Err(ErrorKind::NotConnected.into())
    }

    fn unwatched(&mut self) -> io::Result<&mut Unwatched> {
        *self = match mem::take(self) {
            Self::Watched(socket) => Self::Unwatched(socket.into_std()?),
            same @ (Self::Unwatched(_) | Self::Lost) => same,
        };
        if let Self::Unwatched(socket) = self {
            return Ok(socket);
        }
        Err(ErrorKind::NotConnected.into())
    }
}
