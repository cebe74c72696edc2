use super::*;

mod keeping;
mod order;

const MB: u64 = 1 << 20;

fn limits() -> PoolLimits {
    PoolLimits {
        runs: 2,
        preparing: 1,
        instances: 2,
        idle: 8,
        memory: 1_000 * MB,
        keep: Duration::from_secs(300),
    }
}

fn model(number: u8) -> Digest {
    Digest([number; 32])
}

/// A pool, its time, and what it was asked.
struct World {
    pool: Pool,
    now: Instant,
}

impl World {
    fn new(limits: PoolLimits) -> Self {
        Self {
            pool: Pool::new(limits),
            now: Instant::now(),
        }
    }

    fn pass(&mut self, seconds: u64) -> &mut Self {
        self.now += Duration::from_secs(seconds);
        self
    }

    fn step(&mut self) -> Vec<Order> {
        self.pool.step(self.now)
    }

    /// Asks, and says what follows.
    fn ask(&mut self, number: u8, work: Work, want: Want) -> (u64, Vec<Order>) {
        let ticket = self.pool.ask(model(number), MB, (work, want), self.now);
        (ticket, self.step())
    }

    fn run(&mut self, number: u8) -> (u64, Vec<Order>) {
        self.ask(number, Work::Claimed, Want::Run)
    }

    fn prepare(&mut self, number: u8) -> (u64, Vec<Order>) {
        self.ask(number, Work::Preparing, Want::Loaded)
    }

    /// The engine of the only order, which must be a load for the ticket.
    fn loading(&self, (ticket, orders): (u64, Vec<Order>)) -> u64 {
        let [Order::Load { ticket: of, engine }] = orders[..] else {
            panic!("{orders:?}")
        };
        assert_eq!(of, ticket);
        engine
    }

    /// An engine of so many megabytes, loaded for nobody in particular.
    fn idle(&mut self, number: u8, megabytes: u64) -> u64 {
        let asked = self.prepare(number);
        let engine = self.loading(asked);
        self.pool.loaded(engine, Some(megabytes * MB), self.now);
        assert_eq!(self.step(), []);
        engine
    }
}

#[test]
fn model_that_is_loaded_serves_and_is_not_loaded_again() {
    let mut world = World::new(limits());
    let engine = world.idle(1, 100);
    let (ticket, orders) = world.prepare(1);
    assert_eq!(orders, [Order::Ready { ticket, engine }]);
    let (ticket, orders) = world.run(1);
    assert_eq!(orders, [Order::Use { ticket, engine }]);
    let (ticket, orders) = world.prepare(1);
    let ready = Order::Ready { ticket, engine };
    assert_eq!(orders, [ready], "also while it runs");
    world.pool.freed(engine, world.now);
    let (ticket, orders) = world.run(1);
    assert_eq!(orders, [Order::Use { ticket, engine }]);
}

#[test]
fn runs_at_once_and_instances_are_bounded() {
    let mut world = World::new(PoolLimits {
        runs: 3,
        ..limits()
    });
    let (first, second) = (world.run(1), world.run(1));
    let (first, _) = (world.loading(first), world.loading(second));
    let (third, orders) = world.run(1);
    assert_eq!(orders, [], "two instances are all");
    let other = world.run(2);
    world.loading(other);
    let (_, orders) = world.run(3);
    assert_eq!(orders, [], "three runs are all");
    world.pool.loaded(first, None, world.now);
    assert_eq!(world.step(), [], "it runs first");
    world.pool.freed(first, world.now);
    let engine = first;
    assert_eq!(
        world.step(),
        [Order::Use {
            ticket: third,
            engine
        }]
    );
}

#[test]
fn claimed_work_never_waits_for_preparations() {
    let mut world = World::new(PoolLimits {
        runs: 1,
        ..limits()
    });
    let preparing = world.prepare(1);
    world.loading(preparing);
    assert_eq!(world.prepare(2).1, [], "one preparation is all");
    let claimed = world.run(3);
    world.loading(claimed);
}

