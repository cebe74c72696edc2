//! Downloads: in pieces, several at once, where the server knows ranges; else in one go. What came
//! before a connection broke is not asked for again.

use futures_util::{StreamExt, TryStreamExt as _, stream};
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_RANGE, RANGE},
};
use url::Url;

use super::{
    FetchError,
    cache::{PIECE_BYTES, Partial},
    check_size, named, network,
    transfers::Ticket,
};

pub(super) struct Downloader {
    client: reqwest::Client,
    connections: usize,
}

/// One source of one file.
struct Download<'a> {
    client: &'a reqwest::Client,
    source: &'a Url,
    partial: &'a Partial<'a>,
    ticket: &'a Ticket,
}

impl Downloader {
    pub fn new(client: reqwest::Client, connections: usize) -> Self {
        Self {
            client,
            connections: connections.max(1),
        }
    }

    /// Fetches what is missing and gives the file its name. Bytes of an earlier try, which other
    /// sources may have sent, are not held against this one: if they were wrong, it is asked for
    /// everything.
    pub async fn fetch(
        &self,
        source: &Url,
        partial: &Partial<'_>,
        ticket: &Ticket,
    ) -> Result<(), FetchError> {
        let download = Download {
            client: &self.client,
            source,
            partial,
            ticket,
        };
        let resumed = partial.is_resumed();
        download.missing_pieces(self.connections).await?;
        match partial.finish() {
            Err(error @ super::CacheError::Digest { .. }) if resumed => {
                tracing::info!(%error, "what had come before was wrong; fetching all of it again");
                download.missing_pieces(self.connections).await?;
                partial.finish()
            }
            finished => finished,
        }
        .map_err(|error| named(source, error))
    }
}

impl Download<'_> {
    async fn missing_pieces(&self, connections: usize) -> Result<(), FetchError> {
        self.ticket.has(self.partial.received());
        let mut missing = self.partial.missing().into_iter();
        let Some(first) = missing.next() else {
            return Ok(());
        };
        if self.partial.size() <= PIECE_BYTES {
            let response = self.ask(None).await?;
            return self.whole(response).await;
        }
        let response = self.ask(Some(first)).await?;
        if response.status() != StatusCode::PARTIAL_CONTENT {
            return self.whole(response).await;
        }
        self.piece(first, response).await?;
        stream::iter(missing.map(Ok))
            .try_for_each_concurrent(connections, |piece| async move {
                let response = self.ask(Some(piece)).await?;
                if response.status() == StatusCode::PARTIAL_CONTENT {
                    self.piece(piece, response).await
                } else {
                    Err(self.failed("the server knows ranges no longer".into()))
                }
            })
            .await
    }

    /// A successful answer, for all or for a piece.
    async fn ask(&self, piece: Option<usize>) -> Result<Response, FetchError> {
        let mut request = self.client.get(self.source.clone());
        if let Some(piece) = piece {
            let range = self.partial.range(piece);
            let last = range.end.saturating_sub(1);
            request = request.header(RANGE, format!("bytes={}-{last}", range.start));
        }
        let response = request.send().await.map_err(|error| self.network(&error))?;
        if !response.status().is_success() {
            // Redirects too: a redirect could lead where the uri itself must not.
            return Err(self.failed(format!("the server answered {}", response.status())));
        }
        Ok(response)
    }

    async fn piece(&self, piece: usize, response: Response) -> Result<(), FetchError> {
        let range = self.partial.range(piece);
        let (from, total) = content_range(&response)
            .ok_or_else(|| self.failed("it does not say which range it answers".into()))?;
        if from != range.start {
            return Err(self.failed(format!("it answers from byte {from}, not {}", range.start)));
        }
        if let Some(total) = total {
            check_size(self.source, total, self.partial.size())?;
        }
        let mut at = range.start;
        let mut body = response.bytes_stream();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| self.network(&error))?;
            let next = at.saturating_add(length(&chunk));
            if next > range.end {
                return Err(
                    self.failed("it sends more than the range that it was asked for".into())
                );
            }
            self.take(at, &chunk)?;
            at = next;
        }
        if at < range.end {
            return Err(self.failed(format!("it ended {} bytes early", range.end - at)));
        }
        self.done(piece)
    }

    /// An answer with the whole file, from its beginning.
    async fn whole(&self, response: Response) -> Result<(), FetchError> {
        let size = self.partial.size();
        if response.status() != StatusCode::OK {
            return Err(self.failed(format!("the server answered {}", response.status())));
        }
        if let Some(announced) = response.content_length() {
            check_size(self.source, announced, size)?;
        }
        self.ticket.has(0);
        let mut at = 0_u64;
        let mut body = response.bytes_stream();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| self.network(&error))?;
            let next = at.saturating_add(length(&chunk));
            if next > size {
                check_size(self.source, next, size)?;
            }
            self.take(at, &chunk)?;
            for piece in self.partial.piece_at(at)..self.partial.piece_at(next) {
                self.done(piece)?;
            }
            at = next;
        }
        check_size(self.source, at, size)?;
        for piece in self.partial.missing() {
            self.done(piece)?;
        }
        Ok(())
    }

    fn take(&self, at: u64, bytes: &[u8]) -> Result<(), FetchError> {
        self.ticket.got(length(bytes));
        let written = self.partial.write(at, bytes);
        written.map_err(|error| named(self.source, error))
    }

    fn done(&self, piece: usize) -> Result<(), FetchError> {
        let done = self.partial.done(piece);
        done.map_err(|error| named(self.source, error))
    }

    fn network(&self, error: &reqwest::Error) -> FetchError {
        self.failed(network::reason(error))
    }

    fn failed(&self, reason: String) -> FetchError {
        FetchError::Network {
            uri: self.source.to_string(),
            reason,
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// First byte and, where it is known, the size of the whole: `bytes 0-9/100`.
fn content_range(response: &Response) -> Option<(u64, Option<u64>)> {
    let text = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (from, _) = range.split_once('-')?;
    Some((from.parse().ok()?, total.parse().ok()))
}
