use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use solana_client::{rpc_client::RpcClient, rpc_request::RpcRequest};
use solana_commitment_config::CommitmentConfig;
use solana_keypair::Keypair;
use solana_sdk::pubkey::Pubkey;
use solana_sdk_ids::sysvar;
use solana_signer::Signer;

use crate::{
    LocalnetError,
    chain::Chain,
    deploy::{self, Deployment, Outcome, Progress},
};

/// Enough to deploy several programs of the largest size.
const AUTHORITY_LAMPORTS: u64 = 1_000_000_000_000;

/// How the chain produces blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlotMode {
    /// A block every 400 ms, so that chain time passes as it does on a cluster.
    #[default]
    Clock,
    /// Blocks come only with transactions, some 30 ms of chain time for each; in between time stands still until a
    /// test moves it.
    PerTransaction,
}

/// A program to deploy when the chain starts.
#[derive(Debug)]
pub struct ProgramSource {
    pub elf: PathBuf,
    /// The secret key of the program id.
    pub program: Keypair,
    /// Becomes the upgrade authority; it is funded and pays for the deployment.
    pub authority: Keypair,
}

#[derive(Debug, Default)]
pub struct LocalnetConfig {
    /// HTTP port on the loopback interface; `None` or 0 takes a free one.
    pub port: Option<u16>,
    /// Websocket port; `None` or 0 takes the one after `port`, where Solana's clients look for it.
    pub ws_port: Option<u16>,
    pub slots: SlotMode,
    pub program: Option<ProgramSource>,
    /// Wallets and the lamports that each starts with.
    pub funded: Vec<(Pubkey, u64)>,
}

/// The chain's own clock, which programs see; it drifts from the wall clock and jumps when told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainTime {
    pub slot: u64,
    pub unix_seconds: i64,
}

/// A running local chain. Dropping it stops it and frees its ports.
pub struct Localnet {
    chain: Chain,
    rpc: RpcClient,
}

impl Localnet {
    /// Starts the chain, funds the wallets and deploys the program.
    ///
    /// # Errors
    /// When a port is taken, the program file is missing, or the chain refuses a step; nothing keeps running then.
    pub fn start(config: &LocalnetConfig) -> Result<Self, LocalnetError> {
        let chain = Chain::start(config.port, config.ws_port, config.slots)?;
        let url = format!("http://127.0.0.1:{}", chain.ports.rpc);
        let rpc = RpcClient::new_with_commitment(url, CommitmentConfig::confirmed());
        let localnet = Self { chain, rpc };
        for (address, lamports) in &config.funded {
            localnet.fund(address, *lamports)?;
        }
        if let Some(program) = &config.program {
            localnet.fund_authority(program)?;
            localnet.deploy(program, &mut |_| ())?;
        }
        Ok(localnet)
    }

    #[must_use]
    pub fn rpc_url(&self) -> String {
        self.rpc.url()
    }

    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.chain.ports.ws)
    }

    /// A client at the `confirmed` commitment.
    #[must_use]
    pub fn rpc(&self) -> &RpcClient {
        &self.rpc
    }

    /// Deploys or upgrades; the authority pays and must have been funded.
    ///
    /// # Errors
    /// When the file cannot be read or the loader refuses it.
    pub fn deploy(
        &self,
        program: &ProgramSource,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Outcome, LocalnetError> {
        let elf = read_elf(&program.elf)?;
        let deployment = Deployment {
            elf: &elf,
            program_id: program.program.pubkey(),
            program_key: Some(&program.program),
            authority: &program.authority,
            payer: &program.authority,
            compute_unit_price: 0,
        };
        Ok(deploy::deploy(&self.rpc, &deployment, progress)?)
    }

    pub(crate) fn fund_authority(&self, program: &ProgramSource) -> Result<(), LocalnetError> {
        self.fund(&program.authority.pubkey(), AUTHORITY_LAMPORTS)
    }

    /// Adds lamports to a wallet.
    ///
    /// # Errors
    /// When the wallet would be left below the rent minimum.
    pub fn fund(&self, address: &Pubkey, lamports: u64) -> Result<(), LocalnetError> {
        let refused = |reason: String| LocalnetError::Fund {
            address: *address,
            lamports,
            reason,
        };
        let before = self.balance(address)?;
        self.rpc
            .request_airdrop(address, lamports)
            .map_err(|error| refused(error.to_string()))?;
        let after = self.balance(address)?;
        if after.checked_sub(before) == Some(lamports) {
            Ok(())
        } else {
            Err(refused(format!(
                "the balance went from {before} to {after}"
            )))
        }
    }

    /// What the program's Clock says now.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub fn time(&self) -> Result<ChainTime, LocalnetError> {
        let account = self
            .rpc
            .get_account_with_commitment(&sysvar::clock::ID, CommitmentConfig::processed())
            .map_err(|error| rpc_error("getAccountInfo", error))?
            .value
            .ok_or_else(|| rpc_error("getAccountInfo", "the Clock account is missing"))?;
        clock(&account.data)
            .ok_or_else(|| rpc_error("getAccountInfo", "the Clock account is too short"))
    }

    /// Moves the chain forward to a unix second, and its slot number by what lies between.
    ///
    /// # Errors
    /// When the target is in the chain's past.
    pub fn time_travel_to(&self, unix_seconds: i64) -> Result<ChainTime, LocalnetError> {
        let now = self.time()?.unix_seconds;
        let milliseconds = u64::try_from(unix_seconds)
            .ok()
            .filter(|_| unix_seconds >= now)
            .and_then(|seconds| seconds.checked_mul(1_000))
            .ok_or(LocalnetError::TimeTravelBackwards {
                now,
                target: unix_seconds,
            })?;
        let request = RpcRequest::Custom {
            method: "surfnet_timeTravel",
        };
        self.rpc
            .send::<Value>(request, json!([{ "absoluteTimestamp": milliseconds }]))
            .map_err(|error| rpc_error("surfnet_timeTravel", error))?;
        self.time()
    }

    /// Moves the chain forward by this many seconds.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub fn time_travel_by(&self, seconds: u32) -> Result<ChainTime, LocalnetError> {
        let now = self.time()?.unix_seconds;
        self.time_travel_to(now.saturating_add(i64::from(seconds)))
    }

    fn balance(&self, address: &Pubkey) -> Result<u64, LocalnetError> {
        self.rpc
            .get_balance_with_commitment(address, CommitmentConfig::processed())
            .map(|response| response.value)
            .map_err(|error| rpc_error("getBalance", error))
    }
}

fn read_elf(path: &Path) -> Result<Vec<u8>, LocalnetError> {
    fs::read(path).map_err(|source| LocalnetError::ProgramFile {
        path: path.to_owned(),
        source,
    })
}

/// Five words: slot, start of the epoch, epoch, epoch of the leader schedule, unix seconds.
fn clock(data: &[u8]) -> Option<ChainTime> {
    let slot = u64::from_le_bytes(*data.first_chunk()?);
    let unix_seconds = i64::from_le_bytes(*data.get(32..)?.first_chunk()?);
    Some(ChainTime { slot, unix_seconds })
}

fn rpc_error(request: &'static str, reason: impl ToString) -> LocalnetError {
    LocalnetError::Rpc {
        request,
        reason: reason.to_string(),
    }
}
