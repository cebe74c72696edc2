//! The host's end of the pipe where there are no sockets: two pipes, always waited for asleep.

use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Join},
    process::{ChildStdin, ChildStdout},
};

use crate::host::cores::Looking;

pub struct Pipes(Join<ChildStdout, ChildStdin>);

impl Pipes {
    pub fn new(responses: ChildStdout, requests: ChildStdin) -> Self {
        Self(tokio::io::join(responses, requests))
    }

    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await?;
        self.0.flush().await
    }

    /// Appends what arrives next; 0 bytes at the end.
    pub async fn read(
        &mut self,
        to: &mut Vec<u8>,
        _: &mut Option<Looking<'_>>,
    ) -> io::Result<usize> {
        self.0.read_buf(to).await
    }
}
