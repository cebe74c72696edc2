//! Any order of events.

use std::collections::BTreeSet;

use super::*;

/// Whatever happens in whatever order: the limits hold, and nobody waits while nothing is at work.
#[test]
fn limits_hold_and_nobody_waits_for_nothing_in_any_order_of_events() {
    for seed in 0..300_u64 {
        let mut world = World::new(limits());
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut draw = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let mut lent: BTreeSet<u64> = BTreeSet::new();
        let mut open: BTreeSet<u64> = BTreeSet::new();
        for _ in 0..400 {
            let pick = |set: &BTreeSet<u64>, at: u64| {
                set.iter()
                    .nth(usize::try_from(at).unwrap() % set.len().max(1))
                    .copied()
            };
            let mut orders = match draw(6) {
                0 | 1 => {
                    let work = [Work::Claimed, Work::Audit, Work::Preparing];
                    let work = work[usize::try_from(draw(3)).unwrap()];
                    let want = match draw(5) {
                        0 | 1 => Want::Run,
                        2 | 3 => Want::Loaded,
                        _ => Want::Anew,
                    };
                    let size = draw(150) * MB;
                    let number = u8::try_from(draw(6)).unwrap();
                    open.insert(world.pool.ask(model(number), size, (work, want), world.now));
                    world.step()
                }
                2 | 3 => {
                    if let Some(engine) = pick(&lent, draw(9)) {
                        world.pool.loaded(engine, Some(draw(600) * MB), world.now);
                        world.pool.freed(engine, world.now);
                        lent.remove(&engine);
                    }
                    world.step()
                }
                4 => {
                    if let Some(engine) = pick(&lent, draw(9)) {
                        world.pool.gone(engine);
                        lent.remove(&engine);
                    }
                    world.step()
                }
                _ => world.pass(draw(40)).step(),
            };
            orders.sort_by_key(|order| !matches!(order, Order::End { .. }));
            for order in orders {
                match order {
                    Order::Ready { ticket, .. }
                    | Order::Refuse { ticket, .. }
                    | Order::Gone { ticket } => {
                        assert!(open.remove(&ticket));
                    }
                    Order::Use { ticket, engine } | Order::Load { ticket, engine } => {
                        assert!(open.remove(&ticket) && lent.insert(engine));
                    }
                    Order::End { engine } => {
                        lent.remove(&engine);
                        assert!(!world.pool.engines.contains_key(&engine));
                    }
                }
            }
            let at_work = world.pool.at_work();
            assert!(at_work <= limits().runs, "{at_work} at work, seed {seed}");
            for number in 0..6 {
                assert!(world.pool.engines_of(&model(number)) <= limits().instances);
            }
            if lent.is_empty() {
                world.pass(HOLD.as_secs());
                let orders = world.step();
                assert!(
                    open.is_empty() || !orders.is_empty(),
                    "{} wait for nothing, seed {seed}",
                    open.len()
                );
                for order in orders {
                    match order {
                        Order::Ready { ticket, .. }
                        | Order::Refuse { ticket, .. }
                        | Order::Gone { ticket } => {
                            open.remove(&ticket);
                        }
                        Order::Use { ticket, engine } | Order::Load { ticket, engine } => {
                            open.remove(&ticket);
                            lent.insert(engine);
                        }
                        Order::End { .. } => {}
                    }
                }
            }
        }
    }
}
