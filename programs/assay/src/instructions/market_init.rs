use anchor_lang::{address_eq, find_program_address, prelude::*};
use assay_protocol::{
    MarketData, TreasuryData, error::Error as Fact, events::MarketInitialized, market::MarketParams,
};

use super::moment;
use crate::{
    admin,
    state::{Market, Treasury},
};

/// The upgradeable loader, which owns ProgramData.
const LOADER: Address = Address::from_str_const("BPFLoaderUpgradeab1e11111111111111111111111");

#[derive(Accounts)]
pub struct MarketInit {
    /// Pays the rent.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    /// The program's upgrade authority; becomes the market's authority.
    pub upgrade_authority: Signer,
    #[account(init, payer = payer, seeds = [b"market"], bump)]
    pub market: Account<Market>,
    #[account(init, payer = payer, seeds = [b"treasury"], bump)]
    pub treasury: Account<Treasury>,
    /// CHECK: address, owner and content are checked in `upgrade_authority`.
    pub program_data: UncheckedAccount,
    pub instructions: Sysvar<SysvarInstructions>,
    pub system_program: Program<System>,
}

impl MarketInit {
    fn validate(&self, params: &MarketParams) -> Result<()> {
        admin::refuse_durable_nonce(&self.instructions)?;
        let authority = self.upgrade_authority()?;
        require!(
            address_eq(self.upgrade_authority.address(), &authority),
            Fact::MarketUpgradeAuthorityMismatch
        );
        params.check()?;
        Ok(())
    }

    /// Reads the upgrade authority out of ProgramData: u32 tag 3, u64 slot, option byte, key.
    fn upgrade_authority(&self) -> Result<Address> {
        let account = self.program_data.account();
        let (expected, _) = find_program_address(&[crate::ID.as_ref()], &LOADER);
        require!(address_eq(account.address(), &expected), Fact::MarketUpgradeAuthorityMismatch);
        require!(account.owned_by(&LOADER), Fact::MarketUpgradeAuthorityMismatch);
        let data = account.try_borrow()?;
        let header = data.get(..45).ok_or(Fact::MarketUpgradeAuthorityMismatch)?;
        let (tag, rest) = header.split_at(12);
        let known = tag.starts_with(&3_u32.to_le_bytes()) && rest.starts_with(&[1]);
        require!(known, Fact::MarketUpgradeAuthorityMismatch);
        let key = rest.get(1..).and_then(|key| <[u8; 32]>::try_from(key).ok());
        Ok(Address::new_from_array(key.ok_or(Fact::MarketUpgradeAuthorityMismatch)?))
    }

    pub fn handle(&mut self, params: MarketParams, bumps: (u8, u8)) -> Result<()> {
        self.validate(&params)?;
        let (slot, now) = moment()?;
        let authority = *self.upgrade_authority.address();
        self.market.inner = MarketData::new(authority, bumps.0, params);
        self.treasury.inner = TreasuryData::new(bumps.1);
        emit!(MarketInitialized {
            slot,
            time: now.0,
            market: *self.market.address(),
            authority,
            sequence: u64::from(self.market.sequence),
        });
        Ok(())
    }
}
