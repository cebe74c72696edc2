//! The world of a test.

use std::{path::PathBuf, sync::Arc, time::Duration};

use assay_client::{
    PROGRAM_ID, account,
    protocol::{Address, Digest, SessionData, Voucher},
    session::{
        self, MAX_PRICE_HEADER, MODEL_HEADER, Payment, Price, SEQUENCE_HEADER, Standing,
        VOUCHER_HEADER,
    },
};
use axum::http::HeaderName;
use reqwest::{RequestBuilder, Response};
use rusqlite::Connection;
use solana_keypair::Keypair;
use solana_signer::Signer;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::model::Model;
use crate::{
    api::server::{self, ConnectionLimits},
    chain::{
        RpcChain,
        fake::{Account, Node, chain},
        submitter::{Memory, Submitter, SubmitterConfig},
    },
    config::{SessionModel, SessionsConfig},
    core::{Pause, Reason, Snapshot},
    driver::Shared,
    halt::Halt,
    sessions::{
        Ground, SessionStore, Sessions,
        core::tests::{self as core, MODEL, PROVIDER, SESSION},
        router,
    },
    store::Store,
};

pub const NOW: i64 = core::NOW.0;
pub const DEPOSIT: u64 = 100_000_000;
pub const BODY: usize = 4_096;
pub const PRICE: Price = Price {
    request: 5_000,
    input_kib: 100,
    input_token: 10,
    output_token: 50,
};
/// Lamports of a run on up to a KiB.
pub const RUN: u64 = 5_100;
/// Of the provider's account.
const GENERATION: u64 = 4;
pub const OTHER: Digest = Digest([9; 32]);
pub const NOBODY: Address = key(99);
/// Where a proxy on this machine names its client.
pub const CLIENT: &str = "x-client";
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const fn key(byte: u8) -> Address {
    Address::new_from_array([byte; 32])
}

pub struct World {
    pub url: String,
    pub client: reqwest::Client,
    pub node: Node,
    pub model: Arc<Model>,
    pub sessions: Arc<Sessions<RpcChain>>,
    pub folder: Arc<tempfile::TempDir>,
    _serving: JoinHandle<std::io::Result<()>>,
}

pub fn config() -> SessionsConfig {
    SessionsConfig {
        enabled: true,
        models: vec![SessionModel {
            model: hex::encode(MODEL.0),
            name: "adder".into(),
            price: PRICE,
            max_tokens: None,
        }],
        max_concurrent: 2,
        min_voucher_secs: 600,
        value_at_risk_lamports: 1_000_000,
        ..SessionsConfig::default()
    }
}

impl World {
    /// With one session open.
    pub async fn start() -> Self {
        Self::priced(PRICE).await
    }

    /// The same, where the model has this price.
    pub async fn priced(price: Price) -> Self {
        let node = Node::start().await;
        let folder = Arc::new(tempfile::tempdir().unwrap());
        put(&node, &SESSION, &core::account(DEPOSIT));
        Self::over(node, folder, GENERATION, price).await
    }

    /// Another worker on the same file and chain; this one is left as it stands.
    pub async fn restarted(self) -> Self {
        self.restarted_as(GENERATION).await
    }

    /// The same for a provider's account of this generation.
    pub async fn restarted_as(self, generation: u64) -> Self {
        let (node, folder) = (self.node.clone(), Arc::clone(&self.folder));
        Self::over(node, folder, generation, PRICE).await
    }

    async fn over(
        node: Node,
        folder: Arc<tempfile::TempDir>,
        generation: u64,
        price: Price,
    ) -> Self {
        let path = folder.path().join("sessions.sqlite");
        let (store, kept) = SessionStore::open(&path, core::NOW).unwrap();
        let chain = Arc::new(chain(&[&node]));
        chain.check().await;
        let submitter = Submitter {
            chain: Arc::clone(&chain),
            store: Store::open(&folder.path().join("journal.sqlite")).unwrap(),
            operator: Arc::new(core::operator()),
            provider: PROVIDER,
            config: SubmitterConfig {
                max_unit_price: 0,
                fee_percentile: 50,
                look_every: Duration::from_millis(5),
                resend_every: Duration::from_millis(500),
            },
            halt: Halt::Never,
            memory: Memory::default(),
        };
        let (model, shared) = (Arc::new(Model::default()), Arc::new(Shared::default()));
        shared
            .ready
            .store(true, std::sync::atomic::Ordering::SeqCst);
        let ground = Ground {
            chain,
            submitter: Arc::new(submitter),
            shared,
            serve: Arc::clone(&model) as _,
            clock: || NOW,
            provider: PROVIDER,
            generation,
            body_bytes: u64::try_from(BODY).unwrap(),
            body_patience: PATIENCE,
            client_header: Some(HeaderName::from_static(CLIENT)),
        };
        let mut config = config();
        config.models[0].price = price;
        let sessions = Sessions::new(&config, ground, store, kept).unwrap();
        sessions.offering.load(&*model).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let limits = ConnectionLimits {
            all: 64,
            each: 64,
            head: PATIENCE,
            silence: PATIENCE,
        };
        let app = router(Arc::clone(&sessions));
        let serving = tokio::spawn(server::serve(
            listener,
            app,
            limits,
            CancellationToken::new(),
        ));
        Self {
            url,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            node,
            model,
            sessions,
            folder,
            _serving: serving,
        }
    }

    pub fn operator(&self) -> Address {
        core::operator().pubkey()
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("sessions.sqlite")
    }

