//! What must be true on chain before work is taken, and what to do where it is not.

use assay_client::{
    address,
    protocol::{Address, ProviderData, digest::is_zero, text},
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
    #[error("{0}")]
    Class(String),
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

/// Refuses to start for an account that states a runtime class which this machine does not have,
/// unless something is owed: what is claimed or seated goes on to its end, and no more is taken.
pub fn check_class(stated: &[u8; 32], class: &[u8; 32], owes: bool) -> Result<(), StartupError> {
    if is_zero(stated) || stated == class || owes {
        return Ok(());
    }
    Err(StartupError::Class(class_advice(stated, class)))
}

/// What to do where account and machine differ.
pub fn class_advice(stated: &[u8; 32], class: &[u8; 32]) -> String {
    let (stated, class) = (hex::encode(stated), hex::encode(class));
    format!(
        "the provider's runtime class is {stated}, and this machine as set up has {class} (`assay-worker class` tells \
         from which facts); nothing is served under a class that is not true: set up what the class was made of, or \
         with the authority's key (the stake's age starts anew):\n  assay provider update --runtime-class {class}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_that_is_not_this_machines_stops_a_worker_that_owes_nothing() {
        let class = [7; 32];
        for (stated, owes) in [([0; 32], false), (class, false), ([8; 32], true)] {
            check_class(&stated, &class, owes).unwrap();
        }
        let refused = check_class(&[8; 32], &class, false)
            .unwrap_err()
            .to_string();
        let fix = format!("assay provider update --runtime-class {}", "07".repeat(32));
        assert!(refused.contains(&fix), "{refused}");
        assert!(refused.contains(&"08".repeat(32)), "{refused}");
    }
}
