//! Which uris of strangers are fetched, and how.
//!
//! A uri on chain could point this worker at its own network. So names are resolved by us, only
//! public addresses are connected to (the very ones that were checked), and redirects are refused.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use assay_client::network::{is_public, is_public_host};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

#[derive(Clone, Copy, Debug, Default)]
pub struct NetworkPolicy {
    pub allow_file: bool,
    pub allow_private: bool,
    pub allow_http: bool,
}

impl NetworkPolicy {
    /// Whether a uri may be fetched at all; the reason if not.
    pub fn check(self, url: &Url) -> Result<(), String> {
        match url.scheme() {
            "file" if self.allow_file => return Ok(()),
            "file" => return Err("file uris are off (artifacts.allow_file)".into()),
            "https" => {}
            "http" if self.allow_http => {}
            "http" => return Err("plain http is off (artifacts.allow_http); use https".into()),
            other => return Err(format!("{other} uris are not supported; use https or ipfs")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a uri on chain must not carry a password".into());
        }
        let host = url.host_str().ok_or("it has no host")?;
        if !self.allow_private && !is_public_host(host) {
            return Err("its address is not public (artifacts.allow_private)".into());
        }
        Ok(())
    }

    pub(super) fn client(self) -> Result<reqwest::Client, reqwest::Error> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(30));
        if !self.allow_private {
            builder = builder.dns_resolver(Arc::new(PublicOnly));
        }
        builder.build()
    }
}

/// Resolves names to public addresses only. The client connects to what this returns.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(format!("{} has no public address", name.as_str()).into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

/// A network error in words, without the url.
pub(super) fn reason(error: &reqwest::Error) -> String {
    use std::error::Error;
    let mut words = if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.is_connect() {
        "no connection".to_owned()
    } else {
        "the transfer failed".to_owned()
    };
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
