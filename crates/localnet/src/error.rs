use std::path::PathBuf;

use solana_sdk::pubkey::Pubkey;

use crate::deploy::DeployError;

/// Why the local chain did not start, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LocalnetError {
    #[error(
        "port {port} for the {server} endpoint of the local chain cannot be bound: {source}; \
         stop what listens there or choose another port"
    )]
    PortTaken {
        port: u16,
        server: &'static str,
        source: std::io::Error,
    },

    #[error(
        "port {port} leaves no port for the websocket endpoint after it; choose one below 65535"
    )]
    PortTooHigh { port: u16 },

    #[error(
        "found no two neighbouring free ports on the loopback interface in {tries} tries; \
         give them explicitly"
    )]
    NoFreePorts { tries: u32 },

    #[error("the local chain did not start: {reason}")]
    Start { reason: String },

    #[error("the program file {} cannot be read: {source}; build it with `make program`", path.display())]
    ProgramFile {
        path: PathBuf,
        source: std::io::Error,
    },

    #[error("the program was not deployed to the local chain: {0}")]
    Deploy(#[from] DeployError),

    #[error(
        "the source declares the program id {address}, whose secret key is not the committed throw-away key; \
         give its keypair file, or go back with `make program-id KEYPAIR=programs/assay/localnet-keypair.json`"
    )]
    ProgramKey { address: Pubkey },

    #[error(
        "the market was not opened: {reason}; the signer must be the program's upgrade authority"
    )]
    OpenMarket { reason: String },

    #[error("{lamports} lamports for {address} were not granted: {reason}")]
    Fund {
        address: Pubkey,
        lamports: u64,
        reason: String,
    },

    #[error(
        "the chain cannot go back from unix second {now} to {target}; \
         start a new chain for an earlier time"
    )]
    TimeTravelBackwards { now: i64, target: i64 },

    #[error("the local chain did not answer as expected to {request}: {reason}")]
    Rpc {
        request: &'static str,
        reason: String,
    },
}
