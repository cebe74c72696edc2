use std::sync::Mutex as Lock;

use futures_util::StreamExt as _;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    snapshot::{Job, State as Standing},
    *,
};

/// Shows what it is told to, and notes what is asked of it.
#[derive(Clone, Default)]
struct Shown(Arc<Lock<(Snapshot, Vec<bool>)>>);

impl Worker for Shown {
    async fn snapshot(&self) -> Snapshot {
        self.0.lock().unwrap().0.clone()
    }

    fn metrics(&self) -> String {
        "assay_worker_jobs 7\n".into()
    }

    async fn drain(&self, draining: bool) -> Result<(), Unmoved> {
        let mut shown = self.0.lock().unwrap();
        shown.1.push(draining);
        if shown.0.standing.state == Standing::Stopping {
            return Err(Unmoved::Stopping);
        }
        shown.0.standing.draining = draining;
        Ok(())
    }
}

struct Running {
    worker: Shown,
    handover: Handover,
    client: Client,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
}

async fn start() -> Running {
    let control = Control::listen("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let worker = Shown::default();
    let handover = control.handover();
    let stop = CancellationToken::new();
    Running {
        serving: tokio::spawn(control.serve(worker.clone(), stop.clone())),
        worker,
        handover,
        client: Client::builder().no_proxy().build().unwrap(),
        stop,
    }
}

impl Running {
    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.handover.url))
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.handover.url))
    }

    fn token(&self) -> &str {
        &self.handover.token
    }

    fn host(&self) -> &str {
        self.handover.url.strip_prefix("http://").unwrap()
    }

    fn asked(&self) -> Vec<bool> {
        self.worker.0.lock().unwrap().1.clone()
    }

    /// Bytes as a browser of long ago, or somebody else, may write them; the answer's first line.
    async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.host()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn address_that_others_can_reach_is_refused() {
    for address in ["0.0.0.0:0", "[::]:0", "192.168.7.7:0"] {
        let error = Control::listen(address.parse().unwrap()).await.err();
        assert!(matches!(error, Some(ControlError::Foreign(_))), "{address}");
    }
}

