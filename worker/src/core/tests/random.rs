//! Scripts drawn at random, the same ones each time.

use assay_protocol::Digest;
use proptest::{
    prelude::{ProptestConfig, any},
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

use super::world::World;

/// Found at random: a claim of the first attempt was still under way when the job, claimed by a
/// rival and lost by it, was open again and claimed anew.
#[test]
fn claim_of_an_earlier_attempt_may_still_be_under_way() {
    let script: &[(u8, u8)] = &[
        (207, 207),
        (47, 249),
        (0, 0),
        (140, 101),
        (0, 0),
        (0, 0),
        (7, 0),
        (12, 0),
        (0, 0),
        (124, 21),
        (156, 102),
        (236, 171),
        (76, 69),
        (0, 0),
        (76, 5),
        (0, 0),
        (0, 0),
        (0, 0),
        (0, 0),
        (0, 0),
        (172, 143),
        (204, 126),
        (76, 17),
        (164, 0),
        (0, 0),
        (0, 0),
        (188, 3),
        (28, 0),
        (0, 0),
        (0, 0),
        (26, 86),
        (26, 2),
        (212, 0),
        (0, 0),
        (26, 0),
        (202, 101),
        (90, 0),
        (44, 27),
        (0, 0),
        (0, 0),
        (0, 0),
        (47, 13),
        (0, 0),
        (0, 0),
        (7, 44),
        (202, 69),
        (112, 0),
        (164, 107),
        (10, 0),
    ];
    play(script);
}

/// Any order of readings, answers, landings, expiries, delays, crashes and competitors: what is
/// committed was saved before and is committed once, what is committed gets paid, once. The scripts
/// are the same each time; explore others with `ASSAY_CORE_SEED` and `ASSAY_CORE_CASES`.
#[test]
fn any_order_of_events_ends_paid_once() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    let config = ProptestConfig {
        cases: number("ASSAY_CORE_CASES").map_or(600, |cases| cases.try_into().unwrap()),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let seed = Digest::of(&[&number("ASSAY_CORE_SEED").unwrap_or(0).to_le_bytes()]).0;
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let scripts = proptest::collection::vec(any::<(u8, u8)>(), 0..300);
    let run = TestRunner::new_with_rng(config, rng).run(&scripts, |script| {
        play(&script);
        Ok(())
    });
    run.unwrap();
}

fn play(script: &[(u8, u8)]) {
    let mut world = World::new(4);
    for (what, which) in script {
        world.act(*what, *which);
    }
    world.finish();
}
