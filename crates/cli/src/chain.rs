//! Accounts of the program, read from the cluster.

use anyhow::{Context as _, Result, anyhow, bail};
use assay_client::{
    PROGRAM_ID,
    account::{self, Layout},
    address,
    filter::{self, Filter},
    program::{CLOCK_SYSVAR, SLOT_HASHES_SYSVAR},
    protocol::{Address, JobData, MarketData, PanelData, ProviderData, UnixSeconds},
    slot_hashes::SlotHashes,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};
use solana_client::rpc_request::RpcRequest;
use solana_sdk::account::Account;

use crate::context::Context;

/// An account with its address.
#[derive(Clone, Copy, Debug)]
pub struct Found<T> {
    pub address: Address,
    pub data: T,
}

/// The chain's own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    pub slot: u64,
    pub now: UnixSeconds,
}

/// The panels of a job, the first level's first, as far as they exist.
pub type Panels = [Option<PanelData>; 2];

#[derive(Deserialize)]
struct KeyedAccount {
    pubkey: String,
    account: EncodedAccount,
}

#[derive(Deserialize)]
struct EncodedAccount {
    data: (String, String),
}

impl Context {
    /// The account at an address, if there is one of that type.
    pub async fn find<T: Layout>(&self, address: &Address) -> Result<Option<T>> {
        let [account] = self.accounts([*address]).await?;
        account.map(|account| decode(address, &account)).transpose()
    }

    /// The account at an address.
    pub async fn get<T: Layout>(&self, address: &Address) -> Result<T> {
        self.find(address).await?.ok_or_else(|| {
            anyhow!(
                "there is no {} at {address} on {}; check the address and --url",
                T::NAME.to_lowercase(),
                self.rpc.url()
            )
        })
    }

    /// The market.
    pub async fn market(&self) -> Result<MarketData> {
        self.find(&address::market()).await?.ok_or_else(|| {
            anyhow!(
                "the program {PROGRAM_ID} has no market on {}; its upgrade authority opens it with `assay market init`, \
                 or start a local one with `assay localnet`",
                self.rpc.url()
            )
        })
    }

    /// Every account of a type that meets the conditions.
    pub async fn list<T: Layout>(&self, conditions: Vec<Filter>) -> Result<Vec<Found<T>>> {
        let mut filters = filter::accounts::<T>();
        filters.extend(conditions);
        let filters: Vec<Value> = filters.iter().map(rpc_filter).collect();
        let params = json!([PROGRAM_ID.to_string(), {
            "encoding": "base64",
            "commitment": "confirmed",
            "filters": filters,
        }]);
        let accounts: Vec<KeyedAccount> = self
            .rpc
            .send(RpcRequest::GetProgramAccounts, params)
            .await
            .with_context(|| self.unreachable())?;
        accounts
            .into_iter()
            .map(|keyed| {
                let address: Address = keyed.pubkey.parse().context("an address is malformed")?;
                let (data, _encoding) = keyed.account.data;
                let data = STANDARD.decode(data).context("an account is malformed")?;
                let data = account::decode(&data).with_context(|| format!("account {address}"))?;
                Ok(Found { address, data })
            })
            .collect()
    }

    /// A job or another account together with the chain's time, read at the same moment.
    pub async fn with_clock<T: Layout>(&self, address: &Address) -> Result<(Option<T>, Clock)> {
        let [account, clock] = self.accounts([*address, CLOCK_SYSVAR]).await?;
        let clock = clock.and_then(|account| read_clock(&account.data));
        let clock = clock.context("the RPC node did not answer the chain's clock")?;
        let value = account
            .map(|account| decode(address, &account))
            .transpose()?;
        Ok((value, clock))
    }

    /// A job with its panels and the chain's time, read at the same moment.
    pub async fn with_panels(&self, job: &Address) -> Result<(Option<JobData>, Panels, Clock)> {
        let [first, second] = [1, 2].map(|level| address::panel(job, level));
        let [account, panel1, panel2, clock] =
            self.accounts([*job, first, second, CLOCK_SYSVAR]).await?;
        let clock = clock.and_then(|account| read_clock(&account.data));
        let clock = clock.context("the RPC node did not answer the chain's clock")?;
        let panel = |address: &Address, account: Option<Account>| {
            account
                .map(|account| decode::<PanelData>(address, &account))
                .transpose()
        };
        let panels = [panel(&first, panel1)?, panel(&second, panel2)?];
        let data = account.map(|account| decode(job, &account)).transpose()?;
        Ok((data, panels, clock))
    }

    /// The hashes of the last slots, one of which seeds a panel.
    pub async fn slot_hashes(&self) -> Result<SlotHashes> {
        let [account] = self.accounts([SLOT_HASHES_SYSVAR]).await?;
        let account =
            account.context("the RPC node did not answer the hashes of the last slots")?;
        Ok(SlotHashes::decode(&account.data)?)
    }

    /// Accounts with data, read at the same moment. Lamports sent to an address ahead of time make it a wallet of
    /// the system program, without data: that is nothing yet.
    async fn accounts<const N: usize>(
        &self,
        addresses: [Address; N],
    ) -> Result<[Option<Account>; N]> {
        let mut accounts = self
            .rpc
            .get_multiple_accounts(&addresses)
            .await
            .with_context(|| self.unreachable())?;
        for account in &mut accounts {
            *account = account.take().filter(|account| !account.data.is_empty());
        }
        accounts
            .try_into()
            .map_err(|_| anyhow!("the RPC node answered too few accounts"))
    }

    /// The chain's time.
    pub async fn clock(&self) -> Result<Clock> {
        let [account] = self.accounts([CLOCK_SYSVAR]).await?;
        account
            .and_then(|account| read_clock(&account.data))
            .context("the RPC node did not answer the chain's clock")
    }

    /// The provider that an address belongs to, be it the account's own or its authority's.
    pub async fn provider(&self, either: &Address) -> Result<Found<ProviderData>> {
        let derived = address::provider(either);
        if let Some(data) = self.find(&derived).await? {
            return Ok(Found {
                address: derived,
                data,
            });
        }
        match self.find(either).await {
            Ok(Some(data)) => Ok(Found {
                address: *either,
                data,
            }),
            Ok(None) | Err(_) => bail!(
                "{either} is neither a provider nor the authority of one on {}; register with `assay provider register`",
                self.rpc.url()
            ),
        }
    }

    /// Said when a request gets no answer.
    pub fn unreachable(&self) -> String {
        format!(
            "the cluster at {} did not answer as expected; check --url",
            self.rpc.url()
        )
    }
}

fn decode<T: Layout>(address: &Address, account: &Account) -> Result<T> {
    account::decode_owned(&account.owner, &account.data)
        .with_context(|| format!("account {address}"))
}

/// Slot, start of the epoch, epoch, epoch of the leader schedule, unix seconds: five words.
fn read_clock(data: &[u8]) -> Option<Clock> {
    let slot = u64::from_le_bytes(*data.first_chunk()?);
    let now = i64::from_le_bytes(*data.get(32..)?.first_chunk()?);
    Some(Clock {
        slot,
        now: UnixSeconds(now),
    })
}

fn rpc_filter(filter: &Filter) -> Value {
    match filter {
        Filter::Size(size) => json!({ "dataSize": size }),
        Filter::Bytes { offset, bytes } => json!({ "memcmp": {
            "offset": offset,
            "bytes": STANDARD.encode(bytes),
            "encoding": "base64",
        }}),
    }
}
