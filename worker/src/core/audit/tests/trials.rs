//! An auditor knows that it can finish before it asks for a seat; what it holds is never kept back.

use assay_protocol::verdict::Verdict;

use super::{
    super::*,
    arena::{Arena, Node, provider},
    finish,
};
use crate::core::{Demand, Kind, Size, Took, TrialRun, Tried, Turn};

fn count(node: &Node, name: &str) -> usize {
    node.sent.iter().filter(|sent| **sent == name).count()
}

/// An engine that is busy for ever.
fn busy() -> Demand {
    Demand {
        kind: Kind::Job,
        turn: Turn::Unasked,
        from: 0,
        secs: i64::MAX / 2,
        until: i64::MAX,
    }
}

#[test]
fn seat_is_asked_for_after_its_trial() {
    let mut arena = Arena::new(2);
    arena.audit();
    finish(&mut arena);
    assert_eq!(arena.verdict(), Some(Verdict::Confirmed));
    for node in &arena.nodes[1..] {
        let place = |name| node.sent.iter().position(|sent| *sent == name).unwrap();
        assert!(place("prepare") < place("try") && place("try") < place("panel_join"));
        assert_eq!(count(node, "try"), 1);
    }
    assert_eq!(
        count(&arena.nodes[0], "try"),
        0,
        "the primary has its result"
    );
}

#[test]
fn model_that_does_not_end_in_its_trial_gets_no_seat() {
    for tried in [Tried::TooLong, Tried::Failed(RunFault::Never)] {
        let mut arena = Arena::new(1);
        arena.nodes[1].trials = vec![tried];
        arena.audit();
        arena.pass_until(|arena| arena.status().is_terminal());
        assert_eq!(arena.verdict(), Some(Verdict::Unattended));
        let node = &arena.nodes[1];
        assert_eq!((count(node, "try"), count(node, "panel_join")), (1, 0));
        assert_eq!(count(node, "discard"), 1);
    }
}

#[test]
fn trial_that_crashes_is_made_again_and_given_up_in_the_end() {
    for (crashes, verdict) in [(2, Verdict::Confirmed), (3, Verdict::Unattended)] {
        let mut arena = Arena::new(1);
        arena.nodes[1].trials = vec![Tried::Failed(RunFault::Again); crashes];
        arena.audit();
        arena.pass_until(|arena| arena.status().is_terminal());
        assert_eq!(arena.verdict(), Some(verdict), "{crashes}");
    }
}

#[test]
fn seat_is_not_asked_for_where_engines_are_promised_to_claimed_jobs() {
    let mut arena = Arena::new(1);
    let core = &mut arena.nodes[1].core;
    core.handle_jobs(vec![busy(); 4], BTreeSet::new());
    arena.audit();
    arena.pass(8);
    assert_eq!(
        (
            count(&arena.nodes[1], "prepare"),
            count(&arena.nodes[1], "try")
        ),
        (1, 0)
    );
    // One is free in time.
    let core = &mut arena.nodes[1].core;
    core.handle_jobs(vec![busy(); 3], BTreeSet::new());
    arena.pass_until(|arena| arena.status().is_terminal());
    assert_eq!(arena.verdict(), Some(Verdict::Confirmed));
}

#[test]
fn model_that_failed_here_gets_no_seat() {
    let mut arena = Arena::new(1);
    let model = arena.job.model_digest;
    arena.nodes[1].core.handle_jobs(Vec::new(), [model].into());
    arena.audit();
    arena.pass_until(|arena| arena.status().is_terminal());
    assert_eq!(arena.verdict(), Some(Verdict::Unattended));
    assert_eq!(count(&arena.nodes[1], "prepare"), 0);
}

#[test]
fn known_run_needs_no_trial_where_trials_are_off_but_its_time() {
    // The commit phase takes 70 s, of which 8 are kept back: 41 s and half of it again fit.
    for (took, joins) in [(41_000, true), (42_000, false)] {
        let off = |_: u8, policy: &mut AuditPolicy| policy.admission.trial_run = TrialRun::Off;
        let mut arena = Arena::with(1, off);
        let size = Size::of(arena.job.model_digest, arena.job.input_bytes);
        let now = UnixSeconds(arena.now);
        let core = &mut arena.nodes[1].core;
        core.handle_measured(size, Took::Ended(took), now);
        arena.audit();
        arena.pass(9);
        let node = &arena.nodes[1];
        assert_eq!(
            (count(node, "try"), count(node, "panel_join")),
            (0, usize::from(joins))
        );
    }
}

#[test]
fn held_seat_is_promised_its_run_until_it_is_made() {
    let off = |_: u8, policy: &mut AuditPolicy| policy.admission.trial_run = TrialRun::Off;
    let mut arena = Arena::with(1, off);
    arena.audit();
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.joined == 1));
    let panel = *arena.panel(1);
    let promised = arena.nodes[1].core.demands(UnixSeconds(arena.now));
    let whole = arena.nodes[1].policy.usable_secs(&panel);
    let expected = Demand {
        kind: Kind::Seat,
        turn: Turn::Unasked,
        from: panel.join_deadline,
        secs: whole,
        until: panel.join_deadline + whole,
    };
    assert_eq!(promised, [expected], "nothing is known of it");
    arena.pass_until(|arena| arena.status().is_terminal());
    assert_eq!(arena.nodes[1].runs, 1);
    assert!(
        arena.nodes[1]
            .core
            .demands(UnixSeconds(arena.now))
            .is_empty()
    );
    // With a trial there is nothing left to run; after a restart there is.
    let mut arena = Arena::new(1);
    arena.audit();
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.joined == 1));
    let now = UnixSeconds(arena.now);
    assert!(arena.nodes[1].core.demands(now).is_empty());
    arena.restart(1);
    arena.pass(1);
    let now = UnixSeconds(arena.now);
    assert_eq!(arena.nodes[1].core.demands(now).len(), 1);
    finish(&mut arena);
    assert_eq!(arena.verdict(), Some(Verdict::Confirmed));
}

/// Whatever keeps new work away, commitments and reveals are sent in the second they are due.
#[test]
fn seats_and_reveals_are_never_held_back() {
    let run = |held_back: bool| {
        let mut arena = Arena::new(2);
        arena.audit();
        arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.joined == 2));
        if held_back {
            let model = arena.job.model_digest;
            for node in &mut arena.nodes {
                node.core.pause();
                node.core.handle_jobs(vec![busy(); 9], [model].into());
            }
        }
        arena.pass_until(|arena| arena.status().is_terminal());
        assert_eq!(arena.verdict(), Some(Verdict::Confirmed));
        arena.now
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn transactions_that_are_owed_are_counted_until_they_are_made() {
    let mut arena = Arena::new(1);
    arena.audit();
    let owed = |arena: &Arena, node: usize| arena.nodes[node].core.owed();
    assert_eq!((owed(&arena, 0), owed(&arena, 1)), (4, 0));
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.joined == 1));
    arena.pass(1);
    assert_eq!(owed(&arena, 1), 4);
    finish(&mut arena);
    assert_eq!((owed(&arena, 0), owed(&arena, 1)), (0, 0));
    assert_eq!(arena.providers[&provider(1)].live_seats, 0);
}
