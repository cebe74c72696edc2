//! A provider on loopback that keeps to the contract, unless told to lie or to fail.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use assay_client::{
    PROGRAM_ID,
    delivery::Refusal,
    protocol::{Address, Digest, SessionStatus, UnixSeconds},
    session::{
        MAX_PRICE_HEADER, MODEL_HEADER, Offer, OfferedModel, Payment, Price, REQUEST_HEADER,
        Receipt, SEQUENCE_HEADER, SignedReceipt, Standing, VOUCHER_HEADER, code,
    },
};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::stream;
use solana_keypair::Keypair;
use solana_signer::Signer;
use tokio::sync::Notify;

use super::chain::MemoryChain;

mod deed;
mod generate;
mod run;

pub use deed::Deed;

pub const MODEL: Digest = Digest([77; 32]);

#[derive(Default)]
pub struct Account {
    pub sequence: u64,
    pub due: u64,
    pub paid: u64,
    pub receipt: Option<SignedReceipt>,
    /// The last one, of a generation its tokens.
    answer: Vec<u8>,
    under_way: bool,
}

pub struct Provider {
    pub account: Address,
    pub operator: Mutex<Keypair>,
    pub price: Price,
    chain: Arc<MemoryChain>,
    pub accounts: Mutex<BTreeMap<Address, Account>>,
    pub deeds: Mutex<VecDeque<Deed>>,
    pub always: Mutex<Deed>,
    /// Requests that came, answered or not.
    pub asked: Mutex<Vec<u64>>,
    /// Runs wait for this if there is one.
    pub gate: Mutex<Option<Arc<Notify>>>,
    /// Most requests that were under way at once.
    pub peak: Mutex<(usize, usize)>,
    /// Told of each token that could not be sent.
    pub dropped: Notify,
    /// An unaware provider notices now that its reader left.
    pub notices: Notify,
    /// The last run that it broke off or miscounted, and its answer.
    broken: Mutex<Option<(Asked, Vec<u8>)>>,
    /// Says nothing of sessions.
    pub mute: AtomicBool,
    /// Tokens of prompt and answer, by its offer.
    pub max_tokens: AtomicU32,
}

impl Provider {
    /// Registers it and serves until the test ends.
    pub async fn start(chain: &Arc<MemoryChain>, key: u8, price: Price) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let operator = Keypair::new_from_array([key; 32]);
        let account = chain.register(operator.pubkey(), &endpoint);
        let provider = Arc::new(Self {
            account,
            operator: Mutex::new(operator),
            price,
            chain: Arc::clone(chain),
            accounts: Mutex::default(),
            deeds: Mutex::default(),
            always: Mutex::new(Deed::Honest),
            asked: Mutex::default(),
            gate: Mutex::default(),
            peak: Mutex::default(),
            dropped: Notify::new(),
            notices: Notify::new(),
            broken: Mutex::default(),
            mute: AtomicBool::new(false),
            max_tokens: AtomicU32::new(0),
        });
        let router = Router::new()
            .route("/v1/sessions/offer", get(offer))
            .route("/v1/sessions/{session}", get(standing))
            .route("/v1/sessions/{session}/run", post(run::run))
            .route("/v1/sessions/{session}/generate", post(generate::generate))
            .with_state(Arc::clone(&provider));
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    pub fn plan(&self, deeds: &[Deed]) {
        self.deeds.lock().unwrap().extend(deeds);
    }

    /// Lamports of the highest vouchers that it holds.
    pub fn paid(&self) -> u64 {
        let accounts = self.accounts.lock().unwrap();
        accounts.values().map(|account| account.paid).sum()
    }

    fn deed(&self) -> Deed {
        let next = self.deeds.lock().unwrap().pop_front();
        next.unwrap_or(*self.always.lock().unwrap())
    }

    fn receipt(&self, account: &Account, asked: &Asked, response: Digest, price: u64) -> Receipt {
        Receipt {
            session: asked.session,
            sequence: asked.sequence,
            model: MODEL,
            request: asked.request,
            response,
            price,
            cumulative: account.due + price,
            previous: account
                .receipt
                .map_or(Digest([0; 32]), |last| last.receipt.digest()),
        }
    }

    /// Charges and signs, or signs something else.
    fn charge(&self, asked: &Asked, body: &[u8], price: u64, deed: Deed) -> SignedReceipt {
        let mut accounts = self.accounts.lock().unwrap();
        let account = accounts.get_mut(&asked.session).unwrap();
        let good = self.receipt(account, asked, Digest::of(&[body]), price);
        let told = deed.forge(good);
        let signed = self.sign(told, deed);
        (account.sequence, account.due) = (asked.sequence, told.cumulative);
        account.receipt = Some(signed);
        account.answer = body.to_vec();
        signed
    }

    /// What was answered last.
    fn answer(&self, session: &Address) -> Vec<u8> {
        self.accounts.lock().unwrap()[session].answer.clone()
    }

    /// Signs as its operator, which may change before.
    fn sign(&self, receipt: Receipt, deed: Deed) -> SignedReceipt {
        let other = Keypair::new_from_array([200; 32]);
        if deed == Deed::Stranger {
            return receipt.sign(&other).unwrap();
        }
        let mut operator = self.operator.lock().unwrap();
        if matches!(deed, Deed::ChangeOperator | Deed::ChangeOperatorAndBreak) {
            self.chain.set_operator(&self.account, other.pubkey());
            *operator = other;
        }
        receipt.sign(&*operator).unwrap()
    }

