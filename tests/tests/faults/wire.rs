//! The network between requesters and nodes: it loses requests and answers, and brings some requests twice.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use assay_tests::sim::Dice;
use axum::{
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode},
};
use tower_service::Service;

use super::{node::Node, plan::within, sim::Sim};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Wire {
    sim: Arc<Sim>,
    dice: Dice,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Wire {
    pub fn new(sim: &Arc<Sim>, purpose: u64) -> Self {
        Self {
            sim: Arc::clone(sim),
            dice: sim.dice(purpose),
        }
    }

    /// Asks a node, once or twice. `given` is told of every answer, also of those that get lost.
    pub async fn ask(
        &mut self,
        node: &Node,
        request: impl Fn() -> Request<Body>,
        mut given: impl FnMut(&Answer),
    ) -> Option<Answer> {
        let troubled = self.sim.ms() < self.sim.plan.faults_until_ms;
        let chance = if troubled { self.dice.below(100) } else { 99 };
        let wait = Duration::from_millis(within(&mut self.dice, 5, 400));
        tokio::time::sleep(wait).await;
        if chance < 15 {
            self.sim.count("http: request lost");
            return None;
        }
        let times = if (15..30).contains(&chance) { 2 } else { 1 };
        let mut answer = None;
        for _ in 0..times {
            answer = ask_once(node, request()).await;
            answer.iter().for_each(&mut given);
        }
        if times == 2 {
            self.sim.count("http: came twice");
        }
        if (30..45).contains(&chance) {
            self.sim.count("http: answer lost");
            return None;
        }
        answer
    }
}

async fn ask_once(node: &Node, mut request: Request<Body>) -> Option<Answer> {
    let mut service = node.service()?;
    let asked = format!("{} {}", request.method(), request.uri());
    let peer = ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 7_001)));
    request.extensions_mut().insert(peer);
    let answered = tokio::time::timeout(PATIENCE, async move {
        let response = service.call(request).await.expect("a router does not fail");
        let (head, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.expect("a small answer");
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.to_vec(),
        }
    });
    let answer = answered.await.ok()?;
    node.link.note(|| format!("{asked}: {}", answer.status));
    Some(answer)
}
