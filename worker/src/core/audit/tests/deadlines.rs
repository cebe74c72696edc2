//! Until when what is owed must have landed.

use super::*;

#[test]
fn what_is_owed_has_its_panels_deadline_and_nothing_else_has_one() {
    let mut arena = Arena::new(2);
    arena.audit();
    arena.pass_until(|arena| arena.panels[0].is_some_and(|panel| panel.joined == 2));
    arena.pass(1);
    let (panel, core) = (arena.panel(1), &arena.nodes[1].core);
    for step in AuditStep::ALL {
        let deadline = core.deadline(&JOB, (step, 1, 0)).map(|deadline| deadline.0);
        let expected = match step {
            AuditStep::Commit => Some(panel.commit_deadline),
            AuditStep::Reveal | AuditStep::RevealPrimary => Some(panel.reveal_deadline),
            AuditStep::Open
            | AuditStep::Join
            | AuditStep::Resolve
            | AuditStep::Settle
            | AuditStep::Close => None,
        };
        assert_eq!(deadline, expected, "{}", step.name());
        assert_eq!(core.deadline(&JOB, (step, 2, 0)), None);
    }
}
