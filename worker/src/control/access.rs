//! Who may use the control service.
//!
//! Loopback keeps other machines out, and nobody else: other users of this machine and every page in
//! the owner's browser reach it too. So everything but the empty page and the metrics asks for a token,
//! new at each start, in the `Authorization` header:
//!
//! * Commands read it from a file that only the owner can read.
//! * The page gets it for a ticket in its link's fragment, which browsers send to nobody. A ticket
//!   is good once and for a short time, so a link in a history or on a screen is worth nothing.
//! * The page keeps it for its tab alone. A cookie would not do: cookies are shared by all ports of
//!   a host, so any other local service would get it, and its pages could send requests with it.
//!
//! A page of another origin cannot set the header, and a name that is rebound to loopback is not in
//! our `Host`.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

/// How long a ticket is good.
pub const TICKET_LIFE: Duration = Duration::from_secs(120);
/// Tickets that are good at the same time; a further one ends the oldest.
const TICKETS: usize = 8;

/// The token and the tickets that are out. Kept as hashes: comparing them tells nothing by its time.
pub struct Access {
    token: String,
    hash: [u8; 32],
    tickets: Mutex<VecDeque<([u8; 32], Instant)>>,
}

impl Access {
    pub fn new() -> Result<Self, getrandom::Error> {
        let token = secret()?;
        Ok(Self {
            hash: hash(&token),
            token,
            tickets: Mutex::default(),
        })
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    /// Whether an `Authorization` header holds the token.
    pub fn admits(&self, authorization: Option<&str>) -> bool {
        let given = authorization.and_then(|value| value.strip_prefix("Bearer "));
        given.is_some_and(|given| hash(given) == self.hash)
    }

    pub fn ticket(&self, now: Instant) -> Result<String, getrandom::Error> {
        let ticket = secret()?;
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        if tickets.len() >= TICKETS {
            tickets.pop_front();
        }
        tickets.push_back((hash(&ticket), now + TICKET_LIFE));
        Ok(ticket)
    }

    /// The token for a ticket, which is worth nothing from then on.
    pub fn redeem(&self, ticket: &str, now: Instant) -> Option<&str> {
        let given = hash(ticket);
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|(_, until)| now < *until);
        let position = tickets.iter().position(|(known, _)| *known == given)?;
        tickets.remove(position);
        Some(&self.token)
    }
}

/// Whether a `Host` is this service: a loopback address or `localhost`, with its port.
pub fn is_ours(host: &str, port: u16) -> bool {
    let Some((name, given)) = host.rsplit_once(':') else {
        return false;
    };
    if given != port.to_string() {
        return false;
    }
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let address: Option<IpAddr> = match bare {
        Some(name) => name.parse().ok().map(IpAddr::V6),
        None => name.parse().ok().map(IpAddr::V4),
    };
    name.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback())
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_loopback_with_our_port_or_not_ours() {
        for ours in [
            "127.0.0.1:8951",
            "localhost:8951",
            "LocalHost:8951",
            "[::1]:8951",
            "127.9.9.9:8951",
        ] {
            assert!(is_ours(ours, 8_951), "{ours}");
        }
        for other in [
            "",
            ":8951",
            "127.0.0.1",
            "127.0.0.1:8952",
            "localhost",
            "localhost.:8951",
            "evil.example:8951",
            "127.0.0.1.evil.example:8951",
            "localhost.evil.example:8951",
            "192.168.0.2:8951",
            "0.0.0.0:8951",
            "[::]:8951",
            "::1:8951",
            "[127.0.0.1]:8951",
            "127.0.0.1:+8951",
            "127.0.0.1:08951",
            "127.0.0.1:8951/",
            "evil@127.0.0.1:8951",
            "2130706433:8951",
            "[::ffff:127.0.0.1]:8951",
        ] {
            assert!(!is_ours(other, 8_951), "{other}");
        }
    }

    #[test]
    fn token_is_asked_for_whole_and_as_bearer() {
        let access = Access::new().unwrap();
        let token = access.token().to_owned();
        assert_eq!(token.len(), 64);
        assert!(access.admits(Some(&format!("Bearer {token}"))));
        for wrong in [None, Some(""), Some("Bearer "), Some(token.as_str())] {
            assert!(!access.admits(wrong), "{wrong:?}");
        }
        assert!(!access.admits(Some(&format!("Bearer {}", &token[..63]))));
        assert!(!access.admits(Some(&format!("Basic {token}"))));
        let other = Access::new().unwrap();
        assert!(
            !other.admits(Some(&format!("Bearer {token}"))),
            "new at each start"
        );
    }

    #[test]
    fn ticket_is_good_once_and_for_a_short_time() {
        let (access, now) = (Access::new().unwrap(), Instant::now());
        let ticket = access.ticket(now).unwrap();
        assert_eq!(access.redeem("x", now), None);
        let last = now + TICKET_LIFE - Duration::from_millis(1);
        assert_eq!(access.redeem(&ticket, last), Some(access.token()));
        assert_eq!(access.redeem(&ticket, last), None, "used");
        let late = access.ticket(now).unwrap();
        assert_eq!(access.redeem(&late, now + TICKET_LIFE), None, "too late");
        assert_eq!(access.redeem(access.token(), now), None, "no ticket");
    }

    #[test]
    fn tickets_beyond_the_limit_end_the_oldest() {
        let (access, now) = (Access::new().unwrap(), Instant::now());
        let ticket = |_| access.ticket(now).unwrap();
        let tickets: Vec<String> = (0..=TICKETS).map(ticket).collect();
        assert_eq!(access.redeem(&tickets[0], now), None);
        assert!(access.redeem(&tickets[1], now).is_some());
        assert!(access.redeem(&tickets[TICKETS], now).is_some());
    }
}
