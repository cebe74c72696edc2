//! What strangers and nodes that lag may show, and what it must not cost.

use crate::core::Tried;

use super::{
    super::*,
    arena::{Arena, JOB, provider},
    finish,
};

/// Jobs of strangers beside the arena's own.
fn others(count: u8) -> Vec<Address> {
    let address = |number| Address::new_from_array([number; 32]);
    (40..40 + count).map(address).collect()
}

fn submitted(commands: &[AuditCommand], step: AuditStep) -> usize {
    let of_step = |command: &&AuditCommand| matches!(command, AuditCommand::Submit { intent, .. } if intent.step() == step);
    commands.iter().filter(of_step).count()
}

/// Everything asked for until nothing is; what is prepared is at hand at once.
fn drain(core: &mut Audits, now: UnixSeconds) -> Vec<AuditCommand> {
    let mut commands = Vec::new();
    while let Some(command) = core.poll_command() {
        if let AuditCommand::Prepare { job } = command {
            core.handle_prepared(job, Ok(()), now);
        }
        if let AuditCommand::Try { job, .. } = command {
            core.handle_tried(job, Tried::Answered, now);
        }
        commands.push(command);
    }
    commands
}

/// An auditor that is not at work, and the arena with a panel that everybody may join.
fn joining() -> Arena {
    let mut arena = Arena::new(1);
    arena.nodes[1].online = false;
    arena.audit();
    arena.pass_until(|arena| arena.panels[0].is_some());
    arena.pass(3);
    arena.nodes[1]
        .core
        .handle_provider(&arena.providers[&provider(1)]);
    arena
}

#[test]
fn seats_asked_for_at_once_are_no_more_than_the_operator_allows() {
    let mut arena = joining();
    let (job, panel, now) = (arena.job, *arena.panel(1), UnixSeconds(arena.now));
    let core = &mut arena.nodes[1].core;
    let mut commands = Vec::new();
    for address in others(10) {
        core.handle_job(address, &job, now);
        core.handle_panels(address, [Some(&panel), None], now);
        commands.extend(drain(core, now));
    }
    core.handle_time(now);
    commands.extend(drain(core, now));
    assert_eq!(submitted(&commands, AuditStep::Join), 4, "max_seats");
    let ready = core
        .cases
        .values()
        .filter(|case| case.files != Files::Absent);
    assert_eq!(ready.count(), 4, "no files are held for other seats");
    // Refused ones make room for others.
    for address in others(2) {
        core.handle_submitted(
            address,
            (AuditStep::Join, 1, 0),
            Submitted::Refused(None),
            now,
        );
    }
    let later = UnixSeconds(now.0 + 1);
    core.handle_time(later);
    assert!(submitted(&drain(core, later), AuditStep::Join) <= 2);
}

#[test]
fn files_of_a_seat_that_a_better_ticket_took_are_let_go() {
    let mut arena = joining();
    let (job, mut panel, now) = (arena.job, *arena.panel(1), UnixSeconds(arena.now));
    let core = &mut arena.nodes[1].core;
    core.handle_job(JOB, &job, now);
    core.handle_panels(JOB, [Some(&panel), None], now);
    assert!(matches!(
        core.poll_command(),
        Some(AuditCommand::Prepare { .. })
    ));
    panel.joined = panel.size;
    panel.sequence += 1;
    core.handle_panels(JOB, [Some(&panel), None], now);
    let commands = drain(core, now);
    assert!(matches!(commands[..], [AuditCommand::Discard { .. }]));
    core.handle_prepared(JOB, Ok(()), now);
    assert!(drain(core, now).is_empty(), "it came too late to matter");
}

#[test]
fn rent_of_strangers_panels_is_lent_for_so_many_at_once() {
    let mut arena = joining();
    let (mut job, panel) = (arena.job, *arena.panel(1));
    (job.flags, job.live_panels, job.convened_at) = (0, 0, arena.now);
    let now = UnixSeconds(arena.now + 10);
    let core = &mut arena.nodes[1].core;
    for address in others(10) {
        core.handle_job(address, &job, now);
    }
    assert_eq!(submitted(&drain(core, now), AuditStep::Open), 4);
    // What is open and lent by us still counts.
    job.flags = assay_protocol::job::JOB_PANEL_1;
    job.sequence += 1;
    let operator = core.me.operator;
    let lent = PanelData {
        rent_payer: operator,
        join_deadline: now.0 - 1,
        ..panel
    };
    for address in others(4) {
        core.handle_job(address, &job, now);
        core.handle_panels(address, [Some(&lent), None], now);
        core.handle_submitted(address, (AuditStep::Open, 1, 0), Submitted::Landed, now);
    }
    core.handle_time(now);
    assert_eq!(submitted(&drain(core, now), AuditStep::Open), 0);
}

