//! A registered model: an ONNX file by digest, with its comparison profile.

use bytemuck::{Pod, Zeroable};

use crate::{
    Address, LAYOUT_VERSION,
    args::ModelArgs,
    digest::is_zero,
    error::{Error, Result},
    limits::{MAX_MODEL_BYTES, MAX_OUTPUTS, MODEL_URI_BYTES, NAME_BYTES},
    market::MarketParams,
    profile::OutputProfile,
    text,
    time::{Seconds, UnixSeconds},
};

/// Account data of a model, after the discriminator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
#[cfg_attr(feature = "anchor", derive(anchor_lang::IdlType))]
pub struct ModelData {
    pub version: u8,
    /// 1 active, 2 retired.
    pub status: u8,
    pub bump: u8,
    pub flags: u8,
    pub sequence: u32,
    /// May retire and close the model.
    pub author: Address,
    /// Gets the rent back on close.
    pub rent_payer: Address,
    /// sha256 of the .onnx file.
    pub digest: [u8; 32],
    /// Size of the .onnx file in bytes.
    pub size: u64,
    /// Unix seconds; 0 while active.
    pub retired_at: i64,
    /// Unix seconds.
    pub created_at: i64,
    /// One entry an output: `i16::MIN` exact, an exponent in [-64, 64], `i16::MAX` unused.
    pub output_profile: [i16; MAX_OUTPUTS],
    /// Name for people, ASCII without spaces, zero-padded; not unique.
    pub name: [u8; NAME_BYTES],
    /// Where the file can be fetched, ASCII, zero-padded.
    pub uri: [u8; MODEL_URI_BYTES],
    pub name_len: u8,
    pub uri_len: u8,
    pub reserved: [u8; 30],
}

/// [`ModelData::status`] of a model that takes jobs.
pub const MODEL_ACTIVE: u8 = 1;
/// [`ModelData::status`] of a model that takes none.
pub const MODEL_RETIRED: u8 = 2;

impl ModelData {
    /// An active model that still has to be filled from the arguments.
    pub fn new(author: Address, rent_payer: Address, bump: u8, now: UnixSeconds) -> Self {
        Self {
            version: LAYOUT_VERSION,
            status: MODEL_ACTIVE,
            bump,
            sequence: 1,
            author,
            rent_payer,
            created_at: now.0,
            ..Self::zeroed()
        }
    }

    /// [`Error::ModelAuthorMismatch`] for anyone else.
    #[inline]
    pub fn require_author(&self, signer: &Address) -> Result<()> {
        if *signer == self.author {
            Ok(())
        } else {
            Err(Error::ModelAuthorMismatch)
        }
    }

    /// Takes the description over and checks it.
    #[inline]
    pub fn describe(&mut self, args: &ModelArgs) -> Result<()> {
        self.digest = args.digest;
        self.size = args.size;
        self.output_profile = args.output_profile;
        self.name = args.name;
        self.uri = args.uri;
        self.name_len = args.name_len;
        self.uri_len = args.uri_len;
        self.check()
    }

    /// Checks digest, size, profile and texts.
    pub fn check(&self) -> Result<()> {
        if is_zero(&self.digest) {
            return Err(Error::ModelDigestMissing);
        }
        if self.size == 0 || self.size > MAX_MODEL_BYTES {
            return Err(Error::ModelSizeInvalid);
        }
        OutputProfile(self.output_profile).check()?;
        text::check(&self.name, self.name_len)?;
        text::check(&self.uri, self.uri_len)
    }

    /// [`Error::ModelRetired`] once retired.
    #[inline]
    pub fn require_active(&self) -> Result<()> {
        if self.status == MODEL_ACTIVE {
            Ok(())
        } else {
            Err(Error::ModelRetired)
        }
    }

    /// Takes no new jobs from now on.
    pub fn retire(&mut self, now: UnixSeconds) -> Result<()> {
        self.require_active()?;
        self.status = MODEL_RETIRED;
        self.retired_at = now.0;
        self.sequence = self.sequence.wrapping_add(1);
        Ok(())
    }

    /// Whether no job can need the model any more. `unbond_secs` exceeds the longest job life.
    pub fn require_closable(&self, params: &MarketParams, now: UnixSeconds) -> Result<()> {
        if self.status != MODEL_RETIRED {
            return Err(Error::ModelNotRetired);
        }
        if UnixSeconds(self.retired_at)
            .after(Seconds(params.unbond_secs))?
            .allows(now)
        {
            return Err(Error::ModelStillInUse);
        }
        Ok(())
    }
}
