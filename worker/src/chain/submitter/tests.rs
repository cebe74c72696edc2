//! Against nodes over real sockets: what is asked, what is believed, and what is noted of it.

use std::sync::atomic::Ordering;

use assay_client::protocol::{JobData, JobStatus};
use bytemuck::Zeroable;
use serde_json::{Value, json};

use super::*;
use crate::chain::{
    RpcChain,
    fake::{Node, Trouble, World, chain},
};

mod batch;
mod disk;
mod expiry;
mod lies;

const JOB: Address = Address::new_from_array([3; 32]);
const ME: Address = Address::new_from_array([4; 32]);

fn submitter(nodes: &[&Node], folder: &tempfile::TempDir) -> Arc<Submitter<RpcChain>> {
    let store = Store::open(&folder.path().join("journal.sqlite")).unwrap();
    over(nodes, store)
}

fn over(nodes: &[&Node], store: Store) -> Arc<Submitter<RpcChain>> {
    Arc::new(Submitter {
        chain: Arc::new(chain(nodes)),
        store,
        operator: Arc::new(Keypair::new()),
        provider: ME,
        config: SubmitterConfig {
            max_unit_price: 100_000,
            fee_percentile: 50,
            look_every: Duration::from_millis(20),
            resend_every: Duration::from_millis(60),
        },
        halt: Halt::Never,
        memory: Memory::default(),
    })
}

fn purpose(step: Step) -> Purpose {
    Purpose {
        job: JOB,
        attempt: 0,
        action: Action::Job(step),
        proof: None,
        instruction: Instruction {
            program_id: assay_client::PROGRAM_ID,
            accounts: Vec::new(),
            data: vec![1; 8],
        },
        now: UnixSeconds(1_000),
        steady: step == Step::Commit || step == Step::Finalize,
    }
}

fn status(error: &Value) -> Value {
    json!({ "slot": 7, "confirmations": 1, "err": error, "confirmationStatus": "confirmed" })
}

/// Everything lands the moment it is sent.
fn land(world: &mut World, bytes: &[u8]) {
    let signature = bs58::encode(&bytes[1..65]).into_string();
    world.statuses.insert(signature, status(&Value::Null));
}

fn shown(status: JobStatus) -> JobData {
    JobData {
        provider: ME,
        status: status as u8,
        ..JobData::zeroed()
    }
}

#[tokio::test]
async fn job_takes_at_most_eight_requests() {
    let node = Node::start().await;
    node.world().land = Some(land);
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    submitter.chain.check().await;
    let steps = [Step::Claim, Step::Commit, Step::Finalize];
    let mut counts = Vec::new();
    for _ in 0..2 {
        let before = submitter.chain.calls();
        for step in steps {
            assert_eq!(submitter.submit(purpose(step)).await, Submitted::Landed);
        }
        counts.push(submitter.chain.calls().since(&before));
    }
    // Without a websocket, and everything of one worker's first job included.
    let asked = |count: usize, method: &str| counts[count].by_method.get(method).copied();
    assert_eq!(asked(0, "simulateTransaction"), Some(3));
    assert_eq!(asked(0, "getTransaction"), Some(1), "a sample");
    assert_eq!(asked(1, "simulateTransaction"), Some(1), "the claim");
    assert_eq!(asked(1, "sendTransaction"), Some(3));
    assert_eq!(asked(1, "getSignatureStatuses"), Some(3));
    assert_eq!(counts[1].total, 7, "{:?}", counts[1]);
    assert!(submitter.store.pending_transactions().unwrap().is_empty());
}

/// Its steps are further apart than a blockhash is signed with, and a websocket tells of them.
#[tokio::test]
async fn job_with_long_pauses_asks_for_three_blockhashes() {
    let node = Node::start().await;
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    submitter.memory.hinted.store(true, Ordering::Relaxed);
    submitter.chain.check().await;
    for step in [Step::Commit, Step::Finalize] {
        submitter.memory.keep_units(Action::Job(step), 5_000);
    }
    let before = submitter.chain.calls();
    let steps = [
        (Step::Claim, JobStatus::Claimed),
        (Step::Commit, JobStatus::Committed),
        (Step::Finalize, JobStatus::Settled),
    ];
    for (sent, (step, status)) in (1..).zip(steps) {
        submitter.memory.forget_blockhash().await;
        let submitting = tokio::spawn({
            let submitter = Arc::clone(&submitter);
            async move { submitter.submit(purpose(step)).await }
        });
        while node.count("sendTransaction") < sent {
            tokio::task::yield_now().await;
        }
        submitter.see(JOB, &shown(status));
        assert_eq!(submitting.await.unwrap(), Submitted::Landed);
    }
    let calls = submitter.chain.calls().since(&before);
    let asked = |method: &str| calls.by_method.get(method).copied();
    assert_eq!(asked("getLatestBlockhash"), Some(3));
    assert_eq!(asked("simulateTransaction"), Some(1));
    assert_eq!(asked("sendTransaction"), Some(3));
    assert_eq!(asked("getSignatureStatuses"), None, "read later, together");
    assert_eq!(calls.total, 8, "recent fees once: {calls:?}");
}

