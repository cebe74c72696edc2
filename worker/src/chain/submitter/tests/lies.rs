//! The preferred endpoint lies of what is owed, and another one does not.

use super::*;

/// It says of every transaction that it would fail.
fn refuse(node: &Node) {
    node.world().refuse = Some(|_, _| Some(json!("ProgramAccountNotFound")));
}

fn owed(action: Action) -> Purpose {
    Purpose {
        action,
        steady: false,
        ..purpose(Step::Commit)
    }
}

async fn both(folder: &tempfile::TempDir) -> (Node, Node, Arc<Submitter<RpcChain>>) {
    let (liar, honest) = (Node::start().await, Node::start().await);
    for node in [&liar, &honest] {
        node.world().land = Some(land);
    }
    let submitter = submitter(&[&liar, &honest], folder);
    submitter.chain.check().await;
    (liar, honest, submitter)
}

#[tokio::test]
async fn refusal_of_what_is_owed_is_not_believed_of_one_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (liar, honest, submitter) = both(&folder).await;
    refuse(&liar);
    for action in [
        Action::Job(Step::Commit),
        Action::Job(Step::Finalize),
        Action::Audit(AuditStep::Commit),
        Action::Audit(AuditStep::Reveal),
        Action::Audit(AuditStep::RevealPrimary),
    ] {
        let outcome = submitter.submit(owed(action)).await;
        assert_eq!(outcome, Submitted::Landed, "{}", action.name());
    }
    // A claim that comes second is no loss, and no other endpoint is asked about it.
    let asked = honest.count("simulateTransaction");
    let outcome = submitter.submit(purpose(Step::Claim)).await;
    assert_eq!(outcome, Submitted::Refused(None));
    assert_eq!(honest.count("simulateTransaction"), asked);
    // Two that say so are believed, and nothing is paid for it.
    refuse(&honest);
    let sent = liar.count("sendTransaction") + honest.count("sendTransaction");
    let outcome = submitter
        .submit(owed(Action::Audit(AuditStep::Reveal)))
        .await;
    assert_eq!(outcome, Submitted::Refused(None));
    let after = liar.count("sendTransaction") + honest.count("sendTransaction");
    assert_eq!(after, sent);
}

#[tokio::test]
async fn what_is_insisted_on_is_sent_whatever_all_endpoints_say() {
    let folder = tempfile::tempdir().unwrap();
    let (liar, honest, submitter) = both(&folder).await;
    let reveal = || owed(Action::Audit(AuditStep::Reveal));
    refuse(&liar);
    refuse(&honest);
    assert_eq!(submitter.insist(reveal()).await, Submitted::Landed);
    for node in [&liar, &honest] {
        node.trouble("simulateTransaction", Trouble::Error(-32_601, Value::Null));
    }
    let mut again = reveal();
    again.instruction.data = vec![2; 8];
    assert_eq!(submitter.insist(again).await, Submitted::Landed);
}
