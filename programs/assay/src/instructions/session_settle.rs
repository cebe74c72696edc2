use anchor_lang::{address_eq, prelude::*};
use assay_protocol::{Lamports as Amount, Voucher, error::Error as Fact, events::SessionSettled};

use super::moment;
use crate::{
    escrow,
    state::{Provider, Session},
};

/// The precompile that checks signatures before any program of the transaction runs.
const ED25519_PROGRAM: Address =
    Address::from_str_const("Ed25519SigVerify111111111111111111111111111");

/// Nobody signs: the voucher says who pays, the session who is paid.
#[derive(Accounts)]
pub struct SessionSettle {
    #[account(mut)]
    pub provider: Account<Provider>,
    #[account(mut)]
    pub session: Account<Session>,
    pub instructions: Sysvar<SysvarInstructions>,
}

impl SessionSettle {
    /// The voucher of this session that the instruction directly before has proven.
    fn validate(&self) -> Result<Voucher> {
        self.session
            .require_provider(self.provider.address(), &self.provider)?;
        let before = usize::from(self.instructions.load_current_index())
            .checked_sub(1)
            .ok_or(Fact::VoucherMissing)?;
        let proof = self.instructions.load_instruction_at(before)?;
        require!(
            address_eq(proof.get_program_id(), &ED25519_PROGRAM),
            Fact::VoucherMissing
        );
        Ok(Voucher::proven(
            proof.get_instruction_data(),
            self.session.address(),
            &self.session.session_key,
        )?)
    }

    pub fn handle(&mut self) -> Result<()> {
        let voucher = self.validate()?;
        let (slot, now) = moment()?;
        let split = self.session.settle(&voucher, now)?;
        let price = split.earned.plus(split.fee)?;
        self.provider.earn_session(split)?;
        escrow::pay(&self.session, &self.provider, Amount(price.0))?;
        emit!(SessionSettled {
            slot,
            time: now.0,
            session: *self.session.address(),
            provider: *self.provider.address(),
            sequence: u64::from(self.session.sequence),
            cumulative: voucher.cumulative,
            price: price.0,
            fee: split.fee.0,
            earnings: self.provider.earnings,
        });
        Ok(())
    }
}
