//! The simulated chain: the real program on LiteSVM, with slots, confirmation, forks and expiring blockhashes
//! around it.
//!
//! A sent transaction is *processed* in the slot that it lands in and *confirmed* some slots later, when it is
//! executed, by that slot's clock. Until then a fork may undo it. What a reading at `confirmed` shows stays, as the
//! commitment promises, but for rollbacks, which take back slots that were confirmed.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Range,
    sync::Arc,
};

use assay_client::protocol::{Address, SessionData, UnixSeconds};
use assay_tests::{Batch, Outcome, World, sim::Dice};
use solana_transaction_error::TransactionError;

use super::{
    calendar::Calendar,
    log::Log,
    mail::Mail,
    mishaps::Census,
    plan::{Fork, Plan},
    rollbacks::{Past, Rollbacks},
    trail::Trail,
    view::View,
};

/// Blocks for which a blockhash is good.
const HASH_LIFE: u64 = 150;
/// Block height of the first slot.
const FIRST_HEIGHT: u64 = 1_000;
/// Past views that are kept for nodes that are behind: about as many changes as a run has.
const HISTORY: usize = 64;

/// How a transaction that is in a confirmed block ended.
#[derive(Clone, Debug)]
pub struct Status {
    pub payer: Address,
    pub error: Option<TransactionError>,
    pub fee: u64,
    pub units: u64,
    /// Lamports that left the payer besides the fee.
    pub rent: i64,
}

pub struct Net {
    pub calendar: Calendar,
    pub lag: u64,
    world: World,
    operators: Vec<Address>,
    view: Arc<View>,
    /// Since which slot each view was shown; the last one still is.
    history: VecDeque<(u64, Arc<View>)>,
    /// Processed and to be processed, by slot and order within it.
    landings: BTreeMap<(u64, u64), Mail>,
    order: u64,
    forks: VecDeque<Fork>,
    rollbacks: Rollbacks,
    /// Sessions that were closed, as they were last.
    pub closed: BTreeMap<Address, SessionData>,
    /// Those that a rollback made what they were before.
    pub revived: BTreeSet<Address>,
    pub statuses: BTreeMap<[u8; 64], Status>,
    /// How those ended that a rollback took back, whatever became of them since.
    pub undone: BTreeMap<[u8; 64], Status>,
    /// Of every blockhash that was given out, the last slot that it is good for.
    hashes: BTreeMap<[u8; 32], u64>,
    dice: Dice,
    pub trail: Trail,
    pub census: Census,
    /// Told whenever the accounts change.
    pub changed: tokio::sync::watch::Sender<u64>,
    /// Told whenever something is sent.
    pub mailed: Arc<tokio::sync::Notify>,
}

impl Net {
    pub fn new(world: World, operators: Vec<Address>, plan: &Plan, log: &Log) -> Self {
        let calendar = Calendar {
            first_slot: world.slot(),
            first_second: world.now().0,
            halts: plan.halts.clone(),
        };
        let view = Arc::new(View::of(&world, &operators));
        let first = calendar.first_slot;
        let at = |fork: &Fork| Fork {
            slot: first + fork.slot,
            ..*fork
        };
        log.note(0, "chain", || format!("begins at slot {first}"));
        Self {
            trail: Trail::new(calendar.clone()),
            lag: plan.lag,
            history: VecDeque::from([(first, Arc::clone(&view))]),
            view,
            world,
            operators,
            landings: BTreeMap::new(),
            order: 0,
            forks: plan.forks.iter().map(at).collect(),
            rollbacks: Rollbacks::of(plan.rollbacks.iter().map(at).collect()),
            closed: BTreeMap::new(),
            revived: BTreeSet::new(),
            statuses: BTreeMap::new(),
            undone: BTreeMap::new(),
            hashes: BTreeMap::new(),
            dice: Dice::new(plan.seed, 2),
            census: Census::default(),
            changed: tokio::sync::watch::Sender::new(0),
            mailed: Arc::default(),
            calendar,
        }
    }

    /// The newest slot of which readings tell.
    pub fn confirmed(&self, ms: u64) -> u64 {
        let first = self.calendar.first_slot;
        (self.calendar.slot(ms).saturating_sub(self.lag)).max(first)
    }

    pub fn height(&self, slot: u64) -> u64 {
        slot - self.calendar.first_slot + FIRST_HEIGHT
    }

    /// When something next happens by itself.
    pub fn next_ms(&self) -> Option<u64> {
        let landing = self.landings.keys().next().map(|(slot, _)| slot + self.lag);
        let fork = self.forks.front().map(|fork| fork.slot);
        let rollback = self.rollbacks.next().map(|slot| slot + self.lag);
        let next = landing.into_iter().chain(fork).chain(rollback).min()?;
        Some(self.calendar.made_at(next))
    }

