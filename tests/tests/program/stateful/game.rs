//! A chain and a book, turn by turn.

use std::collections::BTreeMap;

use assay_client::{
    account::Layout,
    program::INCINERATOR,
    protocol::{Address, Digest, JobData, ModelData, ProviderData, TreasuryData},
};
use assay_tests::{Call, Refusal, World};

use super::{
    action::Action,
    dice::Dice,
    roll::{Cast, PARAMS, Turn},
    shadow::{Expected, Job, Rents, Shadow},
};

/// Jobs at most on one chain: beyond it, only endings happen.
const JOBS: usize = 14;
/// Closed jobs that are remembered for messages that come too late.
const REMEMBERED: usize = 8;

pub struct Game {
    seed: u64,
    turns: u64,
    dice: Dice,
    pub world: World,
    pub book: Shadow,
    pub cast: Cast,
    closed: Vec<(Address, Job)>,
    created: u32,
    last: Option<Action>,
    /// What all wallets held together at the start.
    pub paid_in: u128,
    seen: BTreeMap<(&'static str, String), u64>,
}

impl Game {
    pub fn new(seed: u64) -> Self {
        let mut world = World::with_params(PARAMS);
        let cast = Cast::new(&mut world);
        let rents = Rents {
            wallet: world.rent(0),
            treasury: world.rent(TreasuryData::SIZE),
            provider: world.rent(ProviderData::SIZE),
            model: world.rent(ModelData::SIZE),
            job: world.rent(JobData::SIZE),
        };
        let known = cast.all.iter().chain([&cast.sink]);
        let book = Shadow {
            now: world.now().0,
            slot: world.slot(),
            rents,
            authority: world.authority,
            pending: None,
            params: PARAMS,
            paused: 0,
            collected: 0,
            wallets: known
                .map(|wallet| (*wallet, world.balance(wallet)))
                .collect(),
            providers: BTreeMap::new(),
            models: BTreeMap::new(),
            jobs: BTreeMap::new(),
            burned: 0,
        };
        let paid_in = book
            .wallets
            .values()
            .map(|balance| u128::from(*balance))
            .sum();
        let mut game = Self {
            paid_in,
            seed,
            turns: 0,
            dice: Dice(seed),
            world,
            book,
            cast,
            closed: Vec::new(),
            created: 0,
            last: None,
            seen: BTreeMap::new(),
        };
        game.people();
        game
    }

    /// Two providers and a model to begin with.
    fn people(&mut self) {
        for (authority, operator) in
            [0, 1].map(|place| (self.cast.authorities[place], self.cast.operators[place]))
        {
            let register = Action::ProviderRegister {
                payer: authority,
                authority,
                operator,
                class: [7; 32],
            };
            self.play(register);
        }
        let author = self.cast.authors[0];
        let digest = Digest::of(&[b"model", &[0]]);
        self.play(Action::ModelRegister {
            payer: author,
            author,
            digest,
        });
    }

    /// Time passes, perhaps somebody moves money about, and somebody sends an instruction.
    pub fn turn(&mut self) {
        self.turns += 1;
        self.pass();
        if self.dice.percent(3) {
            self.transfer();
        }
        let crowded = self.book.jobs.len() >= JOBS;
        let mut turn = Turn {
            dice: &mut self.dice,
            book: &self.book,
            cast: &self.cast,
            closed: &self.closed,
            created: self.created,
        };
        let mut action = turn.roll();
        while crowded && action.created().is_some() {
            action = turn.roll();
        }
        self.created += u32::from(action.created().is_some());
        self.play(action);
    }

    fn pass(&mut self) {
        let secs = match self.dice.below(1_000) {
            0..700 => 0,
            700..950 => self.dice.secs(1, 4),
            950..965 => self.until_deadline(),
            980..985 => self.dice.secs(50, 700),
            994..995 => self.dice.secs(86_000, 110_000),
            _ => 0,
        };
        self.world.pass(secs);
        (self.book.now, self.book.slot) = (self.world.now().0, self.world.slot());
    }

    /// Up to the very second of some deadline, or one beyond it.
    fn until_deadline(&mut self) -> u32 {
        let deadlines: Vec<_> = self
            .book
            .jobs
            .values()
            .map(|job| job.next_deadline() - self.book.now)
            .filter(|left| (0..700).contains(left))
            .collect();
        if deadlines.is_empty() {
            return 0;
        }
        let left = *self.dice.pick(&deadlines) + i64::from(self.dice.percent(50));
        u32::try_from(left).expect("filtered")
    }

    /// A requester empties its wallet or fills it again, or a stranger gives to one of the program's accounts.
    fn transfer(&mut self) {
        let sink = self.cast.sink;
        let requester = *self.dice.pick(&self.cast.requesters);
        let accounts: Vec<_> = self
            .book
            .jobs
            .keys()
            .chain(self.book.providers.keys())
            .copied()
            .collect();
        let emptied = self
            .cast
            .requesters
            .iter()
            .find(|key| self.book.balance(key) == 0)
            .copied();
        match self.dice.below(10) {
            0 => self.give(requester, sink, self.book.balance(&requester)),
            1..4 if !accounts.is_empty() => {
                let (to, gift) = (*self.dice.pick(&accounts), self.dice.within(1, 1_000));
                self.give(sink, to, gift);
            }
            _ => {
                if let Some(requester) = emptied {
                    let lamports = self.dice.within(self.book.rents.wallet, 20_000_000_000);
                    self.give(sink, requester, lamports);
                }
            }
        }
    }

