//! Which machines a stranger's address may point at: worker and gateway follow uris from the chain, and must not be sent
//! into their own network by one. Names are to be resolved by whoever connects, and only to addresses that are public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a url's host is a name or a public address; what the name stands for is not known here. An IPv6 address may
/// have its brackets.
pub fn is_public_host(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host)
        .parse()
        .map_or(true, |address: IpAddr| is_public(address))
}

/// Whether an address belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Only 2000::/3 is in use, less what carries or documents something else: Teredo and its
    // siblings (2001:0::/23), documentation, 6to4.
    let global = (0x2000..0x4000).contains(&first);
    let special = (first == 0x2001 && (second < 0x0200 || second == 0x0db8))
        || first == 0x2002
        || first == 0x3fff;
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_public_hosts_and_names_may_be() {
        for special in [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "[::1]",
            "::1",
            "[fd00::1]",
        ] {
            assert!(!is_public_host(special), "{special}");
        }
        for public in [
            "1.1.1.1",
            "[2606:4700::1111]",
            "worker.example",
            "localhost",
        ] {
            assert!(is_public_host(public), "{public}");
        }
    }
}
