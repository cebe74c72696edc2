//! What must be true on chain before work is taken, and what to do where it is not.

use std::time::Duration;

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
    /// Whether the journal holds jobs or audits that have not ended: then what the chain must show is less.
    pub owes: bool,
}

/// Longest pause between two tries, by doubling.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The account, once the chain answers: after a power cut this machine is up before its network. Whatever else is
/// wrong is an error at once. `pause`: after the first try.
pub async fn wait<C: Chain>(
    chain: &C,
    expected: &Expected<'_>,
    mut pause: Duration,
) -> Result<ProviderData, StartupError> {
    loop {
        match check(chain, expected).await {
            Err(StartupError::Chain(error)) => {
                let seconds = pause.as_secs_f64();
                tracing::warn!(%error, seconds, "waiting for an RPC endpoint that answers; see chain.rpc");
            }
            ended => return ended,
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

async fn check<C: Chain>(chain: &C, expected: &Expected<'_>) -> Result<ProviderData, StartupError> {
    let Expected {
        authority,
        operator,
        public_url,
        owes,
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
        let wrong = StartupError::Endpoint {
            registered,
            configured,
        };
        unless_owed(wrong, owes)?;
    }
    let lamports = chain.balance(&operator).await?;
    if lamports < LEAST_BALANCE {
        unless_owed(StartupError::Balance { operator, lamports }, owes)?;
    }
    if provider.stake == 0 {
        tracing::warn!(
            "the provider has no stake; jobs with collateral cannot be claimed: assay stake deposit <SOL>"
        );
    }
    Ok(provider)
}

/// What keeps others from this worker, or it from new work, keeps it from no reveal that it owes: a warning then.
fn unless_owed(wrong: StartupError, owes: bool) -> Result<(), StartupError> {
    if !owes {
        return Err(wrong);
    }
    tracing::warn!(reason = %wrong, "started all the same: jobs or audits have not ended");
    Ok(())
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
    use assay_client::{PROGRAM_ID, account::encode, protocol::LAYOUT_VERSION};
    use bytemuck::Zeroable;

    use super::*;
    use crate::chain::fake::{Account, Node, Trouble, chain};

    const AUTHORITY: Address = Address::new_from_array([1; 32]);
    const OPERATOR: Address = Address::new_from_array([2; 32]);
    const PAUSE: Duration = Duration::from_millis(20);

    fn expected(public_url: &str, owes: bool) -> Expected<'_> {
        Expected {
            authority: AUTHORITY,
            operator: OPERATOR,
            public_url,
            owes,
        }
    }

    /// With a provider whose operator has so many lamports, and whose endpoint is the empty one.
    async fn node(lamports: u64) -> Node {
        let provider = ProviderData {
            version: LAYOUT_VERSION,
            operator: OPERATOR,
            ..ProviderData::zeroed()
        };
        let account = |owner, lamports, data| Account {
            owner,
            lamports,
            data,
            executable: false,
        };
        let node = Node::start().await;
        node.world().accounts.extend([
            (
                address::provider(&AUTHORITY),
                account(PROGRAM_ID, 1, encode(&provider)),
            ),
            (OPERATOR, account(Address::default(), lamports, Vec::new())),
        ]);
        node
    }

    #[tokio::test]
    async fn start_without_a_network_waits_for_the_chain() {
        let node = node(LEAST_BALANCE).await;
        node.trouble("", Trouble::Status(502));
        let chain = chain(&[&node]);
        let expected = expected("", false);
        let mut starting = std::pin::pin!(wait(&chain, &expected, PAUSE));
        let asked_twice = async {
            while node.count("getGenesisHash") < 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            ended = &mut starting => assert!(ended.is_ok(), "it gave up"),
            () = asked_twice => {}
        }
        node.mend();
        assert_eq!(starting.await.unwrap().operator, OPERATOR);
    }

    #[tokio::test]
    async fn poor_operator_and_another_endpoint_stop_a_worker_that_owes_nothing() {
        let poor = chain(&[&node(LEAST_BALANCE - 1).await]);
        let refused = wait(&poor, &expected("", false), PAUSE).await;
        assert!(matches!(refused, Err(StartupError::Balance { .. })));
        let moved = expected("https://moved.example", false);
        let refused = wait(&poor, &moved, PAUSE).await;
        assert!(matches!(refused, Err(StartupError::Endpoint { .. })));
        let moved = expected("https://moved.example", true);
        wait(&poor, &moved, PAUSE).await.unwrap();
    }

    #[tokio::test]
    async fn wrong_key_stops_a_worker_whatever_it_owes() {
        let chain = chain(&[&node(LEAST_BALANCE).await]);
        let other = Expected {
            operator: AUTHORITY,
            ..expected("", true)
        };
        let refused = wait(&chain, &other, PAUSE).await;
        assert!(matches!(refused, Err(StartupError::Operator { .. })));
    }

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
