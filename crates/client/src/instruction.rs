//! Instructions of the program: one struct each, with the accounts and arguments that are not derived from others.
//!
//! [`ALL`] describes every instruction's accounts by name, so that a test can go through each of them.

mod job;
mod market;
mod model;
mod panel;
mod provider;
pub mod session;

use solana_instruction::AccountMeta;

pub use job::{
    JobCancel, JobClaim, JobClose, JobCommit, JobCreate, JobDispute, JobExpire, JobFinalize,
    JobRelease, JobReveal,
};
pub use market::{
    AuthorityAccept, AuthorityPropose, MarketInit, MarketPause, MarketUpdate, TreasuryWithdraw,
};
pub use model::{ModelClose, ModelRegister, ModelRetire};
pub use panel::{
    PanelClose, PanelCommit, PanelJoin, PanelOpen, PanelResolve, PanelRetarget, PanelReveal,
    SeatSettle,
};
pub use provider::{
    EarningsWithdraw, ProviderDeregister, ProviderRegister, ProviderUpdate, StakeDeposit,
    StakeUnbond, StakeWithdraw,
};
pub use session::{SessionClose, SessionCloseRequest, SessionOpen, SessionSettle, SessionTopUp};

use crate::program::PROGRAM_ID;

/// What an instruction wants of one of its accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Readonly,
    Writable,
    Signer,
    WritableSigner,
    /// Only read; the program's id stands for "none".
    OptionalReadonly,
    /// Writable; the program's id stands for "none".
    OptionalWritable,
}

impl Access {
    /// Whether the account must sign.
    pub const fn is_signer(self) -> bool {
        matches!(self, Self::Signer | Self::WritableSigner)
    }

    /// Whether the account must be writable.
    pub const fn is_writable(self) -> bool {
        matches!(
            self,
            Self::Writable | Self::WritableSigner | Self::OptionalWritable
        )
    }

    /// Whether the program's id may stand in the account's place.
    pub const fn is_optional(self) -> bool {
        matches!(self, Self::OptionalReadonly | Self::OptionalWritable)
    }
}

/// One account of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountSpec {
    pub name: &'static str,
    pub access: Access,
}

/// One instruction: its name in the IDL and its accounts in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstructionSpec {
    pub name: &'static str,
    pub accounts: &'static [AccountSpec],
}

/// Every instruction that the program has.
pub const ALL: &[InstructionSpec] = &[
    MarketInit::SPEC,
    MarketUpdate::SPEC,
    MarketPause::SPEC,
    AuthorityPropose::SPEC,
    AuthorityAccept::SPEC,
    TreasuryWithdraw::SPEC,
    ProviderRegister::SPEC,
    ProviderUpdate::SPEC,
    ProviderDeregister::SPEC,
    StakeDeposit::SPEC,
    StakeUnbond::SPEC,
    StakeWithdraw::SPEC,
    EarningsWithdraw::SPEC,
    ModelRegister::SPEC,
    ModelRetire::SPEC,
    ModelClose::SPEC,
    JobCreate::SPEC,
    JobCancel::SPEC,
    JobClaim::SPEC,
    JobRelease::SPEC,
    JobCommit::SPEC,
    JobFinalize::SPEC,
    JobDispute::SPEC,
    JobReveal::SPEC,
    JobExpire::SPEC,
    JobClose::SPEC,
    PanelOpen::SPEC,
    PanelRetarget::SPEC,
    PanelJoin::SPEC,
    PanelCommit::SPEC,
    PanelReveal::SPEC,
    PanelResolve::SPEC,
    SeatSettle::SPEC,
    PanelClose::SPEC,
    SessionOpen::SPEC,
    SessionTopUp::SPEC,
    SessionSettle::SPEC,
    SessionCloseRequest::SPEC,
    SessionClose::SPEC,
];

/// Something that can stand at an account's place.
trait Place {
    fn meta(self, access: Access) -> AccountMeta;
}

impl Place for assay_protocol::Address {
    fn meta(self, access: Access) -> AccountMeta {
        AccountMeta {
            pubkey: self,
            is_signer: access.is_signer(),
            is_writable: access.is_writable(),
        }
    }
}

impl Place for Option<assay_protocol::Address> {
    fn meta(self, access: Access) -> AccountMeta {
        match self {
            Some(address) => address.meta(access),
            None => AccountMeta::new_readonly(PROGRAM_ID, false),
        }
    }
}

/// Declares an instruction's struct, its specification and its builder. An account with `=` is derived from the
/// fields; the rest of the accounts must be fields. `data` lists the fields that are arguments, in order.
macro_rules! instruction {
    (
        $(#[$meta:meta])*
        $name:ident = $wire:literal {
            $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
        }
        accounts |$this:ident| { $($account:ident: $access:ident = $place:expr,)* }
        data { $($arg:ident)* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl $name {
            /// Name and accounts, as in the IDL.
            pub const SPEC: $crate::instruction::InstructionSpec = $crate::instruction::InstructionSpec {
                name: $wire,
                accounts: &[$($crate::instruction::AccountSpec {
                    name: stringify!($account),
                    access: $crate::instruction::Access::$access,
                },)*],
            };

            /// The instruction, for any message.
            pub fn instruction(&self) -> ::solana_instruction::Instruction {
                let $this = self;
                let data = [
                    $crate::discriminator::instruction($wire).as_slice(),
                    // Arguments are integers and byte arrays without padding: their bytes are their borsh encoding.
                    $(::bytemuck::bytes_of(&$this.$arg),)*
                ]
                .concat();
                ::solana_instruction::Instruction {
                    program_id: $crate::program::PROGRAM_ID,
                    accounts: vec![$(
                        $crate::instruction::Place::meta($place, $crate::instruction::Access::$access),
                    )*],
                    data,
                }
            }
        }
    };
}
use instruction;

#[cfg(target_endian = "big")]
compile_error!("arguments are sent as they lie in memory, which must be little-endian");

#[cfg(test)]
mod tests;