#[tokio::test]
async fn blockhash_is_asked_for_beside_the_simulation() {
    let node = Node::start().await;
    node.trouble("simulateTransaction", Trouble::Hang);
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    tokio::spawn({
        let submitter = Arc::clone(&submitter);
        async move { submitter.submit(purpose(Step::Claim)).await }
    });
    while node.count("simulateTransaction") == 0 || node.count("getLatestBlockhash") == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn blockhash_that_is_there_is_not_asked_for_again() {
    let node = Node::start().await;
    node.world().land = Some(land);
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    submitter.make_ready().await;
    assert_eq!(node.count("getLatestBlockhash"), 1);
    submitter.submit(purpose(Step::Commit)).await;
    assert_eq!(node.count("getLatestBlockhash"), 1);
}

#[tokio::test]
async fn effect_that_a_reading_shows_ends_the_waiting() {
    let node = Node::start().await;
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    let claiming = tokio::spawn({
        let submitter = Arc::clone(&submitter);
        async move { submitter.submit(purpose(Step::Claim)).await }
    });
    while node.count("sendTransaction") == 0 {
        tokio::task::yield_now().await;
    }
    // Neither another provider's claim nor another step is it.
    let other = JobData {
        provider: JOB,
        ..shown(JobStatus::Claimed)
    };
    submitter.see(JOB, &other);
    submitter.see(JOB, &shown(JobStatus::Committed));
    submitter.see(JOB, &shown(JobStatus::Open));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!claiming.is_finished());
    submitter.see(JOB, &shown(JobStatus::Claimed));
    assert_eq!(claiming.await.unwrap(), Submitted::Landed);
    let pending = submitter.store.pending_transactions().unwrap();
    assert_eq!(pending.len(), 1, "its end is noted when its state is read");
}

#[tokio::test]
async fn transaction_is_in_the_journal_before_it_is_sent() {
    let node = Node::start().await;
    node.trouble("sendTransaction", Trouble::Hang);
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    tokio::spawn({
        let submitter = Arc::clone(&submitter);
        async move { submitter.submit(purpose(Step::Claim)).await }
    });
    while node.count("sendTransaction") == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(submitter.store.pending_transactions().unwrap().len(), 1);
}

#[tokio::test]
async fn failure_in_a_block_is_paid_for_and_told() {
    let node = Node::start().await;
    node.world().land = Some(|world, bytes| {
        let signature = bs58::encode(&bytes[1..65]).into_string();
        let error = json!({ "InstructionError": [0, { "Custom": 6_000_000 }] });
        world.statuses.insert(signature.clone(), status(&error));
        let meta = json!({
            "fee": 5_000, "preBalances": [10_000], "postBalances": [5_000], "computeUnitsConsumed": 9,
        });
        world.metas.insert(signature, meta);
    });
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    let outcome = submitter.submit(purpose(Step::Finalize)).await;
    assert_eq!(outcome, Submitted::Refused(None));
    let costs = submitter.store.costs(UnixSeconds(0)).unwrap();
    assert_eq!(costs.len(), 1);
    assert_eq!(
        (
            costs[0].fee,
            costs[0].rent,
            costs[0].landed,
            costs[0].recorded
        ),
        (5_000, Some(0), false, true)
    );
    // What failed is simulated the next time, whatever it used before.
    submitter.submit(purpose(Step::Finalize)).await;
    assert_eq!(node.count("simulateTransaction"), 2);
}

#[tokio::test]
async fn cost_that_nodes_tell_late_is_asked_for_later() {
    let node = Node::start().await;
    node.world().land = Some(land);
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    submitter.submit(purpose(Step::Claim)).await;
    let rent =
        |submitter: &Submitter<RpcChain>| submitter.store.costs(UnixSeconds(0)).unwrap()[0].rent;
    assert_eq!(rent(&submitter), None);
    let sent = node.world().sent[0].clone();
    let meta = json!({ "fee": 5_000, "preBalances": [10_000], "postBalances": [2_000] });
    let signature = bs58::encode(&sent[1..65]).into_string();
    node.world().metas.insert(signature, meta);
    submitter.ask_for_costs(UnixSeconds(1_000)).await;
    assert_eq!(rent(&submitter), Some(3_000));
}

#[tokio::test]
async fn offer_follows_recent_fees_grows_with_expiries_and_has_a_limit() {
    let node = Node::start().await;
    node.world().fees = vec![900, 100, 300];
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    let key = (JOB, "claim");
    let offer = async |percentile, most| {
        let memory = &submitter.memory;
        let price = memory.unit_price(&*submitter.chain, ME, key, percentile, most);
        price.await
    };
    assert_eq!(offer(50, 100_000).await, 300);
    assert_eq!(
        (offer(0, 100_000).await, offer(100, 100_000).await),
        (100, 900)
    );
    assert_eq!((offer(100, 500).await, offer(50, 0).await), (500, 0));
    submitter.memory.note_expiry(key);
    assert_eq!(offer(50, 100_000).await, 2_000);
    submitter.memory.note_expiry(key);
    assert_eq!(
        (offer(50, 100_000).await, offer(50, 3_000).await),
        (4_000, 3_000)
    );
    submitter.memory.forget_failures(key);
    assert_eq!(offer(50, 100_000).await, 300);
    assert_eq!(
        node.count("getRecentPrioritizationFees"),
        1,
        "once a minute"
    );
}

/// Whatever is to be sent waits for it.
#[tokio::test]
async fn advice_on_fees_that_does_not_come_is_not_waited_for() {
    let node = Node::start().await;
    node.world().fees = vec![300];
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    let offer = || {
        let memory = &submitter.memory;
        memory.unit_price(&*submitter.chain, ME, (JOB, "claim"), 50, 100_000)
    };
    assert_eq!(offer().await, 300);
    node.trouble("getRecentPrioritizationFees", Trouble::Hang);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    let began = tokio::time::Instant::now();
    assert_eq!(offer().await, 300, "the last advice stays");
    let waited = began.elapsed();
    assert!(waited <= Duration::from_secs(2), "{waited:?}");
}
