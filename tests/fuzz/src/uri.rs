//! Uris that strangers put on chain.

use std::net::IpAddr;

use assay_client::network::is_public;
use assay_worker::artifacts::{NetworkPolicy, gateway_url};
use url::{Host, Url};

/// Whatever is allowed is https to a name or a public address; whatever IPFS content is asked of a
/// gateway stays at that gateway.
pub fn uri(bytes: &[u8]) {
    let Some(url) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| Url::parse(text).ok())
    else {
        return;
    };
    if NetworkPolicy::default().check(&url).is_ok() {
        assert!(url.scheme() == "https");
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) | None => None,
        };
        assert!(
            address.is_none_or(is_public),
            "an address of somebody's own network"
        );
        assert!(url.has_host());
    }
    if url.scheme() == "ipfs" {
        if let Ok(asked) = gateway_url(&url, "https://gateway.example/ipfs/{cid}") {
            assert!(asked.host_str() == Some("gateway.example"));
            assert!(asked.path().starts_with("/ipfs/b"));
        }
        if let Ok(asked) = gateway_url(&url, "https://{cid}.gateway.example") {
            let host = asked.host_str().unwrap_or_default();
            assert!(host.ends_with(".gateway.example"), "another host was asked");
        }
    }
}