#[test]
fn run_for_preparation_takes_no_place_of_claimed_work_and_gives_way_too() {
    let mut world = World::new(PoolLimits {
        runs: 1,
        ..limits()
    });
    let engine = world.idle(1, 900);
    let (ticket, orders) = world.ask(1, Work::Preparing, Want::Run);
    assert_eq!(orders, [Order::Use { ticket, engine }]);
    assert_eq!(world.ask(2, Work::Preparing, Want::Run).1, []);
    let claimed = world.run(3);
    let running = world.loading(claimed);
    world.pool.gone(running);
    world.pool.known.insert(model(4), 300 * MB);
    let (_, orders) = world.run(4);
    assert_eq!(orders[0], Order::End { engine });
}

#[test]
fn claimed_work_comes_before_audits_and_both_before_preparation() {
    let mut world = World::new(PoolLimits {
        memory: 100 * MB,
        ..limits()
    });
    for number in 1..=4 {
        world.pool.known.insert(model(number), 100 * MB);
    }
    let running = world.run(1);
    let mut busy = world.loading(running);
    let (prepare, _) = world.ask(2, Work::Preparing, Want::Run);
    let (audit, _) = world.ask(3, Work::Audit, Want::Run);
    let (claimed, _) = world.ask(4, Work::Claimed, Want::Run);
    let mut served = Vec::new();
    for _ in 0..3 {
        world.pool.gone(busy);
        let orders = world.step();
        let [Order::Load { ticket, engine }] = orders[..] else {
            panic!("{orders:?}")
        };
        served.push(ticket);
        busy = engine;
    }
    assert_eq!(served, [claimed, audit, prepare]);
}

#[test]
fn memory_is_made_by_the_least_recently_used() {
    let mut world = World::new(limits());
    let first = world.idle(1, 400);
    let second = world.pass(1).idle(2, 400);
    world.pass(1);
    let (ticket, _) = world.run(1);
    world.pool.freed(first, world.now);
    world.pool.known.insert(model(3), 300 * MB);
    world.pass(1);
    let (ticket, orders) = (ticket + 1, world.run(3).1);
    let [ended, Order::Load { ticket: of, .. }] = orders[..] else {
        panic!("{orders:?}")
    };
    assert_eq!((ended, of), (Order::End { engine: second }, ticket));
}

#[test]
fn engine_at_work_is_not_ended_for_memory_and_the_waiter_gets_it_afterwards() {
    let mut world = World::new(limits());
    let engine = world.idle(1, 900);
    world.run(1);
    world.pool.known.insert(model(2), 300 * MB);
    let (ticket, orders) = world.run(2);
    assert_eq!(orders, []);
    world.pool.freed(engine, world.now);
    let orders = world.step();
    assert_eq!(orders[0], Order::End { engine });
    assert!(matches!(orders[1], Order::Load { ticket: of, .. } if of == ticket));
}

#[test]
fn model_beyond_the_budget_is_refused_and_one_of_its_size_is_tried_alone() {
    let mut world = World::new(limits());
    world.pool.reserve(100 * MB);
    let ask = |world: &mut World, size| {
        let wish = (Work::Claimed, Want::Run);
        let ticket = world.pool.ask(model(1), size, wish, world.now);
        (ticket, world.step())
    };
    let needs = 1_001 * MB;
    let (ticket, orders) = ask(&mut world, needs);
    assert_eq!(orders, [Order::Refuse { ticket, needs }]);
    let asked = ask(&mut world, 999 * MB);
    let engine = world.loading(asked);
    world.pool.gone(engine);
    world.pool.too_large(model(1), 1_500 * MB);
    let needs = 1_500 * MB;
    let (ticket, orders) = ask(&mut world, MB);
    assert_eq!(orders, [Order::Refuse { ticket, needs }], "as was measured");
}

#[test]
fn preparation_takes_no_engine_that_was_just_used() {
    let mut world = World::new(limits());
    let engine = world.idle(1, 900);
    world.pool.known.insert(model(2), 300 * MB);
    let (ticket, orders) = world.prepare(2);
    assert_eq!(orders, []);
    let wakes = world.pool.wakes(world.now).unwrap();
    assert_eq!(wakes, world.now + HOLD);
    world.now = wakes;
    let orders = world.step();
    assert_eq!(orders[0], Order::End { engine });
    assert!(matches!(orders[1], Order::Load { ticket: of, .. } if of == ticket));
}

