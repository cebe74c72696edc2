//! Many cores against the market's own rules, under a clock that the test moves.

use assay_protocol::{JobStatus, panel::UNAVAILABLE, verdict::Verdict};

use super::*;
use arena::{Arena, Finds, JOB, provider};

mod arena;
mod deadlines;
mod outlook;
mod random;
mod strangers;
mod trials;

/// Until the job has ended and every panel is closed.
fn finish(arena: &mut Arena) {
    arena.pass_until(|arena| {
        arena.status().is_terminal() && arena.panels.iter().all(Option::is_none)
    });
    arena.pass(1);
    for node in &arena.nodes {
        assert!(node.core.is_idle());
        let seats = arena.providers[&provider(0)].live_seats;
        assert_eq!(seats, 0);
        assert!(node.core.live_jobs().is_empty(), "{:?}", node.reports);
        assert!(node.kept.as_ref().is_none_or(|kept| kept.ended));
    }
}

#[test]
fn drawn_job_is_confirmed_by_two_auditors_and_everybody_is_paid() {
    let mut arena = Arena::new(2);
    arena.audit();
    assert_eq!(arena.nodes[0].reports, ["convened"]);
    finish(&mut arena);
    assert_eq!(arena.status(), JobStatus::Settled);
    assert_eq!(arena.verdict(), Some(Verdict::Confirmed));
    for node in [1, 2] {
        let account = arena.providers[&provider(node)];
        assert_eq!((account.stake, account.earnings), (100_000, 1_000));
        let reports = &arena.nodes[usize::from(node)].reports;
        assert_eq!(
            *reports,
            ["joined", "committed", "verdict", "revealed", "settled"],
            "the job is read before its panels"
        );
    }
    let primary = &arena.nodes[0];
    assert_eq!(primary.sent.first(), Some(&"panel_open"));
    assert_eq!(primary.reports, ["convened", "verdict", "defended"]);
}

#[test]
fn reveals_come_before_everything_else_and_are_tried_until_they_land() {
    let mut arena = Arena::new(2);
    arena.nodes[0].expire.insert(AuditStep::RevealPrimary, 5);
    arena.nodes[1].expire.insert(AuditStep::Reveal, 5);
    arena.audit();
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.committed == 2));
    let started = arena.now;
    finish(&mut arena);
    assert_eq!(arena.verdict(), Some(Verdict::Confirmed));
    let tries = |node: usize, name| {
        arena.nodes[node]
            .sent
            .iter()
            .filter(|sent| **sent == name)
            .count()
    };
    assert_eq!((tries(0, "job_reveal"), tries(1, "panel_reveal")), (6, 6));
    assert!(arena.now - started < 25, "no long pauses between tries");
    // Whatever waits in the queue, a reveal goes first.
    let mut arena = Arena::new(2);
    arena.audit();
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.joined == 2));
    arena.nodes[0].online = false;
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.committed == 2));
    let (job, panels, now) = (arena.job, arena.panels, UnixSeconds(arena.now));
    let core = &mut arena.nodes[0].core;
    core.handle_job(JOB, &job, now);
    core.handle_panels(JOB, panels.each_ref().map(Option::as_ref), now);
    let first = core.poll_command();
    assert!(
        matches!(
            first,
            Some(AuditCommand::Submit {
                intent: AuditIntent::RevealPrimary { .. },
                ..
            })
        ),
        "{first:?}"
    );
}

#[test]
fn cheat_is_dissented_judged_by_the_second_panel_and_slashed() {
    let mut arena = Arena::new(7);
    for node in &mut arena.nodes {
        node.finds = Finds::Other;
    }
    arena.audit();
    finish(&mut arena);
    assert_eq!(arena.status(), JobStatus::Faulted);
    assert_eq!(arena.verdict(), Some(Verdict::Overturned));
    assert_eq!(arena.providers[&provider(0)].stake, 80_000);
    let earned = |node| arena.providers[&provider(node)].earnings;
    let mut earnings: Vec<u64> = (1..=7).map(earned).collect();
    earnings.sort_unstable();
    assert_eq!(earnings, [1_000, 1_000, 1_000, 1_000, 1_000, 2_000, 2_000]);
}

