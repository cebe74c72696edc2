//! The only code that moves lamports.
//!
//! Money lives in the account whose fields count it. Deposits come in by system transfer; every
//! way out lowers the field first (in protocol's methods) and then moves the same lamports here.

use anchor_lang::{cpi::InstructionAccount, prelude::*, unchecked_invoke_signed_fixed};
use assay_protocol::{Lamports as Amount, error::Error as Fact};

use crate::state::Job;

/// What is sent here is destroyed at the end of the slot.
pub const INCINERATOR: Address =
    Address::from_str_const("1nc1nerator11111111111111111111111111111111");

/// Takes a deposit from a signing wallet by a system transfer.
#[inline]
pub fn deposit(
    from: &mut impl ToCpiHandleMut,
    to: &mut impl ToCpiHandleMut,
    amount: Amount,
) -> Result<()> {
    /// The system program's Transfer.
    const TRANSFER: u8 = 2;
    if amount == Amount::ZERO {
        return Ok(());
    }
    let from = from.try_to_cpi_handle_mut()?;
    let to = to.try_to_cpi_handle_mut()?;
    let metas = [
        InstructionAccount::writable_signer(from.address()),
        InstructionAccount::writable(to.address()),
    ];
    let handles = [from.into(), to.into()];
    let [a, b, c, d, e, f, g, h] = amount.0.to_le_bytes();
    let data = [TRANSFER, 0, 0, 0, a, b, c, d, e, f, g, h];
    // The fixed form needs no heap and, unlike the checked one, accepts a loaded account: only its
    // lamports change, never the data it is loaded from.
    unchecked_invoke_signed_fixed(&system_program::ID, &data, &metas, &handles, &[]);
    Ok(())
}

/// Moves lamports out of one of the program's accounts.
#[inline]
pub fn pay(from: &impl Lamports, to: &impl Lamports, amount: Amount) -> Result<()> {
    if amount != Amount::ZERO {
        from.sub_lamports(amount.0)?;
        to.add_lamports(amount.0)?;
    }
    Ok(())
}

/// Pays a requester what its job owes it, or leaves the amount in the job as `refund_due` where
/// the wallet cannot take it: a credit that leaves a wallet above zero and below its rent minimum
/// fails the whole transaction, and nobody's wallet may block somebody else's exit.
#[inline]
pub fn refund(job: &mut Account<Job>, wallet: &AccountView, amount: Amount) -> Result<()> {
    if amount == Amount::ZERO {
        return Ok(());
    }
    let after = wallet
        .lamports()
        .checked_add(amount.0)
        .ok_or(Fact::AmountOverflow)?;
    let least = Rent::get()?.try_minimum_balance(wallet.data_len())?;
    if after < least || wallet.executable() {
        job.refund_due = Amount(job.refund_due).plus(amount)?.0;
        return Ok(());
    }
    pay(job, wallet, amount)
}

/// Closes one of the program's accounts; everything left in it goes to `destination`.
#[inline]
pub fn close<A: AccountClose>(account: &mut A, destination: &UncheckedAccount) -> Result<()> {
    account.close(*destination.account())
}