    fn give(&mut self, from: Address, to: Address, lamports: u64) {
        let left = self.book.balance(&from).checked_sub(lamports);
        let possible = left.is_some_and(|left| left == 0 || left >= self.book.rents.wallet);
        if lamports == 0 || !possible {
            return;
        }
        self.world.do_transfer(from, to, lamports);
        self.book.pay(&from, lamports).expect("the money is there");
        if let Some(job) = self.book.jobs.get_mut(&to) {
            job.gift += lamports;
        } else if let Some(provider) = self.book.providers.get_mut(&to) {
            provider.gift += lamports;
        } else {
            self.book.credit(&to, lamports);
        }
    }

    /// Sends an instruction and compares what became of it with the book.
    pub fn play(&mut self, action: Action) -> Expected {
        self.last = Some(action);
        let call = action.call();
        let mut book = self.book.clone();
        let entered = action.enter(&mut book).and_then(|()| book.rents_paid());
        let expected = entered.err().unwrap_or(Expected::Accepted);
        let outcome = self.world.send(&call);
        let agrees = match (&outcome.result, expected) {
            (Ok(()), Expected::Accepted) => true,
            (Err(Refusal::Fact(found)), Expected::Fact(error)) => *found == error,
            (Err(Refusal::Fact(_)), Expected::Refused) => false,
            (Err(_), Expected::Refused) => true,
            _ => false,
        };
        assert!(
            agrees,
            "{action:?}: {:?}, but the book expects {expected:?}\n{}",
            outcome.result,
            outcome.logs.join("\n")
        );
        if expected == Expected::Accepted {
            self.remember(&book);
            self.book = book;
        }
        self.compare(&call);
        let word = match expected {
            Expected::Accepted => "accepted".to_owned(),
            Expected::Fact(error) => error.name().to_owned(),
            Expected::Refused => "refused".to_owned(),
        };
        *self.seen.entry((call.spec.name, word)).or_default() += 1;
        expected
    }

    fn remember(&mut self, after: &Shadow) {
        for (account, job) in &self.book.jobs {
            if !after.jobs.contains_key(account) {
                self.closed.push((*account, *job));
            }
        }
        let surplus = self.closed.len().saturating_sub(REMEMBERED);
        self.closed.drain(..surplus);
    }

    /// Every account that the instruction named holds what the book says.
    fn compare(&self, call: &Call) {
        for meta in &call.instruction.accounts {
            let address = &meta.pubkey;
            if let Some(lamports) = self.book.lamports(address) {
                assert_eq!(
                    self.world.balance(address),
                    lamports,
                    "lamports of {address}"
                );
            }
            if let Some(job) = self.book.jobs.get(address) {
                self.compare_job(address, job);
            } else if self.book.providers.contains_key(address) {
                self.compare_provider(address);
            } else if let Some(model) = self.book.models.get(address) {
                let retired = self.world.model(address).retired_at;
                assert_eq!(retired, model.retired_at.unwrap_or_default());
            }
        }
        assert_eq!(self.world.balance(&INCINERATOR), self.book.burned);
        let name = call.spec.name;
        if name == "earnings_withdraw" || name == "treasury_withdraw" {
            assert_eq!(self.world.treasury().collected, self.book.collected);
        }
        if name.starts_with("market") || name.starts_with("authority") {
            let market = self.world.market();
            assert_eq!(
                (market.params, market.flags),
                (self.book.params, self.book.paused)
            );
            let pending = self.book.pending.unwrap_or_default();
            assert_eq!(
                (market.authority, market.pending_authority),
                (self.book.authority, pending)
            );
        }
    }

    fn compare_job(&self, address: &Address, job: &Job) {
        let found = self.world.job(address);
        assert_eq!(found.status(), Ok(job.status));
        let holder = job.holder.unwrap_or_default();
        assert_eq!((found.provider, found.generation), holder);
        assert_eq!(
            (found.escrow, found.refund_due),
            (job.escrow, job.refund_due)
        );
        assert_eq!(
            (found.attempt, found.price, found.fee_bps),
            (job.attempt, job.price, job.fee_bps)
        );
    }

    fn compare_provider(&self, address: &Address) {
        let (found, held) = (self.world.provider(address), self.book.providers[address]);
        assert_eq!(found.stake, self.book.stake(address));
        assert_eq!(found.reserved, self.book.reserved(address));
        assert_eq!(found.unbonding, held.unbonding);
        assert!(held.unbonding == 0 || found.unbond_at == held.unbond_at);
        assert_eq!((found.earnings, found.fees_due), (held.earnings, held.fees));
        assert_eq!(
            (found.operator, found.runtime_class),
            (held.operator, held.class)
        );
        assert_eq!(
            (found.generation, found.unbond_secs),
            (held.generation, held.unbond_secs)
        );
    }

    /// Ends the game; what was tried and what became of it.
    pub fn finish(mut self) -> BTreeMap<(&'static str, String), u64> {
        self.everybody_leaves();
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Game {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "stateful: turn {} of seed {} failed at {:?}\nreplay: make fuzz FUZZ_SEED={} FUZZ_STEPS={}",
                self.turns, self.seed, self.last, self.seed, self.turns
            );
        }
    }
}
