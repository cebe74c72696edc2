//! What becomes due together and is of one kind goes into one transaction.
//!
//! One turn often finds several: windows that ended since the last reading, the seats of a panel that
//! has spoken, everything that a restart finds due. More may wait in the queue, acknowledgements above
//! all. So what is gathered is sent when the queue has been heard, or after a while if it never ends: a
//! lone transaction waits for nothing.

use std::{sync::Arc, time::Duration};

use assay_client::protocol::{JobData, UnixSeconds};
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
/// lost if it takes two tries.
fn may_wait(action: Action, job: &JobData, now: UnixSeconds) -> bool {
    match action {
        Action::Job(Step::Finalize) => job
            .finalize_deadline()
            .is_ok_and(|deadline| deadline.0.saturating_sub(now.0) >= NEAR_SECS),
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

impl<C: Chain> Driver<C> {
    /// Brings a transaction to its end: with others of its kind, or alone and at once.
    pub(super) fn bring(
        &mut self,
        purpose: Purpose,
        job: &JobData,
    ) -> impl Future<Output = Submitted> + Send + use<C> {
        if may_wait(purpose.action, job, self.now) {
            let end = self.gathering.add(purpose, Instant::now());
            // Without an answer nobody can say what became of it.
            Either::Left(async move { end.await.unwrap_or(Submitted::Expired) })
        } else {
            let submitter = Arc::clone(&self.parts.submitter);
            Either::Right(async move { submitter.submit(purpose).await })
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
    use bytemuck::Zeroable;

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
        let mut job = JobData::zeroed();
        (job.committed_at, job.challenge_secs) = (1_000, 50);
        let deadline = 1_050 + 86_400;
        let finalize = Action::Job(Step::Finalize);
        for (left, waits) in [(50_000, true), (300, true), (299, false), (-1, false)] {
            assert_eq!(
                may_wait(finalize, &job, UnixSeconds(deadline - left)),
                waits
            );
        }
        let steps = Step::ALL.map(Action::Job);
        let audits = AuditStep::ALL.map(Action::Audit);
        let waiting: Vec<&str> = steps
            .iter()
            .chain(&audits)
            .filter(|action| may_wait(**action, &job, UnixSeconds(1_000)))
            .map(|action| action.name())
            .collect();
        assert_eq!(waiting, ["finalize", "seat_settle", "panel_close"]);
    }
}
