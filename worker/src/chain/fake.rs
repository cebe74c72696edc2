//! An RPC node for tests, over a real socket: it answers as its world says, and lies or fails as told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use assay_client::{
    PROGRAM_ID,
    program::{CLOCK_SYSVAR, SYSTEM_PROGRAM},
    protocol::Address,
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Endpoints, RpcChain};

/// What is wrong with a node.
#[derive(Clone, Debug)]
pub enum Trouble {
    Hang,
    Garbage,
    /// 429, with Retry-After where given.
    Limited(Option<u64>),
    Status(u16),
    /// An error in JSON-RPC's words.
    Error(i64, Value),
    /// This result, whatever was asked.
    Says(Value),
}

#[derive(Clone, Debug)]
pub struct Account {
    pub owner: Address,
    pub lamports: u64,
    pub data: Vec<u8>,
    pub executable: bool,
}

/// How this transaction would fail.
pub type Refuse = fn(&World, &[u8]) -> Option<Value>;

/// What a node knows.
pub struct World {
    pub genesis: String,
    pub slot: u64,
    pub time: i64,
    pub height: u64,
    pub accounts: BTreeMap<Address, Account>,
    /// Signatures' states, by signature in base58.
    pub statuses: BTreeMap<String, Value>,
    /// Of transactions, by signature in base58.
    pub metas: BTreeMap<String, Value>,
    pub fees: Vec<u64>,
    pub simulated: Value,
    /// How a transaction fails, as the error in its simulation; none if it does not.
    pub refuse: Option<Refuse>,
    /// By method; the empty word is meant for every method.
    pub trouble: BTreeMap<&'static str, Trouble>,
    /// Methods in the order in which they were asked for.
    pub calls: Vec<String>,
    /// Transactions in the order in which they came.
    pub sent: Vec<Vec<u8>>,
    /// Acts on each transaction that comes, if it comes for the first time.
    pub land: Option<fn(&mut World, &[u8])>,
}

impl Default for World {
    fn default() -> Self {
        let program = Account {
            owner: Address::new_from_array([2; 32]),
            lamports: 1,
            data: vec![0; 36],
            executable: true,
        };
        // An account like any other on every cluster, and nobody's of ours.
        let system = Account {
            owner: Address::from_str_const("NativeLoader1111111111111111111111111111111"),
            lamports: 1,
            data: b"system_program".to_vec(),
            executable: true,
        };
        Self {
            genesis: bs58::encode([1; 32]).into_string(),
            slot: 1_000,
            time: 1_700_000_000,
            height: 900,
            accounts: BTreeMap::from([(PROGRAM_ID, program), (SYSTEM_PROGRAM, system)]),
            statuses: BTreeMap::new(),
            metas: BTreeMap::new(),
            fees: Vec::new(),
            simulated: json!({ "err": null, "logs": [], "unitsConsumed": 5_000 }),
            refuse: None,
            trouble: BTreeMap::new(),
            calls: Vec::new(),
            sent: Vec::new(),
            land: None,
        }
    }
}

impl World {
    fn account(&self, address: &str) -> Value {
        let Ok(address) = address.parse::<Address>() else {
            return Value::Null;
        };
        if address == CLOCK_SYSVAR {
            let mut data = self.slot.to_le_bytes().to_vec();
            data.extend([0; 24]);
            data.extend(self.time.to_le_bytes());
            return account_json(&Account {
                owner: Address::from_str_const("Sysvar1111111111111111111111111111111111111"),
                lamports: 1,
                data,
                executable: false,
            });
        }
        self.accounts
            .get(&address)
            .map_or(Value::Null, account_json)
    }

    fn listed(&self, filters: &Value) -> Value {
        let matches = |account: &Account| {
            filters.as_array().unwrap().iter().all(|filter| {
                if let Some(size) = filter["dataSize"].as_u64() {
                    return account.data.len() == usize::try_from(size).unwrap();
                }
                let at = usize::try_from(filter["memcmp"]["offset"].as_u64().unwrap()).unwrap();
                let bytes = filter["memcmp"]["bytes"].as_str().unwrap();
                let bytes = bs58::decode(bytes).into_vec().unwrap();
                account.data.get(at..at + bytes.len()) == Some(&*bytes)
            })
        };
        let found = self
            .accounts
            .iter()
            .filter(|(_, account)| account.owner == PROGRAM_ID && matches(account));
        found
            .map(|(address, account)| {
                json!({ "pubkey": address.to_string(), "account": account_json(account) })
            })
            .collect()
    }

