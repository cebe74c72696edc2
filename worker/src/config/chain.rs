//! `[chain]`: which nodes to ask, how often, and what to pay.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    ConfigError,
    check::{invalid, url},
};
use crate::chain::Endpoints;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChainConfig {
    /// RPC endpoints, the preferred one first; the others are asked when it fails.
    pub rpc: Vec<String>,
    /// Websockets, the preferred one first; empty for none.
    pub websocket: Websockets,
    /// The chain's genesis hash; empty for that of the first endpoint that answers.
    pub genesis: String,
    /// Most requests to one endpoint in a second.
    pub requests_per_second: u32,
    /// Between two readings of the chain while something is due, or no websocket is alive.
    pub poll_ms: u64,
    /// The same while a websocket is alive and nothing is due.
    pub idle_poll_ms: u64,
    /// Between two lists of all open and judged jobs while a websocket is alive.
    pub idle_list_ms: u64,
    /// A websocket on which no slot comes for so long is dead.
    pub silence_secs: u64,
    /// How long the only endpoint must insist on a time that jumped until it is believed.
    pub jump_secs: u64,
    /// Longest wait for an answer.
    pub timeout_secs: u64,
    /// Most micro-lamports offered for a compute unit; 0 offers nothing.
    pub max_unit_price: u64,
    /// Which of the recent offers is made, in percent: 50 is the median.
    pub fee_percentile: u8,
    /// Between two looks at transactions under way.
    pub look_ms: u64,
    /// Between two sendings of the same signed bytes.
    pub resend_ms: u64,
}

/// One websocket or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Websockets {
    One(String),
    Several(Vec<String>),
}

impl Default for ChainConfig {
    fn default() -> Self {
        Self {
            rpc: vec!["http://127.0.0.1:8899".into()],
            websocket: Websockets::One("ws://127.0.0.1:8900".into()),
            genesis: String::new(),
            requests_per_second: 20,
            poll_ms: 2_000,
            idle_poll_ms: 8_000,
            idle_list_ms: 60_000,
            silence_secs: 15,
            jump_secs: 20,
            timeout_secs: 30,
            max_unit_price: 100_000,
            fee_percentile: 50,
            look_ms: 500,
            resend_ms: 2_000,
        }
    }
}

impl Websockets {
    /// Their urls; none for the empty word.
    pub fn urls(&self) -> Vec<String> {
        match self {
            Self::One(url) if url.is_empty() => Vec::new(),
            Self::One(url) => vec![url.clone()],
            Self::Several(urls) => urls.clone(),
        }
    }
}

impl ChainConfig {
    /// Whom to ask.
    pub fn endpoints(&self) -> Endpoints {
        Endpoints {
            urls: self.rpc.clone(),
            timeout: Duration::from_secs(self.timeout_secs),
            genesis: self.genesis.clone(),
            per_second: self.requests_per_second,
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.rpc.is_empty() {
            return invalid("chain.rpc", "name at least one RPC endpoint");
        }
        for endpoint in &self.rpc {
            url("chain.rpc", endpoint, &["http", "https"])?;
        }
        for websocket in &self.websocket.urls() {
            url("chain.websocket", websocket, &["ws", "wss"])?;
        }
        let genesis = bs58::decode(&self.genesis).into_vec();
        if !self.genesis.is_empty() && !genesis.is_ok_and(|hash| hash.len() == 32) {
            return invalid(
                "chain.genesis",
                "give a genesis hash in base58, as `solana genesis-hash` prints it, or \"\" for any",
            );
        }
        if self.fee_percentile > 100 {
            return invalid("chain.fee_percentile", "must be at most 100");
        }
        Ok(())
    }

    /// Settings of which none may be zero.
    pub(super) fn positive(&self) -> [(&'static str, u64); 6] {
        [
            (
                "chain.requests_per_second",
                u64::from(self.requests_per_second),
            ),
            ("chain.poll_ms", self.poll_ms),
            ("chain.silence_secs", self.silence_secs),
            ("chain.timeout_secs", self.timeout_secs),
            ("chain.look_ms", self.look_ms),
            ("chain.resend_ms", self.resend_ms),
        ]
    }
}
