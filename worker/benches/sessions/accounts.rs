//! Accounts of sessions in a folder, in place of a chain: the gateway's open transaction is carried out by the program's
//! own rules, and the worker reads what came of it. Nothing else is answered.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use assay_client::{
    address, discriminator,
    protocol::{
        Address, JobData, Lamports, ModelData, PanelData, ProviderData, SessionData,
        args::SessionOpenArgs, session::SessionOpening, text,
    },
    slot_hashes::SlotHashes,
};
use assay_gateway::chain as requester;
use assay_worker::chain::{
    Chain, ChainError, Cost, Height, KnownSession, Sending, SessionsRead, SignatureState,
    Simulation, Snapshot, Wanted,
};
use bytemuck::Zeroable;
use futures_util::future::BoxFuture;
use solana_instruction::Instruction;
use solana_message::Hash;
use solana_signature::Signature;

pub const PROVIDER: Address = Address::new_from_array([7; 32]);
pub const GENERATION: u64 = 3;
const WALLET: Address = Address::new_from_array([42; 32]);
const CLUSTER: [u8; 32] = [6; 32];
const SLOT: u64 = 1_000;
const FEE_BPS: u16 = 200;
/// Seconds, the least that a worker takes by default.
const GRACE_SECS: u32 = 86_400;

/// The folder.
#[derive(Clone)]
pub struct Accounts(PathBuf);

impl Accounts {
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Opens a session with this key and deposit; gives its address.
    pub fn open(&self, session_key: Address, deposit: u64, index: u32) -> Result<Address> {
        let args = SessionOpenArgs {
            session_key,
            deposit,
            open_slot: SLOT,
            index,
            grace_secs: GRACE_SECS,
        };
        self.carry_out(WALLET, PROVIDER, &args)
    }

    fn carry_out(
        &self,
        requester: Address,
        provider: Address,
        args: &SessionOpenArgs,
    ) -> Result<Address> {
        let at = SessionOpening {
            requester,
            provider,
            generation: GENERATION,
            bump: 255,
            fee_bps: FEE_BPS,
        };
        let mut data = SessionData::zeroed();
        let opened = data.open(&at, args, SLOT);
        opened.map_err(|error| anyhow::anyhow!("a session cannot be opened: {error:?}"))?;
        let session = address::session(&requester, &provider, args.open_slot, args.index);
        self.put(&session, &data)?;
        Ok(session)
    }

    fn put(&self, session: &Address, data: &SessionData) -> io::Result<()> {
        // Whole or not at all: another process reads it.
        let (path, new) = (self.path(session), self.path(session).with_extension("new"));
        fs::write(&new, bytemuck::bytes_of(data))?;
        fs::rename(new, path)
    }

    fn get(&self, session: &Address) -> Option<SessionData> {
        let bytes = fs::read(self.path(session)).ok()?;
        bytemuck::try_pod_read_unaligned(&bytes).ok()
    }

    fn path(&self, session: &Address) -> PathBuf {
        self.0.join(session.to_string())
    }

    /// The gateway's transactions: openings and top-ups.
    fn execute(&self, instruction: &Instruction) -> Result<()> {
        let (name, args) = instruction.data.split_at_checked(8).context("no name")?;
        let account = |number: usize| instruction.accounts.get(number).map(|meta| meta.pubkey);
        let accounts = [0, 2, 3].map(account);
        if name == discriminator::instruction("session_open") {
            let [Some(requester), Some(provider), Some(session)] = accounts else {
                anyhow::bail!("accounts are missing");
            };
            let args = bytemuck::try_pod_read_unaligned(args);
            let args = args.map_err(|error| anyhow::anyhow!("the arguments: {error}"))?;
            let opened = self.carry_out(requester, provider, &args)?;
            ensure!(opened == session, "another session than was named");
            return Ok(());
        }
        ensure!(
            name == discriminator::instruction("session_top_up"),
            "nothing else is carried out here"
        );
        let [_, Some(session), _] = accounts else {
            anyhow::bail!("accounts are missing");
        };
        let mut data = self.get(&session).context("no such session")?;
        let amount = bytemuck::try_pod_read_unaligned(args);
        let amount = amount.map_err(|error| anyhow::anyhow!("the amount: {error}"))?;
        let added = data.add(Lamports(amount));
        added.map_err(|error| anyhow::anyhow!("a top-up failed: {error:?}"))?;
        Ok(self.put(&session, &data)?)
    }
}

/// The same, for a gateway: with one provider.
pub struct Requester {
    accounts: Accounts,
    provider: ProviderData,
}

impl Requester {
    pub fn new(accounts: Accounts, operator: Address, endpoint: &str) -> Result<Self> {
        let mut provider = ProviderData::zeroed();
        (provider.operator, provider.generation) = (operator, GENERATION);
        let written = text::write(endpoint);
        (provider.endpoint, provider.endpoint_len) =
            written.ok().context("the endpoint is too long")?;
        Ok(Self { accounts, provider })
    }
}

