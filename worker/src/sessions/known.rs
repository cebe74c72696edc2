//! Which sessions are known, and what the chain says of them.
//!
//! A stranger can name any address: what is no session is remembered for a moment, and only so many are looked up.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use assay_client::protocol::Address;
use axum::http::{HeaderMap, HeaderName};
use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use tokio::time::Instant;

use super::{
    Entry, Sessions,
    api::Failure,
    core::{Channel, Refused, Seen},
    store::Write,
};
use crate::{
    api::Clients,
    chain::{Chain, ChainError},
    metrics,
};

/// Sessions looked up in a second, and by one client in a minute.
const LOOKUPS_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
const LOOKUPS_PER_CLIENT: u32 = 60;
/// What is no session is not asked for again so long; one that was just opened may be seen late.
const ABSENT_FOR: Duration = Duration::from_secs(2);
/// Of those, at most.
const ABSENT: usize = 1_024;
/// A session is not read again sooner for want of a deposit.
const PAUSE: Duration = Duration::from_secs(1);
/// Readings that may fail before a session that is not known to be open is not served.
const PATIENCE: u32 = 3;

/// What keeps strangers from having the chain asked too often.
pub struct Lookups {
    absent: Mutex<BTreeMap<Address, (Instant, Refused)>>,
    all: RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>,
    clients: Clients,
}

/// Time since then, by the clock that everything here waits by.
#[derive(Clone)]
struct Ticks(Instant);

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Who asks.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    pub peer: SocketAddr,
    pub headers: &'a HeaderMap,
}

impl Lookups {
    pub fn new(client_header: Option<HeaderName>) -> Self {
        Self {
            absent: Mutex::default(),
            all: RateLimiter::direct_with_clock(
                Quota::per_second(LOOKUPS_PER_SECOND),
                Ticks(Instant::now()),
            ),
            clients: Clients::new(LOOKUPS_PER_CLIENT, client_header),
        }
    }

    fn refuse(&self, session: &Address, asker: Asker<'_>, now: Instant) -> Result<(), Failure> {
        {
            let absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((at, why)) = absent.get(session)
                && now.duration_since(*at) < ABSENT_FOR
            {
                return Err((*why).into());
            }
        }
        if let Some(wait) = self.clients.refuse(asker.peer, asker.headers) {
            let text = "you ask for sessions that are not known here too often; ask later";
            return Err(Failure::busy(429, text, wait.as_secs().saturating_add(1)));
        }
        self.check()
    }

    /// So many in a second, whoever asks.
    fn check(&self) -> Result<(), Failure> {
        self.all.check().map_err(|_| {
            let text = "too many sessions are to be read at this moment; ask again";
            Failure::busy(503, text, 1)
        })
    }

    fn is_absent(&self, session: Address, why: Refused, now: Instant) {
        let mut absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
        if absent.len() >= ABSENT {
            absent.retain(|_, (at, _)| now.duration_since(*at) < ABSENT_FOR);
        }
        if absent.len() >= ABSENT {
            absent.pop_first();
        }
        absent.insert(session, (now, why));
    }
}

impl<C: Chain> Sessions<C> {
    /// Sees to it that this session is known, and read not long ago.
    pub(super) async fn know(&self, session: Address, asker: Asker<'_>) -> Result<(), Failure> {
        let read = self.lock().get(&session).map(|entry| entry.read);
        let fresh_for = self.poll_every.saturating_mul(PATIENCE);
        match read {
            Some(Some(read)) if read.elapsed() < fresh_for => Ok(()),
            Some(_) => {
                self.lookups.check()?;
                self.read(&[session]).await.map_err(unreadable)?;
                // One that is not readable is not known to be open.
                let read = self.lock().get(&session).and_then(|entry| entry.read);
                read.map(drop).ok_or_else(|| Refused::Closing.into())
            }
            None => self.look_up(session, asker).await,
        }
    }

    async fn look_up(&self, session: Address, asker: Asker<'_>) -> Result<(), Failure> {
        self.lookups.refuse(&session, asker, Instant::now())?;
        let found = self.ground.chain.sessions(&[(session, None)]).await;
        let (slot, found) = found.map_err(unreadable)?;
        let found = found.into_iter().next();
        let fits = match found.and_then(|(_, data)| data) {
            Some(data) => self.terms.fit(&data).map(|()| data),
            None => Err(Refused::Unknown),
        };
        let data = fits.inspect_err(|why| self.lookups.is_absent(session, *why, Instant::now()))?;
        let mut channel = Channel::new(session, data, None, None, self.now());
        channel.see(Some(&data), slot);
        let entry = Entry::new(channel, Some(Instant::now()));
        // Another request may have been quicker.
        self.lock().entry(session).or_insert(entry);
        self.count();
        Ok(())
    }

