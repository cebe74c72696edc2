//! The driver as a whole, against a node over a real socket: what it does together.

use std::path::Path;

use assay_client::{
    account::{decode_owned, encode},
    protocol::{Error, JobStatus, LAYOUT_VERSION, Lamports, ProviderData},
};
use bytemuck::Zeroable;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_signer::Signer;
use tokio::task::JoinHandle;

use assay_engine::{EngineError, Model, ModelInfo, Outcome};

use super::*;
use crate::{
    artifacts::{Cache, FetchSettings, NetworkPolicy},
    chain::{
        RpcChain,
        fake::{Account, Node, Refuse, World, chain, marks},
    },
    config::Config,
    core::{Action, Body, Report},
    run::assembly::{self, Ground},
    store::{Member, Quote, SentTransaction},
};

mod disk;
mod idle;
mod panel;

const NOW: i64 = 1_700_000_000;
const ME: Address = Address::new_from_array([5; 32]);

/// No engine ever answers here: everything has been computed before.
struct NoEngines;

impl Engines for NoEngines {
    fn load<'a>(&'a self, _: &'a Model) -> BoxFuture<'a, Result<ModelInfo, EngineError>> {
        unreachable!("nothing is loaded here")
    }

    fn run<'a>(
        &'a self,
        _: &'a Model,
        _: &'a [u8],
        _: Duration,
    ) -> BoxFuture<'a, Result<Outcome, EngineError>> {
        unreachable!("nothing is run here")
    }

    fn kill(&self) {}
}

fn address(number: u8) -> Address {
    Address::new_from_array([number + 100; 32])
}

fn owned(data: Vec<u8>) -> Account {
    Account {
        owner: PROGRAM_ID,
        lamports: 1,
        data,
        executable: false,
    }
}

/// Committed to by us; nobody has acknowledged it.
fn committed(number: u8, challenge_secs: u32) -> JobData {
    JobData {
        version: LAYOUT_VERSION,
        status: JobStatus::Committed as u8,
        sequence: 4,
        provider: ME,
        requester: address(90),
        price: 1_000,
        generation: 7,
        committed_at: NOW - 1_000,
        challenge_secs,
        commitment: [number; 32],
        requester_secret_hash: assay_client::protocol::commitment::secret_hash(&[number; 32]).0,
        ..JobData::zeroed()
    }
}

/// What the journal holds of it: the secret marks its instruction.
fn journal(store: &Store, number: u8, job: &JobData) {
    let claimed = Report::Claimed {
        price: Lamports(1_000),
    };
    let result = SavedResult {
        attempt: 0,
        generation: job.generation,
        salt: [0; 32],
        worker_secret: [number; 32],
        root: Digest([3; 32]),
        hints_digest: Digest([4; 32]),
        commitment: Digest(job.commitment),
        runtime_class: [0; 32],
    };
    let now = UnixSeconds(NOW);
    let job_address = address(number);
    store.report(&job_address, 0, job, claimed, now).unwrap();
    store
        .save_result(&job_address, &result, &Body::default(), now)
        .unwrap();
}

/// Every job that is finalized is settled.
fn settle(world: &mut World, bytes: &[u8]) {
    for number in marks(bytes) {
        let account = world.accounts.get_mut(&address(number)).unwrap();
        let mut job: JobData = decode_owned(&PROGRAM_ID, &account.data).unwrap();
        job.status = JobStatus::Settled as u8;
        job.sequence += 1;
        account.data = encode(&job);
    }
    let signature = bs58::encode(&bytes[1..65]).into_string();
    let status =
        json!({ "slot": 7, "confirmations": 1, "err": null, "confirmationStatus": "confirmed" });
    world.statuses.insert(signature, status);
}

/// Job 20 is refused.
fn refuse(_: &World, bytes: &[u8]) -> Option<Value> {
    let position = marks(bytes).iter().position(|mark| *mark == 20)?;
    let code = Error::JobNotCommitted.code();
    Some(json!({ "InstructionError": [position + 2, { "Custom": code }] }))
}

