//! A lane's HTTP: requests out, answers in, and what a refusal means for the lane.

use std::time::Duration;

use assay_chain::endpoint;
use assay_client::{
    delivery::Refusal,
    protocol::{Address, Digest},
    session::{
        MAX_PRICE_HEADER, MODEL_HEADER, Payment, RECEIPT_HEADER, REQUEST_HEADER, Receipt,
        ReceiptError, SEQUENCE_HEADER, SignedReceipt, Standing, VOUCHER_HEADER, code,
        generate_path, run_path, session_path,
    },
};
use bytes::{Bytes, BytesMut};
use reqwest::{
    Client, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};
use serde::de::DeserializeOwned;

use super::{Asked, Doubt};

mod bounds;

pub use bounds::{Bounds, Deadline};

/// Bytes of a JSON answer, at most.
const JSON_BYTES: usize = 1 << 20;
/// A provider that cannot be connected to in this time is gone.
const CONNECT: Duration = Duration::from_secs(5);
/// For what a worker answers from memory.
const PROMPT: Duration = Duration::from_secs(5);
/// Connections that were not used for so long are closed.
const IDLE: Duration = Duration::from_secs(90);
/// A provider that said it is busy without saying for how long.
const BUSY: Duration = Duration::from_secs(2);
/// Longest that a provider can ask to be left alone for.
const LONGEST_BUSY: Duration = Duration::from_mins(5);

/// What is asked of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Run,
    Generate,
}

/// A request, whichever lane it takes.
#[derive(Clone, Debug)]
pub struct Request {
    pub kind: Kind,
    /// None where only the digest is left: then the answer that was given is asked for.
    pub body: Option<Bytes>,
    pub asked: Asked,
}

impl Request {
    /// A single run on a safetensors file.
    pub fn run(model: Digest, input: Bytes) -> Self {
        Self::new(Kind::Run, "run", model, input)
    }

    /// A generation; the body is a [`assay_client::session::GenerateRequest`] as JSON.
    pub fn generate(model: Digest, body: Bytes) -> Self {
        Self::new(Kind::Generate, "generate", model, body)
    }

    fn new(kind: Kind, word: &str, model: Digest, body: Bytes) -> Self {
        let request = Receipt::request_digest(word, &body);
        Self {
            kind,
            body: Some(body),
            asked: Asked { model, request },
        }
    }

