//! Who asks, and how often: one client's flood is answered with 429, not with everybody's time.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    time::Duration,
};

use axum::http::{HeaderMap, HeaderName};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    state::keyed::HashMapStateStore,
};

/// Clients remembered before those that have been quiet are forgotten.
const REMEMBERED: usize = 10_000;

pub struct Clients {
    limiter: Option<RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>>,
    clock: DefaultClock,
    /// Where a proxy on this machine writes whom it speaks for.
    header: Option<HeaderName>,
}

impl Clients {
    /// `per_minute` of 0 limits nobody.
    pub fn new(per_minute: u32, header: Option<HeaderName>) -> Self {
        let quota = NonZeroU32::new(per_minute).map(Quota::per_minute);
        Self {
            limiter: quota.map(RateLimiter::hashmap),
            clock: DefaultClock::default(),
            header,
        }
    }

    /// How long this client should wait, if it has asked too often.
    pub fn refuse(&self, peer: SocketAddr, headers: &HeaderMap) -> Option<Duration> {
        let limiter = self.limiter.as_ref()?;
        let home = self.client(peer, headers)?;
        if limiter.len() > REMEMBERED {
            limiter.retain_recent();
        }
        let early = limiter.check_key(&home).err()?;
        Some(early.wait_time_from(self.clock.now()))
    }

    /// None for this machine itself, and for a proxy on it that does not say whom it speaks for.
    fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> Option<IpAddr> {
        if let Some(home) = home_of(peer.ip()) {
            // Only who is on this machine is believed to be a proxy.
            return Some(home);
        }
        let said = headers.get(self.header.as_ref()?)?.to_str().ok()?;
        // Others may have written before the proxy; its own word is the last.
        home_of(said.rsplit(',').next()?.trim().parse().ok()?)
    }
}

/// Whom an address stands for: IPv6 homes have a /64. None for this machine.
pub(super) fn home_of(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Some(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
        }
        address @ IpAddr::V4(_) => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 1)
    }

    #[test]
    fn client_over_its_rate_waits_and_others_do_not() {
        let clients = Clients::new(2, None);
        let none = HeaderMap::new();
        let flood = || clients.refuse(from("203.0.113.5"), &none);
        assert!(flood().is_none() && flood().is_none());
        assert!(flood().unwrap() <= Duration::from_secs(30));
        assert!(clients.refuse(from("203.0.113.6"), &none).is_none());
        for _ in 0..9 {
            assert!(clients.refuse(from("127.0.0.1"), &none).is_none());
        }
        let unlimited = Clients::new(0, None);
        assert!((0..9).all(|_| unlimited.refuse(from("203.0.113.5"), &none).is_none()));
    }

    #[test]
    fn proxy_is_believed_on_this_machine_only_and_only_its_own_word() {
        let name = HeaderName::from_static("x-forwarded-for");
        let clients = Clients::new(1, Some(name.clone()));
        let said = |text: &str| HeaderMap::from_iter([(name.clone(), text.parse().unwrap())]);
        let client = |peer: &str, text: &str| clients.client(from(peer), &said(text));
        let real = Some("203.0.113.5".parse().unwrap());
        assert_eq!(client("127.0.0.1", "203.0.113.5"), real);
        assert_eq!(client("::1", "198.51.100.1, 203.0.113.5"), real);
        assert_eq!(client("203.0.113.5", "198.51.100.1"), real);
        assert_eq!(client("127.0.0.1", "nonsense"), None);
        // IPv4 within IPv6 is the same client.
        assert_eq!(client("::ffff:203.0.113.5", ""), real);
    }
}
