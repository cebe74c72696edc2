//! A short run of every market, and what must hold in each.

use assay_client::protocol::verdict::Verdict;

use super::{
    Behaviour, Dice, Scenario,
    answer::Answer,
    study::{self, PROVIDERS, hypergeometric},
};

const SEED: u64 = 3;

/// The comparison the markets run on: honest machines always agree, coarsened models never do.
#[test]
fn synthetic_answers_separate_honest_from_cheating() {
    let mut dice = Dice::new(SEED, 0);
    for _ in 0..500 {
        let truth = Answer::truth(&mut dice);
        let honest = truth.computed(&mut dice).seal();
        assert_eq!(truth.computed(&mut dice).audit(&honest.hints), honest.root);
        let cheat = truth.coarsened(&mut dice).seal();
        assert_ne!(truth.computed(&mut dice).audit(&cheat.hints), cheat.root);
        assert_ne!(Answer::constant().audit(&honest.hints), honest.root);
    }
}

#[test]
fn mixed_market_slashes_nobody_honest_and_cheats_lose() {
    let mixed = study::Mixed::run(SEED, 600);
    let tally = &mixed.tally;
    assert_eq!(tally.jobs, 600);
    assert_eq!(tally.sum(|row| row.right_faulted), 0);
    assert_eq!(tally.sum(|row| row.truthful_lost), 0);
    assert_eq!(tally.captured, 0);
    let (_, honest, left) = mixed.cohort(Behaviour::Honest);
    assert!(honest > 0.0 && left >= 400.0, "{honest} {left}");
    for behaviour in [
        Behaviour::Lazy,
        Behaviour::Copying,
        Behaviour::Offline,
        Behaviour::Cheating,
    ] {
        let (count, profit, _) = mixed.cohort(behaviour);
        assert!(count > 0 && tally.row(behaviour).jobs > 0, "{behaviour:?}");
        assert!(profit < honest, "{behaviour:?}: {profit} against {honest}");
    }
    let cheats = tally.sum(|row| row.wrong_drawn);
    assert!(cheats > 5);
    assert_eq!(
        tally.sum(|row| row.wrong_faulted) + tally.sum(|row| row.wrong_unresolved),
        cheats
    );
}

#[test]
fn seed_repeats_a_run_and_another_does_not() {
    let run = |seed| {
        let scenario = Scenario::new(
            seed,
            40,
            5_000,
            &[(Behaviour::Honest, 10), (Behaviour::Cheating, 3)],
        );
        let (town, tally) = scenario.run();
        (town.profit(PROVIDERS), tally.turnover, tally.rows)
    };
    assert_eq!(run(SEED), run(SEED));
    assert_ne!(run(SEED), run(SEED + 1));
}

#[test]
fn cheating_alone_loses_many_times_its_gain() {
    let cheat = study::cheat(SEED, 300, 1_000, Behaviour::Cheating, 6);
    assert!(cheat.drawn > 10, "{cheat:?}");
    assert!((cheat.caught - 1.0).abs() < f64::EPSILON, "{cheat:?}");
    assert!(cheat.per_job + 2.0 * cheat.error < 0.0, "{cheat:?}");
}

#[test]
fn collusion_loses_at_a_third_of_the_stake_and_wins_at_most_of_it() {
    let minority = study::cheat(SEED, 40, 10_000, Behaviour::Colluding, PROVIDERS / 3);
    assert!(minority.per_job < -5.0, "{minority:?}");
    let majority = study::cheat(SEED, 40, 10_000, Behaviour::Colluding, PROVIDERS * 9 / 10);
    assert!(majority.per_job > 0.0, "{majority:?}");
}

#[test]
fn honest_primaries_are_slashed_by_captured_panels_only() {
    for behaviour in [Behaviour::Wrecking, Behaviour::Denying] {
        let few = study::wreck(SEED, 60, behaviour, 3);
        assert_eq!((few.slashed, few.uncaptured, few.drawn), (0, 0, 60));
        assert!(few.overruled > 0 && few.per_drawn < 0.0, "{few:?}");
        let many = study::wreck(SEED, 60, behaviour, 36);
        assert!(many.slashed > 0, "{many:?}");
        assert_eq!(many.uncaptured, 0);
    }
}

#[test]
fn thin_network_slashes_from_five_auditors_on() {
    for thin in study::thin(SEED, 5) {
        let expected = match thin.auditors {
            0 => (0.0, 0.0, 1.0),
            1..5 => (0.0, 1.0, 0.0),
            _ => (1.0, 0.0, 0.0),
        };
        assert_eq!(
            (thin.slashed, thin.unresolved, thin.paid),
            expected,
            "{thin:?}"
        );
        assert_eq!(
            (thin.honest_slashed, thin.honest_unpaid),
            (0, 0),
            "{thin:?}"
        );
    }
}

#[test]
fn panels_are_captured_as_often_as_computed() {
    for captured in study::capture(SEED, 1_500) {
        let deviation = (captured.expected * (1.0 - captured.expected) / 1_500.0).sqrt();
        let off = (captured.measured - captured.expected).abs();
        assert!(off < 5.0 * deviation + 0.001, "{captured:?}");
    }
    // Three or more of five at 5 % of a large stake: 0.12 % of draws.
    assert!((hypergeometric(100_000, 5_000, 5, 3) - 0.001_16).abs() < 0.000_01);
    assert!((hypergeometric(10, 5, 5, 3) - 0.5).abs() < 1e-12);
}

/// The named exception: the only truthful auditors that lose are those that were served no hints.
#[test]
fn withheld_hints_cost_level_1_and_nobody_else() {
    let mut scenario = Scenario::new(
        SEED,
        30,
        10_000,
        &[(Behaviour::Withholding, 1), (Behaviour::Honest, 20)],
    );
    scenario.primaries = 1;
    let (_, tally) = scenario.run();
    assert_eq!(tally.verdict(Verdict::Upheld), 30);
    assert_eq!(tally.sum(|row| row.truthful_lost), 60);
    assert_eq!(tally.sum(|row| row.right_faulted), 0);
}
