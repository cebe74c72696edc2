use solana_client::client_error::ClientError;
use solana_sdk::{pubkey::Pubkey, transaction::TransactionError};

/// Why a program was not deployed. What was written so far is kept: the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    #[error(
        "the file has {length} bytes and is not an ELF shared object; build it with `make program`"
    )]
    NotAnElf { length: usize },

    #[error(
        "{address} holds {found}, not a program of the upgradeable loader; use another program id"
    )]
    NotAProgram { address: Pubkey, found: String },

    #[error(
        "the first deployment needs the secret key of the program id, and none was given for {address}"
    )]
    NoProgramKey { address: Pubkey },

    #[error(
        "the program {address} is final: its upgrade authority was given up, nobody can change it"
    )]
    Final { address: Pubkey },

    #[error("the program {address} can be upgraded by {found} only, not by {given}; use that key")]
    WrongAuthority {
        address: Pubkey,
        found: Pubkey,
        given: Pubkey,
    },

    #[error(
        "{payer} has {balance} lamports and the deployment needs {needed}; \
         send it {} more (on devnet: `solana airdrop`)", needed.saturating_sub(*balance)
    )]
    TooPoor {
        payer: Pubkey,
        balance: u64,
        needed: u64,
    },

    #[error("no free buffer address for this file in {tries} tries; deploy with another payer")]
    NoBuffer { tries: u8 },

    #[error("the transaction to {purpose} failed: {source}{}", shown(logs))]
    Failed {
        purpose: &'static str,
        source: TransactionError,
        logs: Vec<String>,
    },

    #[error(
        "the transaction to {purpose} did not land before its blockhash expired, {rounds} times; \
         the cluster is busy: run it again (it goes on where it stopped) or offer a higher priority fee"
    )]
    Expired { purpose: &'static str, rounds: u32 },

    #[error("the cluster holds other bytes than the file after the deployment; run it again")]
    NotVerified,

    #[error("the instruction to {purpose} cannot be encoded: {reason}")]
    Encode {
        purpose: &'static str,
        reason: String,
    },

    #[error("the cluster did not answer {request}: {source}; check the URL and that it is up")]
    Rpc {
        request: &'static str,
        source: Box<ClientError>,
    },
}

impl DeployError {
    pub(super) fn rpc(request: &'static str, source: ClientError) -> Self {
        Self::Rpc {
            request,
            source: Box::new(source),
        }
    }
}

fn shown(logs: &[String]) -> String {
    logs.iter().map(|line| format!("\n  {line}")).collect()
}
