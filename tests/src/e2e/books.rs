//! Where all lamports are.

use std::collections::BTreeMap;

use anyhow::Result;
use assay_client::{program::INCINERATOR, protocol::Address};

use super::Stage;

/// Lamports of every account of the program, of the wallets that take part, and of the incinerator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Books {
    pub accounts: BTreeMap<Address, u64>,
}

impl Books {
    pub fn read(stage: &Stage, wallets: &[Address]) -> Result<Self> {
        let mut accounts: BTreeMap<Address, u64> = stage.program_accounts()?.into_iter().collect();
        for wallet in wallets.iter().chain(&[INCINERATOR]) {
            accounts.insert(*wallet, stage.balance(wallet)?);
        }
        Ok(Self { accounts })
    }

    pub fn total(&self) -> u128 {
        self.accounts
            .values()
            .map(|lamports| u128::from(*lamports))
            .sum()
    }
}
