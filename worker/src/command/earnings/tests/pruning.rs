//! Earnings of a journal that was pruned.

use super::*;

#[test]
fn earnings_are_the_same_before_and_after_pruning() {
    let mut world = busy();
    world.energy_mj = Some(5_000);
    world.settle(9);
    let (price, earned) = (Lamports(900_000), Lamports(882_000));
    world.report(9, Report::Settled { price, earned });
    let shown = |world: &World| {
        [
            Grouping::Job,
            Grouping::Day,
            Grouping::Week,
            Grouping::Month,
            Grouping::Model,
        ]
        .map(|grouping| {
            let earnings = world.earnings(&by(grouping));
            assert_eq!(earnings.total.result.net, world.changed);
            (
                serde_json::to_value(&earnings).unwrap(),
                earnings.text(),
                earnings.csv().unwrap(),
            )
        })
    };
    let before = shown(&world);
    let live = world.store.live_jobs().unwrap();
    let pruned = world
        .store
        .prune(UnixSeconds(world.now + DAY), u64::MAX)
        .unwrap();
    assert!(
        pruned.results > 0 && pruned.audits == 1 && pruned.transactions > 10,
        "{pruned:?}"
    );
    assert_eq!(shown(&world), before);
    assert_eq!(world.store.live_jobs().unwrap(), live);
}
