//! A chain and a book, turn by turn.

use std::{collections::BTreeMap, rc::Rc};

use assay_client::{
    account::Layout,
    address,
    protocol::{
        Address, Digest, JobData, ModelData, PanelData, ProviderData, SessionData, TreasuryData,
    },
};
use assay_tests::{Batch, Call, PACKET_BYTES, Refusal, SOL, World, transaction_bytes};

use super::{
    action::Action,
    census::Census,
    dice::Dice,
    roll::{Cast, PARAMS, SESSIONS, Turn},
    shadow::{Expected, Job, Rents, Shadow},
};

/// Jobs at most on one chain: beyond it, only endings happen.
const JOBS: usize = 8;
/// Closed jobs that are remembered for messages that come too late.
const REMEMBERED: usize = 8;

pub struct Game {
    seed: u64,
    /// Of audits, in basis points.
    rate: u16,
    turns: u64,
    pub dice: Dice,
    pub world: World,
    pub book: Shadow,
    pub cast: Cast,
    closed: Vec<(Address, Job)>,
    created: u32,
    /// The instructions of the last transaction.
    last: Vec<Action>,
    /// What all wallets held together at the start.
    pub paid_in: u128,
    census: Census,
}

impl Game {
    pub fn new(seed: u64, rate: u16) -> Self {
        let mut world = World::with_params(PARAMS);
        let cast = Cast::new(&mut world);
        let rents = Rents {
            wallet: world.rent(0),
            treasury: world.rent(TreasuryData::SIZE),
            provider: world.rent(ProviderData::SIZE),
            model: world.rent(ModelData::SIZE),
            job: world.rent(JobData::SIZE),
            panel: world.rent(PanelData::SIZE),
            session: world.rent(SessionData::SIZE),
        };
        let known = cast.all.iter().chain([&cast.sink]);
        let book = Shadow {
            now: world.now().0,
            slot: world.slot(),
            hashes: Rc::from(world.slot_hashes().0),
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
            panels: BTreeMap::new(),
            sessions: BTreeMap::new(),
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
            rate,
            turns: 0,
            dice: Dice(seed),
            world,
            book,
            cast,
            closed: Vec::new(),
            created: 0,
            last: Vec::new(),
            census: Census::default(),
        };
        game.people();
        game
    }

