//! What must be true on chain before work is taken, and what to do where it is not.

use assay_client::{
    address,
    protocol::{Address, ProviderData, text},
};

use crate::chain::{Chain, ChainError};

#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(
        "{authority} has no provider account; register one with its key:\n  \
         assay provider register --operator {operator} --endpoint {endpoint}\n  assay stake deposit <SOL>"
    )]
    NoProvider {
        authority: Address,
        operator: Address,
        endpoint: String,
    },
    #[error(
        "the provider's operator is {registered}, and this worker's key is {operator}; point `operator` to the \
         other key, or change it with the authority's key:\n  assay provider update --operator {operator}"
    )]
    Operator {
        registered: Address,
        operator: Address,
    },
    #[error(
        "the provider's endpoint is {registered:?}, and api.public_url is {configured:?}: requesters would not \
         find this worker; correct the setting, or with the authority's key:\n  \
         assay provider update --endpoint {configured}"
    )]
    Endpoint {
        registered: String,
        configured: String,
    },
    #[error(
        "the operator {operator} has {lamports} lamports and cannot pay fees; with the authority's key:\n  \
         assay provider fund 0.05"
    )]
    Balance { operator: Address, lamports: u64 },
}

/// Lamports without which not even a handful of transactions can be paid.
const LEAST_BALANCE: u64 = 100_000;

/// Who this worker is, and where it says that it can be reached.
pub struct Expected<'a> {
    pub authority: Address,
    pub operator: Address,
    pub public_url: &'a str,
}

pub async fn check<C: Chain>(
    chain: &C,
    expected: &Expected<'_>,
) -> Result<ProviderData, StartupError> {
    let Expected {
        authority,
        operator,
        public_url,
    } = *expected;
    let account = chain.provider(&address::provider(&authority)).await?;
    let provider = account.ok_or_else(|| StartupError::NoProvider {
        authority,
        operator,
        endpoint: public_url.to_owned(),
    })?;
    if provider.operator != operator {
        return Err(StartupError::Operator {
            registered: provider.operator,
            operator,
        });
    }
    let registered = text::read(&provider.endpoint, provider.endpoint_len);
    if registered.trim_end_matches('/') != public_url.trim_end_matches('/') {
        let (registered, configured) = (registered.to_owned(), public_url.to_owned());
        return Err(StartupError::Endpoint {
            registered,
            configured,
        });
    }
    let lamports = chain.balance(&operator).await?;
    if lamports < LEAST_BALANCE {
        return Err(StartupError::Balance { operator, lamports });
    }
    if provider.stake == 0 {
        tracing::warn!(
            "the provider has no stake; jobs with collateral cannot be claimed: assay stake deposit <SOL>"
        );
    }
    Ok(provider)
}