    /// Lets everything happen that happens up to this moment.
    pub fn advance(&mut self, ms: u64, log: &Log) {
        let tip = self.calendar.slot(ms);
        loop {
            let landing = self.landings.keys().next().copied();
            let due = landing.map(|(slot, _)| slot + self.lag);
            let fork = self.forks.front().map(|fork| fork.slot);
            let rollback = self.rollbacks.next().map(|slot| slot + self.lag);
            let earliest = [rollback, fork, due].into_iter().flatten().min();
            let Some(earliest) = earliest.filter(|slot| *slot <= tip) else {
                return;
            };
            if rollback == Some(earliest) {
                self.roll(earliest, log);
            } else if fork == Some(earliest) {
                let fork = self.forks.pop_front().expect("seen above");
                self.fork(fork, log);
            } else {
                let key = landing.expect("the earliest");
                let mail = self.landings.remove(&key).expect("seen above");
                self.execute(key.0, mail, log);
            }
        }
    }

    fn fork(&mut self, fork: Fork, log: &Log) {
        let from = fork.slot.saturating_sub(fork.depth);
        let undone = self.take_landings((from, 0)..(fork.slot, 0));
        self.land_again("fork", fork.slot, undone, log);
    }

    fn take_landings(&mut self, range: Range<(u64, u64)>) -> Vec<Mail> {
        let keys: Vec<_> = self.landings.range(range).map(|(key, _)| *key).collect();
        let taken = keys.iter().filter_map(|key| self.landings.remove(key));
        taken.collect()
    }

    /// What was undone lands later, in any order, or never: the old one is gone with the old blocks.
    fn land_again(&mut self, why: &str, slot: u64, undone: Vec<Mail>, log: &Log) {
        for mail in undone {
            let again = self.dice.below(3) > 0;
            let name = short(&mail.signature);
            let became = if again { "landed again" } else { "dropped" };
            self.census.count(format!("{why}: {became}"));
            log.note(self.calendar.made_at(slot), "chain", || {
                format!("{why} undoes {name}, lands again: {again}")
            });
            if again {
                let slot = slot + self.dice.draw() % 8;
                let order = self.dice.draw() >> 1;
                self.landings.insert((slot, order), mail);
            }
        }
    }

    /// Remembers how everything stands where a rollback will begin, or returns to that.
    fn roll(&mut self, tip: u64, log: &Log) {
        let Some(rollback) = self.rollbacks.begin_or_end() else {
            let past = Past {
                world: self.world.clone(),
                view: Arc::clone(&self.view),
                history: self.history.clone(),
                closed: self.closed.clone(),
                statuses: self.statuses.clone(),
                trail: self.trail.clone(),
            };
            self.rollbacks.past = Some(Box::new(past));
            return;
        };
        let past = self
            .rollbacks
            .past
            .take()
            .expect("it began before it ended");
        let from = rollback.slot - rollback.depth;
        log.note(self.calendar.made_at(tip), "chain", || {
            format!("rolls back from slot {} to {from}", rollback.slot)
        });
        let mut mails = std::mem::take(&mut self.rollbacks.executed);
        mails.extend(self.take_landings((from, 0)..(tip, 0)));
        let Past {
            world,
            view,
            history,
            closed,
            statuses,
            trail,
        } = *past;
        let sessions = view.sessions.iter();
        let back = sessions.filter(|(session, data)| self.view.sessions.get(session) != Some(data));
        self.revived.extend(back.map(|(session, _)| *session));
        (self.world, self.view, self.history) = (world, view, history);
        (self.closed, self.trail) = (closed, trail);
        let confirmed = std::mem::replace(&mut self.statuses, statuses).into_iter();
        let undone = confirmed.filter(|(signature, _)| !self.statuses.contains_key(signature));
        self.undone.extend(undone);
        // A blockhash of what is gone is good for nothing.
        self.hashes.retain(|_, last| *last <= from + HASH_LIFE);
        self.rollbacks.done += 1;
        self.land_again("rollback", tip, mails, log);
        self.changed.send_modify(|version| *version += 1);
    }

    /// Lets a transaction land so many slots from now, one at least.
    pub fn deliver(&mut self, mail: Mail, ms: u64, slots: u64) {
        self.order += 1;
        let slot = self.calendar.slot(ms) + slots.max(1);
        self.landings.insert((slot, self.order), mail);
        self.mailed.notify_one();
    }

