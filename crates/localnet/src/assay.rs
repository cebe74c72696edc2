//! The chain with the market on it: what `assay localnet` and the end-to-end tests start from.

use std::path::PathBuf;

use assay_client::{
    PROGRAM_ID, account, address,
    instruction::MarketInit,
    protocol::{MarketData, market::MarketParams},
};
use solana_client::rpc_client::RpcClient;
use solana_keypair::Keypair;
use solana_sdk::{pubkey::Pubkey, transaction::Transaction};
use solana_sdk_ids::system_program;
use solana_signer::Signer;

use crate::{Localnet, LocalnetConfig, LocalnetError, ProgramSource, SlotMode, deploy::Progress};

/// The secret key of the program id that the source declares; worth nothing, since anyone can read it here.
const LOCAL_PROGRAM_KEY: &str = include_str!("../../../programs/assay/localnet-keypair.json");

/// A local market.
#[derive(Debug)]
pub struct AssayConfig {
    /// HTTP port on the loopback interface; `None` or 0 takes a free one.
    pub port: Option<u16>,
    /// Websocket port; `None` or 0 takes the one after `port`, where Solana's clients look for it.
    pub ws_port: Option<u16>,
    pub slots: SlotMode,
    /// The program file, as `make program` leaves it.
    pub elf: PathBuf,
    /// The secret key of [`PROGRAM_ID`].
    pub program: Keypair,
    /// Upgrade authority and market authority.
    pub authority: Keypair,
    pub params: MarketParams,
    /// Wallets and the lamports that each starts with.
    pub funded: Vec<(Pubkey, u64)>,
}

impl AssayConfig {
    /// Free ports, the throw-away program key, a new authority and parameters whose windows a person can watch pass.
    ///
    /// # Errors
    /// When the source declares another program id than that of the throw-away key.
    pub fn new(elf: PathBuf) -> Result<Self, LocalnetError> {
        let program = local_program_key().ok_or(LocalnetError::ProgramKey {
            address: PROGRAM_ID,
        })?;
        Ok(Self::with_program(elf, program))
    }

    /// As [`AssayConfig::new`] for a source that declares another id, whose key is given.
    #[must_use]
    pub fn with_program(elf: PathBuf, program: Keypair) -> Self {
        Self {
            port: None,
            ws_port: None,
            slots: SlotMode::default(),
            elf,
            program,
            authority: Keypair::new(),
            params: MarketParams::LOCAL,
            funded: Vec::new(),
        }
    }
}

/// The committed key, if it is still that of the program id.
fn local_program_key() -> Option<Keypair> {
    let bytes: Vec<u8> = serde_json::from_str(LOCAL_PROGRAM_KEY).ok()?;
    Keypair::try_from(bytes.as_slice())
        .ok()
        .filter(|key| key.pubkey() == PROGRAM_ID)
}

impl Localnet {
    /// Starts the chain, deploys the program, opens the market and funds the wallets.
    ///
    /// # Errors
    /// As [`Localnet::start`], and when the program refuses to open the market.
    pub fn start_assay(config: AssayConfig) -> Result<Self, LocalnetError> {
        Self::start_assay_showing(config, &mut |_| ())
    }

    /// As [`Localnet::start_assay`], telling how far the deployment is, which takes the most time.
    ///
    /// # Errors
    /// As [`Localnet::start_assay`].
    pub fn start_assay_showing(
        config: AssayConfig,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, LocalnetError> {
        let AssayConfig {
            port,
            ws_port,
            slots,
            elf,
            program,
            authority,
            params,
            funded,
        } = config;
        let source = ProgramSource {
            elf,
            program,
            authority,
        };
        let localnet = Self::start(&LocalnetConfig {
            port,
            ws_port,
            slots,
            funded,
            program: None,
        })?;
        localnet.fund_authority(&source)?;
        localnet.deploy(&source, progress)?;
        open_market(localnet.rpc(), &source.authority, params)?;
        Ok(localnet)
    }
}

/// Opens the market unless it is there; says whether it was opened now.
///
/// # Errors
/// When the authority is not the program's upgrade authority, or the parameters are out of bounds.
pub fn open_market(
    rpc: &RpcClient,
    authority: &Keypair,
    params: MarketParams,
) -> Result<bool, LocalnetError> {
    if market(rpc)?.is_some() {
        return Ok(false);
    }
    let init = MarketInit {
        payer: authority.pubkey(),
        upgrade_authority: authority.pubkey(),
        params,
    };
    let refused = |error: &dyn std::fmt::Display| LocalnetError::OpenMarket {
        reason: error.to_string(),
    };
    let hash = rpc
        .get_latest_blockhash()
        .map_err(|error| refused(&error))?;
    let transaction = Transaction::new_signed_with_payer(
        &[init.instruction()],
        Some(&authority.pubkey()),
        &[authority],
        hash,
    );
    rpc.send_and_confirm_transaction(&transaction)
        .map_err(|error| refused(&error))?;
    Ok(true)
}

/// The market as it is on the chain; `None` before [`open_market`].
///
/// # Errors
/// When the chain does not answer, or what lies at the market's address is no market of this version.
pub fn market(rpc: &RpcClient) -> Result<Option<MarketData>, LocalnetError> {
    let unreadable = |error: &dyn std::fmt::Display| LocalnetError::Rpc {
        request: "getAccountInfo",
        reason: error.to_string(),
    };
    let account = rpc
        .get_account_with_commitment(&address::market(), rpc.commitment())
        .map_err(|error| unreadable(&error))?
        .value
        // Lamports that somebody sent there ahead of time make it a wallet, not a market.
        .filter(|account| account.owner != system_program::ID);
    account
        .map(|account| account::decode_owned(&account.owner, &account.data))
        .transpose()
        .map_err(|error| unreadable(&error))
}
