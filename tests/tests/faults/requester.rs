//! Requesters: they create jobs, hand inputs over, fetch results, acknowledge, dispute, and end what nobody serves.

use std::{sync::Arc, time::Duration};

use assay_client::{
    delivery::{self, Acknowledgement, Delivery, Request},
    instruction::{JobClose, JobExpire},
    protocol::{
        Address, Digest, JobData, JobStatus, UnixSeconds, commitment::secret_hash,
        job::JOB_ACKNOWLEDGED, limits::OPEN_SLOT_AGE,
    },
};
use assay_tests::{Job, Model, SOL, World};
use axum::{body::Body, http::StatusCode};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{
    engines,
    node::Node,
    plan::{JobPlan, Manner},
    sim::Sim,
    wire::Wire,
};

/// Between two looks at its job.
const LOOK: Duration = Duration::from_millis(1_500);

pub struct Requester {
    sim: Arc<Sim>,
    nodes: Vec<Arc<Node>>,
    key: Keypair,
    wire: Wire,
    plan: JobPlan,
    model: Model,
    input: Vec<u8>,
}

impl Requester {
    pub fn new(sim: &Arc<Sim>, nodes: &[Arc<Node>], model: Model, number: usize) -> Self {
        let mut dice = sim.dice(500 + number as u64);
        Self {
            key: Keypair::new_from_array(dice.bytes()),
            input: engines::input(&dice.bytes()),
            sim: Arc::clone(sim),
            nodes: nodes.to_vec(),
            plan: sim.plan.jobs[number],
            model,
            wire: Wire::new(sim, 600 + number as u64),
        }
    }

