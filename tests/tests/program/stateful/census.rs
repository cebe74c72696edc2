//! What a run tried and what became of it: a run that reaches too little proves too little.

use std::collections::BTreeMap;

use assay_client::{
    instruction,
    protocol::{Address, Error, JobStatus},
};

use super::{
    action::{Action, Court},
    bench::Bench,
    shadow::{Expected, Shadow},
};

/// Every way a panel's verdict can come about. A dissent needs the primary's root, so none can end in its silence.
const VERDICTS: [&str; 16] = [
    "Draw Unattended",
    "Draw Confirmed",
    "Draw PrimarySilent",
    "Draw Dissent",
    "Draw Silence",
    "Dissent Upheld",
    "Dissent Overturned",
    "Dissent Undecided",
    "Silence PrimarySilent",
    "Silence Upheld",
    "Silence Overturned",
    "Silence Undecided",
    "Dispute PrimarySilent",
    "Dispute Upheld",
    "Dispute Overturned",
    "Dispute Undecided",
];
/// What a seat can say and what can become of its bond, and what else a panel can go through.
const SEATS: [&str; 18] = [
    "NeverCommitted lost",
    "NeverRevealed lost",
    "Equal earned",
    "Equal returned",
    "Equal lost",
    "Different earned",
    "Different returned",
    "Different lost",
    "Unavailable earned",
    "Unavailable returned",
    "Unavailable lost",
    "level 1",
    "level 2",
    "evicted",
    "retargeted",
    "refund waits",
    "pair accepted",
    "pair refused",
];
/// What happens to one session in one transaction.
const PAIRS: [&str; 5] = [
    "session_open, session_settle",
    "session_settle, session_settle",
    "session_settle, session_close_request",
    "session_close_request, session_settle",
    "session_settle, session_close",
];
/// How a job can end.
const ENDS: [JobStatus; 5] = [
    JobStatus::Settled,
    JobStatus::Faulted,
    JobStatus::Cancelled,
    JobStatus::Expired,
    JobStatus::Unresolved,
];

#[derive(Debug, Default)]
pub struct Census {
    /// Instructions by name and outcome.
    tried: BTreeMap<(&'static str, String), u64>,
    /// Verdicts, seats and ends of jobs.
    reached: BTreeMap<String, u64>,
}

impl Census {
    pub fn count(&mut self, name: &'static str, expected: Expected) {
        let word = match expected {
            Expected::Accepted => "accepted".to_owned(),
            Expected::Fact(error) => error.name().to_owned(),
            Expected::Refused => "refused".to_owned(),
        };
        *self.tried.entry((name, word)).or_default() += 1;
    }

    /// Takes note of what an accepted instruction brought about.
    pub fn witness(&mut self, action: Action, before: &Shadow, after: &Shadow) {
        let mut reach = |what: String| *self.reached.entry(what).or_default() += 1;
        for (account, job) in &before.jobs {
            let now = after.jobs.get(account).map(|job| job.status);
            if let Some(status) = now.filter(|now| *now != job.status && now.is_terminal()) {
                reach(format!("ended {status:?}"));
            }
        }
        match action {
            Action::Court(Court::Resolve { job, .. }) => {
                let (was, is) = (&before.jobs[&job], &after.jobs[&job]);
                let verdict = is.verdict.expect("a resolved panel has spoken");
                reach(format!("{:?} {verdict:?}", was.cause()));
                if is.refund_due > was.refund_due {
                    reach("refund waits".to_owned());
                }
            }
            Action::Court(Court::Settle { panel, seat, .. }) => {
                let bench = &before.panels[&panel];
                reach(format!("level {}", bench.level));
                reach(settled(before, bench, seat));
            }
            Action::Court(Court::Join(joining)) => {
                let left = before.panels[&joining.panel].is_full();
                if left {
                    reach("evicted".to_owned());
                }
            }
            Action::Court(Court::Retarget { .. }) => reach("retargeted".to_owned()),
            _ => {}
        }
    }

    /// Takes note of a transaction of two instructions.
    pub fn pair(&mut self, actions: &[Action], expected: Expected) {
        let accepted = expected == Expected::Accepted;
        let word = if accepted {
            "pair accepted"
        } else {
            "pair refused"
        };
        *self.reached.entry(word.to_owned()).or_default() += 1;
        if let [Action::Session(first), Action::Session(second)] = actions
            && accepted
        {
            let names = [first, second].map(|channel| channel.call().spec.name);
            *self.reached.entry(names.join(", ")).or_default() += 1;
        }
    }

    /// Joins another run's.
    pub fn add(&mut self, other: Self) {
        for (what, count) in other.tried {
            *self.tried.entry(what).or_default() += count;
        }
        for (what, count) in other.reached {
            *self.reached.entry(what).or_default() += count;
        }
    }

    pub fn report(&self) {
        for ((name, outcome), count) in &self.tried {
            eprintln!("{name:<20} {outcome:<32} {count:>9}");
        }
        for (what, count) in &self.reached {
            eprintln!("{what:<53} {count:>9}");
        }
    }

    /// Fails unless everything happened, and not only by accident.
    pub fn is_thorough(&self) {
        for spec in instruction::ALL {
            self.tries(spec.name);
        }
        let ended = ENDS.map(|status| format!("ended {status:?}"));
        let ways = VERDICTS
            .iter()
            .chain(&SEATS)
            .chain(&PAIRS)
            .map(|way| (*way).to_owned());
        for way in ways.chain(ended) {
            let found = self.reached.get(&way).copied().unwrap_or_default();
            assert!(found >= 3, "{way} was reached {found} times");
        }
        // The states of jobs, terms, panels and seats; no instruction writes a byte that is no state.
        let facts = Error::ALL.iter().filter(|error| **error as u32 >= 82);
        for error in facts.filter(|error| error.name() != "PanelStateInvalid") {
            let refused = self
                .tried
                .iter()
                .filter(|((_, word), _)| word == error.name());
            let refused: u64 = refused.map(|(_, count)| count).sum();
            assert!(refused > 0, "nothing was refused as {}", error.name());
        }
        let all: u64 = self.tried.values().sum();
        let accepted = self
            .tried
            .iter()
            .filter(|((_, word), _)| word == "accepted");
        let accepted: u64 = accepted.map(|(_, count)| count).sum();
        assert!(
            accepted * 3 > all,
            "only {accepted} of {all} instructions were accepted"
        );
    }

    fn tries(&self, name: &'static str) {
        let tried = self.tried.iter().filter(|((tried, _), _)| *tried == name);
        let (mut accepted, mut all) = (0, 0);
        for ((_, word), count) in tried {
            all += count;
            if word == "accepted" {
                accepted += count;
            }
        }
        let refused = all - accepted;
        if name == "market_init" {
            assert_eq!(accepted, 0, "there is one market already");
        } else {
            assert!(accepted >= 3, "{name} was accepted {accepted} times");
        }
        assert!(refused >= 1, "{name} was refused {refused} times");
    }
}

/// What the seat had said and what it got for it.
fn settled(book: &Shadow, bench: &Bench, seat: u8) -> String {
    let job: &Address = &bench.job;
    let seat = usize::from(seat);
    let said = bench.said(book.jobs[job].root)[seat];
    let payout = bench.seats[seat].payout;
    let word = match payout.cmp(&bench.bond) {
        std::cmp::Ordering::Less => "lost",
        std::cmp::Ordering::Equal => "returned",
        std::cmp::Ordering::Greater => "earned",
    };
    format!("{said:?} {word}")
}
