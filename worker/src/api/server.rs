//! Connections: how many, from whom, and how long one may say nothing.
//!
//! A worker at home is reached by strangers. None of them may hold what others need: so many
//! connections in all and from one address, a time for the head of a request, and an end for
//! whoever neither reads nor writes.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{Router, extract::ConnectInfo};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service as _;

use super::clients::home_of;

/// Without a byte read from us.
const STALLED: Duration = Duration::from_secs(30);
/// A failing accept, such as for want of file descriptors, is not tried at once again.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    pub all: usize,
    /// From one address, or one network of IPv6. This machine's own are counted among all only: a
    /// proxy speaks for many.
    pub each: usize,
    /// For the head of a request; bodies and answers are bounded by the service's own times.
    pub head: Duration,
    /// Without a byte sent to us.
    pub silence: Duration,
}

/// Serves until `stop` is cancelled; then answers under way end, and idle connections are closed.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: ConnectionLimits,
    stop: CancellationToken,
) -> io::Result<()> {
    let places = Places::new(limits);
    let tasks = TaskTracker::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(place) = places.take(peer.ip()) else {
            tracing::debug!(%peer, "too many connections; closed");
            continue;
        };
        let connection = connection(stream, peer, app.clone(), limits, stop.clone());
        tasks.spawn(async move {
            let _place = place;
            connection.await;
        });
    }
    tasks.close();
    tasks.wait().await;
    Ok(())
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    app: Router,
    limits: ConnectionLimits,
    stop: CancellationToken,
) {
    // An answer goes out at once: waiting for the client to acknowledge the one before costs up to 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::trace!(%peer, %error, "a connection may wait with small answers");
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_read_timeout(Some(limits.silence));
    stream.set_write_timeout(Some(STALLED));
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        app.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%peer, %error, "a connection broke");
    }
}

/// Places for connections, in all and of each home.
#[derive(Clone)]
struct Places {
    limits: ConnectionLimits,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    each: BTreeMap<IpAddr, usize>,
}

struct Place {
    taken: Arc<Mutex<Taken>>,
    home: Option<IpAddr>,
}

impl Places {
    fn new(limits: ConnectionLimits) -> Self {
        Self {
            limits,
            taken: Arc::default(),
        }
    }

    fn take(&self, peer: IpAddr) -> Option<Place> {
        let home = home_of(peer);
        let mut taken = lock(&self.taken);
        if taken.all >= self.limits.all {
            return None;
        }
        if let Some(home) = home {
            let each = taken.each.entry(home).or_default();
            if *each >= self.limits.each {
                return None;
            }
            *each += 1;
        }
        taken.all += 1;
        Some(Place {
            taken: Arc::clone(&self.taken),
            home,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all = taken.all.saturating_sub(1);
        let Some(home) = self.home else { return };
        if let Some(each) = taken.each.get_mut(&home) {
            *each -= 1;
            if *each == 0 {
                taken.each.remove(&home);
            }
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    // Counts are whole after every statement.
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn connection_that_never_asks_is_closed_and_its_place_given_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = ConnectionLimits {
            all: 1,
            each: 1,
            head: Duration::from_millis(50),
            silence: Duration::from_secs(60),
        };
        let app = Router::new().route("/", get(|| async { "here" }));
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, app, limits, stop.clone()));
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        // Its end is what makes room for others.
        let mut said = Vec::new();
        let _ = idle.read_to_end(&mut said).await;
        loop {
            let mut other = TcpStream::connect(address).await.unwrap();
            let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            let mut said = Vec::new();
            // Closed at once for as long as the idle one is being put away.
            if other.write_all(request).await.is_ok()
                && other.read_to_end(&mut said).await.is_ok()
                && !said.is_empty()
            {
                assert!(said.ends_with(b"here"));
                break;
            }
        }
        stop.cancel();
        serving.await.unwrap().unwrap();
    }

    #[test]
    fn places_are_shared_and_come_back() {
        let limits = ConnectionLimits {
            all: 4,
            each: 2,
            head: Duration::from_secs(10),
            silence: Duration::from_secs(10),
        };
        let places = Places::new(limits);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let stranger = ip("203.0.113.5");
        let held = [places.take(stranger), places.take(stranger)];
        assert!(held.iter().all(Option::is_some));
        assert!(places.take(stranger).is_none(), "one address has two");
        // One home has a network of IPv6, not an address.
        let first = places.take(ip("2001:db8:1:2::1"));
        let second = places.take(ip("2001:db8:1:2:ffff::9"));
        assert!(first.is_some() && second.is_some());
        assert!(places.take(ip("198.51.100.1")).is_none(), "four in all");
        drop(held);
        assert!(places.take(ip("2001:db8:1:2::3")).is_none());
        let local: Vec<_> = (0..2).map(|_| places.take(ip("127.0.0.1"))).collect();
        assert!(local.iter().all(Option::is_some), "this machine's own");
    }
}
