//! A provider: registered, staked, with a place on the loopback network for its worker.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, Result};
use assay_client::{
    address,
    instruction::{ProviderRegister, StakeDeposit},
    protocol::{Address, ProviderData, args::ProviderArgs, text},
};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{Cable, Http, Landed, SOL, Stage, Veil, broken};

/// A registered provider with stake.
#[derive(Debug)]
pub struct Provider {
    /// The cold key.
    pub authority: Keypair,
    /// The worker's key.
    pub operator: Keypair,
    pub address: Address,
    /// Where its worker listens.
    pub listen: SocketAddr,
    /// Where others reach it: the endpoint on chain.
    pub public: SocketAddr,
    /// Configuration, key and journal of its worker.
    pub folder: PathBuf,
    /// The transactions that made it.
    pub made_by: Vec<(&'static str, Landed)>,
}

impl Provider {
    /// Registers a provider with half a SOL at stake.
    pub fn register(stage: &Stage) -> Result<Self> {
        Self::with_stake(stage, SOL / 2)
    }

    pub fn with_stake(stage: &Stage, stake: u64) -> Result<Self> {
        let listen = free_place()?;
        Self::at(stage, stake, listen, listen)
    }

    /// Registers a provider with half a SOL at stake, whose worker is reached through a veil.
    pub fn veiled(stage: &Stage) -> Result<(Self, Veil)> {
        let listen = free_place()?;
        let veil = Veil::before(listen)?;
        Ok((Self::at(stage, SOL / 2, listen, veil.place)?, veil))
    }

    /// Registers a provider with half a SOL at stake, whose worker is reached through a cable.
    pub fn cabled(stage: &Stage) -> Result<(Self, Cable)> {
        let listen = free_place()?;
        let cable = Cable::to(listen)?;
        Ok((Self::at(stage, SOL / 2, listen, cable.place)?, cable))
    }

    fn at(stage: &Stage, stake: u64, listen: SocketAddr, public: SocketAddr) -> Result<Self> {
        let authority = stage.wallet(stake + SOL)?;
        let operator = stage.wallet(SOL / 10)?;
        let (endpoint, endpoint_len) = text::write(&format!("http://{public}")).map_err(broken)?;
        let args = ProviderArgs {
            operator: operator.pubkey(),
            runtime_class: [0; 32],
            endpoint,
            endpoint_len,
        };
        let (payer, key) = (authority.pubkey(), authority.pubkey());
        let register = ProviderRegister {
            payer,
            authority: key,
            args,
        }
        .instruction();
        let registered = stage.send("provider_register", register, &[&authority])?;
        let deposit = StakeDeposit {
            authority: key,
            amount: stake,
        }
        .instruction();
        let deposited = stage.send("stake_deposit", deposit, &[&authority])?;
        let address = address::provider(&key);
        Ok(Self {
            folder: stage.folder(&address)?,
            authority,
            operator,
            address,
            listen,
            public,
            made_by: vec![
                ("provider_register", registered),
                ("stake_deposit", deposited),
            ],
        })
    }

    pub fn data(&self, stage: &Stage) -> Result<ProviderData> {
        stage.get(&self.address)
    }

    /// Its worker's HTTP service.
    pub fn http(&self) -> Http {
        Http {
            endpoint: format!("http://{}", self.public),
            operator: self.operator.pubkey(),
        }
    }
}

/// A free port on a loopback address of its own: nobody else listens there, so the port stays free until the worker
/// takes it, and again while the worker is being restarted.
pub fn free_place() -> Result<SocketAddr> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let count = NEXT.fetch_add(1, Ordering::Relaxed);
    // 127.0.0.0/8 leaves 22 bits below 127.64.0.0 and above: 14 of them for the process, 8 for the count.
    let own = std::process::id() % (1 << 14);
    let bits = (127 << 24) | (1 << 22) | (own << 8) | (count % 254 + 1);
    let probe = TcpListener::bind((Ipv4Addr::from_bits(bits), 0))
        .context("the loopback network has no place left")?;
    Ok(probe.local_addr()?)
}