#[test]
fn preparation_gives_its_memory_up_to_claimed_work() {
    let mut world = World::new(limits());
    world.pool.known.insert(model(1), 900 * MB);
    world.pool.known.insert(model(2), 300 * MB);
    let preparing = world.prepare(1);
    let engine = world.loading(preparing);
    let (_, orders) = world.run(2);
    assert_eq!(orders[0], Order::End { engine });
    assert!(matches!(orders[1], Order::Load { .. }));
}

#[test]
fn preparation_that_claimed_work_waits_for_is_claimed_work() {
    let mut world = World::new(limits());
    world.pool.known.insert(model(1), 900 * MB);
    world.pool.known.insert(model(2), 300 * MB);
    let preparing = world.prepare(1);
    let engine = world.loading(preparing);
    let (ticket, orders) = world.run(1);
    assert_eq!(orders, [], "no second engine for it");
    let (_, orders) = world.run(2);
    assert_eq!(orders, [], "nor is the first ended");
    world.pool.loaded(engine, None, world.now);
    assert_eq!(world.step(), [Order::Use { ticket, engine }]);
}

#[test]
fn whoever_waits_for_memory_is_overtaken_for_a_while_only() {
    let mut world = World::new(limits());
    let engine = world.idle(1, 900);
    world.run(1);
    world.pool.known.insert(model(2), 300 * MB);
    let (large, _) = world.run(2);
    let (small, _) = world.run(1);
    world.pool.freed(engine, world.now);
    // The memory is free now, and the large one came first.
    let orders = world.step();
    assert!(orders.contains(&Order::End { engine }), "{orders:?}");
    assert!(matches!(orders[1], Order::Load { ticket, .. } if ticket == large));

    let mut world = World::new(PoolLimits {
        runs: 3,
        ..limits()
    });
    let (busy, hot) = (world.idle(1, 600), world.pass(1).idle(2, 300));
    world.run(1);
    world.pool.known.insert(model(3), 500 * MB);
    world.run(3);
    let (ticket, orders) = world.run(2);
    let engine = hot;
    assert_eq!(
        orders,
        [Order::Use { ticket, engine }],
        "it needs no memory"
    );
    world.pool.freed(hot, world.now);
    let (_, orders) = world.pass(OVERTAKEN.as_secs()).run(2);
    assert_eq!(orders, [], "the other has waited long enough");
    world.pool.freed(busy, world.now);
    let orders = world.step();
    assert!(orders.contains(&Order::End { engine: busy }), "{orders:?}");
    let _ = small;
}

#[test]
fn idle_engine_ends_after_its_time_and_beyond_the_number_of_idle_ones() {
    let mut world = World::new(PoolLimits {
        idle: 2,
        ..limits()
    });
    let first = world.idle(1, 10);
    let second = world.pass(1).idle(2, 10);
    let asked = world.pass(1).prepare(3);
    let third = world.loading(asked);
    world.pool.loaded(third, None, world.now);
    assert_eq!(world.step(), [Order::End { engine: first }]);
    let wakes = world.pool.wakes(world.now).unwrap();
    assert_eq!(wakes, world.now - Duration::from_secs(1) + limits().keep);
    world.now = wakes;
    assert_eq!(world.step(), [Order::End { engine: second }]);
    let (ticket, orders) = world.run(3);
    let engine = third;
    assert_eq!(orders, [Order::Use { ticket, engine }]);
    assert_eq!(world.pool.wakes(world.now), None);
    assert_eq!(world.pass(10_000).step(), [], "it is at work");
    world.pool.freed(third, world.now);
    assert_eq!(world.step(), []);
}

#[test]
fn engines_that_grew_make_the_idle_ones_end() {
    let mut world = World::new(limits());
    let (first, second) = (world.idle(1, 300), world.pass(1).idle(2, 300));
    world.run(2);
    world.pool.measured(second, 800 * MB);
    assert_eq!(world.step(), [Order::End { engine: first }]);
}

#[test]
fn withdrawn_wishes_are_forgotten() {
    let mut world = World::new(PoolLimits {
        runs: 1,
        ..limits()
    });
    let running = world.run(1);
    let running = world.loading(running);
    let (ticket, _) = world.run(2);
    world.pool.withdraw(ticket);
    world.pool.gone(running);
    assert_eq!(world.step(), []);
}
