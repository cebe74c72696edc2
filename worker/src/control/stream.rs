//! Following the worker live: each change of the snapshot as an event.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, stream};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Interval, MissedTickBehavior, interval},
};

use super::{EVERY, Service, Worker, guard::refuse};

/// Sends nothing while nothing changes but a comment at times, by which both ends see that the
/// other is there.
pub(super) async fn follow<W: Worker>(State(service): State<Arc<Service<W>>>) -> Response {
    let Ok(place) = Arc::clone(&service.streams).try_acquire_owned() else {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "streams",
            "too many pages follow this worker; ask /api/status from time to time, or close one",
        );
    };
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let follower = Follower {
        service,
        ticks,
        last: Bytes::new(),
        _place: place,
    };
    Sse::new(follower.events())
        .keep_alive(KeepAlive::new().interval(EVERY * 10))
        .into_response()
}

struct Follower<W> {
    service: Arc<Service<W>>,
    ticks: Interval,
    last: Bytes,
    _place: OwnedSemaphorePermit,
}

impl<W: Worker> Follower<W> {
    /// A reader that is slow gets fewer events, not a queue of them: each is made when it is taken.
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut follower| async move {
            let stop = follower.service.stop.clone();
            let event = stop.run_until_cancelled(follower.next()).await?;
            Some((Ok(event), follower))
        })
    }

    async fn next(&mut self) -> Event {
        loop {
            self.ticks.tick().await;
            let json = self.service.status().await;
            if json != self.last {
                let event = Event::default().event("status");
                let event = event.data(String::from_utf8_lossy(&json));
                self.last = json;
                return event;
            }
        }
    }
}
