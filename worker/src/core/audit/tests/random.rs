//! Scripts drawn at random, the same ones each time.

use assay_protocol::{Digest, JobStatus, UnixSeconds};
use proptest::{
    prelude::{ProptestConfig, any},
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

use super::{
    super::AuditStep,
    arena::{Arena, JOB, provider},
    finish,
};

/// Any order of restarts, outages of a second, lost transactions and stale readings: honest parties
/// agree in the end, nobody loses anything, every seat is paid and every panel closed. The scripts
/// are the same each time; explore others with `ASSAY_CORE_SEED` and `ASSAY_CORE_CASES`.
#[test]
fn honest_parties_lose_nothing_whatever_the_order_of_events() {
    let number = |name: &str| {
        let text = std::env::var(name).ok();
        text.map(|text| text.parse::<u64>().unwrap())
    };
    let config = ProptestConfig {
        cases: number("ASSAY_CORE_CASES").map_or(60, |cases| cases.try_into().unwrap()),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let seed = Digest::of(&[&number("ASSAY_CORE_SEED").unwrap_or(0).to_le_bytes()]).0;
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let scripts = proptest::collection::vec(any::<(u8, u8)>(), 1..120);
    let run = TestRunner::new_with_rng(config, rng).run(&scripts, |script| {
        play(&script);
        Ok(())
    });
    run.unwrap();
}

fn play(script: &[(u8, u8)]) {
    let mut arena = Arena::new(6);
    let disputed = script[0].0.is_multiple_of(2);
    if disputed {
        arena.dispute();
    } else {
        arena.audit();
    }
    let mut seen = vec![(arena.job, arena.panels)];
    for (what, which) in script {
        let node = usize::from(*which) % arena.nodes.len();
        match what % 8 {
            0..=2 => arena.pass(1),
            3 => arena.restart(node),
            4 => {
                arena.nodes[node].online = false;
                arena.pass(1);
                arena.nodes[node].online = true;
            }
            5 => {
                let steps = AuditStep::ALL;
                let step = steps[usize::from(*what) / 8 % steps.len()];
                arena.nodes[node].expire.insert(step, u32::from(which % 3));
            }
            6 => {
                let (job, panels) = seen[usize::from(*which) % seen.len()];
                let now = UnixSeconds(arena.now);
                let core = &mut arena.nodes[node].core;
                core.handle_job(JOB, &job, now);
                core.handle_panels(JOB, panels.each_ref().map(Option::as_ref), now);
            }
            _ => {
                for node in 0..arena.nodes.len() {
                    arena.restart(node);
                }
                arena.pass(1);
            }
        }
        seen.push((arena.job, arena.panels));
    }
    finish(&mut arena);
    assert_eq!(arena.status(), JobStatus::Settled, "{:?}", arena.verdict());
    for number in 0..=6 {
        let account = arena.providers[&provider(number)];
        assert!(account.stake == 100_000, "node {number} lost its bond");
        assert_eq!((account.live_seats, account.audits_lost), (0, 0));
    }
}
