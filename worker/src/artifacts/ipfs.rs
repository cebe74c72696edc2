//! IPFS: files named by a hash of their content, through gateways that need not be trusted, because
//! the bytes are checked against the digest on chain like those of any other source.

use assay_protocol::Digest;
use cid::{Cid, multihash::Multihash};
use url::Url;

/// Codes of the multiformats table: bytes as they are, and sha2-256.
const RAW: u64 = 0x55;
const SHA2_256: u64 = 0x12;
/// What a gateway's template names the place of the content identifier by.
const PLACE: &str = "{cid}";

/// What an `ipfs://` uri names: content, and a path below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// CIDv1 in base32, which is also good as a part of a host's name.
    cid: String,
    /// Empty, or beginning with a slash.
    path: String,
}

impl Content {
    /// A file of this sha256, where it was added to IPFS as one raw block. Larger files that were
    /// cut into blocks have another identifier, and need a uri that says which.
    pub fn of_digest(digest: &Digest) -> Option<Self> {
        let hash = Multihash::<64>::wrap(SHA2_256, &digest.0).ok()?;
        Some(Self {
            cid: Cid::new_v1(RAW, hash).to_string(),
            path: String::new(),
        })
    }

    /// What `ipfs://<cid>[/<path>]` names; the reason if it names nothing.
    pub fn of_uri(uri: &Url) -> Result<Self, String> {
        let name = uri
            .host_str()
            .ok_or("it must be ipfs://<cid>, optionally with a path")?;
        let cid: Cid = name
            .parse()
            .map_err(|error| format!("`{name}` is no content identifier: {error}"))?;
        let cid = cid
            .into_v1()
            .map_err(|error| format!("`{name}` has no modern form: {error}"))?;
        let path = match uri.path() {
            "/" => "",
            path => path,
        };
        Ok(Self {
            cid: cid.to_string(),
            path: path.to_owned(),
        })
    }

    /// Where a gateway serves it.
    pub fn at(&self, gateway: &str) -> Result<Url, String> {
        let url = format!("{}{}", gateway.replace(PLACE, &self.cid), self.path);
        Url::parse(&url).map_err(|error| format!("the gateway {gateway} is no url: {error}"))
    }
}

/// Where a gateway serves what an `ipfs://` uri names.
pub fn gateway_url(uri: &Url, gateway: &str) -> Result<Url, String> {
    Content::of_uri(uri)?.at(gateway)
}

/// Whether a template of the configuration is one.
pub fn check_gateway(gateway: &str) -> Result<(), String> {
    if !gateway.contains(PLACE) {
        return Err(format!(
            "{gateway:?} does not say where the content identifier goes; write {PLACE} there, \
             as in https://{PLACE}.ipfs.dweb.link or https://ipfs.io/ipfs/{PLACE}"
        ));
    }
    let example = Content::of_digest(&Digest::ZERO).ok_or("no identifier could be made")?;
    let url = example.at(gateway)?;
    if matches!(url.scheme(), "https" | "http") {
        Ok(())
    } else {
        Err(format!("{gateway:?} must begin with https:// or http://"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The identifier that `ipfs add --cid-version 1 --raw-leaves` gives to "hello world".
    const HELLO: &str = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";

    #[test]
    fn digest_names_a_raw_block() {
        let content = Content::of_digest(&Digest::of(&[b"hello world"])).unwrap();
        assert_eq!(content.cid, HELLO);
        for (gateway, url) in [
            (
                "https://{cid}.ipfs.dweb.link",
                format!("https://{HELLO}.ipfs.dweb.link/"),
            ),
            (
                "https://ipfs.io/ipfs/{cid}",
                format!("https://ipfs.io/ipfs/{HELLO}"),
            ),
        ] {
            check_gateway(gateway).unwrap();
            assert_eq!(content.at(gateway).unwrap().as_str(), url);
        }
    }

    #[test]
    fn uri_names_content_and_a_path_in_either_version() {
        let read = |uri: &str| Content::of_uri(&Url::parse(uri).unwrap());
        let modern = read(&format!("ipfs://{HELLO}/models/a.onnx")).unwrap();
        assert_eq!(
            (modern.cid.as_str(), modern.path.as_str()),
            (HELLO, "/models/a.onnx")
        );
        // The oldest form, sha2-256 in base58, keeps its upper case letters.
        let old = read("ipfs://QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n/").unwrap();
        assert!(old.cid.starts_with("bafybei") && old.path.is_empty());
        for wrong in ["ipfs://", "ipfs:x", "ipfs://hello", "ipfs://example.com/x"] {
            let refused = Url::parse(wrong).map(|url| Content::of_uri(&url));
            assert!(refused.is_err() || refused.unwrap().is_err(), "{wrong}");
        }
    }

    #[test]
    fn gateway_without_a_place_or_with_another_scheme_is_refused() {
        for wrong in [
            "https://ipfs.io/ipfs/",
            "ftp://ipfs.io/{cid}",
            "{cid}",
            "https://{cid",
        ] {
            assert!(check_gateway(wrong).is_err(), "{wrong}");
        }
    }
}