    fn release(&self, session: &Address) {
        let mut accounts = self.accounts.lock().unwrap();
        accounts.get_mut(session).unwrap().under_way = false;
        self.peak.lock().unwrap().0 -= 1;
    }
}

#[derive(Clone, Copy)]
struct Asked {
    session: Address,
    sequence: u64,
    request: Digest,
    max_price: u64,
    /// The answer that this very request was given before.
    again: Option<SignedReceipt>,
}

/// One request of a session at a time, also if its handler is dropped.
struct UnderWay(Arc<Provider>, Address);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.release(&self.1);
    }
}

type Shared = State<Arc<Provider>>;

async fn offer(State(provider): Shared) -> Json<Offer> {
    Json(Offer {
        provider: provider.account,
        operator: provider.operator.lock().unwrap().pubkey(),
        program_id: PROGRAM_ID,
        version: "0".to_owned(),
        accepting: true,
        min_grace_secs: 86_400,
        min_voucher_secs: 3_600,
        max_body_bytes: 1 << 20,
        models: vec![OfferedModel {
            digest: MODEL,
            name: "echo".to_owned(),
            price: provider.price,
            inputs: Vec::new(),
            outputs: Vec::new(),
            generates: true,
            max_tokens: provider.max_tokens.load(Ordering::SeqCst),
        }],
    })
}

async fn standing(State(provider): Shared, Path(session): Path<String>) -> Response {
    if provider.mute.load(Ordering::SeqCst) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let accounts = provider.accounts.lock().unwrap();
    match accounts.get(&session.parse().unwrap()) {
        Some(account) => Json(Standing {
            sequence: account.sequence,
            due: account.due,
            paid: account.paid,
            receipt: account.receipt,
        })
        .into_response(),
        None => Json(Standing {
            sequence: 0,
            due: 0,
            paid: 0,
            receipt: None,
        })
        .into_response(),
    }
}

fn refuse(status: u16, error: &str, message: &str) -> Response {
    let refusal = Refusal {
        error: error.to_owned(),
        message: message.to_owned(),
    };
    (StatusCode::from_u16(status).unwrap(), Json(refusal)).into_response()
}

fn broken() -> Response {
    let lost = stream::once(async { Err::<Bytes, _>(io::Error::other("lost")) });
    Body::from_stream(lost).into_response()
}

fn number(headers: &HeaderMap, name: &str) -> u64 {
    headers[name].to_str().unwrap().parse().unwrap()
}

/// Everything that is checked before work begins.
fn admit(
    provider: &Arc<Provider>,
    session: &str,
    kind: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(Asked, UnderWay), Box<Response>> {
    let session: Address = session.parse().unwrap();
    let chain = provider.chain.sessions.lock().unwrap();
    let Some(data) = chain.get(&session) else {
        return Err(Box::new(refuse(
            404,
            code::SESSION_UNKNOWN,
            "no such session",
        )));
    };
    if data.status != SessionStatus::Open as u8 {
        return Err(Box::new(refuse(
            410,
            code::SESSION_CLOSING,
            "it is closing",
        )));
    }
    assert_eq!(headers[MODEL_HEADER], hex::encode(MODEL.0).as_str());
    let payment = Payment::from_header(headers[VOUCHER_HEADER].to_str().unwrap()).unwrap();
    payment
        .check(&session, &data.session_key, UnixSeconds(i64::MAX))
        .unwrap();
    let mut accounts = provider.accounts.lock().unwrap();
    let account = accounts.entry(session).or_default();
    let mut request = Receipt::request_digest(kind, body);
    if let Some(digest) = headers.get(REQUEST_HEADER) {
        assert!(body.is_empty());
        hex::decode_to_slice(digest.as_bytes(), &mut request.0).unwrap();
    }
    let asked = Asked {
        session,
        sequence: number(headers, SEQUENCE_HEADER),
        request,
        max_price: number(headers, MAX_PRICE_HEADER),
        again: account
            .receipt
            .filter(|last| last.receipt.request == request),
    };
    provider.asked.lock().unwrap().push(asked.sequence);
    if account.under_way {
        return Err(Box::new(refuse(
            409,
            code::REQUEST_UNDER_WAY,
            "one at a time",
        )));
    }
    let again = asked.again.filter(|_| asked.sequence == account.sequence);
    if again.is_none() && asked.sequence != account.sequence + 1 {
        return Err(Box::new(refuse(
            409,
            code::SEQUENCE_MISMATCH,
            "not the next request",
        )));
    }
    let needed = again.map_or(account.due, |last| account.due - last.receipt.price);
    if payment.voucher.cumulative < needed {
        return Err(Box::new(refuse(402, code::PAYMENT_REQUIRED, "more is due")));
    }
    if needed + asked.max_price > data.deposit {
        return Err(Box::new(refuse(402, code::DEPOSIT_TOO_SMALL, "top up")));
    }
    // The requester never signs for more than what it was told and accepted.
    assert!(payment.voucher.cumulative <= account.due);
    account.paid = account.paid.max(payment.voucher.cumulative);
    account.under_way = true;
    let mut peak = provider.peak.lock().unwrap();
    peak.0 += 1;
    peak.1 = peak.1.max(peak.0);
    let asked = Asked { again, ..asked };
    Ok((asked, UnderWay(Arc::clone(provider), session)))
}