#[test]
fn reading_from_before_the_audit_does_not_make_a_restart_forget_its_seat() {
    let mut arena = Arena::new(2);
    let before = arena.job;
    arena.audit();
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.joined == 2));
    // Without the stake for another bond the job would not be taken up as a new one.
    arena.providers.get_mut(&provider(1)).unwrap().stake = 4_000;
    arena.restart(1);
    let now = UnixSeconds(arena.now);
    arena.nodes[1].core.handle_job(JOB, &before, now);
    assert_eq!(arena.nodes[1].core.live_jobs(), [JOB]);
    finish(&mut arena);
    let account = arena.providers[&provider(1)];
    assert_eq!((account.stake, account.earnings), (9_000, 1_000));
}

#[test]
fn panel_that_one_node_does_not_know_is_not_given_up() {
    let mut arena = Arena::new(2);
    for node in &mut arena.nodes {
        node.expire.insert(AuditStep::Settle, 3);
    }
    arena.audit();
    arena.pass_until(|arena| arena.status().is_terminal());
    let now = UnixSeconds(arena.now);
    for node in &mut arena.nodes {
        node.core.handle_panels(JOB, [None; 2], now);
        assert_eq!(node.core.live_jobs(), [JOB]);
    }
    finish(&mut arena);
    for node in [1, 2] {
        let account = arena.providers[&provider(node)];
        assert_eq!((account.stake, account.earnings), (100_000, 1_000));
    }
}

#[test]
fn seat_is_not_given_up_for_a_job_that_few_readings_miss() {
    let mut arena = Arena::new(2);
    arena.audit();
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.joined == 2));
    let core = &mut arena.nodes[1].core;
    for slot in [10_000, 10_001, 10_000 + OPEN_SLOT_AGE] {
        core.handle_gone(JOB, slot);
        assert_eq!(core.live_jobs(), [JOB], "slot {slot}");
    }
    core.handle_gone(JOB, 10_001 + OPEN_SLOT_AGE);
    assert!(core.live_jobs().is_empty());
}

#[test]
fn audit_whose_job_is_closed_right_after_its_verdict_is_kept_as_it_ended() {
    let mut arena = Arena::new(2);
    arena.audit();
    for node in &mut arena.nodes {
        node.expire = [(AuditStep::Settle, 99), (AuditStep::Close, 99)].into();
    }
    arena.pass_until(|arena| arena.status().is_terminal());
    for (number, node) in (0_u8..).zip(&mut arena.nodes) {
        node.core.handle_gone(JOB, 10_000);
        node.core.handle_gone(JOB, 10_001);
        let (mut brought, mut gone) = (None, false);
        while let Some(command) = node.core.poll_command() {
            if let AuditCommand::Keep { evidence, .. } = &command
                && evidence.ended
            {
                brought = crate::core::brought(evidence, &provider(number));
            }
            let report = |report| matches!(&command, AuditCommand::Report { report: told, .. } if *told == report);
            gone |= report(AuditReport::Gone);
        }
        assert!(!gone, "how it ended was seen");
        assert_eq!(brought.unwrap().len(), 1, "one part each");
        assert!(node.core.live_jobs().is_empty());
    }
}

#[test]
fn seat_whose_panel_is_closed_between_two_readings_is_not_told_as_lost() {
    let mut arena = Arena::new(2);
    for node in &mut arena.nodes {
        node.expire = [(AuditStep::Resolve, 2)].into();
    }
    arena.audit();
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.revealed == 2));
    arena.nodes[1].online = false;
    arena.pass_until(|arena| arena.panels.iter().all(Option::is_none));
    arena.nodes[1].online = true;
    arena.pass(1);
    let account = arena.providers[&provider(1)];
    assert_eq!((account.stake, account.earnings), (100_000, 1_000));
    let reports = &arena.nodes[1].reports;
    assert_eq!(reports.last(), Some(&"closed_unseen"), "{reports:?}");
    assert!(!reports.contains(&"settled"), "{reports:?}");
}
