//! Bodies packed with gzip or deflate, which is zlib's form of it.

use std::io::{Read, Write as _};

use axum::http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderName},
};
use bytes::Bytes;
use flate2::{
    Compression,
    read::{GzDecoder, ZlibDecoder},
    write::{GzEncoder, ZlibEncoder},
};

use crate::api::failure::{Failure, Why};

/// Unpacks a request's body.
pub fn unpack(headers: &HeaderMap, body: Bytes, limit: usize) -> Result<Bytes, Failure> {
    match text(headers, &CONTENT_ENCODING) {
        None | Some("" | "identity") => Ok(body),
        Some("gzip") => read(GzDecoder::new(&*body), limit),
        Some("deflate") => read(ZlibDecoder::new(&*body), limit),
        Some(other) => Err(Failure::new(
            Why::Unsupported,
            format!("the body is packed as {other:?}; gzip, deflate and identity are taken"),
        )),
    }
}

fn read(from: impl Read, limit: usize) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX);
    from.take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::invalid(format!("the body cannot be unpacked: {error}")))?;
    if bytes.len() > limit {
        return Err(Failure::new(
            Why::TooLarge,
            format!("the body unpacks to more than {limit} bytes; send less at once"),
        ));
    }
    Ok(Bytes::from(bytes))
}

/// Packs an answer's body, where the client asks for one way alone: that is how Triton's client does it. What a browser
/// or a common HTTP library says it could also take is left as it is, for packing costs more time than it saves nearby.
pub fn pack(headers: &HeaderMap, body: Vec<u8>) -> std::io::Result<(Option<HeaderValue>, Vec<u8>)> {
    match text(headers, &ACCEPT_ENCODING) {
        Some("gzip") => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&body)?;
            Ok((Some(HeaderValue::from_static("gzip")), encoder.finish()?))
        }
        Some("deflate") => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&body)?;
            Ok((Some(HeaderValue::from_static("deflate")), encoder.finish()?))
        }
        Some(_) | None => Ok((None, body)),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}