    fn execute(&mut self, slot: u64, mail: Mail, log: &Log) {
        if self.statuses.contains_key(&mail.signature) {
            self.census.count("chain: delivered again");
            return;
        }
        let ms = self.calendar.made_at(slot);
        if self
            .hashes
            .get(&mail.blockhash)
            .is_none_or(|last| slot > *last)
        {
            self.census.count("chain: blockhash expired");
            let name = short(&mail.signature);
            log.note(ms, "chain", || format!("{name} came too late"));
            return;
        }
        self.pass_to(slot);
        let before = self.world.balance(&mail.payer);
        let outcome = self.world.send_from(mail.payer, mail.instructions.clone());
        let paid = before.cast_signed() - self.world.balance(&mail.payer).cast_signed();
        assert!(
            paid >= 0 || outcome.error.is_none(),
            "a failure pays nobody"
        );
        let fee = outcome.fee;
        let rent = paid - fee.cast_signed();
        self.rollbacks.executed(&mail);
        let status = Status {
            payer: mail.payer,
            error: outcome.error.clone(),
            fee,
            units: outcome.compute_units,
            rent,
        };
        let before = Arc::clone(&self.view);
        self.look(slot);
        let line = self
            .trail
            .enter(slot, &mail, &outcome, [&before, &self.view]);
        log.note(ms, "chain", || {
            format!("{line} {} {}", short(&mail.signature), ended(&outcome))
        });
        self.statuses.insert(mail.signature, status);
    }

    /// Sends for a party that is not under test, in the newest confirmed slot. Returns whether it was accepted.
    pub fn send_at_once(&mut self, payer: Address, batch: impl Batch, ms: u64, log: &Log) -> bool {
        self.advance(ms, log);
        let slot = self.confirmed(ms);
        self.pass_to(slot);
        let mail = Mail {
            signature: [0; 64],
            blockhash: [0; 32],
            payer,
            instructions: batch.instructions(),
        };
        let outcome = self.world.send_from(payer, mail.instructions.clone());
        let before = Arc::clone(&self.view);
        self.look(slot);
        let line = self
            .trail
            .enter(slot, &mail, &outcome, [&before, &self.view]);
        log.note(ms, "chain", || {
            format!("requester: {line} {}", ended(&outcome))
        });
        outcome.is_accepted()
    }

    /// The world at the newest confirmed slot, to make things of.
    pub fn world(&mut self, ms: u64, log: &Log) -> &mut World {
        self.advance(ms, log);
        self.pass_to(self.confirmed(ms));
        &mut self.world
    }

    fn pass_to(&mut self, slot: u64) {
        let moment = UnixSeconds(self.calendar.time(slot));
        self.world.pass_until(slot, moment);
    }

    fn look(&mut self, slot: u64) {
        let before = Arc::clone(&self.view);
        self.view = Arc::new(View::of(&self.world, &self.operators));
        let sessions = before.sessions.iter();
        let closed = sessions.filter(|(session, _)| !self.view.sessions.contains_key(session));
        self.closed.extend(closed);
        self.history.push_back((slot, Arc::clone(&self.view)));
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
        self.changed.send_modify(|version| *version += 1);
    }

    /// How many rollbacks there were.
    pub fn rolled(&self) -> u8 {
        self.rollbacks.done
    }

    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// What readings showed in a slot, as far as it is remembered.
    pub fn view_at(&self, slot: u64) -> Arc<View> {
        let shown = self.history.iter().rev().find(|(since, _)| *since <= slot);
        let (_, view) = shown.unwrap_or(&self.history[0]);
        Arc::clone(view)
    }

    /// A blockhash of this slot, and the last height at which it is good.
    pub fn blockhash(&mut self, slot: u64) -> ([u8; 32], u64) {
        let mut hash = [0xb1; 32];
        hash[..8].copy_from_slice(&slot.to_le_bytes());
        hash[8] = self.rollbacks.done;
        self.hashes.insert(hash, slot + HASH_LIFE);
        (hash, self.height(slot + HASH_LIFE))
    }

    /// None if it is in no confirmed block.
    pub fn status(&self, signature: &[u8; 64]) -> Option<&Status> {
        self.statuses.get(signature)
    }

    /// Whether it is processed and not confirmed.
    pub fn is_processed(&self, signature: &[u8; 64], ms: u64) -> bool {
        let tip = self.calendar.slot(ms);
        let mut processed = self.landings.range(..=(tip, u64::MAX));
        processed.any(|((slot, _), mail)| {
            let alive = self
                .hashes
                .get(&mail.blockhash)
                .is_some_and(|last| slot <= last);
            mail.signature == *signature && alive
        })
    }
}

fn ended(outcome: &Outcome) -> String {
    match &outcome.result {
        Ok(()) => format!("accepted, fee {}", outcome.fee),
        Err(refusal) => format!("failed: {refusal}, fee {}", outcome.fee),
    }
}

/// The first bytes of a signature or an address, for the log.
pub fn short(bytes: &[u8]) -> String {
    hex::encode(&bytes[..4])
}
