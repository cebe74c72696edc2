//! Requesters with sessions: they open one, ask and pay, and go or ask for the close.

use std::{sync::Arc, time::Duration};

use assay_client::{
    instruction::SessionCloseRequest,
    protocol::{Address, Digest, SessionStatus},
    session::{
        self, MODEL_HEADER, Payment, RECEIPT_HEADER, Receipt, SEQUENCE_HEADER, SignedReceipt,
        Standing, Terms, VOUCHER_HEADER,
    },
};
use assay_tests::{SOL, Session, session::session_key};
use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{
    market::MODEL,
    node::{Node, PRICE},
    plan::SessionPlan,
    sim::Sim,
    wire::{Answer, Wire},
};

/// Between two tries of a request.
const PAUSE: Duration = Duration::from_millis(1_500);

pub struct Customer {
    sim: Arc<Sim>,
    node: Arc<Node>,
    key: Keypair,
    wire: Wire,
    plan: SessionPlan,
    /// Its provider lost count of its receipts: no more is asked for.
    broken: bool,
}

impl Customer {
    pub fn new(sim: &Arc<Sim>, nodes: &[Arc<Node>], number: usize) -> Self {
        let plan = sim.plan.sessions[number];
        Self {
            sim: Arc::clone(sim),
            node: Arc::clone(&nodes[plan.node]),
            key: Keypair::new_from_array(sim.dice(700 + number as u64).bytes()),
            wire: Wire::new(sim, 800 + number as u64),
            plan,
            broken: false,
        }
    }

    /// From the session's beginning to what its requester does last.
    pub async fn run(mut self) {
        tokio::time::sleep_until(self.sim.at(self.plan.at_ms)).await;
        let session = self.open();
        let mut last = None;
        for sequence in 1..=self.plan.requests {
            tokio::time::sleep(Duration::from_millis(self.plan.pause_ms)).await;
            let Some(receipt) = self.request(&session, sequence, last.as_ref()).await else {
                self.sim.count("session: over before its last request");
                return;
            };
            last = Some(receipt);
        }
        self.sim.count("session: all was answered");
        if self.plan.asks_for_close {
            self.ask_for_close(&session);
            // A rollback may have taken it back.
            tokio::time::sleep_until(self.sim.at(self.sim.plan.quiet_from_ms())).await;
            self.ask_for_close(&session);
        }
    }

    fn ask_for_close(&self, session: &Session) {
        if self.is_open(&session.account) {
            let request = SessionCloseRequest {
                requester: session.requester,
                session: session.account,
            };
            self.sim.act(session.requester, request);
        }
    }

    fn open(&self) -> Session {
        let (requester, ms) = (self.key.pubkey(), self.sim.ms());
        let mut net = self.sim.net();
        let world = net.world(ms, &self.sim.log);
        world.fund(requester, 100 * SOL);
        let session = world.new_session_of(requester, &self.node.provider);
        let call = world.session_open(&session);
        let opened = net.send_at_once(requester, call, ms, &self.sim.log);
        assert!(opened, "the terms are good");
        session
    }

    fn is_open(&self, session: &Address) -> bool {
        let net = self.sim.net();
        let data = net.view().sessions.get(session);
        data.is_some_and(|data| data.status == SessionStatus::Open as u8)
    }

    /// Asks until there is a receipt to pay; none once the session is over.
    async fn request(
        &mut self,
        session: &Session,
        sequence: u64,
        last: Option<&Receipt>,
    ) -> Option<Receipt> {
        let body = Digest::of(&[session.account.as_ref(), &sequence.to_le_bytes()]).0;
        let due = last.map_or(0, |last| last.cumulative);
        let key = session_key(&session.requester);
        let payment = Payment::sign(session.voucher(due), &key).expect("the key signs");
        let (sim, id, account) = (Arc::clone(&self.sim), self.plan.node, session.account);
        sim.tabs().tab(account, id).signed = due;
        let request = || {
            Request::post(session::run_path(&account))
                .header("content-length", body.len())
                .header(MODEL_HEADER, hex::encode(Digest::of(&[MODEL]).0))
                .header(SEQUENCE_HEADER, sequence)
                .header(VOUCHER_HEADER, payment.to_header())
                .body(Body::from(body.to_vec()))
                .expect("a request")
        };
        let given = |answer: &Answer| {
            if answer.status == StatusCode::OK {
                let mut tabs = sim.tabs();
                let tab = tabs.tab(account, id);
                (tab.kept, tab.answered) = (tab.kept.max(due), tab.answered.max(sequence));
            }
        };
        while !self.broken && self.is_open(&account) {
            match self.wire.ask(&self.node, request, given).await {
                Some(answer) if answer.status == StatusCode::OK => {
                    return Some(self.judge(&account, &answer, &body, last));
                }
                Some(answer) => {
                    self.sim
                        .count(format!("session: refused {}", answer.status));
                    if let Some(receipt) = self.catch_up(&account, sequence, last).await {
                        return Some(receipt);
                    }
                }
                None => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
        None
    }

    /// The receipt of an answer, if it is worth paying.
    fn judge(
        &self,
        session: &Address,
        answer: &Answer,
        body: &[u8],
        last: Option<&Receipt>,
    ) -> Receipt {
        let header = answer.headers.get(RECEIPT_HEADER).expect("a receipt");
        let signed = SignedReceipt::from_header(header.to_str().expect("base64"));
        let signed = signed.expect("a receipt");
        let terms = Terms {
            session,
            operator: &self.node.provider.operator,
            model: &Digest::of(&[MODEL]),
            request: &Receipt::request_digest("run", body),
            response: &Digest::of(&[&answer.body]),
            max_price: PRICE,
            previous: last,
        };
        signed
            .check(&terms)
            .expect("a receipt that is worth paying");
        signed.receipt
    }

    /// The receipt of this request, if it was answered and the answer cannot be had any more.
    async fn catch_up(
        &mut self,
        session: &Address,
        sequence: u64,
        last: Option<&Receipt>,
    ) -> Option<Receipt> {
        let request = || {
            Request::get(session::session_path(session))
                .body(Body::empty())
                .expect("a request")
        };
        let answer = self.wire.ask(&self.node, request, |_| {}).await?;
        if answer.status != StatusCode::OK || !self.is_open(session) {
            return None;
        }
        let standing: Standing = serde_json::from_slice(&answer.body).expect("a standing");
        if standing.sequence != sequence {
            self.broken = standing.sequence + 1 < sequence;
            let (lost, found) = (
                self.sim.tabs().tab(*session, self.plan.node).lost,
                standing.sequence,
            );
            let known = found + 1 == sequence || (self.broken && lost);
            assert!(known, "request {sequence} of a session at {found}");
            if self.broken {
                self.sim.count("session: its provider lost count");
            }
            return None;
        }
        let receipt = standing.receipt.expect("it comes with an answer");
        let operator = &self.node.provider.operator;
        receipt.check_signature(operator).expect("a signature");
        receipt.receipt.follows(last).expect("the next receipt");
        self.sim.count("session: caught up");
        Some(receipt.receipt)
    }
}
