//! An answer that was given before, as it is in memory.

use assay_client::{
    protocol::Digest,
    session::{Finish, Token},
};
use axum::response::Response;

use super::{Failure, generate, run};
use crate::{
    chain::Chain,
    sessions::{
        answers::Answer,
        core::{Answered, Refused},
        request::Request,
    },
};

/// For a requester that knows no more of its request than the digest: one that was killed before the answer came.
pub async fn answer<C: Chain>(
    mut request: Request<C>,
    digest: Digest,
) -> Result<Response, Failure> {
    if !request.is_retry() {
        let text = "no request of this number was answered yet; send it whole";
        return Err(Failure::malformed(text));
    }
    request.admit(digest, None, None).await?;
    let Some((last, former)) = request.former() else {
        return Err(Refused::Unknown.into());
    };
    let former = former.or_else(|| nothing(last));
    let sequence = last.receipt.receipt.sequence;
    given(last, &former.ok_or(Refused::NotKept { sequence })?)
}

/// The answer with its receipt.
pub fn given(last: Answered, former: &Answer) -> Result<Response, Failure> {
    match former {
        Answer::Tokens { tokens, finish } => generate::lines(tokens, *finish, last),
        Answer::Body { status, bytes } => Ok(run::response(*status, bytes.clone(), &last.receipt)),
    }
}

/// A generation of which nothing was shown is known without being kept.
pub fn nothing(last: Answered) -> Option<Answer> {
    let shown: &[Token] = &[];
    let is_empty = last.receipt.receipt.response == generate::response_digest(shown);
    is_empty.then(|| Answer::Tokens {
        tokens: shown.into(),
        finish: Finish::Length,
    })
}
