//! The pipe to one engine: a request goes out, its response comes back.

use std::io;

use super::cores::Looking;
use crate::frame::{self, PREAMBLE, Request, Response};

#[cfg(not(unix))]
pub use pipes::Pipes as Stream;
#[cfg(unix)]
pub use socket::Socket as Stream;

#[cfg(not(unix))]
mod pipes;
#[cfg(unix)]
mod socket;

/// What is kept of a buffer between two exchanges.
const KEPT: usize = 64 << 10;

pub enum Failure {
    /// The pipe closed: the process ended, or wants to look as if it had.
    Ended,
    Nonsense(String),
}

pub struct Control {
    stream: Stream,
    /// What has arrived of the response; kept to be used again.
    arrived: Vec<u8>,
    max_body: u64,
}

impl Control {
    pub fn new(stream: Stream, max_body: u64) -> Self {
        Self {
            stream,
            arrived: Vec::with_capacity(4_096),
            max_body,
        }
    }

    /// Sends a request and takes its response, which is looked for in a loop as long as that may be.
    pub async fn exchange(
        &mut self,
        request: &Request,
        body: &[u8],
        mut looking: Option<Looking<'_>>,
    ) -> Result<(Response, Vec<u8>), Failure> {
        let head = frame::head(request, body).map_err(nonsense)?;
        let sent = async {
            self.stream.write_all(&head).await?;
            self.stream.write_all(body).await
        };
        let sent: io::Result<()> = sent.await;
        // One that takes nothing may have said something before.
        let response = self.receive(&mut looking).await?;
        sent.map_err(|_| Failure::Ended)?;
        self.arrived.clear();
        self.arrived.shrink_to(KEPT);
        Ok(response)
    }

    async fn receive(
        &mut self,
        looking: &mut Option<Looking<'_>>,
    ) -> Result<(Response, Vec<u8>), Failure> {
        self.fill(PREAMBLE, looking).await?;
        let preamble = self.arrived.first_chunk().ok_or(Failure::Ended)?;
        let (header, body) = frame::lengths(preamble, self.max_body).map_err(Failure::Nonsense)?;
        let size = |length: u64| usize::try_from(length).map_err(nonsense);
        let body_at = PREAMBLE.saturating_add(size(header)?);
        let end = body_at.saturating_add(size(body)?);
        self.fill(end, looking).await?;
        let more = self.arrived.len().saturating_sub(end);
        if more > 0 {
            let reason = format!("{more} bytes that it was not asked for");
            return Err(Failure::Nonsense(reason));
        }
        let header = self.arrived.get(PREAMBLE..body_at).unwrap_or_default();
        let response: Response = serde_json::from_slice(header).map_err(nonsense)?;
        if header.len() > response.longest() {
            let reason = format!("{} bytes of words", header.len());
            return Err(Failure::Nonsense(reason));
        }
        let body = self.arrived.get(body_at..).unwrap_or_default();
        Ok((response, body.to_vec()))
    }

    /// Grows with what arrives, so that an announced length alone costs no memory.
    async fn fill(
        &mut self,
        length: usize,
        looking: &mut Option<Looking<'_>>,
    ) -> Result<(), Failure> {
        while self.arrived.len() < length {
            match self.stream.read(&mut self.arrived, looking).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Err(Failure::Ended),
            }
        }
        Ok(())
    }
}

fn nonsense(error: impl ToString) -> Failure {
    Failure::Nonsense(error.to_string())
}
