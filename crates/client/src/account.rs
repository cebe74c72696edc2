//! Accounts of the program, decoded from their data.

use assay_protocol::{
    Address, JobData, LAYOUT_VERSION, MarketData, ModelData, PanelData, ProviderData, SessionData,
    TreasuryData,
};
use bytemuck::Pod;
use thiserror::Error;

use crate::{
    discriminator,
    program::{PROGRAM_ID, SYSTEM_PROGRAM},
};

/// Layout of one of the program's account types.
pub trait Layout: Pod {
    /// Name in the IDL, from which the discriminator follows.
    const NAME: &'static str;
    /// Bytes of the whole account.
    const SIZE: usize = discriminator::LENGTH + size_of::<Self>();
}

impl Layout for MarketData {
    const NAME: &'static str = "Market";
}
impl Layout for TreasuryData {
    const NAME: &'static str = "Treasury";
}
impl Layout for ProviderData {
    const NAME: &'static str = "Provider";
}
impl Layout for ModelData {
    const NAME: &'static str = "Model";
}
impl Layout for JobData {
    const NAME: &'static str = "Job";
}
impl Layout for PanelData {
    const NAME: &'static str = "Panel";
}
impl Layout for SessionData {
    const NAME: &'static str = "Session";
}

/// Why bytes are not the account they were taken for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    #[error(
        "the account is owned by {owner}, not by the Assay program; check the address and the cluster"
    )]
    Owner { owner: Address },
    #[error("the account is no {expected}: its first bytes are not that type's; check the address")]
    Discriminator { expected: &'static str },
    #[error(
        "the {name} account has {found} bytes, {expected} were expected; this client may be older than the program"
    )]
    Size {
        name: &'static str,
        expected: usize,
        found: usize,
    },
    #[error(
        "the {name} account has layout version {found}, this client knows {LAYOUT_VERSION}; update the client"
    )]
    Version { name: &'static str, found: u8 },
}

/// Decodes an account's data, once its owner is known to be the program.
///
/// # Errors
/// When discriminator, length or version are not those of `T`.
pub fn decode<T: Layout>(data: &[u8]) -> Result<T, DecodeError> {
    let body = data
        .strip_prefix(&discriminator::account(T::NAME))
        .ok_or(DecodeError::Discriminator { expected: T::NAME })?;
    // `pod_read_unaligned` panics on another length, which is ruled out first.
    if body.len() != size_of::<T>() {
        return Err(DecodeError::Size {
            name: T::NAME,
            expected: T::SIZE,
            found: data.len(),
        });
    }
    match body.first() {
        Some(&LAYOUT_VERSION) => Ok(bytemuck::pod_read_unaligned(body)),
        found => Err(DecodeError::Version {
            name: T::NAME,
            found: found.copied().unwrap_or_default(),
        }),
    }
}

/// Decodes an account after checking that the program owns it.
///
/// # Errors
/// As [`decode`], or when another program owns the account.
pub fn decode_owned<T: Layout>(owner: &Address, data: &[u8]) -> Result<T, DecodeError> {
    if *owner == PROGRAM_ID {
        decode(data)
    } else {
        Err(DecodeError::Owner { owner: *owner })
    }
}

/// The same of an account that was asked for by its address. Anybody can send lamports to the address of one that is not
/// there, or not any more: it is a wallet of the system program then, without data, and none.
///
/// # Errors
/// As [`decode_owned`].
pub fn decode_found<T: Layout>(owner: &Address, data: &[u8]) -> Result<Option<T>, DecodeError> {
    if *owner == SYSTEM_PROGRAM && data.is_empty() {
        return Ok(None);
    }
    decode_owned(owner, data).map(Some)
}

/// An account's data as the program would store it; tests and tools make accounts with it.
pub fn encode<T: Layout>(value: &T) -> Vec<u8> {
    [&discriminator::account(T::NAME), bytemuck::bytes_of(value)].concat()
}

#[cfg(test)]
mod tests;
