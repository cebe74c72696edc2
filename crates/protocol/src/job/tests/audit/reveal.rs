//! Opening what was committed to, and the verdict that follows.

use super::*;

#[test]
fn primary_reveals_only_what_it_committed_to_and_while_the_panel_reveals() {
    let mut job = audited();
    let mut panel = open(&mut job, 40);
    seat(&mut panel, 4, 41);
    let args = JobRevealArgs {
        salt: SALT,
        root: ROOT,
    };
    let parties = (&key(9), &key(JOB));
    assert_eq!(
        { job }.reveal(parties, &panel, &args, at(60)),
        Err(Error::PanelNotRevealing)
    );
    let digest = sealed(Role::PanelLevel1, 4, 1, &ROOT).0;
    panel.commit(0, (&key(4), 1), &digest, at(51)).unwrap();
    let wrong = [
        (
            JobRevealArgs {
                salt: [0; 32],
                ..args
            },
            Error::OpeningMismatch,
        ),
        (
            JobRevealArgs {
                root: [1; 32],
                ..args
            },
            Error::OpeningMismatch,
        ),
        (
            JobRevealArgs {
                root: [0; 32],
                ..args
            },
            Error::RootInvalid,
        ),
        (
            JobRevealArgs {
                root: UNAVAILABLE,
                ..args
            },
            Error::RootInvalid,
        ),
    ];
    for (args, error) in wrong {
        assert_eq!({ job }.reveal(parties, &panel, &args, at(52)), Err(error));
    }
    let mut other = panel;
    other.level = 2;
    assert_eq!(
        { job }.reveal(parties, &other, &args, at(52)),
        Err(Error::PanelJobMismatch)
    );
    other = panel;
    other.job = key(99);
    assert_eq!(
        { job }.reveal(parties, &other, &args, at(52)),
        Err(Error::PanelJobMismatch)
    );
    assert_eq!({ job }.reveal(parties, &panel, &args, at(135)), Ok(()));
    assert_eq!(
        { job }.reveal(parties, &panel, &args, at(136)),
        Err(Error::PanelNotRevealing)
    );
    assert_eq!(job.reveal(parties, &panel, &args, at(52)), Ok(()));
    assert!(job.is_revealed());
    assert_eq!(
        job.reveal(parties, &panel, &args, at(52)),
        Err(Error::JobAlreadyRevealed)
    );
}

/// With everybody heard, the verdict waits for no deadline.
#[test]
fn complete_panel_speaks_at_once() {
    let mut job = audited();
    let mut panel = open(&mut job, 40);
    for auditor in [4, 5] {
        seat(&mut panel, auditor, 41);
    }
    for (position, auditor) in [(0, 4), (1, 5)] {
        let digest = sealed(Role::PanelLevel1, auditor, 1, &ROOT).0;
        let held = (&key(auditor), 1);
        panel.commit(position, held, &digest, at(51)).unwrap();
    }
    let parties = (&key(9), &key(JOB));
    for position in [0, 1] {
        let opened = (&SALT, &ROOT);
        panel
            .reveal(position, parties, &job, opened, at(51))
            .unwrap();
    }
    assert_eq!(
        resolve1(&mut job, Some(&mut panel), 51),
        Err(Error::PanelNotOver)
    );
    let args = JobRevealArgs {
        salt: SALT,
        root: ROOT,
    };
    job.reveal(parties, &panel, &args, at(51)).unwrap();
    let resolution = resolve1(&mut job, Some(&mut panel), 51).unwrap();
    assert_eq!(resolution.verdict, Verdict::Confirmed);
    assert_eq!(job.status(), Ok(JobStatus::Settled));
    assert_eq!(panel.bonds, 2 * 6 * FEE);
}
