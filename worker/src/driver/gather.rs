//! What becomes due together and is of one kind goes into one transaction.
//!
//! One turn often finds several: windows that ended since the last reading, the seats of a panel that
//! has spoken, everything that a restart finds due. More may wait in the queue, acknowledgements above
//! all. So what is gathered is sent when the queue has been heard, or after a while if it never ends: a
//! lone transaction waits for nothing.

use std::{sync::Arc, time::Duration};

use assay_client::protocol::UnixSeconds;
use futures_util::future::Either;
use tokio::{sync::oneshot, time::Instant};

use super::{Chain, Driver};
use crate::{
    chain::submitter::{Asked, Purpose},
    core::{Action, AuditStep, SessionStep, Step, Submitted},
};

/// Whatever must have landed in fewer seconds goes alone: a batch that expires takes a minute and a
/// half, and so does its member's next try.
const NEAR_SECS: i64 = 300;
/// What is owed in fewer seconds is sent whatever endpoints say of it: there is time for one transaction to land
/// where blocks are full, and for no second opinion.
const LAST_SECS: i64 = 30;

/// Transactions that are due and not sent yet.
#[derive(Default)]
pub(super) struct Gathering {
    asked: Vec<Asked>,
    since: Option<Instant>,
}

impl Gathering {
    fn add(&mut self, purpose: Purpose, now: Instant) -> oneshot::Receiver<Submitted> {
        let (answer, end) = oneshot::channel();
        self.asked.push(Asked { purpose, answer });
        self.since.get_or_insert(now);
        end
    }

    /// Everything gathered, unless more may come and the first has not waited for `longest`.
    fn take(&mut self, more: bool, longest: Duration, now: Instant) -> Vec<Asked> {
        let waited = self.since.map(|since| now.saturating_duration_since(since));
        if more && waited.is_some_and(|waited| waited < longest) {
            return Vec::new();
        }
        self.since = None;
        std::mem::take(&mut self.asked)
    }
}

/// Whether this may wait for others and share their fate: nobody is kept waiting by it, and nothing is
/// lost if it takes two tries. `left`: seconds to its deadline.
fn may_wait(action: Action, left: Option<i64>) -> bool {
    match action {
        Action::Job(Step::Finalize) => left.is_some_and(|left| left >= NEAR_SECS),
        Action::Audit(AuditStep::Settle | AuditStep::Close) => true,
        Action::Job(Step::Claim | Step::Commit | Step::Release)
        | Action::Audit(
            AuditStep::Open
            | AuditStep::Join
            | AuditStep::Commit
            | AuditStep::Reveal
            | AuditStep::RevealPrimary
            | AuditStep::Resolve,
        )
        | Action::Session(SessionStep::Settle | SessionStep::Close) => false,
    }
}

/// Whether this must land now, so that no endpoint's word keeps it back.
fn is_last(action: Action, left: Option<i64>) -> bool {
    action.is_owed() && left.is_some_and(|left| left < LAST_SECS)
}

impl<C: Chain> Driver<C> {
    /// Brings a transaction to its end: with others of its kind, or alone and at once. `deadline`: of what is owed.
    pub(super) fn bring(
        &mut self,
        purpose: Purpose,
        deadline: Option<UnixSeconds>,
    ) -> impl Future<Output = Submitted> + Send + use<C> {
        let left = deadline.map(|deadline| deadline.0.saturating_sub(self.now.0));
        if may_wait(purpose.action, left) {
            let end = self.gathering.add(purpose, Instant::now());
            // Without an answer nobody can say what became of it.
            Either::Left(async move { end.await.unwrap_or(Submitted::Expired) })
        } else {
            let submitter = Arc::clone(&self.parts.submitter);
            let last = is_last(purpose.action, left);
            Either::Right(async move {
                if last {
                    submitter.insist(purpose).await
                } else {
                    submitter.submit(purpose).await
                }
            })
        }
    }

    /// For what follows a write to the disk: its blockhash is asked for meanwhile.
    pub(super) fn make_ready(&mut self) {
        let submitter = Arc::clone(&self.parts.submitter);
        self.tasks
            .spawn(async move { submitter.make_ready().await });
    }

    /// Sends what was gathered, unless more may be about to come.
    pub(super) fn send_gathered(&mut self) {
        let longest = self.parts.submitter.config.look_every;
        let more = !self.inputs.is_empty();
        let asked = self.gathering.take(more, longest, Instant::now());
        if !asked.is_empty() {
            let submitter = Arc::clone(&self.parts.submitter);
            self.tasks
                .spawn(async move { submitter.submit_together(asked).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use assay_client::protocol::Address;

    use super::*;

    const LONGEST: Duration = Duration::from_millis(500);

    fn purpose() -> Purpose {
        Purpose {
            job: Address::new_from_array([1; 32]),
            attempt: 0,
            action: Action::Job(Step::Finalize),
            proof: None,
            instruction: solana_instruction::Instruction {
                program_id: assay_client::PROGRAM_ID,
                accounts: Vec::new(),
                data: Vec::new(),
            },
            now: UnixSeconds(0),
            steady: false,
        }
    }

    #[test]
    fn lone_transaction_is_sent_in_its_turn() {
        let (mut gathering, now) = (Gathering::default(), Instant::now());
        let _end = gathering.add(purpose(), now);
        assert_eq!(gathering.take(false, LONGEST, now).len(), 1);
        assert!(gathering.take(false, LONGEST, now).is_empty());
    }

    #[test]
    fn others_are_waited_for_while_the_queue_is_heard_and_not_for_longer() {
        let (mut gathering, now) = (Gathering::default(), Instant::now());
        let after = |millis| now + Duration::from_millis(millis);
        let _first = gathering.add(purpose(), now);
        assert!(gathering.take(true, LONGEST, after(100)).is_empty());
        let _second = gathering.add(purpose(), after(400));
        assert!(gathering.take(true, LONGEST, after(499)).is_empty());
        assert_eq!(gathering.take(true, LONGEST, after(500)).len(), 2);
        // Who comes now has a wait of its own.
        let _third = gathering.add(purpose(), after(600));
        assert!(gathering.take(true, LONGEST, after(1_000)).is_empty());
        assert_eq!(gathering.take(false, LONGEST, after(1_001)).len(), 1);
    }

    #[test]
    fn what_is_near_its_deadline_or_in_a_race_goes_alone() {
        let finalize = Action::Job(Step::Finalize);
        for (left, waits) in [(50_000, true), (300, true), (299, false), (-1, false)] {
            assert_eq!(may_wait(finalize, Some(left)), waits);
        }
        let steps = Step::ALL.map(Action::Job);
        let audits = AuditStep::ALL.map(Action::Audit);
        let waiting: Vec<&str> = steps
            .iter()
            .chain(&audits)
            .filter(|action| may_wait(**action, Some(NEAR_SECS)))
            .map(|action| action.name())
            .collect();
        assert_eq!(waiting, ["finalize", "seat_settle", "panel_close"]);
    }

    #[test]
    fn what_is_owed_is_insisted_on_shortly_before_its_deadline() {
        let reveal = Action::Audit(AuditStep::Reveal);
        for (left, last) in [(Some(29), true), (Some(30), false), (None, false)] {
            assert_eq!(is_last(reveal, left), last);
        }
        assert!(!is_last(Action::Job(Step::Claim), Some(0)));
    }
}