    /// Reads a session for which its deposit is too small: it may have been topped up.
    pub(super) async fn read_for_deposit(&self, session: Address) -> Result<bool, Failure> {
        let read = self.lock().get(&session).and_then(|entry| entry.read);
        if read.is_some_and(|read| read.elapsed() < PAUSE) {
            return Ok(false);
        }
        self.read(&[session]).await.map_err(unreadable)?;
        Ok(true)
    }

    /// Reads these, keeps what changed, and forgets those that are gone.
    pub(super) async fn read(&self, sessions: &[Address]) -> Result<(), ChainError> {
        let known = |session| self.with(session, |channel| *channel.account());
        let known = sessions.iter().map(|session| (*session, known(session)));
        let known: Vec<_> = known.collect();
        let (slot, read) = self.ground.chain.sessions(&known).await?;
        let mut writes = Vec::new();
        {
            let mut open = self.lock();
            for (session, data) in read {
                let Some(entry) = open.get_mut(&session) else {
                    continue;
                };
                entry.read = Some(Instant::now());
                match entry.channel.see(data.as_ref(), slot) {
                    Seen::Same => {}
                    Seen::Changed { settled } => {
                        writes.push(self.changed(session, &entry.channel, settled));
                    }
                    Seen::Gone => {
                        say_gone(&session, &entry.channel);
                        open.remove(&session);
                        writes.push(Write::Forget(session));
                    }
                }
            }
        }
        for write in writes {
            self.keep_written(write).await;
        }
        self.count();
        Ok(())
    }

    /// The account to keep, of which so many lamports were settled just now.
    pub(super) fn changed(&self, session: Address, channel: &Channel, settled: u64) -> Write {
        if settled > 0 {
            metrics::sessions_settled(settled);
            tracing::info!(%session, lamports = settled, "a session was settled");
        }
        Write::Account {
            session,
            account: Box::new(*channel.account()),
            at: self.now(),
        }
    }

    /// Not waited for: an account that is not kept is written again, see [`Sessions::try_books`], and one that is not
    /// forgotten is missed again by the readings after a start.
    pub(super) async fn keep_written(&self, write: Write) {
        let session = if let Write::Account { session, .. } = &write {
            Some(*session)
        } else {
            None
        };
        let Err(error) = self.store.write(write).await else {
            return;
        };
        tracing::warn!(%error, "what is known of a session is not kept yet");
        let mut open = self.lock();
        if let Some(entry) = session.and_then(|session| open.get_mut(&session)) {
            entry.unkept = true;
        }
    }

    pub(super) fn count(&self) {
        let (open, owed) = {
            let open = self.lock();
            let owed = open.values().map(|entry| entry.channel.unsettled());
            (open.len(), owed.fold(0, u64::saturating_add))
        };
        metrics::sessions_open(open, owed);
    }
}

fn say_gone(session: &Address, channel: &Channel) {
    let lost = channel.unsettled();
    if lost > 0 {
        tracing::warn!(%session, lamports = lost, "a session is gone with vouchers that were not settled");
    } else if !channel.is_closed() {
        tracing::info!(%session, "a session is closed");
    }
}

fn unreadable(error: ChainError) -> Failure {
    tracing::debug!(%error, "a session cannot be read");
    let text = "the chain does not answer, so the session cannot be read; ask again";
    Failure::busy(503, text, 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_session_is_remembered_for_a_moment() {
        let lookups = Lookups::new(None);
        let session = Address::new_from_array([5; 32]);
        let headers = HeaderMap::new();
        let asker = Asker {
            peer: SocketAddr::from(([127, 0, 0, 1], 1)),
            headers: &headers,
        };
        let begun = Instant::now();
        let later = |so_long: Duration| lookups.refuse(&session, asker, begun + so_long);
        assert!(later(Duration::ZERO).is_ok());
        lookups.is_absent(session, Refused::Unknown, begun);
        let refused = later(ABSENT_FOR / 2).unwrap_err();
        assert_eq!(refused.status.as_u16(), 404);
        assert!(later(ABSENT_FOR).is_ok());
        for number in 0..2 * ABSENT {
            let mut address = [0; 32];
            address[..8].copy_from_slice(&number.to_le_bytes());
            let address = Address::new_from_array(address);
            lookups.is_absent(address, Refused::Unknown, begun);
        }
        assert_eq!(lookups.absent.lock().unwrap().len(), ABSENT);
    }
}
