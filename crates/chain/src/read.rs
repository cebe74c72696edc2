//! Accounts of the program, read from the cluster.

use assay_client::{
    account::{self, Layout},
    address,
    clock::Clock,
    filter::{self, Filter},
    program::{CLOCK_SYSVAR, SLOT_HASHES_SYSVAR},
    protocol::{Address, JobData, MarketData, PanelData, ProviderData},
    slot_hashes::SlotHashes,
};
use solana_account::Account;
use solana_client::{rpc_request::RpcRequest, rpc_response::RpcKeyedAccount};

use crate::{Cluster, Error};

/// Most accounts of one question, as nodes allow.
const PAGE: usize = 100;

/// An account with its address.
#[derive(Clone, Copy, Debug)]
pub struct Found<T> {
    pub address: Address,
    pub data: T,
}

/// The panels of a job, the first level's first, as far as they exist.
pub type Panels = [Option<PanelData>; 2];

impl Cluster {
    /// The genesis hash, which tells clusters apart.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn genesis(&self) -> Result<[u8; 32], Error> {
        let hash = self.rpc.get_genesis_hash().await;
        hash.map(|hash| hash.to_bytes())
            .map_err(|error| self.unreachable(&error))
    }

    /// The present slot.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn slot(&self) -> Result<u64, Error> {
        let slot = self.rpc.get_slot().await;
        slot.map_err(|error| self.unreachable(&error))
    }

    /// Lamports at an address.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn balance(&self, address: &Address) -> Result<u64, Error> {
        let balance = self.rpc.get_balance(address).await;
        balance.map_err(|error| self.unreachable(&error))
    }

    /// Lamports that an account of so many bytes must hold.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn rent(&self, bytes: usize) -> Result<u64, Error> {
        let rent = self.rpc.get_minimum_balance_for_rent_exemption(bytes).await;
        rent.map_err(|error| self.unreachable(&error))
    }

    /// The chain's time.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn clock(&self) -> Result<Clock, Error> {
        let [clock] = self.accounts([CLOCK_SYSVAR]).await?;
        self.read_clock(clock)
    }

    /// The hashes of the last slots, one of which seeds a panel.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn slot_hashes(&self) -> Result<SlotHashes, Error> {
        let [account] = self.accounts([SLOT_HASHES_SYSVAR]).await?;
        let account = account.ok_or_else(|| self.unreachable(&"no hashes of the last slots"))?;
        SlotHashes::decode(&account.data).map_err(|error| self.unreachable(&error))
    }

    /// The account at an address, if there is one of that type.
    ///
    /// # Errors
    /// [`Error::Unreachable`], or [`Error::Decode`] for an account of another type or program.
    pub async fn find<T: Layout>(&self, address: &Address) -> Result<Option<T>, Error> {
        let [account] = self.accounts([*address]).await?;
        decode(address, account)
    }

    /// The accounts at these addresses, in their order.
    ///
    /// # Errors
    /// As [`Cluster::find`].
    pub async fn find_all<T: Layout>(
        &self,
        addresses: &[Address],
    ) -> Result<Vec<Option<T>>, Error> {
        let mut found = Vec::with_capacity(addresses.len());
        for page in addresses.chunks(PAGE) {
            for (address, account) in page.iter().zip(self.page(page).await?) {
                found.push(decode(address, account)?);
            }
        }
        Ok(found)
    }

    /// The account at an address.
    ///
    /// # Errors
    /// As [`Cluster::find`], and [`Error::Missing`].
    pub async fn get<T: Layout>(&self, address: &Address) -> Result<T, Error> {
        self.find(address).await?.ok_or_else(|| Error::Missing {
            name: T::NAME.to_lowercase(),
            address: *address,
            url: self.url(),
        })
    }

    /// The market.
    ///
    /// # Errors
    /// As [`Cluster::find`], and [`Error::NoMarket`].
    pub async fn market(&self) -> Result<MarketData, Error> {
        let market = self.find(&address::market()).await?;
        market.ok_or_else(|| Error::NoMarket { url: self.url() })
    }

    /// The provider that an address belongs to, be it the account's own or its authority's.
    ///
    /// # Errors
    /// As [`Cluster::find`], and [`Error::NoProvider`].
    pub async fn provider(&self, either: &Address) -> Result<Found<ProviderData>, Error> {
        let address = address::provider(either);
        if let Some(data) = self.find(&address).await? {
            return Ok(Found { address, data });
        }
        match self.find(either).await {
            Ok(Some(data)) => Ok(Found {
                address: *either,
                data,
            }),
            Ok(None) | Err(_) => Err(Error::NoProvider {
                either: *either,
                url: self.url(),
            }),
        }
    }

    /// Every account of a type that meets the conditions.
    ///
    /// # Errors
    /// As [`Cluster::find`].
    pub async fn list<T: Layout>(&self, conditions: &[Filter]) -> Result<Vec<Found<T>>, Error> {
        self.list_each(conditions).await?.into_iter().collect()
    }

    /// The same, and what cannot be read is an error of its own: one account of a later layout need not hide the others.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn list_each<T: Layout>(
        &self,
        conditions: &[Filter],
    ) -> Result<Vec<Result<Found<T>, Error>>, Error> {
        let accounts: Vec<RpcKeyedAccount> = self
            .rpc
            .send(
                RpcRequest::GetProgramAccounts,
                filter::listing::<T>(conditions),
            )
            .await
            .map_err(|error| self.unreachable(&error))?;
        let mut found = Vec::with_capacity(accounts.len());
        for keyed in accounts {
            let address: Address = keyed
                .pubkey
                .parse()
                .map_err(|error| self.unreachable(&error))?;
            let account = keyed
                .account
                .to_account()
                .ok_or_else(|| self.unreachable(&"an account is malformed"))?;
            found.push(match account::decode_owned(&account.owner, &account.data) {
                Ok(data) => Ok(Found { address, data }),
                Err(source) => Err(Error::Decode { address, source }),
            });
        }
        Ok(found)
    }

    /// An account together with the chain's time, read at the same moment.
    ///
    /// # Errors
    /// As [`Cluster::find`].
    pub async fn with_clock<T: Layout>(
        &self,
        address: &Address,
    ) -> Result<(Option<T>, Clock), Error> {
        let [account, clock] = self.accounts([*address, CLOCK_SYSVAR]).await?;
        let clock = self.read_clock(clock)?;
        Ok((decode(address, account)?, clock))
    }

    /// A job with its panels and the chain's time, read at the same moment.
    ///
    /// # Errors
    /// As [`Cluster::find`].
    pub async fn with_panels(
        &self,
        job: &Address,
    ) -> Result<(Option<JobData>, Panels, Clock), Error> {
        let [first, second] = [1, 2].map(|level| address::panel(job, level));
        let [account, panel1, panel2, clock] =
            self.accounts([*job, first, second, CLOCK_SYSVAR]).await?;
        let clock = self.read_clock(clock)?;
        let panels = [decode(&first, panel1)?, decode(&second, panel2)?];
        Ok((decode(job, account)?, panels, clock))
    }

    async fn accounts<const N: usize>(
        &self,
        addresses: [Address; N],
    ) -> Result<[Option<Account>; N], Error> {
        let accounts = self.page(&addresses).await?;
        accounts
            .try_into()
            .map_err(|_| self.unreachable(&"too few accounts"))
    }

    /// Accounts read at the same moment, as many as addresses.
    async fn page(&self, addresses: &[Address]) -> Result<Vec<Option<Account>>, Error> {
        let accounts = self
            .rpc
            .get_multiple_accounts(addresses)
            .await
            .map_err(|error| self.unreachable(&error))?;
        if accounts.len() != addresses.len() {
            return Err(self.unreachable(&"another number of accounts than was asked for"));
        }
        Ok(accounts)
    }

    fn read_clock(&self, account: Option<Account>) -> Result<Clock, Error> {
        account
            .and_then(|account| Clock::decode(&account.data))
            .ok_or_else(|| self.unreachable(&"no clock"))
    }
}

fn decode<T: Layout>(address: &Address, account: Option<Account>) -> Result<Option<T>, Error> {
    let found = account.map(|account| account::decode_found(&account.owner, &account.data));
    let found = found.transpose().map_err(|source| Error::Decode {
        address: *address,
        source,
    })?;
    Ok(found.flatten())
}

#[cfg(test)]
mod tests;