#[test]
fn lone_dissenter_loses_its_bond_and_the_primary_is_paid() {
    let mut arena = Arena::new(7);
    arena.audit();
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.joined == 2));
    arena.sitter(1, 0).finds = Finds::Other;
    let liar = arena.panel(1).seats[0].provider;
    finish(&mut arena);
    assert_eq!(arena.status(), JobStatus::Settled);
    assert_eq!(arena.verdict(), Some(Verdict::Upheld));
    assert_eq!(arena.providers[&liar].stake, 95_000);
    assert_eq!(arena.providers[&provider(0)].stake, 100_000);
}

#[test]
fn dispute_convenes_the_second_panel_at_once() {
    let mut arena = Arena::new(5);
    arena.dispute();
    finish(&mut arena);
    assert_eq!(arena.verdict(), Some(Verdict::Upheld));
    assert_eq!(arena.nodes[0].reports, ["convened", "verdict", "defended"]);
    assert!(arena.nodes[0].sent.contains(&"job_reveal"));
}

#[test]
fn better_ticket_takes_the_seat_and_the_loser_forgets_it() {
    let mut arena = Arena::new(4);
    for late in [3, 4] {
        arena.nodes[late].online = false;
    }
    arena.audit();
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.joined == 2));
    let before = arena.seated(1);
    assert_eq!(before, [provider(1), provider(2)]);
    for late in [3, 4] {
        // With a stake so large that its best ticket wins.
        arena.providers.get_mut(&provider(late)).unwrap().stake = 1_000_000_000;
        arena.nodes[usize::from(late)].online = true;
    }
    arena.pass(1);
    let mut after = arena.seated(1);
    after.sort_unstable();
    assert_eq!(after, [provider(3), provider(4)]);
    finish(&mut arena);
    for node in [1, 2] {
        let (sent, reports) = (&arena.nodes[node].sent, &arena.nodes[node].reports);
        assert_eq!(*reports, ["joined", "evicted"], "{sent:?}");
        assert_eq!(arena.nodes[node].runs, 0);
    }
    assert_eq!(arena.verdict(), Some(Verdict::Confirmed));
}

#[test]
fn hints_that_stay_away_are_called_unavailable_late_but_in_time() {
    let mut arena = Arena::new(2);
    arena.nodes[1].finds = Finds::HintsMissing;
    arena.audit();
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.committed == 2));
    let panel = arena.panel(1);
    // The commit phase takes 70 s, of which a quarter is the margin.
    assert!(arena.now >= panel.commit_deadline - 17, "{}", arena.now);
    assert!(arena.now <= panel.commit_deadline - 10, "{}", arena.now);
    assert_eq!(arena.nodes[1].journal[0].root.0, UNAVAILABLE);
    assert!(arena.nodes[1].runs > 10, "it keeps asking");
}

#[test]
fn hints_that_come_late_are_used() {
    let mut arena = Arena::new(2);
    arena.nodes[1].finds = Finds::HintsMissing;
    arena.audit();
    arena.pass(30);
    assert!(arena.nodes[1].journal.is_empty());
    arena.nodes[1].finds = Finds::Same;
    finish(&mut arena);
    assert_eq!(arena.verdict(), Some(Verdict::Confirmed));
}

#[test]
fn hints_of_the_wrong_length_are_unavailable_at_once() {
    let mut arena = Arena::new(2);
    arena.nodes[1].finds = Finds::HintsWrong;
    arena.audit();
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.committed == 2));
    assert_eq!(arena.nodes[1].runs, 1);
    assert_eq!(arena.nodes[1].journal[0].root.0, UNAVAILABLE);
}