    /// Providers of little and of much stake and a model to begin with.
    fn people(&mut self) {
        for place in 0..self.cast.authorities.len() - 2 {
            let authority = self.cast.authorities[place];
            let operator = self.cast.operators[place % self.cast.operators.len()];
            let register = Action::ProviderRegister {
                payer: authority,
                authority,
                operator,
                class: [7; 32],
            };
            self.play(register);
            let amount = self.dice.within(SOL, 8 * SOL);
            self.play(Action::StakeDeposit {
                account: address::provider(&authority),
                signer: authority,
                amount,
            });
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
        let first = self.roll(None);
        match self.second(first) {
            Some(second) => self.play_all(&[first, second]),
            None => self.play(first),
        };
    }

    /// What is to happen in the same transaction, now and then.
    fn second(&mut self, first: Action) -> Option<Action> {
        let mut ahead = self.book.clone();
        let percent = match first {
            Action::Court(_) => 12,
            Action::Session(_) => 30,
            _ => 0,
        };
        if !self.dice.percent(percent) || first.enter(&mut ahead).is_err() {
            return None;
        }
        let second = match first {
            Action::Session(channel) => self.roll_about(&ahead, channel.session())?,
            _ => self.roll(Some(&ahead)),
        };
        let calls = vec![first.call(), second.call()].instructions();
        let fits = transaction_bytes(&self.world.fee_payer, &calls) <= PACKET_BYTES;
        (fits && self.is_told_apart(second)).then_some(second)
    }

    /// What somebody does about this session next.
    fn roll_about(&mut self, book: &Shadow, session: Address) -> Option<Action> {
        let mut turn = Turn {
            dice: &mut self.dice,
            book,
            cast: &self.cast,
            closed: &self.closed,
            created: self.created,
            rate: self.rate,
            focus: None,
        };
        let mut rolls = (0..8 * SESSIONS).map(|_| turn.session());
        let about = |action: &Action| matches!(action, Action::Session(channel) if channel.session() == session);
        rolls.find(about)
    }

    /// Pairs about audits and sessions: the ledger cannot tell who got what from a job that both comes and goes, or ends and goes.
    fn is_told_apart(&self, second: Action) -> bool {
        match second {
            Action::Court(_) | Action::Session(_) => true,
            Action::JobClose { job, .. } => {
                let job = self.book.jobs.get(&job);
                job.is_some_and(|job| job.status.is_terminal())
            }
            _ => false,
        }
    }

    /// Somebody's next instruction, now or after another one.
    fn roll(&mut self, ahead: Option<&Shadow>) -> Action {
        let book = ahead.unwrap_or(&self.book);
        let crowded = book.jobs.len() >= JOBS;
        let mut turn = Turn {
            dice: &mut self.dice,
            book,
            cast: &self.cast,
            closed: &self.closed,
            created: self.created,
            rate: self.rate,
            focus: None,
        };
        let mut action = turn.roll();
        while crowded && action.created().is_some() {
            action = turn.roll();
        }
        self.created += u32::from(action.created().is_some());
        action
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
            .chain(self.book.panels.keys())
            .chain(self.book.sessions.keys())
            .copied()
            .collect();
        let emptied = self
            .cast
            .requesters
            .iter()
            .find(|key| self.book.balance(key) == 0)
            .copied();
        match self.dice.below(10) {
            0..2 => self.give(requester, sink, self.book.balance(&requester)),
            2 => self.endow(sink),
            3..5 if !accounts.is_empty() => {
                let (to, gift) = (*self.dice.pick(&accounts), self.dice.within(1, 1_000));
                self.give(sink, to, gift);
            }
            5..8 => {
                if let Some(requester) = emptied {
                    let lamports = self.dice.within(self.book.rents.wallet, 20_000_000_000);
                    self.give(sink, requester, lamports);
                }
            }
            _ => {}
        }
    }

    /// Somebody sends lamports to where a panel may open one day.
    fn endow(&mut self, from: Address) {
        let unopened = |(account, job): (&Address, &Job)| {
            let panel = address::panel(account, job.level);
            let waits = job.is_convened() && !self.book.panels.contains_key(&panel);
            waits.then_some(panel)
        };
        let panels: Vec<Address> = self.book.jobs.iter().filter_map(unopened).collect();
        if let Some(panel) = panels.first() {
            let rents = self.book.rents;
            let lamports = self.dice.within(rents.wallet, rents.panel * 3 / 2);
            self.give(from, *panel, lamports);
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
        } else if let Some(bench) = self.book.panels.get_mut(&to) {
            bench.gift += lamports;
        } else if let Some(session) = self.book.sessions.get_mut(&to) {
            session.gift += lamports;
        } else if let Some(provider) = self.book.providers.get_mut(&to) {
            provider.gift += lamports;
        } else {
            self.book.credit(&to, lamports);
        }
    }

    /// Sends an instruction and compares what became of it with the book.
    pub fn play(&mut self, action: Action) -> Expected {
        let expected = self.play_all(&[action]);
        self.census.count(action.call().spec.name, expected);
        expected
    }

    /// Sends one transaction: all of it happens, or nothing.
    fn play_all(&mut self, actions: &[Action]) -> Expected {
        self.last = actions.to_vec();
        let calls: Vec<Call> = actions.iter().map(|action| action.call()).collect();
        let mut books = vec![self.book.clone()];
        let mut entered = Ok(());
        for action in actions {
            let mut book = books[books.len() - 1].clone();
            entered = entered.and_then(|()| action.enter(&mut book));
            books.push(book);
        }
        let after = &books[actions.len()];
        let entered = entered.and_then(|()| after.rents_paid());
        let expected = entered.err().unwrap_or(Expected::Accepted);
        let outcome = self.world.send(calls.clone());
        let agrees = match (&outcome.result, expected) {
            (Ok(()), Expected::Accepted) => true,
            (Err(Refusal::Fact(found)), Expected::Fact(error)) => *found == error,
            (Err(Refusal::Fact(_)), Expected::Refused) => false,
            (Err(_), Expected::Refused) => true,
            _ => false,
        };
        assert!(
            agrees,
            "{actions:?}: {:?}, but the book expects {expected:?}\n{}",
            outcome.result,
            outcome.logs.join("\n")
        );
        if expected == Expected::Accepted {
            self.remember(after);
            for (action, books) in actions.iter().zip(books.windows(2)) {
                self.census.witness(*action, &books[0], &books[1]);
            }
            self.book = after.clone();
        }
        for call in &calls {
            self.compare(call);
        }
        if actions.len() > 1 {
            self.census.pair(actions, expected);
        }
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

    /// Ends the game; what was tried and what became of it.
    pub fn finish(mut self) -> Census {
        self.everybody_leaves();
        std::mem::take(&mut self.census)
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
