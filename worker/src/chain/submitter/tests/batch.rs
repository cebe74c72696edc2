//! Several members in one transaction: what lands together, who goes alone, and who is told what.

use assay_client::protocol::{Error, args::JobFinalizeArgs};

use super::*;
use crate::{
    chain::{
        fake::marks,
        instructions::{self, Sender},
    },
    core::Intent,
    store::CostRow,
};

/// The price of a unit is zero here: two instructions ask for the budget.
const BUDGET: usize = 2;

fn job(number: u8) -> Address {
    Address::new_from_array([number; 32])
}

/// What finalizes this job, told by its data.
fn finalize(number: u8) -> Purpose {
    let mut purpose = purpose(Step::Finalize);
    purpose.job = job(number);
    purpose.instruction.data = vec![number; 16];
    purpose
}

/// Job 20 cannot be finalized.
fn refuse(_: &World, bytes: &[u8]) -> Option<Value> {
    let bad = marks(bytes).iter().position(|number| *number == 20)?;
    let code = Error::JobNotCommitted.code();
    Some(json!({ "InstructionError": [bad + BUDGET, { "Custom": code }] }))
}

fn fail(world: &mut World, bytes: &[u8], error: &Value) {
    let signature = bs58::encode(&bytes[1..65]).into_string();
    world.statuses.insert(signature.clone(), status(error));
    let meta = json!({ "fee": 5_000, "preBalances": [10_000], "postBalances": [5_000] });
    world.metas.insert(signature, meta);
}