#[test]
fn engine_that_crashes_is_tried_until_the_commit_phase_ends() {
    let mut arena = Arena::new(2);
    arena.nodes[1].finds = Finds::Crash;
    arena.audit();
    arena.pass(40);
    assert!(arena.nodes[1].runs > 4);
    arena.nodes[1].finds = Finds::Same;
    finish(&mut arena);
    assert_eq!(arena.verdict(), Some(Verdict::Confirmed));
}

#[test]
fn silent_primary_is_faulted_by_its_auditors() {
    let mut arena = Arena::new(2);
    arena.audit();
    arena.nodes[0].online = false;
    arena.pass_until(|arena| arena.status().is_terminal());
    assert_eq!(arena.verdict(), Some(Verdict::PrimarySilent));
    // Whoever opened the panel was not the primary, and has its rent back.
    arena.pass(10);
    assert!(arena.panels[0].is_none());
}

#[test]
fn panel_that_nobody_opens_ends_the_job_for_the_primary() {
    let mut arena = Arena::new(0);
    arena.nodes[0].expire.insert(AuditStep::Open, 1_000);
    arena.audit();
    arena.pass(29);
    assert_eq!(arena.status(), JobStatus::Auditing);
    arena.pass(3);
    assert_eq!(arena.verdict(), Some(Verdict::Unattended));
    assert!(arena.nodes[0].core.live_jobs().is_empty());
}

#[test]
fn every_node_may_restart_at_any_second() {
    for every in [1, 3, 7, 11] {
        let mut arena = Arena::new(7);
        for node in &mut arena.nodes {
            node.finds = Finds::Other;
        }
        arena.audit();
        for second in 0..400_usize {
            arena.pass(1);
            if second % every == 0 {
                for node in 0..arena.nodes.len() {
                    arena.restart(node);
                }
            }
        }
        assert_eq!(arena.verdict(), Some(Verdict::Overturned), "every {every}");
        assert!(arena.panels.iter().all(Option::is_none));
        for number in 0..=7 {
            assert_eq!(arena.providers[&provider(number)].live_seats, 0);
        }
        let runs: u32 = arena.nodes.iter().map(|node| node.runs).sum();
        assert_eq!(runs, 7, "what is saved is not computed again");
    }
}

#[test]
fn commitment_that_the_journal_cannot_open_is_reported_once() {
    let mut arena = Arena::new(2);
    arena.nodes[0].opening = None;
    arena.nodes[1].expire.insert(AuditStep::Reveal, 1_000);
    arena.audit();
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.committed == 2));
    arena.nodes[1].journal.clear();
    arena.restart(1);
    arena.nodes[2].online = false;
    arena.pass(5);
    assert_eq!(arena.nodes[0].reports, ["convened", "secrets_missing"]);
    assert!(arena.nodes[1].reports.contains(&"secrets_missing"));
}

#[test]
fn seats_that_are_not_wanted_are_not_taken() {
    type Change = fn(&mut AuditPolicy);
    let cases: [Change; 6] = [
        |policy| policy.enabled = false,
        |policy| policy.min_fee.0 = 1_001,
        |policy| policy.max_seats = 0,
        |policy| policy.siblings = [provider(0)].into(),
        |policy| policy.wallets = [Address::new_from_array([30; 32])].into(),
        |policy| policy.models = Some([[1; 32]].into()),
    ];
    for change in cases {
        let mut arena = Arena::with(1, |node, policy| {
            if node == 1 {
                change(policy);
            }
        });
        arena.audit();
        arena.pass_until(|arena| arena.status().is_terminal());
        assert_eq!(arena.verdict(), Some(Verdict::Unattended));
        let sent = &arena.nodes[1].sent;
        assert!(!sent.contains(&"panel_join") && !sent.contains(&"prepare"));
    }
    // Nor without the stake for it, nor after a shutdown, nor where the files do not fit.
    let mut poor = Arena::new(1);
    poor.providers.get_mut(&provider(1)).unwrap().stake = 4_999;
    let mut leaving = Arena::new(1);
    leaving.nodes[1].core.pause();
    let mut unfit = Arena::new(1);
    unfit.nodes[1].prepare_faults = vec![PrepareFault::Never];
    for mut arena in [poor, leaving, unfit] {
        arena.audit();
        arena.pass_until(|arena| arena.status().is_terminal());
        assert_eq!(arena.verdict(), Some(Verdict::Unattended));
    }
}

