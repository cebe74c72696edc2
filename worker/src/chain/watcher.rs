//! Hints from a websocket: jobs as they change, moments before the next reading would show it.
//!
//! The stream may die silently, repeat itself or miss accounts; nothing depends on it.

use std::time::Duration;

use assay_client::{
    PROGRAM_ID, filter,
    protocol::{Address, JobData},
};
use futures_util::StreamExt;
use solana_account_decoder_client_types::UiAccountEncoding;
use solana_client::{
    rpc_config::{RpcAccountInfoConfig, RpcProgramAccountsConfig},
    rpc_filter::{Memcmp, RpcFilterType},
};
use solana_commitment_config::CommitmentConfig;
use solana_pubsub_client::nonblocking::pubsub_client::PubsubClient;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::rpc::job_account;

/// Longest pause between two tries to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A stream this long without a word is opened anew: it may be dead without saying so.
const SILENCE: Duration = Duration::from_secs(120);

/// Passes on every change of a job until cancelled.
pub async fn watch(url: String, jobs: mpsc::Sender<(Address, JobData)>, stop: CancellationToken) {
    let mut pause = Duration::from_secs(1);
    while !stop.is_cancelled() {
        match stop.run_until_cancelled(listen(&url, &jobs)).await {
            None | Some(Listened::NobodyListens) => return,
            Some(Listened::Heard) => pause = Duration::from_secs(1),
            Some(Listened::Failed(error)) => {
                tracing::debug!(error, "the websocket is not available; polling goes on");
                crate::metrics::websocket_failure();
            }
        }
        stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

enum Listened {
    Heard,
    NobodyListens,
    Failed(String),
}

async fn listen(url: &str, jobs: &mpsc::Sender<(Address, JobData)>) -> Listened {
    let client = match tokio::time::timeout(LONGEST_PAUSE, PubsubClient::new(url)).await {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => return Listened::Failed(error.to_string()),
        Err(_) => return Listened::Failed("no connection in time".into()),
    };
    let subscribed = client.program_subscribe(&PROGRAM_ID, Some(config())).await;
    let mut stream = match subscribed {
        Ok((stream, _)) => stream,
        Err(error) => return Listened::Failed(error.to_string()),
    };
    let mut heard = false;
    while let Ok(Some(notification)) = tokio::time::timeout(SILENCE, stream.next()).await {
        heard = true;
        if let Some(job) = job_account(&notification.value)
            && jobs.send(job).await.is_err()
        {
            return Listened::NobodyListens;
        }
    }
    if heard {
        Listened::Heard
    } else {
        Listened::Failed("the stream ended without a word".into())
    }
}

fn config() -> RpcProgramAccountsConfig {
    let filters = filter::accounts::<JobData>()
        .into_iter()
        .map(|filter| match filter {
            filter::Filter::Size(size) => RpcFilterType::DataSize(size),
            filter::Filter::Bytes { offset, bytes } => {
                RpcFilterType::Memcmp(Memcmp::new_base58_encoded(offset, &bytes))
            }
        })
        .collect();
    RpcProgramAccountsConfig {
        filters: Some(filters),
        account_config: RpcAccountInfoConfig {
            encoding: Some(UiAccountEncoding::Base64),
            commitment: Some(CommitmentConfig::confirmed()),
            ..RpcAccountInfoConfig::default()
        },
        ..RpcProgramAccountsConfig::default()
    }
}
