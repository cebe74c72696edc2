//! What can go wrong with one call, and how often it did.

use std::collections::BTreeMap;

/// Calls of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Snapshot,
    OpenJobs,
    JudgedJobs,
    ProviderJobs,
    Jobs,
    Panels,
    Sessions,
    Providers,
    SlotHashes,
    Provider,
    Model,
    Balance,
    Blockhash,
    Height,
    Simulate,
    Send,
    Signatures,
    Cost,
    Fees,
    /// Of an engine, which is asked beside the chain.
    Load,
    Run,
}

/// What a storm brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// No answer comes, or none in time.
    Cut,
    /// Nodes that are behind, and that miss accounts.
    Behind,
    /// Sent transactions get lost, come twice, late and out of order.
    Mail,
    /// A node that lies.
    Liar,
    /// The disk fails and is slow.
    Disk,
    /// Engines crash, hang and answer nonsense.
    Engines,
}

impl Mood {
    pub const ALL: [Self; 6] = [
        Self::Cut,
        Self::Behind,
        Self::Mail,
        Self::Liar,
        Self::Disk,
        Self::Engines,
    ];
}

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// An error before anything happened.
    Refused,
    /// It happened, and the answer is an error.
    AnswerLost,
    /// The answer takes long.
    Slow,
    /// An answer of the past.
    Stale,
    /// An account that is there is not shown.
    Missing,
    /// The chain's time is told wrong.
    WrongTime,
    /// The height is told wrong.
    WrongHeight,
    /// A signature that is known is not.
    Unknown,
    /// A transaction that would succeed is said to fail.
    WrongSimulation,
    /// Accepted, and never passed on.
    Swallowed,
    /// Passed on twice.
    Twice,
    /// Passed on late, after others.
    Late,
    /// What it cost is not known yet.
    NoRecord,
    /// The engine ends by itself.
    Crashes,
    /// It ends, and the model is to blame.
    ModelCrashes,
    /// It does not answer until it is killed.
    Hangs,
    Nonsense,
    NoMemory,
}

impl Fault {
    pub const ALL: [Self; 18] = [
        Refused,
        AnswerLost,
        Slow,
        Stale,
        Missing,
        WrongTime,
        WrongHeight,
        Unknown,
        WrongSimulation,
        Swallowed,
        Twice,
        Late,
        NoRecord,
        Crashes,
        ModelCrashes,
        Hangs,
        Nonsense,
        NoMemory,
    ];
}

use Fault::{
    AnswerLost, Crashes, Hangs, Late, Missing, ModelCrashes, NoMemory, NoRecord, Nonsense, Refused,
    Slow, Stale, Swallowed, Twice, Unknown, WrongHeight, WrongSimulation, WrongTime,
};

/// What a storm of this mood may do to a call; nothing where it does not touch it.
pub fn choices(mood: Mood, call: Call) -> &'static [Fault] {
    match (mood, call) {
        (Mood::Engines, Call::Load) => &[Crashes, Hangs, Nonsense, NoMemory],
        (Mood::Engines, Call::Run) => &[Crashes, Crashes, ModelCrashes, Hangs, Nonsense, NoMemory],
        (_, Call::Load | Call::Run) => &[],
        (Mood::Cut, Call::Send) => &[Refused, AnswerLost, Slow, Swallowed],
        (Mood::Cut, _) => &[Refused, AnswerLost, Slow],
        (Mood::Behind, Call::Snapshot | Call::Jobs | Call::Panels | Call::Sessions) => {
            &[Stale, Missing, Slow]
        }
        (
            Mood::Behind,
            Call::OpenJobs | Call::JudgedJobs | Call::ProviderJobs | Call::Providers,
        ) => &[Stale, Missing],
        (Mood::Behind, Call::Provider | Call::Model | Call::Blockhash) => &[Stale],
        (Mood::Behind, Call::Signatures) => &[Unknown],
        (Mood::Behind, Call::Cost) => &[NoRecord],
        (Mood::Mail, Call::Send) => &[Swallowed, Twice, Late, Late, AnswerLost],
        (Mood::Liar, Call::Snapshot) => &[WrongTime, WrongTime, Missing],
        (Mood::Liar, Call::Height) => &[WrongHeight],
        (Mood::Liar, Call::Signatures) => &[Unknown],
        (Mood::Liar, Call::Simulate) => &[WrongSimulation],
        (Mood::Liar, Call::Send) => &[Swallowed],
        _ => &[],
    }
}

/// What happened over one run or many, counted by name.
#[derive(Clone, Debug, Default)]
pub struct Census(pub BTreeMap<String, u64>);

impl Census {
    pub fn count(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what.clone()).or_default() += count;
        }
    }

    /// Fails unless each of these happened.
    pub fn expect(&self, all: impl IntoIterator<Item = impl Into<String>>) {
        let never: Vec<String> = all
            .into_iter()
            .map(Into::into)
            .filter(|what| !self.0.contains_key(what))
            .collect();
        assert!(
            never.is_empty(),
            "never happened: {never:?}, but {:#?}",
            self.0
        );
    }
}
