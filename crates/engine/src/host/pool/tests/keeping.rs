//! Sequences: their memory, and their way back to their engine.

use super::*;

impl World {
    fn at(&mut self, engine: u64) -> (u64, Vec<Order>) {
        let ticket = self.pool.ask_at(engine, self.now);
        (ticket, self.step())
    }
}

#[test]
fn sequence_gets_its_own_engine_or_hears_that_it_is_gone() {
    let mut world = World::new(limits());
    let engine = world.idle(1, 1);
    let (ticket, orders) = world.at(engine);
    assert_eq!(orders, [Order::Use { ticket, engine }]);
    let (next, orders) = world.at(engine);
    assert_eq!(orders, [], "it waits, although another could be made");
    world.pool.freed(engine, world.now);
    let ticket = next;
    assert_eq!(world.step(), [Order::Use { ticket, engine }]);
    world.pool.gone(engine);
    let (ticket, orders) = world.at(engine);
    assert_eq!(orders, [Order::Gone { ticket }]);
}

#[test]
fn sequence_takes_no_memory_that_others_have_and_gives_its_own_back() {
    let mut world = World::new(limits());
    world.idle(1, 600);
    // Room for a run is left.
    assert_eq!(world.pool.keep(353 * MB), None);
    assert!(world.pool.keep(300 * MB).is_some());
    assert_eq!(world.pool.keep(53 * MB), None);
    assert_eq!(world.pool.keep(u64::MAX), None);
    world.pool.release(300 * MB);
    assert!(world.pool.keep(352 * MB).is_some());
    assert_eq!(world.step(), [], "no engine ends for it");
}

#[test]
fn model_that_needs_the_memory_of_sequences_ends_an_idle_engine() {
    let mut world = World::new(limits());
    let engine = world.idle(1, 500);
    world.pool.keep(450 * MB).unwrap();
    world.pool.attach(engine, 450 * MB);
    // What it keeps shows in what it holds, and is not counted twice.
    world.pool.measured(engine, 950 * MB);
    assert_eq!(world.step(), []);
    let (ticket, orders) = world.run(2);
    let [Order::End { engine: ended }, Order::Load { ticket: to, .. }] = *orders else {
        panic!("{orders:?}");
    };
    assert_eq!((ended, to), (engine, ticket));
}

#[test]
fn model_is_not_taken_for_smaller_than_it_was_while_little_of_what_is_kept_is_used() {
    let mut world = World::new(limits());
    let engine = world.idle(1, 500);
    world.pool.keep(400 * MB).unwrap();
    world.pool.attach(engine, 400 * MB);
    world.pool.measured(engine, 510 * MB);
    assert_eq!(world.pool.keep(53 * MB), None);
    // Nor for smaller than it has become.
    world.pool.measured(engine, 940 * MB);
    assert_eq!(world.pool.keep(13 * MB), None);
    assert!(world.pool.keep(12 * MB).is_some());
}

#[test]
fn engine_shares_its_memory_until_it_has_forgotten_what_was_anothers() {
    let mut world = World::new(limits());
    let engine = world.idle(1, 1);
    world.pool.attach(engine, 5);
    assert!(!world.pool.keeps_beside(engine, 5));
    world.pool.attach(engine, 7);
    assert!(world.pool.keeps_beside(engine, 5));
    world.pool.detach(engine, 7);
    world.pool.forgets(engine);
    assert!(world.pool.keeps_beside(engine, 5));
    world.pool.forgot(engine);
    assert!(!world.pool.keeps_beside(engine, 5));
}

#[test]
fn model_that_is_wanted_anew_is_loaded_though_another_engine_has_it() {
    let mut world = World::new(limits());
    let old = world.idle(1, 1);
    let asked = world.ask(1, Work::Claimed, Want::Anew);
    let engine = world.loading(asked);
    // Whoever comes meanwhile learns the same by it.
    let (ticket, orders) = world.ask(1, Work::Claimed, Want::Anew);
    assert_eq!(orders, []);
    world.pool.loaded(engine, Some(MB), world.now);
    assert_eq!(world.step(), [Order::Ready { ticket, engine }]);
    // And later nobody, where there can be no other.
    let (ticket, orders) = world.ask(1, Work::Claimed, Want::Anew);
    assert_eq!(orders, [Order::Gone { ticket }]);
    world.pool.gone(old);
    let asked = world.ask(1, Work::Claimed, Want::Anew);
    world.loading(asked);
}

#[test]
fn sequences_begin_where_least_is_kept() {
    let mut world = World::new(limits());
    let (first, second) = (world.run(1), world.run(1));
    let engines = [world.loading(first), world.loading(second)];
    for engine in engines {
        world.pool.loaded(engine, Some(MB), world.now);
        world.pool.freed(engine, world.now);
    }
    world.pool.attach(engines[1], MB);
    let (ticket, orders) = world.run(1);
    let engine = engines[0];
    assert_eq!(orders, [Order::Use { ticket, engine }]);
    world.pool.freed(engine, world.now);
    world.pool.attach(engine, 2 * MB);
    let (ticket, orders) = world.run(1);
    let engine = engines[1];
    assert_eq!(orders, [Order::Use { ticket, engine }]);
    world.pool.freed(engine, world.now);
    world.pool.detach(engines[0], 2 * MB);
    let (ticket, orders) = world.run(1);
    let engine = engines[0];
    assert_eq!(orders, [Order::Use { ticket, engine }]);
}
