//! Against websockets over real sockets that tell slots and jobs, fall silent, and lie.

use assay_client::{account::encode, protocol::LAYOUT_VERSION};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytemuck::Zeroable;
use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::{accept_async, tungstenite::Message};

use super::*;

/// What a server is told to do with its newest connection.
enum Order {
    Slot(u64),
    Job(u32),
    Close,
}

/// A websocket that takes every subscription and tells what the test wants.
struct Server {
    url: String,
    orders: mpsc::UnboundedSender<Order>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/secret?key=secret", listener.local_addr().unwrap());
        let (orders, mut ordered) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &mut ordered).await;
            }
        });
        Self { url, orders }
    }

    fn tell(&self, order: Order) {
        self.orders.send(order).unwrap();
    }
}

/// Until the connection ends. Subscription 1 is of slots, 2 of jobs.
async fn serve(stream: tokio::net::TcpStream, orders: &mut mpsc::UnboundedReceiver<Order>) {
    let mut socket = accept_async(stream).await.unwrap();
    let mut subscribed = false;
    loop {
        let text = tokio::select! {
            message = socket.next() => {
                let Some(Ok(message)) = message else { return };
                let Message::Text(text) = message else { continue };
                let request: Value = serde_json::from_str(&text).unwrap();
                let id = match request["method"].as_str().unwrap() {
                    "slotSubscribe" => 1,
                    "programSubscribe" => 2,
                    other => panic!("nobody should ask for {other}"),
                };
                subscribed = true;
                json!({ "jsonrpc": "2.0", "id": request["id"], "result": id })
            }
            Some(order) = orders.recv(), if subscribed => match order {
                Order::Close => return,
                Order::Slot(slot) => notification("slotNotification", 1, &json!({
                    "slot": slot, "parent": slot - 1, "root": slot - 32,
                })),
                Order::Job(sequence) => notification("programNotification", 2, &json!({
                    "context": { "slot": 1 }, "value": job(sequence),
                })),
            },
        };
        let _ = socket.send(Message::text(text.to_string())).await;
    }
}

fn notification(method: &str, subscription: u64, result: &Value) -> Value {
    json!({
        "jsonrpc": "2.0", "method": method,
        "params": { "result": result, "subscription": subscription },
    })
}

fn job(sequence: u32) -> Value {
    let data = encode(&JobData {
        version: LAYOUT_VERSION,
        sequence,
        ..JobData::zeroed()
    });
    let account = json!({
        "lamports": 1, "owner": PROGRAM_ID.to_string(), "data": [STANDARD.encode(&data), "base64"],
        "executable": false, "rentEpoch": 0, "space": data.len(),
    });
    json!({ "pubkey": Address::new_from_array([3; 32]).to_string(), "account": account })
}

struct Watch {
    hints: mpsc::Receiver<Hint>,
    watching: Arc<Watching>,
    stop: CancellationToken,
}

impl Watch {
    fn start(servers: &[&Server], silence: Duration, newest: Option<u64>) -> Self {
        let (sender, hints) = mpsc::channel(16);
        let (watching, stop) = (Arc::<Watching>::default(), CancellationToken::new());
        let streams = Streams {
            urls: servers.iter().map(|server| server.url.clone()).collect(),
            silence,
        };
        let watch = watch(
            streams,
            Arc::clone(&watching),
            move || newest,
            sender,
            stop.clone(),
        );
        tokio::spawn(watch);
        Self {
            hints,
            watching,
            stop,
        }
    }

    /// The next hint in a word.
    async fn next(&mut self) -> String {
        let hint = timeout(Duration::from_secs(30), self.hints.recv()).await;
        match hint.unwrap() {
            Some(Hint::Alive(true)) => "alive".into(),
            Some(Hint::Alive(false)) => "dead".into(),
            Some(Hint::Job(_, job)) => format!("job {}", job.sequence),
            None => "ended".into(),
        }
    }
}

const LONG: Duration = Duration::from_secs(100);

#[tokio::test]
async fn stream_is_alive_from_its_first_slot_and_tells_jobs_until_it_ends() {
    let server = Server::start().await;
    let mut watch = Watch::start(&[&server], LONG, Some(1_000));
    server.tell(Order::Slot(1_001));
    assert_eq!(watch.next().await, "alive");
    server.tell(Order::Job(7));
    assert_eq!(watch.next().await, "job 7");
    assert_eq!(watch.watching.tip(LONG), Some(1_001));
    server.tell(Order::Close);
    assert_eq!(watch.next().await, "dead");
    assert_eq!(watch.watching.tip(LONG), None);
    // It is opened again, and what was missed is read because of that.
    server.tell(Order::Slot(1_050));
    assert_eq!(watch.next().await, "alive");
    let health = watch.watching.health();
    assert_eq!((health[0].opened, health[0].slot), (2, Some(1_050)));
    assert!(!format!("{health:?}").contains("secret"));
    watch.stop.cancel();
    assert_eq!(watch.next().await, "dead");
    assert_eq!(watch.next().await, "ended");
}

#[tokio::test]
async fn stream_that_falls_silent_without_closing_is_dead() {
    let server = Server::start().await;
    let silence = Duration::from_millis(200);
    let mut watch = Watch::start(&[&server], silence, Some(1_000));
    server.tell(Order::Slot(1_001));
    assert_eq!(watch.next().await, "alive");
    // Jobs alone do not prove that every job is told.
    assert_eq!(watch.next().await, "dead");
    let reason = watch.watching.health()[0].last_error.clone().unwrap();
    assert!(reason.contains("no slot for too long"), "{reason}");
}

#[tokio::test]
async fn stream_of_another_chain_or_a_late_one_is_not_listened_to() {
    for (slot, newest) in [
        (9_000_000, Some(1_000)),
        (1_000, Some(9_000_000)),
        (1_000, None),
    ] {
        let (wrong, right) = (Server::start().await, Server::start().await);
        let mut watch = Watch::start(&[&wrong, &right], LONG, newest);
        wrong.tell(Order::Slot(slot));
        right.tell(Order::Slot(newest.unwrap_or(7)));
        if newest.is_some() {
            assert_eq!(watch.next().await, "alive");
            right.tell(Order::Job(2));
            assert_eq!(watch.next().await, "job 2");
        } else {
            wrong.tell(Order::Slot(slot));
            assert!(
                timeout(Duration::from_millis(200), watch.next())
                    .await
                    .is_err()
            );
        }
        let health = watch.watching.health();
        assert!(!health[0].alive && health[0].opened == 0, "{health:?}");
    }
}

#[tokio::test]
async fn stream_that_turns_to_another_chain_is_dead() {
    let server = Server::start().await;
    let mut watch = Watch::start(&[&server], LONG, Some(1_000));
    server.tell(Order::Slot(1_001));
    assert_eq!(watch.next().await, "alive");
    server.tell(Order::Slot(77_000_000));
    assert_eq!(watch.next().await, "dead");
}

#[tokio::test]
async fn next_stream_is_taken_while_the_preferred_one_is_down() {
    let second = Server::start().await;
    let gone = Server {
        url: "ws://127.0.0.1:1".into(),
        orders: mpsc::unbounded_channel().0,
    };
    let mut watch = Watch::start(&[&gone, &second], LONG, Some(1_000));
    second.tell(Order::Slot(1_001));
    assert_eq!(watch.next().await, "alive");
    let alive: Vec<bool> = watch
        .watching
        .health()
        .iter()
        .map(|health| health.alive)
        .collect();
    assert_eq!(alive, [false, true]);
}