struct Worker {
    node: Node,
    store: Store,
    shared: Arc<Shared>,
    inputs: mpsc::Sender<Input>,
    stop: CancellationToken,
    driver: JoinHandle<Result<(), DriverError>>,
    _folder: tempfile::TempDir,
}

impl Worker {
    /// With these jobs in its journal and on chain.
    async fn start(jobs: &[u8], challenge_secs: u32, refusing: bool) -> Self {
        let worker = Self::with(|world, store, _| {
            world.refuse = refusing.then_some(refuse as Refuse);
            for number in jobs {
                let job = committed(*number, challenge_secs);
                journal(store, *number, &job);
                world.accounts.insert(address(*number), owned(encode(&job)));
            }
        });
        worker.await
    }

    /// Whose instructions the transactions have that were sent, by [`marks`].
    fn sent(&self) -> Vec<Vec<u8>> {
        let world = self.node.world();
        world.sent.iter().map(|sent| marks(sent)).collect()
    }

    /// `prepare` is given the chain, the journal and the operator.
    async fn with(prepare: impl FnOnce(&mut World, &Store, Address)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("journal.sqlite")).unwrap();
        Self::on(folder, store, |_| (), prepare).await
    }

    /// `change` is given everything that the driver works with.
    async fn on(
        folder: tempfile::TempDir,
        store: Store,
        change: impl FnOnce(&mut Parts<RpcChain>),
        prepare: impl FnOnce(&mut World, &Store, Address),
    ) -> Self {
        let node = Node::start().await;
        let operator = Keypair::new();
        {
            let mut world = node.world();
            world.land = Some(settle);
            let provider = ProviderData {
                version: LAYOUT_VERSION,
                status: 1,
                generation: 7,
                ..ProviderData::zeroed()
            };
            world.accounts.insert(ME, owned(encode(&provider)));
            prepare(&mut world, &store, operator.pubkey());
        }
        let (inputs, waiting) = mpsc::channel(16);
        let mut parts = parts(&node, store.clone(), folder.path(), operator);
        change(&mut parts);
        let shared = Arc::clone(&parts.shared);
        let stop = CancellationToken::new();
        let driver = Driver::new(parts, inputs.clone(), waiting).run(stop.clone());
        Self {
            node,
            store,
            shared,
            inputs,
            stop,
            driver: tokio::spawn(driver),
            _folder: folder,
        }
    }

    fn phase(&self, number: u8) -> String {
        self.store.job(&address(number)).unwrap().unwrap().phase
    }

    async fn until_settled(&self, jobs: &[u8]) {
        while jobs.iter().any(|job| self.phase(*job) != "settled") {
            assert!(!self.driver.is_finished());
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) {
        self.stop.cancel();
        self.driver.await.unwrap().unwrap();
    }
}

fn parts(node: &Node, store: Store, folder: &Path, operator: Keypair) -> Parts<RpcChain> {
    let cache = |name| Cache::open(name, &folder.join(name), 1_000).unwrap();
    let fetch = FetchSettings {
        network: NetworkPolicy::default(),
        gateways: vec![],
        timeout: Duration::from_secs(5),
        connections: 1,
    };
    let mut config = Config {
        authority: ME.to_string(),
        ..Config::default()
    };
    config.policy.shutdown_secs = 0;
    (config.chain.poll_ms, config.chain.look_ms) = (20, 20);
    config.chain.idle_poll_ms = 20;
    let artifacts = Artifacts::new(cache("models"), cache("blobs"), vec![], fetch);
    let ground = Ground {
        chain: Arc::new(chain(&[node])),
        store,
        artifacts: Arc::new(artifacts.unwrap()),
        host: Arc::new(NoEngines),
        threads: Threads::One,
        random: getrandom::fill,
        clock: || NOW,
        engine: EngineConfig::default(),
        runtime: String::new(),
        class: [0; 32],
        operator: Arc::new(operator),
        provider: ME,
        halt: Halt::Never,
    };
    assembly::parts(&config, ground).unwrap()
}