    /// One of before the start, of which the input is not kept.
    pub const fn known(kind: Kind, doubt: &Doubt) -> Self {
        Self {
            kind,
            body: None,
            asked: doubt.asked,
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("{}", chained(.0))]
    Http(#[from] reqwest::Error),
    #[error("it answers more than {0} bytes")]
    TooLong(usize),
    #[error("it gave no answer for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("its answer took longer than {} s", .0.as_secs())]
    Slow(Duration),
    #[error("its address is not public; --allow-private asks it all the same")]
    Private,
    #[error("its answer is not what was asked for: {0}")]
    Garbled(String),
}

impl WireError {
    /// Whether the connection failed, which says nothing about the request.
    pub const fn is_connection(&self) -> bool {
        match self {
            Self::Http(_) => true,
            Self::TooLong(_)
            | Self::Silent(_)
            | Self::Slow(_)
            | Self::Private
            | Self::Garbled(_) => false,
        }
    }
}

/// What a refusal means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request itself is at fault; costs nothing.
    Unfit(String),
    /// Not now; costs nothing. Leave the provider alone for so long.
    Busy(Duration, String),
    /// Its offer has changed; costs nothing.
    OfferChanged(String),
    /// It sees too small a deposit; costs nothing.
    Deposit(String),
    /// The session is about to end; costs nothing.
    Closing(String),
    /// It does not know the session (yet); costs nothing.
    Unknown(String),
    /// The two sides count differently.
    Count(String),
    /// The request before, broken off, has not ended there yet.
    UnderWay(String),
    /// It does not take this session's vouchers.
    Invalid(String),
    /// It failed, and whether it charges is open.
    Doubtful(String),
}

/// The client that all lanes share; connections are kept.
#[derive(Clone, Debug)]
pub struct Wire {
    http: Client,
    bounds: Bounds,
}

impl Wire {
    /// # Errors
    /// When TLS cannot be set up on this machine.
    pub fn new(bounds: Bounds) -> Result<Self, WireError> {
        let http = endpoint::http(bounds.allow_private)
            .connect_timeout(CONNECT)
            .read_timeout(bounds.patience)
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("assay-gateway/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, bounds })
    }

    /// When an answer of at most so many tokens that begins now must have ended.
    pub fn deadline(&self, tokens: u64) -> Deadline {
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        let limit = self.bounds.token.saturating_mul(tokens);
        Deadline::after(limit.saturating_add(self.bounds.answer))
    }

    /// An address at which a provider may be asked.
    fn allowed(&self, endpoint: &str) -> Result<(), WireError> {
        if self.bounds.allow_private || endpoint::may_be_public(endpoint) {
            Ok(())
        } else {
            Err(WireError::Private)
        }
    }

    /// Sends a request with its voucher.
    ///
    /// # Errors
    /// When no answer begins.
    pub async fn send(
        &self,
        endpoint: &str,
        session: &Address,
        request: &Request,
        doubt: &Doubt,
        payment: &Payment,
    ) -> Result<Response, WireError> {
        self.allowed(endpoint)?;
        let (path, content) = match request.kind {
            Kind::Run => (run_path(session), "application/octet-stream"),
            Kind::Generate => (generate_path(session), "application/json"),
        };
        let sending = self
            .http
            .post(format!("{endpoint}{path}"))
            .header(CONTENT_TYPE, content)
            .header(MODEL_HEADER, hex::encode(request.asked.model.0))
            .header(SEQUENCE_HEADER, doubt.sequence)
            .header(VOUCHER_HEADER, payment.to_header())
            .header(MAX_PRICE_HEADER, doubt.max_price);
        let sending = match &request.body {
            Some(body) => sending.body(body.clone()),
            None => sending.header(REQUEST_HEADER, hex::encode(request.asked.request.0)),
        };
        match tokio::time::timeout(self.bounds.patience, sending.send()).await {
            Ok(sent) => Ok(sent?),
            Err(_) => Err(WireError::Silent(self.bounds.patience)),
        }
    }

    /// How a session stands with its worker.
    ///
    /// # Errors
    /// When the worker does not say.
    pub async fn standing(&self, endpoint: &str, session: &Address) -> Result<Standing, WireError> {
        self.json(endpoint, &session_path(session)).await
    }

    /// A JSON answer to a question that costs nothing.
    ///
    /// # Errors
    /// When there is none in time, or it is too long or malformed.
    pub async fn json<T: DeserializeOwned>(
        &self,
        endpoint: &str,
        path: &str,
    ) -> Result<T, WireError> {
        self.allowed(endpoint)?;
        let asking = async {
            let response = self.http.get(format!("{endpoint}{path}")).send().await?;
            let status = response.status();
            let body = collect(response, JSON_BYTES).await?;
            if status != StatusCode::OK {
                return Err(WireError::Garbled(refusal_text(status, &body)));
            }
            serde_json::from_slice(&body).map_err(|error| WireError::Garbled(error.to_string()))
        };
        tokio::time::timeout(PROMPT, asking)
            .await
            .map_err(|_| WireError::Silent(PROMPT))?
    }

    /// The whole body of an answer.
    ///
    /// # Errors
    /// When it breaks off, is too long or takes too long.
    pub async fn whole(&self, response: Response) -> Result<Bytes, WireError> {
        let collecting = collect(response, self.bounds.max_answer);
        self.deadline(0).hold(collecting).await
    }
}

async fn collect(mut response: Response, limit: usize) -> Result<Bytes, WireError> {
    let Some(first) = response.chunk().await? else {
        return Ok(Bytes::new());
    };
    // Short answers come in one piece and are not copied.
    let mut whole = first;
    let mut rest = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if rest.is_empty() {
            rest = BytesMut::from(std::mem::take(&mut whole));
        }
        rest.extend_from_slice(&chunk);
        if rest.len() > limit {
            return Err(WireError::TooLong(limit));
        }
    }
    if rest.is_empty() {
        rest = BytesMut::from(whole);
    }
    if rest.len() > limit {
        return Err(WireError::TooLong(limit));
    }
    Ok(rest.freeze())
}

/// The receipt of an answer's header; none where the header is missing.
pub fn receipt(headers: &HeaderMap) -> Option<Result<SignedReceipt, ReceiptError>> {
    let value = headers.get(RECEIPT_HEADER)?;
    Some(match value.to_str() {
        Ok(text) => SignedReceipt::from_header(text),
        Err(_) => Err(ReceiptError::Malformed),
    })
}

/// What an answer that is no 200 means.
pub fn verdict(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Verdict {
    let text = refusal_text(status, body);
    let Ok(refusal) = serde_json::from_slice::<Refusal>(body) else {
        // Whoever said this, perhaps a proxy in between, is not the worker.
        return Verdict::Doubtful(text);
    };
    match refusal.error.as_str() {
        code::INPUT_MISMATCH => Verdict::Unfit(cut(&refusal.message)),
        code::BUSY | code::DRAINING | code::LOST_RUNS => Verdict::Busy(retry_after(headers), text),
        code::MODEL_NOT_SERVED | code::PRICE_ABOVE_LIMIT => Verdict::OfferChanged(text),
        code::DEPOSIT_TOO_SMALL => Verdict::Deposit(text),
        code::SESSION_CLOSING => Verdict::Closing(text),
        code::SESSION_UNKNOWN => Verdict::Unknown(text),
        code::PAYMENT_REQUIRED | code::SEQUENCE_MISMATCH => Verdict::Count(text),
        code::REQUEST_UNDER_WAY => Verdict::UnderWay(text),
        code::VOUCHER_INVALID => Verdict::Invalid(text),
        _ if status == StatusCode::PAYLOAD_TOO_LARGE => Verdict::Unfit(cut(&refusal.message)),
        _ => Verdict::Doubtful(text),
    }
}

fn retry_after(headers: &HeaderMap) -> Duration {
    headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map_or(BUSY, Duration::from_secs)
        .min(LONGEST_BUSY)
}

/// A refusal in a line.
pub fn refusal_text(status: StatusCode, body: &[u8]) -> String {
    let words = serde_json::from_slice::<Refusal>(body).map_or_else(
        |_| format!("HTTP {status}"),
        |refusal| format!("{} ({})", refusal.message, refusal.error),
    );
    cut(&words)
}

/// A stranger's text as a line, cut short.
pub fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// An error with its causes, which reqwest leaves out of its own text.
fn chained(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
