//! What an audit is said to bring, against what it brings.

use assay_protocol::{JobStatus, OutputProfile, UnixSeconds, panel::PanelStatus, verdict::Verdict};

use super::{
    super::{AuditStep, Outlook, brought, outcome, outlooks},
    arena::{Arena, Finds, provider},
    finish,
};

/// What the books say that a node won or lost: stake, earnings and fees due against the beginning.
fn gained(arena: &Arena, node: u8) -> i64 {
    let account = arena.providers[&provider(node)];
    let sum = account.stake + account.earnings;
    i64::try_from(sum).unwrap() - 100_000
}

/// Others may resolve, settle and close a panel between two readings: what was read before tells
/// nothing of what it brought.
#[test]
fn panel_that_was_not_read_after_its_verdict_is_not_booked() {
    let mut arena = Arena::new(2);
    arena.audit();
    finish(&mut arena);
    let kept = arena.nodes[1].kept.clone().unwrap();
    assert!(brought(&kept, &provider(1)).is_some());
    let mut older = kept;
    older.panels[0].as_mut().unwrap().status = PanelStatus::Live as u8;
    assert!(brought(&older, &provider(1)).is_none());
    older.panels[0] = None;
    assert!(brought(&older, &provider(1)).is_none());
}

#[test]
fn outcome_of_each_end_is_what_the_books_say() {
    type Script = fn(&mut Arena);
    let honest: Script = Arena::audit;
    let cheat: Script = |arena| {
        for node in &mut arena.nodes {
            node.finds = Finds::Other;
        }
        arena.audit();
    };
    let liar: Script = |arena| {
        arena.audit();
        arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.joined == 2));
        arena.sitter(1, 0).finds = Finds::Other;
    };
    let no_hints: Script = |arena| {
        for node in &mut arena.nodes {
            node.finds = Finds::HintsMissing;
        }
        arena.audit();
        arena.pass_until(|arena| arena.status() == JobStatus::Appealing);
        for node in &mut arena.nodes {
            node.finds = Finds::Same;
        }
    };
    let pretender: Script = |arena| {
        arena.job.output_profile[0] = OutputProfile::EXACT;
        arena.job.output_profile[1..].fill(OutputProfile::UNUSED);
        arena.audit();
        arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.joined == 2));
        arena.sitter(1, 0).finds = Finds::HintsMissing;
    };
    let silent: Script = |arena| {
        arena.audit();
        arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.joined == 2));
        arena.sitter(1, 0).expire.insert(AuditStep::Reveal, 1_000);
    };
    for (script, others) in [
        (honest, 2),
        (cheat, 7),
        (cheat, 3),
        (liar, 7),
        (no_hints, 7),
        (pretender, 7),
        (silent, 2),
        (Arena::dispute as Script, 5),
        (Arena::dispute as Script, 2),
    ] {
        let mut arena = Arena::new(others);
        script(&mut arena);
        finish(&mut arena);
        for node in 1..=others {
            let kept = arena.nodes[usize::from(node)].kept.as_ref();
            let found = kept.and_then(|kept| outcome(kept, &provider(node)));
            let ours = found.map_or(0, |found| found.ours);
            assert_eq!(
                ours,
                gained(&arena, node),
                "node {node}, {:?}",
                arena.verdict()
            );
        }
        for node in 1..=others {
            let kept = arena.nodes[usize::from(node)].kept.as_ref();
            let parts = kept.and_then(|kept| brought(kept, &provider(node)));
            let parts = parts.unwrap_or_default();
            let account = arena.providers[&provider(node)];
            let stake = parts.iter().map(|part| part.stake).sum::<i64>() + 100_000;
            let earnings = parts.iter().map(|part| part.earnings).sum::<i64>();
            assert_eq!(
                (u64::try_from(stake), u64::try_from(earnings)),
                (Ok(account.stake), Ok(account.earnings)),
                "node {node}, {parts:?}"
            );
            assert!(parts.iter().all(|part| part.level > 0), "{parts:?}");
        }
        // The arena books slashes of the primary, not its pay.
        let parts = brought(arena.nodes[0].kept.as_ref().unwrap(), &provider(0)).unwrap();
        let slash = parts.iter().map(|part| part.stake).sum::<i64>();
        assert_eq!(slash, gained(&arena, 0));
        let kept = arena.nodes[0].kept.as_ref().unwrap();
        let found = outcome(kept, &provider(0)).unwrap();
        assert_eq!(Some(found.verdict), arena.verdict());
        assert_eq!(found.status, arena.status());
        assert_eq!(found.ours < 0, gained(&arena, 0) < 0);
    }
}

#[test]
fn hints_missed_on_the_first_panel_cost_the_primary_a_part_of_its_price() {
    let mut arena = Arena::new(7);
    for node in &mut arena.nodes {
        node.finds = Finds::HintsMissing;
    }
    arena.audit();
    arena.pass_until(|arena| arena.status() == JobStatus::Appealing);
    for node in &mut arena.nodes {
        node.finds = Finds::Same;
    }
    finish(&mut arena);
    let found = outcome(arena.nodes[0].kept.as_ref().unwrap(), &provider(0)).unwrap();
    // Five fees of 1,000, of which two bonds bring 2,000 each: 900 of the price cover the rest in part.
    assert_eq!((found.verdict, found.ours), (Verdict::Upheld, 0));
}

#[test]
fn every_verdict_that_is_possible_is_foreseen_while_the_panel_works() {
    let mut arena = Arena::new(2);
    arena.audit();
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.joined == 2));
    let now = UnixSeconds(arena.now);
    let primary = outlooks(arena.nodes[0].kept.as_ref().unwrap(), &provider(0), now);
    let ends = |outlooks: &[Outlook]| -> Vec<(Verdict, i64)> {
        outlooks.iter().map(|end| (end.verdict, end.ours)).collect()
    };
    assert_eq!(
        ends(&primary),
        [
            (Verdict::Confirmed, 900),
            (Verdict::Overturned, -20_000),
            (Verdict::Upheld, 900),
            (Verdict::Undecided, 0),
            (Verdict::PrimarySilent, -20_000),
        ]
    );
    let auditor = outlooks(arena.nodes[1].kept.as_ref().unwrap(), &provider(1), now);
    assert_eq!(
        ends(&auditor),
        [
            (Verdict::Confirmed, 1_000),
            (Verdict::Overturned, 2_000),
            (Verdict::Upheld, -5_000),
            (Verdict::Undecided, 0),
            (Verdict::Confirmed, -5_000),
            (Verdict::PrimarySilent, 1_000),
        ]
    );
}

#[test]
fn seats_that_let_their_phase_pass_are_not_expected_to_speak() {
    let mut arena = Arena::new(2);
    arena.audit();
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.joined == 2));
    let mut kept = arena.nodes[0].kept.clone().unwrap();
    let panel = kept.panels[0].as_mut().unwrap();
    panel.seats[0].state = assay_protocol::panel::SeatState::Committed as u8;
    panel.committed = 1;
    let over = UnixSeconds(panel.reveal_deadline + 1);
    let verdicts = |now| -> Vec<Verdict> {
        let ends = outlooks(&kept, &provider(0), now);
        ends.iter().map(|end| end.verdict).collect()
    };
    assert_eq!(
        verdicts(over),
        [
            Verdict::Upheld,
            Verdict::Overturned,
            Verdict::Undecided,
            Verdict::PrimarySilent
        ],
        "nobody revealed: the second panel decides, if the primary is not at fault already"
    );
}
