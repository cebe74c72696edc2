//! Endpoints as strangers write them on chain.

use url::Url;

/// An endpoint as a base url, to which paths are appended; none if that would ask for something else than those paths. With
/// a query or a fragment in it, any service that this machine reaches could be asked for anything.
pub fn base(endpoint: &str) -> Option<String> {
    let url = Url::parse(endpoint).ok()?;
    let web = matches!(url.scheme(), "http" | "https") && url.has_host();
    let bare = url.username().is_empty() && url.password().is_none();
    let open = url.query().is_none() && url.fragment().is_none();
    (web && bare && open).then(|| endpoint.trim_end_matches('/').to_owned())
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
