//! Reads the sessions in use, settles them when it is time, and closes those that are to end.

use std::{sync::Arc, time::Duration};

use assay_client::protocol::{Address, Error};
use solana_signer::Signer;
use std::sync::atomic::Ordering;

use super::{
    Sessions,
    core::{Channel, Chore},
    store::Write,
};
use crate::{
    chain::{
        Chain,
        instructions::{self, Sender},
        submitter::Purpose,
    },
    core::{Action, Pause, SessionStep, Submitted},
    metrics,
};

impl<C: Chain> Sessions<C> {
    /// Until it is dropped. Settlements that are under way then go on.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut next = tokio::time::Instant::now();
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(next) => {
                    self.look().await;
                    self.try_books().await;
                    self.answers.forget_old();
                    next = tokio::time::Instant::now() + self.poll_every;
                }
                () = self.wake.notified() => {}
            }
            self.send_due();
        }
    }

    /// Takes no more requests, lets those under way end, and settles what is worth it. Not longer than `patience`, half of
    /// which is for requests.
    pub async fn end(self: &Arc<Self>, patience: Duration) {
        self.ending.store(true, Ordering::Relaxed);
        let all = self.slots.acquire_many(self.slots_in_all);
        if tokio::time::timeout(patience / 2, all).await.is_err() {
            tracing::warn!(
                "requests of sessions take too long; they are not waited for, nor charged"
            );
        }
        let ended = tokio::time::timeout(patience / 2, async {
            self.look().await;
            self.send_due();
            self.tasks.close();
            self.tasks.wait().await;
        });
        if ended.await.is_err() {
            tracing::warn!(
                "stopping before all sessions were settled; the next start goes on with them"
            );
        }
        let left: u64 = {
            let open = self.lock();
            let left = open.values().map(|entry| entry.channel.unsettled());
            left.fold(0, u64::saturating_add)
        };
        if left > 0 {
            tracing::info!(lamports = left, "vouchers are kept that were not settled");
        }
    }

    /// Sees whether books that could not be written can be again. Until then nothing is served.
    pub(super) async fn try_books(&self) {
        if !self.store.is_written() {
            match self.store.write(Write::Trial).await {
                Ok(()) => {
                    tracing::warn!("sessions.sqlite can be written again; sessions are served")
                }
                Err(error) => tracing::error!(%error, "no session is served"),
            }
        }
        metrics::sessions_unwritten(!self.store.is_written());
        for write in self.unkept() {
            self.keep_written(write).await;
        }
    }

    /// What the file does not have of accounts, once it can be written.
    fn unkept(&self) -> Vec<Write> {
        if !self.store.is_written() {
            return Vec::new();
        }
        let mut open = self.lock();
        let unkept = open.iter_mut().filter(|(_, entry)| entry.unkept);
        unkept
            .map(|(session, entry)| {
                entry.unkept = false;
                self.changed(*session, &entry.channel, 0)
            })
            .collect()
    }

    /// One reading of all sessions of which anything is to be expected; none if there is none.
    pub(super) async fn look(&self) {
        let now = self.now();
        let wanted: Vec<Address> = {
            let open = self.lock();
            let in_use = open
                .iter()
                .filter(|(_, entry)| !entry.channel.is_at_rest(now, &self.policy));
            in_use.map(|(session, _)| *session).collect()
        };
        if wanted.is_empty() {
            return;
        }
        if let Err(error) = self.read(&wanted).await {
            tracing::warn!(%error, sessions = wanted.len(), "sessions cannot be read; trying on");
        }
    }

    /// Sends what is due, each in a task of its own.
    pub(super) fn send_due(self: &Arc<Self>) {
        // What was under way at the last end is followed first: it must not be sent twice.
        if !self.ground.shared.ready.load(Ordering::Relaxed) {
            return;
        }
        // What the operator has left is for jobs that are claimed: their stake stands behind them.
        if self.stands(|pause| pause == Pause::Funds) {
            return;
        }
        let (now, ending) = (self.now(), self.is_ending());
        let mut due = Vec::new();
        for (session, entry) in self.lock().iter_mut() {
            // By what was read since the start.
            if entry.read.is_none() {
                continue;
            }
            if let Some(chore) = entry.channel.chore(now, &self.policy, ending) {
                entry.channel.send(now);
                due.push((*session, chore));
            }
        }
        for (session, chore) in due {
            let sessions = Arc::clone(self);
            self.tasks.spawn(async move {
                let landed = sessions.bring(session, chore).await;
                let now = sessions.now();
                sessions.with(&session, |channel| channel.sent(landed, now));
                if landed {
                    // A close may be next.
                    sessions.wake.notify_one();
                }
            });
        }
    }

    /// Whether it landed.
    async fn bring(self: &Arc<Self>, session: Address, chore: Chore) -> bool {
        let Some((purpose, cumulative)) = self.purpose(session, chore) else {
            return false;
        };
        let outcome = self.ground.submitter.submit(purpose).await;
        match (outcome, chore) {
            (Submitted::Landed, Chore::Settle) => {
                let settled = self.with(&session, |channel| {
                    let more = channel.settle(cumulative);
                    self.changed(session, channel, more)
                });
                if let Some(write) = settled {
                    self.keep_written(write).await;
                }
                self.count();
                true
            }
            (Submitted::Landed, Chore::Close) => {
                // Readings say when it may be forgotten: a chain that takes the close back may take settlements back.
                self.with(&session, Channel::close);
                tracing::info!(%session, "a session is closed");
                true
            }
            (outcome @ (Submitted::Refused(_) | Submitted::Expired), chore) => {
                let refused = Submitted::Refused(Some(Error::VoucherNotAbove));
                let was_settled = chore == Chore::Settle && outcome == refused;
                if was_settled {
                    self.with(&session, |channel| channel.prove(cumulative));
                }
                // The chain may have moved on without us.
                if let Err(error) = self.read(&[session]).await {
                    tracing::debug!(%session, %error, "a session cannot be read");
                }
                let is_settled = self.with(&session, |channel| channel.unsettled() == 0);
                was_settled && is_settled == Some(true)
            }
        }
    }

    /// The transaction, and the sum that it settles.
    fn purpose(&self, session: Address, chore: Chore) -> Option<(Purpose, u64)> {
        let sender = Sender {
            operator: self.operator().pubkey(),
            provider: self.terms.provider,
        };
        let (account, payment) = self.with(&session, |channel| {
            (*channel.account(), channel.payment().copied())
        })?;
        let (step, proof, instruction) = match chore {
            Chore::Settle => {
                let [proof, settle] =
                    instructions::session_settle(sender, &payment?, &account.session_key);
                (SessionStep::Settle, Some(proof), settle)
            }
            Chore::Close => {
                let close = instructions::session_close(sender, session, account.requester);
                (SessionStep::Close, None, close)
            }
        };
        let purpose = Purpose {
            job: session,
            attempt: 0,
            action: Action::Session(step),
            instruction,
            proof,
            now: self.now(),
            steady: false,
        };
        Some((
            purpose,
            payment.map_or(0, |payment| payment.voucher.cumulative),
        ))
    }
}