impl requester::Chain for Requester {
    fn payer(&self) -> Address {
        WALLET
    }

    fn cluster(&self) -> BoxFuture<'_, Result<[u8; 32], requester::ChainError>> {
        Box::pin(async { Ok(CLUSTER) })
    }

    fn slot(&self) -> BoxFuture<'_, Result<u64, requester::ChainError>> {
        Box::pin(async { Ok(SLOT) })
    }

    fn providers(
        &self,
    ) -> BoxFuture<'_, Result<Vec<(Address, ProviderData)>, requester::ChainError>> {
        Box::pin(async { Ok(vec![(PROVIDER, self.provider)]) })
    }

    fn provider<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<Option<ProviderData>, requester::ChainError>> {
        let found = (*address == PROVIDER).then_some(self.provider);
        Box::pin(async move { Ok(found) })
    }

    fn sessions<'a>(
        &'a self,
        addresses: &'a [Address],
    ) -> BoxFuture<'a, Result<Vec<Option<SessionData>>, requester::ChainError>> {
        let read = addresses.iter().map(|session| self.accounts.get(session));
        let read = read.collect();
        Box::pin(async move { Ok(read) })
    }

    fn submit(
        &self,
        purpose: &'static str,
        instructions: Vec<Instruction>,
    ) -> BoxFuture<'_, Result<Signature, requester::ChainError>> {
        let done = instructions
            .iter()
            .try_for_each(|instruction| self.accounts.execute(instruction));
        let done = done.map_err(|error| requester::ChainError::Unreachable {
            url: purpose.to_owned(),
            text: error.to_string(),
        });
        Box::pin(async move { done.map(|()| Signature::default()) })
    }

    /// All are carried out when they are sent.
    fn fate(
        &self,
        _: requester::Sent,
    ) -> BoxFuture<'_, Result<requester::Fate, requester::ChainError>> {
        Box::pin(async { Ok(requester::Fate::Landed(SLOT)) })
    }
}

fn not_here(request: &'static str) -> ChainError {
    ChainError::Nobody {
        request,
        reasons: "there are only accounts of sessions here".to_owned(),
    }
}

impl Chain for Accounts {
    async fn snapshot(&self, _: &Wanted) -> Result<Snapshot, ChainError> {
        Err(not_here("snapshot"))
    }
    async fn open_jobs(&self) -> Result<Vec<(Address, JobData)>, ChainError> {
        Err(not_here("open jobs"))
    }
    async fn judged_jobs(&self) -> Result<Vec<(Address, JobData)>, ChainError> {
        Err(not_here("judged jobs"))
    }
    async fn provider_jobs(&self, _: &Address) -> Result<Vec<(Address, JobData)>, ChainError> {
        Err(not_here("a provider's jobs"))
    }
    async fn jobs(&self, _: &[Address]) -> Result<Vec<(Address, Option<JobData>)>, ChainError> {
        Err(not_here("jobs"))
    }
    async fn panels(&self, _: &[Address]) -> Result<Vec<(Address, Option<PanelData>)>, ChainError> {
        Err(not_here("panels"))
    }
    async fn sessions(&self, sessions: &[KnownSession]) -> Result<SessionsRead, ChainError> {
        let read = sessions.iter();
        let read = read.map(|(session, _)| (*session, self.get(session)));
        Ok((0, read.collect()))
    }
    async fn providers(&self) -> Result<Vec<(Address, ProviderData)>, ChainError> {
        Err(not_here("providers"))
    }
    async fn slot_hashes(&self) -> Result<SlotHashes, ChainError> {
        Err(not_here("slot hashes"))
    }
    async fn provider(&self, _: &Address) -> Result<Option<ProviderData>, ChainError> {
        Err(not_here("a provider"))
    }
    async fn model(&self, _: &Address) -> Result<Option<ModelData>, ChainError> {
        Err(not_here("a model"))
    }
    async fn balance(&self, _: &Address) -> Result<u64, ChainError> {
        Err(not_here("a balance"))
    }
    async fn blockhash(&self) -> Result<(Hash, u64), ChainError> {
        Err(not_here("a blockhash"))
    }
    async fn block_height(&self) -> Result<Height, ChainError> {
        Err(not_here("the block height"))
    }
    async fn simulate(&self, _: &[u8]) -> Result<Simulation, ChainError> {
        Err(not_here("a simulation"))
    }
    async fn send(&self, _: &[u8], _: u32) -> Result<Sending, ChainError> {
        Err(not_here("sending"))
    }
    async fn signatures(
        &self,
        _: &[[u8; 64]],
        _: bool,
    ) -> Result<Vec<Option<SignatureState>>, ChainError> {
        Err(not_here("signatures"))
    }
    async fn cost(&self, _: &[u8; 64]) -> Result<Option<Cost>, ChainError> {
        Err(not_here("a cost"))
    }
    async fn recent_fees(&self, _: &[Address]) -> Result<Vec<u64>, ChainError> {
        Err(not_here("recent fees"))
    }
}