    /// From the job's creation to its end.
    pub async fn run(mut self) {
        tokio::time::sleep_until(self.sim.at(self.plan.at_ms)).await;
        let job = self.create();
        let mut handed = vec![false; self.nodes.len()];
        // The commitment whose result was acknowledged, and whether in time.
        let mut acknowledged = None;
        loop {
            for (node, handed) in handed.iter_mut().enumerate() {
                *handed = *handed || self.hand_over(node).await;
            }
            let Some(data) = self.job(&job.account) else {
                return;
            };
            let status = data.status().expect("the program writes known statuses");
            // A rollback may bring another commitment, or the same one again.
            let known = acknowledged.filter(|(commitment, _)| *commitment == data.commitment);
            if status == JobStatus::Committed {
                match self.plan.manner {
                    Manner::Kind if known.is_none() => {
                        if self.acknowledge(&job, &data).await {
                            // Later, what finalizes it without may be on its way.
                            let deadline = data.challenge_deadline().expect("small");
                            let in_time = deadline.allows(self.now());
                            acknowledged = Some((data.commitment, in_time));
                        }
                    }
                    Manner::Kind | Manner::Silent => {}
                    Manner::Disputing => self.dispute(&job, &data),
                }
            } else if known.is_some_and(|(_, in_time)| in_time)
                && data.flags & JOB_ACKNOWLEDGED == 0
            {
                let wrong = format!("job {}: its acknowledgement was lost", job.account);
                self.sim.net().trail.wrongs.push(wrong);
                acknowledged = None;
            }
            self.end_what_is_late(&job, &data, status);
            if status.is_terminal() && data.live_panels == 0 {
                self.close(&job);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn create(&mut self) -> Job {
        let requester = self.key.pubkey();
        let ms = self.sim.ms();
        let mut net = self.sim.net();
        let world = net.world(ms, &self.sim.log);
        if world.balance(&requester) == 0 {
            world.fund(requester, 100 * SOL);
        }
        let job = world
            .new_job_of(requester, &self.model)
            .with_terms(|terms| {
                let secret_hash = terms.requester_secret_hash;
                if self.plan.audit_bps > 0 {
                    *terms = World::audited_terms(&[0; 32]);
                    terms.audit_bps = self.plan.audit_bps;
                    terms.requester_secret_hash = secret_hash;
                } else {
                    // Four times the ceiling is what the default policy puts up.
                    terms.collateral = 3 * terms.ceiling;
                }
                terms.ramp_secs = 5;
                terms.claim_secs = 90;
                terms.compute_secs = self.plan.compute_secs;
                terms.challenge_secs = 40;
                terms.input_digest = Digest::of(&[&self.input]).0;
                terms.input_bytes = u32::try_from(self.input.len()).expect("a small input");
            });
        assert_eq!(
            job.args.terms.requester_secret_hash,
            secret_hash(&job.secret).0
        );
        let call = world.job_create(&job);
        let created = net.send_at_once(requester, call, ms, &self.sim.log);
        assert!(created, "the terms are good");
        job
    }

    fn job(&self, address: &Address) -> Option<JobData> {
        self.sim.net().view().jobs.get(address).copied()
    }

    fn now(&self) -> UnixSeconds {
        let net = self.sim.net();
        let slot = net.confirmed(self.sim.ms());
        UnixSeconds(net.calendar.time(slot))
    }

    async fn hand_over(&mut self, node: usize) -> bool {
        let path = delivery::blob_path(&Digest::of(&[&self.input]));
        let input = self.input.clone();
        let answer = self.ask(node, "PUT", &path, &input).await;
        answer.is_some_and(|(status, _)| status.is_success())
    }

    /// Fetches the result, checks it against the chain, and signs for it. Whether the worker knows it.
    async fn acknowledge(&mut self, job: &Job, data: &JobData) -> bool {
        let theirs = |node: &Arc<Node>| node.provider.account == data.provider;
        let node = self
            .nodes
            .iter()
            .position(theirs)
            .expect("nobody else claims");
        let path = delivery::result_path(&job.account);
        let Some((StatusCode::OK, body)) = self.ask(node, "GET", &path, &[]).await else {
            return false;
        };
        let delivered: Delivery = serde_json::from_slice(&body).expect("a delivery");
        assert_eq!(
            delivered.commitment, data.commitment,
            "another result than was committed to"
        );
        let body = serde_json::to_vec(&Acknowledgement {
            requester_secret: job.secret,
        });
        let body = body.expect("JSON");
        let path = delivery::acknowledge_path(&job.account);
        let answer = self.ask(node, "POST", &path, &body).await;
        answer.is_some_and(|(status, _)| status == StatusCode::OK)
    }

    fn dispute(&self, job: &Job, data: &JobData) {
        if !data.challenge_deadline().expect("small").allows(self.now()) {
            return;
        }
        let dispute = self
            .sim
            .net()
            .world(self.sim.ms(), &self.sim.log)
            .job_dispute(job);
        self.sim.act(job.requester, dispute);
    }

    /// What anybody may end when its time is over.
    fn end_what_is_late(&self, job: &Job, data: &JobData, status: JobStatus) {
        let deadline = match status {
            JobStatus::Open => data.claim_deadline(),
            JobStatus::Claimed => data.compute_deadline(),
            _ => return,
        };
        if deadline.expect("small").allows(self.now()) {
            return;
        }
        let expire = JobExpire {
            job: job.account,
            requester: job.requester,
            provider: (data.provider != Address::default()).then_some(data.provider),
        };
        self.sim.act(job.requester, expire);
    }

    /// Takes the rent back, once the address can never come again.
    fn close(&self, job: &Job) {
        let slot = self.sim.net().confirmed(self.sim.ms());
        let free = job.args.open_slot + OPEN_SLOT_AGE;
        if slot > free {
            let close = JobClose {
                job: job.account,
                requester: job.requester,
            };
            self.sim.act(job.requester, close);
        }
    }

    async fn ask(
        &mut self,
        node: usize,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Option<(StatusCode, Vec<u8>)> {
        let node = &self.nodes[node];
        let (sim, key) = (&self.sim, &self.key);
        let signed = || {
            let request = Request {
                method,
                path,
                timestamp: sim.net().calendar.second(sim.ms()),
                body,
                operator: &node.provider.operator,
            };
            let mut built = axum::http::Request::builder()
                .method(method)
                .uri(path)
                .header("content-length", body.len());
            for (name, value) in delivery::sign(key, &request).expect("the key signs") {
                built = built.header(name, value);
            }
            built.body(Body::from(body.to_vec())).expect("a request")
        };
        let answer = self.wire.ask(node, signed, |_| {}).await?;
        Some((answer.status, answer.body))
    }
}