#[tokio::test]
async fn windows_that_are_over_are_closed_in_one_transaction() {
    let worker = Worker::start(&[10, 11, 12], 100, false).await;
    worker.until_settled(&[10, 11, 12]).await;
    assert_eq!(worker.sent(), [[10, 11, 12]]);
    worker.end().await;
}

#[tokio::test]
async fn job_that_cannot_be_finalized_keeps_no_other_from_its_pay() {
    let worker = Worker::start(&[10, 20, 12], 100, true).await;
    worker.until_settled(&[10, 12]).await;
    assert_eq!(worker.phase(20), "committed");
    assert_eq!(worker.sent(), [[10, 12]]);
    {
        let mut world = worker.node.world();
        // Its next try is due.
        (world.refuse, world.time) = (None, NOW + 3);
    }
    worker.until_settled(&[20]).await;
    worker.end().await;
}

#[tokio::test]
async fn acknowledgements_that_come_together_are_paid_in_one_transaction() {
    let worker = Worker::start(&[10, 11], 100_000, false).await;
    while worker.phase(10) != "committed" || worker.phase(11) != "committed" {
        tokio::task::yield_now().await;
    }
    // Both are in the queue before the driver hears of the first.
    let mut replies = Vec::new();
    for number in [10, 11] {
        let (reply, answer) = oneshot::channel();
        let input = Input::Acknowledge {
            job: address(number),
            secret: [number; 32],
            reply,
        };
        worker.inputs.try_send(input).ok().unwrap();
        replies.push(answer);
    }
    for reply in replies {
        reply.await.unwrap().unwrap();
    }
    worker.until_settled(&[10, 11]).await;
    assert_eq!(worker.node.count("getLatestBlockhash"), 1);
    assert_eq!(worker.sent(), [[10, 11]]);
    worker.end().await;
}

#[tokio::test]
async fn job_that_a_websocket_makes_up_is_read_and_not_believed() {
    let worker = Worker::start(&[10], 100_000, false).await;
    while worker.phase(10) != "committed" {
        tokio::task::yield_now().await;
    }
    let made_up = JobData {
        status: JobStatus::Settled as u8,
        sequence: 1_004,
        ..committed(10, 100_000)
    };
    let lie = Input::Job(address(10), Box::new(made_up));
    worker.inputs.try_send(lie).ok().unwrap();
    let (reply, answer) = oneshot::channel();
    let acknowledge = Input::Acknowledge {
        job: address(10),
        secret: [10; 32],
        reply,
    };
    worker.inputs.try_send(acknowledge).ok().unwrap();
    answer.await.unwrap().unwrap();
    worker.until_settled(&[10]).await;
    assert_eq!(worker.node.count("sendTransaction"), 1, "it is finalized");
    worker.end().await;
}

#[tokio::test]
async fn batch_that_was_under_way_at_a_crash_ends_for_each_of_its_jobs() {
    let bytes = [&[1][..], &[9; 64], &[10; 16], &[11; 16]].concat();
    let member = |number| Member {
        job: address(number),
        attempt: 0,
        action: Action::Job(Step::Finalize),
    };
    let under_way = SentTransaction {
        signature: [9; 64],
        members: [10, 11].map(member).to_vec(),
        bytes: bytes.clone(),
        last_valid_block_height: 10_000,
        quote: Quote {
            fee: 5_001,
            priority_fee: 1,
        },
    };
    let worker = Worker::with(|world, store, _| {
        store
            .save_transaction(&under_way, UnixSeconds(NOW))
            .unwrap();
        for number in [10, 11] {
            let job = committed(number, 100);
            journal(store, number, &job);
            world.accounts.insert(address(number), owned(encode(&job)));
        }
    });
    let worker = worker.await;
    worker.until_settled(&[10, 11]).await;
    assert_eq!(worker.node.world().sent, [bytes], "nothing else is sent");
    let books = worker.store.books().unwrap();
    let fees: Vec<_> = books
        .iter()
        .map(|booked| (booked.job, booked.amounts.fees))
        .collect();
    assert_eq!(fees, [(address(10), 2_501), (address(11), 2_500)]);
    worker.end().await;
}
