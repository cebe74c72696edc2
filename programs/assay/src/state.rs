//! Accounts: Anchor's discriminator, owner check and zero-copy loading over protocol's layouts.
//!
//! Only this program creates accounts with these discriminators, each at the address its seeds
//! give. An account that loads is therefore genuine; instructions relate accounts by the
//! addresses stored in them.

use core::ops::{Deref, DerefMut};

use anchor_lang::prelude::*;
use assay_protocol::{
    JobData, MarketData, ModelData, PanelData, ProviderData, SessionData, TreasuryData,
};

macro_rules! accounts {
    ($($(#[$meta:meta])* $name:ident over $data:ident;)*) => { $(
        $(#[$meta])*
        #[account]
        #[derive(Debug)]
        pub struct $name {
            pub inner: $data,
        }

        impl Deref for $name {
            type Target = $data;
            #[inline(always)]
            fn deref(&self) -> &$data {
                &self.inner
            }
        }

        impl DerefMut for $name {
            #[inline(always)]
            fn deref_mut(&mut self) -> &mut $data {
                &mut self.inner
            }
        }
    )* };
}

accounts! {
    /// Seeds: `market`.
    Market over MarketData;
    /// Seeds: `treasury`.
    Treasury over TreasuryData;
    /// Seeds: `provider`, authority.
    Provider over ProviderData;
    /// Seeds: `model`, author, digest.
    Model over ModelData;
    /// Seeds: `job`, requester, open_slot, index.
    Job over JobData;
    /// Seeds: `panel`, job, level.
    Panel over PanelData;
    /// Seeds: `session`, requester, provider, open_slot, index.
    Session over SessionData;
}
