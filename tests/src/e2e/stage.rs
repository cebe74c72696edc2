//! The chain with the market on it, and what anybody can do there.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use assay_client::{
    Event, Failure, PROGRAM_ID,
    account::{self, Layout},
    budget::Budget,
    event,
    protocol::{
        Address, JobData, JobStatus, MarketData, PanelData, UnixSeconds, market::MarketParams,
    },
    slot_hashes::SlotHashes,
};
use assay_localnet::{AssayConfig, Localnet, deploy::Progress};
use serde_json::{Value, json};
use solana_account::Account;
use solana_client::{rpc_client::RpcClient, rpc_request::RpcRequest};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_sdk::transaction::Transaction;
use solana_sdk_ids::sysvar;
use solana_signer::Signer;
use tempfile::TempDir;

use super::{Watch, broken, root};

/// Lamports of one SOL.
pub const SOL: u64 = 1_000_000_000;

/// A local market whose panels wait long enough for a loaded machine; whoever has seen enough skips the rest.
pub const UNHURRIED: MarketParams = MarketParams {
    panel_open_secs: 300,
    panel_join_secs: 60,
    panel_reveal_secs: 300,
    ..MarketParams::LOCAL
};

/// A transaction on the chain.
#[derive(Clone, Debug)]
pub struct Landed {
    pub signature: String,
    pub slot: u64,
    pub compute_units: u64,
    pub fee: u64,
    pub fee_payer: String,
    pub succeeded: bool,
    pub events: Vec<Event>,
}

/// A local chain, its market's authority and a folder for files. All of it goes when it is dropped.
pub struct Stage {
    pub chain: Localnet,
    /// Upgrade authority and market authority.
    pub authority: Keypair,
    folder: TempDir,
}

impl Stage {
    /// Starts a chain, deploys the program and opens the market.
    pub fn start() -> Result<Self> {
        Self::start_showing(&mut |_| ())
    }

    /// As [`Stage::start`], telling how far the deployment is.
    pub fn start_showing(progress: &mut dyn FnMut(Progress)) -> Result<Self> {
        Self::start_as(MarketParams::LOCAL, progress)
    }

    /// As [`Stage::start`], for audits.
    pub fn unhurried() -> Result<Self> {
        Self::start_as(UNHURRIED, &mut |_| ())
    }

    /// As [`Stage::start_showing`], with other parameters.
    pub fn start_as(params: MarketParams, progress: &mut dyn FnMut(Progress)) -> Result<Self> {
        let config = AssayConfig {
            params,
            ..AssayConfig::new(root().join("target/deploy/assay.so"))?
        };
        let authority = config.authority.insecure_clone();
        let chain = Localnet::start_assay_showing(config, progress)?;
        Ok(Self {
            chain,
            authority,
            folder: tempfile::tempdir()?,
        })
    }

    pub fn rpc(&self) -> &RpcClient {
        self.chain.rpc()
    }

