//! The simulated chain: the real program on LiteSVM, with slots, confirmation, forks and expiring blockhashes
//! around it.
//!
//! A sent transaction is *processed* in the slot that it lands in and *confirmed* some slots later, when it is
//! executed, once and for good, by that slot's clock. Until then a fork may undo it. So everything that a
//! reading at `confirmed` shows stays: that is what the commitment promises, and no worker could do without it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use assay_client::protocol::{Address, UnixSeconds};
use assay_tests::{Batch, Outcome, World, sim::Dice};
use solana_transaction_error::TransactionError;

use super::{
    calendar::Calendar,
    log::Log,
    mail::Mail,
    mishaps::Census,
    plan::{Fork, Plan},
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
    statuses: BTreeMap<[u8; 64], Status>,
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
            statuses: BTreeMap::new(),
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
        let next = landing.into_iter().chain(fork).min()?;
        Some(self.calendar.made_at(next))
    }

    /// Lets everything happen that happens up to this moment.
    pub fn advance(&mut self, ms: u64, log: &Log) {
        let tip = self.calendar.slot(ms);
        loop {
            let landing = self.landings.keys().next().copied();
            let due = landing.map(|(slot, _)| slot + self.lag);
            let fork = self.forks.front().map(|fork| fork.slot);
            let forks_first = fork.is_some_and(|fork| due.is_none_or(|due| fork <= due));
            if forks_first && fork.is_some_and(|fork| fork <= tip) {
                let fork = self.forks.pop_front().expect("seen above");
                self.fork(fork, log);
            } else if let Some(key) = landing.filter(|(slot, _)| slot + self.lag <= tip) {
                let mail = self.landings.remove(&key).expect("seen above");
                self.execute(key.0, mail, log);
            } else {
                return;
            }
        }
    }

    fn fork(&mut self, fork: Fork, log: &Log) {
        let from = fork.slot.saturating_sub(fork.depth);
        let undone: Vec<(u64, u64)> = self
            .landings
            .range((from, 0)..(fork.slot, 0))
            .map(|(key, _)| *key)
            .collect();
        for key in undone {
            let mail = self.landings.remove(&key).expect("listed above");
            let again = self.dice.below(3) > 0;
            let name = short(&mail.signature);
            self.census.count(if again {
                "fork: landed again"
            } else {
                "fork: dropped"
            });
            log.note(self.calendar.made_at(fork.slot), "chain", || {
                format!("fork undoes {name} of slot {}, lands again: {again}", key.0)
            });
            if again {
                let slot = fork.slot + self.dice.draw() % 8;
                // In any order: the old one is gone with the old blocks.
                let order = self.dice.draw() >> 1;
                self.landings.insert((slot, order), mail);
            }
        }
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
        self.trail.spent.entry(mail.payer).or_default().rent += rent;
        let status = Status {
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
        self.view = Arc::new(View::of(&self.world, &self.operators));
        self.history.push_back((slot, Arc::clone(&self.view)));
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
        self.changed.send_modify(|version| *version += 1);
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