#[test]
fn files_that_are_not_there_yet_are_tried_again_while_seats_are_given() {
    let mut arena = Arena::new(1);
    arena.nodes[1].prepare_faults = vec![PrepareFault::Later; 2];
    arena.audit();
    finish(&mut arena);
    assert_eq!(arena.verdict(), Some(Verdict::Confirmed));
    assert_eq!(arena.nodes[1].reports.first(), Some(&"joined"));
}

#[test]
fn nobody_sits_on_both_panels_of_a_job() {
    let mut arena = Arena::new(3);
    arena.nodes[1].finds = Finds::Other;
    arena.nodes[2].finds = Finds::Other;
    arena.nodes[3].online = false;
    arena.audit();
    arena.pass_until(|arena| arena.status() == JobStatus::Appealing);
    arena.nodes[3].online = true;
    finish(&mut arena);
    // One seat of five is too few to decide.
    assert_eq!(arena.status(), JobStatus::Unresolved);
    let level2 = arena.nodes[3].kept.as_ref().unwrap().panels[1]
        .as_ref()
        .unwrap();
    assert_eq!(level2.joined, 1);
}

#[test]
fn files_are_let_go_once_nobody_will_run_them() {
    let mut arena = Arena::new(4);
    arena.audit();
    finish(&mut arena);
    let count = |node: &arena::Node, name| node.sent.iter().filter(|sent| **sent == name).count();
    for (number, node) in arena.nodes.iter().enumerate() {
        let (prepared, gone) = (count(node, "prepare"), count(node, "discard"));
        assert_eq!(prepared, gone, "node {number}");
        assert!(prepared > 0 || node.journal.is_empty());
    }
    assert!(count(&arena.nodes[1], "discard") == 1);
}

#[test]
fn journal_that_does_not_answer_is_asked_again() {
    let mut arena = Arena::new(0);
    arena.nodes[0].core.start();
    let now = UnixSeconds(arena.now);
    arena.audit();
    let core = &mut arena.nodes[0].core;
    core.handle_recalled(JOB, 0, None, now);
    assert!(core.poll_command().is_none(), "not at once");
    core.handle_time(UnixSeconds(now.0 + 1));
    let asked = core.poll_command();
    assert!(matches!(asked, Some(AuditCommand::Recall { .. })));
}

#[test]
fn best_tickets_ask_first_and_the_others_fetch_nothing() {
    let mut arena = Arena::new(30);
    arena.job.panel_join_secs = 600;
    for number in 1..=30 {
        // One ticket each.
        arena.providers.get_mut(&provider(number)).unwrap().stake = 10_000;
    }
    arena.audit();
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.joined == 2));
    arena.pass(590);
    let panel = arena.panel(1);
    let score = |number| assay_protocol::sortition::score(&panel.seed, &provider(number), 0);
    let mut best: Vec<u8> = (1..=30).collect();
    best.sort_unstable_by_key(|number| score(*number));
    let mut seated = arena.seated(1);
    seated.sort_unstable();
    let mut expected = vec![provider(best[0]), provider(best[1])];
    expected.sort_unstable();
    assert_eq!(seated, expected);
    let fetched = arena
        .nodes
        .iter()
        .filter(|node| node.sent.contains(&"prepare"));
    assert!(
        fetched.count() <= 4,
        "who asks in the same second may be too many"
    );
}
