//! Short text in fixed arrays: uris, endpoints and names.

use crate::error::{Error, Result};

/// Checks text in a fixed array: printable ASCII without spaces up to `len`, zeros behind it.
///
/// Errors: [`Error::TextInvalid`].
#[inline]
pub fn check(bytes: &[u8], len: u8) -> Result<()> {
    let len = len as usize;
    if len > bytes.len() {
        return Err(Error::TextInvalid);
    }
    let (text, rest) = bytes.split_at(len);
    if text.iter().all(|b| (0x21..=0x7e).contains(b)) && rest.iter().all(|b| *b == 0) {
        Ok(())
    } else {
        Err(Error::TextInvalid)
    }
}

/// The text of a fixed array, empty if its length or its bytes are not valid.
#[cfg(not(target_os = "solana"))]
pub fn read(bytes: &[u8], len: u8) -> &str {
    bytes
        .get(..len as usize)
        .and_then(|text| core::str::from_utf8(text).ok())
        .unwrap_or("")
}

/// Text as a fixed array and its length; [`Error::TextInvalid`] if it does not fit or is not
/// printable ASCII without spaces.
#[cfg(not(target_os = "solana"))]
pub fn write<const N: usize>(text: &str) -> Result<([u8; N], u8)> {
    let len = u8::try_from(text.len()).map_err(|_| Error::TextInvalid)?;
    let mut bytes = [0; N];
    bytes
        .get_mut(..text.len())
        .ok_or(Error::TextInvalid)?
        .copy_from_slice(text.as_bytes());
    check(&bytes, len)?;
    Ok((bytes, len))
}