    /// A new folder for one party's files.
    pub fn folder(&self, party: &Address) -> Result<PathBuf> {
        let path = self.folder.path().join(party.to_string());
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// A new wallet with this much in it.
    pub fn wallet(&self, lamports: u64) -> Result<Keypair> {
        let wallet = Keypair::new();
        self.chain.fund(&wallet.pubkey(), lamports)?;
        Ok(wallet)
    }

    /// Sends and confirms; the first signer pays the fee.
    pub fn send(
        &self,
        purpose: &str,
        instruction: Instruction,
        signers: &[&Keypair],
    ) -> Result<Landed> {
        self.try_send(instruction, signers)?
            .with_context(|| format!("{purpose} was refused"))
    }

    /// Sends and confirms; the inner result is the program's verdict.
    pub fn try_send(
        &self,
        instruction: Instruction,
        signers: &[&Keypair],
    ) -> Result<std::result::Result<Landed, Failure>> {
        let payer = signers
            .first()
            .context("a transaction has a signer")?
            .pubkey();
        let mut instructions = Budget::generous(0).instructions();
        instructions.push(instruction);
        let hash = self.rpc().get_latest_blockhash()?;
        let transaction =
            Transaction::new_signed_with_payer(&instructions, Some(&payer), signers, hash);
        // Whatever becomes of it, the payer's balance changes when it lands. A local chain has no forks: what has landed
        // stays, long before its block is voted on.
        let watch = self.watch(&payer)?;
        let signature = match self.rpc().send_transaction(&transaction) {
            Ok(signature) => signature,
            Err(error) => match error.get_transaction_error() {
                Some(refusal) => return Ok(Err(Failure::of(&refusal))),
                None => bail!(error),
            },
        };
        watch.until("the transaction's landing", || {
            if let Ok(landed) = self.landed(&signature.to_string())
                && landed.succeeded
            {
                return Ok(Some(Ok(landed)));
            }
            let status = self.rpc().get_signature_status(&signature)?;
            let refused = status.and_then(|ended| ended.err());
            Ok(refused.map(|refusal| Err(Failure::of(&refusal))))
        })
    }

    /// What the chain keeps of a transaction.
    pub fn landed(&self, signature: &str) -> Result<Landed> {
        let params = json!([signature, {
            "encoding": "json",
            "commitment": "confirmed",
            "maxSupportedTransactionVersion": 0,
        }]);
        let found: Value = self.rpc().send(RpcRequest::GetTransaction, params)?;
        let number = |path: &str| {
            found
                .pointer(path)
                .and_then(Value::as_u64)
                .with_context(|| format!("transaction {signature} has no {path}: {found}"))
        };
        let lines = found.pointer("/meta/logMessages").and_then(Value::as_array);
        let lines = lines.map(|lines| lines.iter().filter_map(Value::as_str).collect::<Vec<_>>());
        let payer = found
            .pointer("/transaction/message/accountKeys/0")
            .and_then(Value::as_str);
        Ok(Landed {
            signature: signature.to_owned(),
            slot: number("/slot")?,
            compute_units: number("/meta/computeUnitsConsumed")?,
            fee: number("/meta/fee")?,
            succeeded: found.pointer("/meta/err").is_none_or(Value::is_null),
            fee_payer: payer.context("a transaction has a payer")?.to_owned(),
            events: event::of_logs(lines.unwrap_or_default()),
        })
    }

    /// Every transaction that names this account, oldest first, failed ones included.
    pub fn history(&self, address: &Address) -> Result<Vec<Landed>> {
        let params = json!([address.to_string(), { "commitment": "confirmed", "limit": 1000 }]);
        let found: Vec<Value> = self
            .rpc()
            .send(RpcRequest::GetSignaturesForAddress, params)?;
        let signatures = found
            .iter()
            .filter_map(|entry| entry.get("signature")?.as_str());
        let mut landed: Vec<Landed> = signatures
            .map(|one| self.landed(one))
            .collect::<Result<_>>()?;
        // A node lists a slot's transactions in any order; an account's own events are numbered.
        landed.sort_by_key(|landed| (landed.slot, landed.events.last().map(Event::sequence)));
        Ok(landed)
    }

    /// Lamports that this wallet paid to the network, failed transactions included.
    pub fn network_fees(&self, payer: &Address) -> Result<u64> {
        let payer_text = payer.to_string();
        let history = self.history(payer)?;
        Ok(history
            .iter()
            .filter(|landed| landed.fee_payer == payer_text)
            .map(|landed| landed.fee)
            .sum())
    }

    pub fn balance(&self, address: &Address) -> Result<u64> {
        let response = self
            .rpc()
            .get_balance_with_commitment(address, self.rpc().commitment())?;
        Ok(response.value)
    }

    /// Least lamports of an account of this type.
    pub fn rent<T: Layout>(&self) -> Result<u64> {
        Ok(self.rpc().get_minimum_balance_for_rent_exemption(T::SIZE)?)
    }

    /// One of the program's accounts, if it exists.
    pub fn find<T: Layout>(&self, address: &Address) -> Result<Option<T>> {
        let response = self
            .rpc()
            .get_account_with_commitment(address, self.rpc().commitment())?;
        let account: Option<Account> = response.value.filter(|account| account.owner == PROGRAM_ID);
        Ok(account
            .map(|account| account::decode(&account.data))
            .transpose()?)
    }

    /// One of the program's accounts.
    pub fn get<T: Layout>(&self, address: &Address) -> Result<T> {
        self.find(address)?
            .with_context(|| format!("there is no {} at {address}", T::NAME))
    }

    pub fn market(&self) -> Result<MarketData> {
        self.get(&assay_client::address::market())
    }

    pub fn status(&self, job: &Address) -> Result<JobStatus> {
        self.get::<JobData>(job)?.status().map_err(broken)
    }

    /// Every account of the program: address and lamports.
    pub fn program_accounts(&self) -> Result<Vec<(Address, u64)>> {
        let accounts = self.rpc().get_program_accounts(&PROGRAM_ID)?;
        Ok(accounts
            .into_iter()
            .map(|(address, account)| (address, account.lamports))
            .collect())
    }

    /// Every job of this requester.
    pub fn jobs_of(&self, requester: &Address) -> Result<Vec<(Address, JobData)>> {
        let mut jobs = Vec::new();
        for (address, account) in self.rpc().get_program_accounts(&PROGRAM_ID)? {
            // Accounts of other types do not decode.
            if let Ok(job) = account::decode::<JobData>(&account.data)
                && job.requester == *requester
            {
                jobs.push((address, job));
            }
        }
        Ok(jobs)
    }

    pub fn watch(&self, address: &Address) -> Result<Watch> {
        Watch::start(&self.chain.ws_url(), address)
    }

    /// Waits until the job has a status and returns it as it is then.
    pub fn wait_job(&self, job: &Address, wanted: JobStatus) -> Result<JobData> {
        let mut seen = None;
        let watch = self.watch(job)?;
        let found = watch.until(&format!("job {job} to be {}", wanted.name()), || {
            let data: JobData = self.get(job)?;
            let status = data.status().map_err(broken)?;
            seen = Some(status);
            if status == wanted {
                return Ok(Some(data));
            }
            if status.is_terminal() {
                bail!(
                    "job {job} ended as {}, not as {}",
                    status.name(),
                    wanted.name()
                );
            }
            Ok(None)
        });
        found.with_context(|| format!("last seen: {:?}", seen.map(JobStatus::name)))
    }

    /// Waits until a panel is as wanted and returns it as it is then.
    pub fn wait_panel(
        &self,
        job: &Address,
        level: u8,
        what: &str,
        wanted: impl Fn(&PanelData) -> bool,
    ) -> Result<PanelData> {
        let address = assay_client::address::panel(job, level);
        let mut seen = None;
        let found = self.watch(&address)?.until(what, || {
            let panel = self.find::<PanelData>(&address)?;
            seen = panel;
            Ok(panel.filter(|panel| wanted(panel)))
        });
        found.with_context(|| match seen {
            Some(panel) => format!(
                "the level-{level} panel of job {job} has {} joined, {} committed, {} revealed",
                panel.joined, panel.committed, panel.revealed
            ),
            None => format!("job {job} has no level-{level} panel"),
        })
    }

    /// Waits until nothing lies at an address any more.
    pub fn wait_gone(&self, address: &Address) -> Result<()> {
        self.watch(address)?
            .until(&format!("the closing of {address}"), || {
                Ok((self.balance(address)? == 0).then_some(()))
            })
    }

    /// Leaves of all retained slot hashes the newest, as if 512 slots had passed.
    pub fn forget_slot_hashes(&self) -> Result<()> {
        let account = self.rpc().get_account(&sysvar::slot_hashes::ID)?;
        let mut hashes = SlotHashes::decode(&account.data)?;
        hashes.0.truncate(1);
        let request = RpcRequest::Custom {
            method: "surfnet_setAccount",
        };
        let address = sysvar::slot_hashes::ID.to_string();
        let data = json!({ "data": hex::encode(hashes.encode()) });
        self.rpc().send::<Value>(request, json!([address, data]))?;
        Ok(())
    }

    /// The chain's own time.
    pub fn now(&self) -> Result<UnixSeconds> {
        Ok(UnixSeconds(self.chain.time()?.unix_seconds))
    }

    /// Moves the chain to the first second at which a deadline has passed.
    pub fn pass(&self, deadline: UnixSeconds) -> Result<()> {
        if self.now()? <= deadline {
            self.chain.time_travel_to(deadline.0 + 1)?;
        }
        Ok(())
    }
}