#[tokio::test]
async fn everything_but_the_empty_page_and_metrics_asks_for_the_token() {
    let running = start().await;
    for path in ["/api/status", "/api/events"] {
        assert_eq!(
            running.get(path).send().await.unwrap().status(),
            401,
            "{path}"
        );
        let wrong = running.get(path).bearer_auth("0".repeat(64)).send().await;
        assert_eq!(wrong.unwrap().status(), 401, "{path}");
        let right = running.get(path).bearer_auth(running.token()).send().await;
        assert_eq!(right.unwrap().status(), 200, "{path}");
    }
    for path in ["/api/drain", "/api/resume", "/api/tickets", "/api/session"] {
        assert_eq!(
            running.post(path).send().await.unwrap().status(),
            401,
            "{path}"
        );
        // Nor in a place that a page elsewhere could fill.
        let query = format!("{path}?token={}", running.token());
        assert_eq!(
            running.post(&query).send().await.unwrap().status(),
            401,
            "{path}"
        );
        let cookie = running
            .post(path)
            .header("cookie", format!("token={}", running.token()));
        assert_eq!(cookie.send().await.unwrap().status(), 401, "{path}");
    }
    assert!(running.asked().is_empty());
    let metrics = running.get("/metrics").send().await.unwrap();
    assert_eq!(metrics.text().await.unwrap(), "assay_worker_jobs 7\n");
    for path in ["/", "/start.js", "/style.css"] {
        let text = running.get(path).send().await.unwrap();
        assert_eq!(text.status(), 200, "{path}");
        assert!(
            !text.text().await.unwrap().contains(running.token()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn name_rebound_to_loopback_is_refused_with_the_token_too() {
    let running = start().await;
    let port = running.host().rsplit_once(':').unwrap().1.to_owned();
    for host in [
        format!("evil.example:{port}"),
        "127.0.0.1".to_owned(),
        "127.0.0.1:1".to_owned(),
    ] {
        for path in ["/", "/api/status", "/metrics"] {
            let answer = running
                .get(path)
                .header("host", &host)
                .bearer_auth(running.token());
            assert_eq!(answer.send().await.unwrap().status(), 421, "{host}{path}");
        }
    }
    let named = running
        .get("/api/status")
        .header("host", format!("localhost:{port}"));
    let named = named.bearer_auth(running.token()).send().await.unwrap();
    assert_eq!(named.status(), 200);
    // The request's own line may name a host as well, and there may be none, or two.
    let (token, host) = (running.token().to_owned(), running.host().to_owned());
    let bearer = format!("Authorization: Bearer {token}\r\nConnection: close\r\n");
    for (request, status) in [
        (
            format!(
                "GET http://evil.example:{port}/api/status HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n"
            ),
            "421",
        ),
        (format!("GET /api/status HTTP/1.0\r\n{bearer}\r\n"), "421"),
        (
            format!(
                "GET /api/status HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n{bearer}\r\n"
            ),
            "421",
        ),
        (
            format!("GET /api/status HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n"),
            "200",
        ),
    ] {
        let line = running.raw(&request).await;
        assert!(line.contains(status), "{request}: {line}");
    }
}

#[tokio::test]
async fn request_of_another_page_changes_nothing() {
    let running = start().await;
    let port = running.host().rsplit_once(':').unwrap().1.to_owned();
    let foreign = [
        "null".to_owned(),
        "http://evil.example".to_owned(),
        "https://127.0.0.1".to_owned(),
        // Another service of this machine.
        "http://127.0.0.1:1".to_owned(),
        format!("https://127.0.0.1:{port}"),
    ];
    for origin in foreign {
        let request = running.post("/api/drain").bearer_auth(running.token());
        let answer = request.header("origin", &origin).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{origin}");
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
    }
    assert!(running.asked().is_empty());
    let ours = running.post("/api/drain").bearer_auth(running.token());
    let ours = ours
        .header("origin", running.handover.url.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(ours.status(), 200);
    assert_eq!(running.asked(), [true]);
    // A page elsewhere asks first whether it may set the header, and nothing says that it may.
    let asking = running.client.request(
        reqwest::Method::OPTIONS,
        format!("{}/api/drain", running.handover.url),
    );
    let asking = asking
        .header("origin", "http://evil.example")
        .send()
        .await
        .unwrap();
    assert_eq!(asking.status(), 403);
}

#[tokio::test]
async fn answers_of_every_kind_tell_browsers_to_trust_nobody() {
    let running = start().await;
    let requests = [
        running.get("/"),
        running.get("/nowhere"),
        running.get("/api/status"),
        running.get("/api/status").bearer_auth(running.token()),
        running.get("/").header("host", "evil.example"),
    ];
    for request in requests {
        let answer = request.send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap();
        let policy = header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self';",
            "frame-ancestors 'none'",
            "form-action 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"));
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
    }
}

#[tokio::test]
async fn ticket_opens_the_page_once() {
    let running = start().await;
    let made: Ticket = running
        .post("/api/tickets")
        .bearer_auth(running.token())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let redeem = || {
        running
            .post("/api/session")
            .body(made.ticket.clone())
            .send()
    };
    let session: Value = redeem().await.unwrap().json().await.unwrap();
    assert_eq!(session["token"], running.token());
    let again = redeem().await.unwrap();
    assert_eq!(again.status(), 401);
    assert!(
        again
            .text()
            .await
            .unwrap()
            .contains("assay-worker status --open")
    );
    let large = running
        .post("/api/session")
        .body("x".repeat(BODY_BYTES + 1));
    assert_eq!(large.send().await.unwrap().status(), 413);
}

#[tokio::test]
async fn order_is_carried_out_and_shown_at_once() {
    let running = start().await;
    let order = async |path| {
        let request = running.post(path).bearer_auth(running.token());
        let answer = request.send().await.unwrap();
        let status = answer.status();
        (status.as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, shown) = order("/api/drain").await;
    assert_eq!(
        (status, &shown["standing"]["draining"]),
        (200, &Value::Bool(true))
    );
    let (status, shown) = order("/api/resume").await;
    assert_eq!(
        (status, &shown["standing"]["draining"]),
        (200, &Value::Bool(false))
    );
    assert_eq!(running.asked(), [true, false]);
    running.worker.0.lock().unwrap().0.standing.state = Standing::Stopping;
    let (status, refused) = order("/api/resume").await;
    assert_eq!((status, &refused["error"]), (409, &Value::from("stopping")));
}

#[tokio::test]
async fn followers_hear_of_changes_and_end_with_the_service() {
    let running = start().await;
    let follow = running.get("/api/events").bearer_auth(running.token());
    let mut events = follow.send().await.unwrap().bytes_stream();
    let text = |chunk: Option<reqwest::Result<Bytes>>| {
        String::from_utf8(chunk.unwrap().unwrap().to_vec()).unwrap()
    };
    let first = text(events.next().await);
    assert!(first.starts_with("event: status\ndata: {"), "{first}");
    // A newline in what a stranger wrote must not begin another event.
    let job = Job {
        model_name: Some("x\n\nevent: status\ndata: {}".into()),
        ..Job::default()
    };
    running.worker.0.lock().unwrap().0.jobs = vec![job.clone()];
    let second = text(events.next().await);
    assert_eq!(
        second.matches("event: ").count(),
        2,
        "one of them inside the JSON: {second}"
    );
    assert_eq!(second.trim_end().lines().count(), 2);
    let data = second
        .lines()
        .nth(1)
        .unwrap()
        .strip_prefix("data: ")
        .unwrap();
    let seen: Snapshot = serde_json::from_str(data).unwrap();
    assert_eq!(seen.jobs, [job]);
    running.stop.cancel();
    while let Some(chunk) = events.next().await {
        chunk.unwrap();
    }
    drop(running.client);
    running.serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn followers_beyond_the_limit_are_told_and_take_a_place_that_is_left() {
    let running = start().await;
    let follow = async || {
        let request = running.get("/api/events").bearer_auth(running.token());
        request.send().await.unwrap()
    };
    let mut held = Vec::new();
    for _ in 0..STREAMS {
        held.push(follow().await);
    }
    assert!(held.iter().all(|answer| answer.status() == 200));
    let refused = follow().await;
    assert_eq!(refused.status(), 503);
    assert!(refused.text().await.unwrap().contains("/api/status"));
    drop(held);
    // The service hears of the closed connections in its own time.
    let taken = async { while follow().await.status() != 200 {} };
    tokio::time::timeout(Duration::from_secs(60), taken)
        .await
        .expect("no place came back");
}
