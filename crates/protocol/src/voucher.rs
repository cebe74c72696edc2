//! Vouchers: what a session key signs, and how the Ed25519 program's instruction carries it.
//!
//! `0x56 0x01 | session (32) | cumulative u64le | expires_at i64le`: 50 bytes. The session's address
//! binds a voucher to one session of one chain's program, and addresses are never used twice.

use crate::{
    Address,
    error::{Error, Result},
};

/// Bytes of a voucher, the whole message that is signed.
pub const VOUCHER_BYTES: usize = 50;
/// First bytes of a voucher: the kind of message and its version.
pub const VOUCHER_PREFIX: [u8; 2] = [0x56, 0x01];
/// Bytes of the Ed25519 program's instruction: header, key, signature, voucher.
pub const PROOF_BYTES: usize = HEADER.len() + 32 + 64 + VOUCHER_BYTES;

/// The header of that instruction: one signature; offsets of signature, key and message, the
/// message's length; each in this very instruction (0xffff), as little-endian u16. It is compared
/// as a whole, so the program looks at the same bytes that the precompile has checked.
const HEADER: [u8; 16] = [
    1, 0, // one signature, padding
    48, 0, 0xff, 0xff, // signature
    16, 0, 0xff, 0xff, // key
    112, 0, 50, 0, 0xff, 0xff, // message and its length
];

/// A promise to pay: everything paid in this session so far, this time included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// The session's account.
    pub session: Address,
    /// Lamports paid since the session was opened.
    pub cumulative: u64,
    /// Last moment to settle it, in unix seconds; `i64::MAX` for no end but the session's.
    pub expires_at: i64,
}

impl Voucher {
    /// The message to sign.
    pub fn to_bytes(&self) -> [u8; VOUCHER_BYTES] {
        bytemuck::cast(Message {
            prefix: VOUCHER_PREFIX,
            session: self.session,
            cumulative: self.cumulative.to_le_bytes(),
            expires_at: self.expires_at.to_le_bytes(),
        })
    }

    /// The voucher in a message; none for any other message.
    #[inline]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let message: &Message = bytemuck::try_from_bytes(bytes).ok()?;
        (message.prefix == VOUCHER_PREFIX).then(|| message.voucher())
    }

    /// The data of the Ed25519 program's instruction that proves this voucher's signature.
    pub fn proof(&self, session_key: &Address, signature: &[u8; 64]) -> [u8; PROOF_BYTES] {
        bytemuck::cast(Proof {
            header: HEADER,
            key: *session_key,
            signature: [
                *signature.first_chunk().unwrap_or(&[0; 32]),
                *signature.last_chunk().unwrap_or(&[0; 32]),
            ],
            message: Message {
                prefix: VOUCHER_PREFIX,
                session: self.session,
                cumulative: self.cumulative.to_le_bytes(),
                expires_at: self.expires_at.to_le_bytes(),
            },
        })
    }

    /// The voucher for `session` in the data of an Ed25519 instruction that has run, signed by
    /// `session_key`.
    ///
    /// Errors: [`Error::VoucherProofInvalid`] for any other layout, [`Error::VoucherKeyMismatch`],
    /// [`Error::VoucherSessionMismatch`] for another message or another session's voucher.
    #[inline]
    pub fn proven(data: &[u8], session: &Address, session_key: &Address) -> Result<Self> {
        let proof: &Proof =
            bytemuck::try_from_bytes(data).map_err(|_| Error::VoucherProofInvalid)?;
        if proof.header != HEADER {
            return Err(Error::VoucherProofInvalid);
        }
        if proof.key != *session_key {
            return Err(Error::VoucherKeyMismatch);
        }
        let message = &proof.message;
        if message.prefix != VOUCHER_PREFIX || message.session != *session {
            return Err(Error::VoucherSessionMismatch);
        }
        Ok(message.voucher())
    }
}

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Message {
    prefix: [u8; 2],
    session: Address,
    cumulative: [u8; 8],
    expires_at: [u8; 8],
}

impl Message {
    #[inline]
    fn voucher(&self) -> Voucher {
        Voucher {
            session: self.session,
            cumulative: u64::from_le_bytes(self.cumulative),
            expires_at: i64::from_le_bytes(self.expires_at),
        }
    }
}

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Proof {
    header: [u8; 16],
    key: Address,
    signature: [[u8; 32]; 2],
    message: Message,
}

const _: () = assert!(size_of::<Message>() == VOUCHER_BYTES && size_of::<Proof>() == PROOF_BYTES);