    /// Another session, with the same key.
    pub fn open(&self, number: u8) -> Address {
        put(&self.node, &key(number), &core::account(DEPOSIT));
        key(number)
    }

    /// Changes an account on chain.
    pub fn change(&self, session: &Address, change: impl FnOnce(&mut SessionData)) {
        let mut data = self.account(session).unwrap();
        change(&mut data);
        put(&self.node, session, &data);
    }

    pub fn account(&self, session: &Address) -> Option<SessionData> {
        let world = self.node.world();
        let account = world.accounts.get(session)?;
        Some(account::decode(&account.data).unwrap())
    }

    /// Readings of accounts so far.
    pub fn lookups(&self) -> usize {
        self.node.count("getMultipleAccounts")
    }

    /// As if its last reading had been some seconds ago.
    pub fn age(&self, session: &Address) {
        let mut open = self.sessions.lock();
        let read = &mut open.get_mut(session).unwrap().read;
        *read = read.and_then(|read| read.checked_sub(Duration::from_secs(5)));
    }

    /// Reads what is in use, as it is at this slot.
    pub async fn look_at(&self, slot: u64) {
        self.node.world().slot = slot;
        self.sessions.look().await;
    }

    pub fn request(&self, call: &Call) -> impl Future<Output = reqwest::Result<Response>> + use<> {
        self.builder(call).send()
    }

    pub fn builder(&self, call: &Call) -> RequestBuilder {
        let path = match call.kind {
            "run" => session::run_path(&call.session),
            _ => session::generate_path(&call.session),
        };
        let voucher = call.payment(&call.session);
        let mut request = self
            .client
            .post(format!("{}{path}", self.url))
            .header(MODEL_HEADER, hex::encode(call.model.0))
            .header(SEQUENCE_HEADER, call.sequence)
            .header(VOUCHER_HEADER, voucher)
            .body(call.body.clone());
        if let Some(price) = call.max_price {
            request = request.header(MAX_PRICE_HEADER, price);
        }
        request
    }

    pub async fn call(&self, call: &Call) -> Response {
        self.request(call).await.unwrap()
    }

    pub async fn standing(&self) -> Standing {
        self.standing_of(&SESSION).await
    }

    pub async fn standing_of(&self, session: &Address) -> Standing {
        let path = format!("{}{}", self.url, session::session_path(session));
        let response = self.client.get(path).send().await.unwrap();
        response.json().await.unwrap()
    }

    /// Until the session stands so.
    pub async fn until(&self, is: impl Fn(&Standing) -> bool) {
        while !is(&self.standing().await) {
            tokio::task::yield_now().await;
        }
    }

    /// As if this stood against new work.
    pub fn pause(&self, pause: Pause) {
        let reason = Reason {
            pause,
            since: NOW,
            detail: String::new(),
        };
        let snapshot = Snapshot {
            reasons: vec![reason],
            ..Snapshot::default()
        };
        let shared = &self.sessions.ground.shared;
        shared.snapshot.send_replace(Arc::new(snapshot));
    }

    /// From now on what is known of sessions cannot be written, until it is mended.
    pub fn spoil_file(&self) -> SpoiltFile {
        let books = Connection::open(self.file()).unwrap();
        let spoilt = "CREATE TRIGGER spoilt BEFORE UPDATE ON sessions
            BEGIN SELECT RAISE(ABORT, 'full'); END";
        books.execute_batch(spoilt).unwrap();
        SpoiltFile(books)
    }

    /// Sends what is due and waits for its end.
    pub async fn settle(&self) {
        self.sessions.send_due();
        self.sessions.tasks.close();
        self.sessions.tasks.wait().await;
        self.sessions.tasks.reopen();
    }
}

pub struct SpoiltFile(Connection);

impl SpoiltFile {
    pub fn mend(&self) {
        self.0.execute_batch("DROP TRIGGER spoilt").unwrap();
    }
}

pub fn put(node: &Node, session: &Address, data: &SessionData) {
    let mut data = *data;
    data.version = assay_client::protocol::LAYOUT_VERSION;
    let account = Account {
        owner: PROGRAM_ID,
        lamports: 1,
        data: account::encode(&data),
        executable: false,
    };
    node.world().accounts.insert(*session, account);
}

/// A request.
#[derive(Clone, Debug)]
pub struct Call {
    pub kind: &'static str,
    pub session: Address,
    pub model: Digest,
    pub sequence: u64,
    pub payment: Payment,
    /// In place of the payment.
    pub voucher: Option<String>,
    pub max_price: Option<u64>,
    pub body: Vec<u8>,
}

impl Call {
    pub fn run(sequence: u64, cumulative: u64, body: &[u8]) -> Self {
        Self {
            kind: "run",
            session: SESSION,
            model: MODEL,
            sequence,
            payment: core::pays(cumulative, i64::MAX),
            voucher: None,
            max_price: None,
            body: body.to_vec(),
        }
    }

    pub fn generate(sequence: u64, cumulative: u64, request: &serde_json::Value) -> Self {
        Self {
            kind: "generate",
            body: serde_json::to_vec(request).unwrap(),
            ..Self::run(sequence, cumulative, b"")
        }
    }

    /// The voucher names the session that is asked.
    fn payment(&self, session: &Address) -> String {
        if let Some(voucher) = &self.voucher {
            return voucher.clone();
        }
        if self.payment.voucher.session == *session {
            return self.payment.to_header();
        }
        let voucher = Voucher {
            session: *session,
            ..self.payment.voucher
        };
        let key: Keypair = core::key();
        Payment::sign(voucher, &key).unwrap().to_header()
    }
}