    fn answer(&mut self, method: &str, parameters: &Value) -> Value {
        let context = json!({ "slot": self.slot });
        let of = |value: Value| json!({ "context": context, "value": value });
        let texts = |list: &Value| -> Vec<String> {
            let texts = list.as_array().unwrap().iter();
            texts
                .map(|text| text.as_str().unwrap().to_owned())
                .collect()
        };
        match method {
            "getGenesisHash" => json!(self.genesis),
            "getBlockHeight" => json!(self.height),
            "getBalance" => of(self.account(parameters[0].as_str().unwrap())["lamports"].clone()),
            "getAccountInfo" => of(self.account(parameters[0].as_str().unwrap())),
            "getMultipleAccounts" => {
                let addresses = texts(&parameters[0]);
                of(addresses
                    .iter()
                    .map(|address| self.account(address))
                    .collect())
            }
            "getProgramAccounts" => self.listed(&parameters[1]["filters"]),
            "getLatestBlockhash" => of(json!({
                "blockhash": bs58::encode([9; 32]).into_string(),
                "lastValidBlockHeight": self.height + 150,
            })),
            "getSignatureStatuses" => of(texts(&parameters[0])
                .iter()
                .map(|text| self.statuses.get(text).cloned().unwrap_or(Value::Null))
                .collect()),
            "getTransaction" => self.metas.get(parameters[0].as_str().unwrap()).map_or(
                Value::Null,
                |meta| json!({ "slot": self.slot, "meta": meta }),
            ),
            "getRecentPrioritizationFees" => self
                .fees
                .iter()
                .map(|fee| json!({ "slot": self.slot, "prioritizationFee": fee }))
                .collect(),
            "simulateTransaction" => of(self.simulate(parameters[0].as_str().unwrap())),
            "sendTransaction" => self.receive(parameters[0].as_str().unwrap()),
            other => panic!("nobody should ask for {other}"),
        }
    }

    fn simulate(&self, transaction: &str) -> Value {
        let mut simulated = self.simulated.clone();
        let bytes = STANDARD.decode(transaction).unwrap();
        if let Some(error) = self.refuse.and_then(|refuse| refuse(self, &bytes)) {
            simulated["err"] = error;
        }
        simulated
    }

    fn receive(&mut self, transaction: &str) -> Value {
        let bytes = STANDARD.decode(transaction).unwrap();
        let signature = bs58::encode(&bytes[1..65]).into_string();
        let known = self.sent.contains(&bytes);
        self.sent.push(bytes.clone());
        if let Some(land) = self.land.filter(|_| !known) {
            land(self, &bytes);
        }
        json!(signature)
    }
}

fn account_json(account: &Account) -> Value {
    json!({
        "lamports": account.lamports, "owner": account.owner.to_string(),
        "data": [STANDARD.encode(&account.data), "base64"],
        "executable": account.executable, "rentEpoch": 0, "space": account.data.len(),
    })
}

/// A node that listens on loopback until the test ends.
#[derive(Clone)]
pub struct Node {
    pub url: String,
    world: Arc<Mutex<World>>,
}

impl Node {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node = Self {
            // A path and a query as providers use them for keys.
            url: format!(
                "http://{}/secret?key=secret",
                listener.local_addr().unwrap()
            ),
            world: Arc::default(),
        };
        let app = Router::new()
            .route("/secret", post(respond))
            .with_state(node.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        node
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn trouble(&self, method: &'static str, trouble: Trouble) {
        self.world().trouble.insert(method, trouble);
    }

    pub fn mend(&self) {
        self.world().trouble.clear();
    }

    /// Calls of one method so far.
    pub fn count(&self, method: &str) -> usize {
        let world = self.world();
        world.calls.iter().filter(|call| *call == method).count()
    }
}

async fn respond(State(node): State<Node>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let method = request["method"].as_str().unwrap().to_owned();
    let trouble = {
        let mut world = node.world();
        world.calls.push(method.clone());
        let trouble = world.trouble.get(&*method).or(world.trouble.get(""));
        trouble.cloned()
    };
    let answer = |result: Value| {
        Json(json!({ "jsonrpc": "2.0", "id": request["id"], "result": result })).into_response()
    };
    match trouble {
        None => answer(node.world().answer(&method, &request["params"])),
        Some(Trouble::Says(result)) => answer(result),
        Some(Trouble::Hang) => std::future::pending().await,
        Some(Trouble::Garbage) => "<html>502".into_response(),
        Some(Trouble::Limited(seconds)) => {
            let mut response = StatusCode::TOO_MANY_REQUESTS.into_response();
            if let Some(seconds) = seconds {
                response.headers_mut().insert("retry-after", seconds.into());
            }
            response
        }
        Some(Trouble::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Trouble::Error(code, data)) => {
            let error = json!({ "code": code, "message": "no", "data": data });
            Json(json!({ "jsonrpc": "2.0", "id": request["id"], "error": error })).into_response()
        }
    }
}

/// Endpoints at these nodes, the preferred one first.
pub fn chain(nodes: &[&Node]) -> RpcChain {
    RpcChain::new(&Endpoints {
        urls: nodes.iter().map(|node| node.url.clone()).collect(),
        timeout: Duration::from_secs(10),
        genesis: String::new(),
        per_second: 10_000,
    })
    .unwrap()
}

/// Bytes from 10 to 49 that stand sixteen times in a row: whose instructions a transaction has, in
/// their order, if their data says it so.
pub fn marks(transaction: &[u8]) -> Vec<u8> {
    let runs = transaction.windows(16);
    let mut found: Vec<u8> = runs
        .filter_map(|run| {
            run.first()
                .filter(|first| run.iter().all(|byte| byte == *first))
        })
        .copied()
        .filter(|mark| (10..50).contains(mark))
        .collect();
    found.dedup();
    found
}
