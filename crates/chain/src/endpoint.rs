//! Endpoints as strangers write them on chain, and how they are asked: never for another path than ours, and none on this
//! machine or in its network.

use std::{net::SocketAddr, sync::Arc};

use assay_client::network::{is_public, is_public_host};
use reqwest::{
    Client, ClientBuilder, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};

/// An endpoint as a base url, to which paths are appended; none if that would ask for something else than those paths. With
/// a query or a fragment in it, any service that this machine reaches could be asked for anything.
pub fn base(endpoint: &str) -> Option<String> {
    let url = Url::parse(endpoint).ok()?;
    let web = matches!(url.scheme(), "http" | "https") && url.has_host();
    let bare = url.username().is_empty() && url.password().is_none();
    let open = url.query().is_none() && url.fragment().is_none();
    (web && bare && open).then(|| endpoint.trim_end_matches('/').to_owned())
}

/// Whether a base url has a public address, or a name. What the name stands for is seen to by [`http`].
pub fn may_be_public(base: &str) -> bool {
    Url::parse(base).is_ok_and(|url| url.host_str().is_some_and(is_public_host))
}

/// What endpoints are asked with.
pub fn http(allow_private: bool) -> ClientBuilder {
    let builder = Client::builder()
        // Whoever is asked must not send this machine's requests elsewhere.
        .redirect(Policy::none())
        // A proxy would resolve names by itself.
        .no_proxy();
    if allow_private {
        builder
    } else {
        builder.dns_resolver(Arc::new(PublicOnly))
    }
}

/// Resolves names to public addresses only. The client connects to what this returns.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|at| is_public(at.ip())).collect();
            if public.is_empty() {
                return Err(format!("{} has no public address", name.as_str()).into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_that_would_swallow_the_path_is_none() {
        for fine in [
            "http://127.0.0.1:8080",
            "https://worker.example/behind/a/proxy",
            "https://[2001:db8::1]:9/",
        ] {
            let trimmed = fine.trim_end_matches('/');
            assert_eq!(base(fine).as_deref(), Some(trimmed));
        }
        for odd in [
            "",
            "http://",
            "ftp://worker.example",
            "http://127.0.0.1:9000/shutdown?now=",
            "http://127.0.0.1:9000/shutdown#",
            "http://user:password@worker.example",
            "http://user@worker.example",
        ] {
            assert_eq!(base(odd), None, "{odd}");
        }
    }
}