async fn together(
    submitter: &Arc<Submitter<RpcChain>>,
    purposes: impl IntoIterator<Item = Purpose>,
) -> Vec<Submitted> {
    let (asked, ends) = asked(purposes);
    submitter.submit_together(asked).await;
    futures_util::future::join_all(ends)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

type Ends = Vec<tokio::sync::oneshot::Receiver<Submitted>>;

fn asked(purposes: impl IntoIterator<Item = Purpose>) -> (Vec<Asked>, Ends) {
    let pairs = purposes.into_iter().map(|purpose| {
        let (answer, end) = tokio::sync::oneshot::channel();
        (Asked { purpose, answer }, end)
    });
    pairs.unzip()
}

fn sent_members(node: &Node) -> Vec<Vec<u8>> {
    let mut sent: Vec<_> = node.world().sent.iter().map(|sent| marks(sent)).collect();
    sent.sort();
    sent
}

fn costs(submitter: &Submitter<RpcChain>) -> Vec<CostRow> {
    submitter.store.costs(UnixSeconds(0)).unwrap()
}

#[tokio::test]
async fn finalizes_that_are_due_together_land_in_one_transaction() {
    let node = Node::start().await;
    node.world().land = Some(land);
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    // Known units save nobody the simulation: one could take the others along.
    submitter
        .memory
        .keep_units(Action::Job(Step::Finalize), 5_000);
    let ends = together(&submitter, [10, 11, 12].map(finalize)).await;
    assert_eq!(ends, [Submitted::Landed; 3]);
    assert_eq!(sent_members(&node), [[10, 11, 12]]);
    let asked = [
        "simulateTransaction",
        "sendTransaction",
        "getSignatureStatuses",
    ];
    assert_eq!(asked.map(|method| node.count(method)), [1; 3]);
    let costs = costs(&submitter);
    let shares: Vec<_> = costs.iter().map(|cost| (cost.job, cost.fee)).collect();
    assert_eq!(
        shares,
        [(job(10), 1_668), (job(11), 1_666), (job(12), 1_666)],
        "5,000 lamports in all"
    );
    assert!(submitter.store.pending_transactions().unwrap().is_empty());
}

#[tokio::test]
async fn lone_transaction_goes_as_ever() {
    let node = Node::start().await;
    node.world().land = Some(land);
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    submitter
        .memory
        .keep_units(Action::Job(Step::Finalize), 5_000);
    assert_eq!(
        together(&submitter, [finalize(10)]).await,
        [Submitted::Landed]
    );
    assert_eq!(node.count("simulateTransaction"), 0);
}

#[tokio::test]
async fn member_that_would_fail_takes_nobody_along() {
    let node = Node::start().await;
    node.world().land = Some(land);
    node.world().refuse = Some(refuse);
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    let ends = together(&submitter, [10, 20, 12].map(finalize)).await;
    let refused = Submitted::Refused(Some(Error::JobNotCommitted));
    assert_eq!(ends, [Submitted::Landed, refused, Submitted::Landed]);
    assert_eq!(sent_members(&node), [[10, 12]]);
    // The three, the two without it, and it alone.
    assert_eq!(node.count("simulateTransaction"), 3);
    // The next time it goes alone, until it has landed.
    node.world().refuse = None;
    let ends = together(&submitter, [20, 13, 14].map(finalize)).await;
    assert_eq!(ends, [Submitted::Landed; 3]);
    assert_eq!(sent_members(&node), [vec![10, 12], vec![13, 14], vec![20]]);
    together(&submitter, [20, 15].map(finalize)).await;
    assert!(sent_members(&node).contains(&vec![20, 15]));
}

#[tokio::test]
async fn batch_that_fails_in_its_block_is_tried_one_by_one() {
    let node = Node::start().await;
    // What was right when it was simulated is not any more.
    node.world().land = Some(|world, bytes| match refuse(world, bytes) {
        Some(error) => fail(world, bytes, &error),
        None => land(world, bytes),
    });
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    let ends = together(&submitter, [10, 20].map(finalize)).await;
    let refused = Submitted::Refused(Some(Error::JobNotCommitted));
    assert_eq!(ends, [Submitted::Landed, refused]);
    assert_eq!(sent_members(&node), [vec![10], vec![10, 20], vec![20]]);
    // Who goes alone after that is simulated, whatever is known of its kind.
    assert_eq!(node.count("simulateTransaction"), 3);
    let costs = costs(&submitter);
    let of = |number: u8, landed: bool| {
        let rows = costs
            .iter()
            .filter(|cost| cost.job == job(number) && cost.landed == landed);
        rows.map(|cost| cost.fee).collect::<Vec<_>>()
    };
    assert_eq!((of(10, false), of(10, true)), (vec![2_500], vec![5_000]));
    assert_eq!((of(20, false), of(20, true)), (vec![2_500, 5_000], vec![]));
}

#[tokio::test]
async fn batch_lands_when_every_member_is_seen_and_not_before() {
    let node = Node::start().await;
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    let (asked, ends) = asked([10, 11].map(finalize));
    let all = tokio::spawn({
        let submitter = Arc::clone(&submitter);
        async move { submitter.submit_together(asked).await }
    });
    while node.count("sendTransaction") == 0 {
        tokio::task::yield_now().await;
    }
    // A dispute looks like this too.
    submitter.see(job(10), &shown(JobStatus::Auditing));
    let looked = node.count("getSignatureStatuses");
    while node.count("getSignatureStatuses") < looked + 2 {
        tokio::task::yield_now().await;
    }
    assert!(!all.is_finished());
    submitter.see(job(11), &shown(JobStatus::Settled));
    all.await.unwrap();
    for end in ends {
        assert_eq!(end.await.unwrap(), Submitted::Landed);
    }
}

#[tokio::test]
async fn kinds_are_not_mixed_and_a_packet_is_not_exceeded() {
    let node = Node::start().await;
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    let sender = Sender {
        operator: submitter.operator.pubkey(),
        provider: ME,
    };
    let args = JobFinalizeArgs {
        worker_secret: [1; 32],
        requester_secret: [2; 32],
        acknowledged: 1,
    };
    // Each for another requester: as many accounts as there can be.
    let finalizes = (0..14).map(|number: u8| {
        let data = JobData {
            requester: job(number + 100),
            ..JobData::zeroed()
        };
        let instruction = instructions::job(sender, job(number), &data, Intent::Finalize(args));
        Purpose {
            job: job(number),
            instruction,
            ..purpose(Step::Finalize)
        }
    });
    let settles = (0..9).map(|number: u8| Purpose {
        job: job(number),
        action: Action::Audit(AuditStep::Settle),
        ..purpose(Step::Finalize)
    });
    let (asked, _ends) = asked(finalizes.chain(settles));
    let batches = submitter.batches(asked);
    let mut found = Vec::new();
    for batch in &batches {
        let purposes: Vec<Purpose> = batch.iter().map(|one| one.purpose.clone()).collect();
        let budget = Budget::generous(1);
        let (_, bytes) = submitter.sign(budget, &purposes, &Hash::default()).unwrap();
        assert!(bytes.len() <= PACKET_BYTES, "{}", bytes.len());
        let action = purposes[0].action;
        assert!(purposes.iter().all(|purpose| purpose.action == action));
        found.push((action.name(), batch.len()));
    }
    assert_eq!(
        found,
        [
            ("finalize", 6),
            ("finalize", 6),
            ("seat_settle", 8),
            ("finalize", 2),
            ("seat_settle", 1)
        ]
    );
}

#[tokio::test]
async fn chain_that_does_not_answer_is_asked_once_for_all() {
    let node = Node::start().await;
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    submitter.chain.check().await;
    node.trouble("simulateTransaction", Trouble::Error(-32_000, Value::Null));
    let ends = together(&submitter, [10, 11, 12].map(finalize)).await;
    assert_eq!(ends, [Submitted::Expired; 3]);
    assert_eq!(
        (node.count("simulateTransaction"), costs(&submitter)),
        (1, Vec::new())
    );
}

/// The worker stopped after it had sent this.
fn left_behind(submitter: &Submitter<RpcChain>) -> SentTransaction {
    let purposes = [10, 11].map(finalize);
    let (signature, bytes) = submitter
        .sign(Budget::generous(0), &purposes, &Hash::default())
        .unwrap();
    let sent = SentTransaction {
        signature: signature.into(),
        members: purposes.iter().map(Purpose::member).collect(),
        bytes,
        last_valid_block_height: 900,
        quote: Quote {
            fee: 5_001,
            priority_fee: 1,
        },
    };
    let store = &submitter.store;
    store.save_transaction(&sent, UnixSeconds(1_000)).unwrap();
    store.pending_transactions().unwrap().remove(0)
}

#[tokio::test]
async fn batch_of_the_last_start_lands_for_each_of_its_members() {
    let node = Node::start().await;
    node.world().land = Some(land);
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    let sent = left_behind(&submitter);
    assert_eq!(sent.members.len(), 2);
    assert_eq!(submitter.follow(&sent).await, Submitted::Landed);
    let costs = costs(&submitter);
    let ends: Vec<_> = costs
        .iter()
        .map(|cost| (cost.job, cost.fee, cost.landed))
        .collect();
    assert_eq!(ends, [(job(10), 2_501, true), (job(11), 2_500, true)]);
    assert!(submitter.store.pending_transactions().unwrap().is_empty());
}

#[tokio::test]
async fn batch_that_expired_goes_one_by_one() {
    let node = Node::start().await;
    let folder = tempfile::tempdir().unwrap();
    let submitter = submitter(&[&node], &folder);
    let sent = left_behind(&submitter);
    node.world().height = 1_000;
    assert_eq!(submitter.follow(&sent).await, Submitted::Expired);
    assert!(costs(&submitter).is_empty(), "it has cost nothing");
    node.world().sent.clear();
    node.world().land = Some(land);
    let ends = together(&submitter, [10, 11].map(finalize)).await;
    assert_eq!(ends, [Submitted::Landed; 2]);
    assert_eq!(sent_members(&node), [[10], [11]]);
}
