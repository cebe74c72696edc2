//! Whether one more run ends in time, beside everything that engines have promised already.
//!
//! Engines are places that each do one run at a time, in the order in which runs are asked for; runs
//! for seats use all places but one. What is promised is played through to its end, once without and
//! once with the run that is thought of.

/// One use of an engine: when it can begin, how long it takes, and when its end is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    pub kind: Kind,
    pub turn: Turn,
    /// Earliest start, in unix seconds.
    pub from: i64,
    pub secs: i64,
    pub until: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A run for a claimed job, or the trial of one.
    Job,
    /// A run for a seat, or the trial of one.
    Seat,
}

/// What is known of a demand's place in the order of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It has an engine, or one is due to it: what else can begin now comes after it.
    Begun,
    /// It waits for an engine; who asks later comes later.
    Asked,
    /// It will ask when a transaction has landed. Whatever can begin at the same time may ask before.
    Unasked,
}

/// Engines that work at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    pub all: usize,
    /// How many of them seats may use at once.
    pub seats: usize,
}

impl Places {
    /// One place is left to claimed jobs, whose deadlines are nearer; the only one is shared.
    pub fn new(all: usize) -> Self {
        let all = all.max(1);
        Self {
            all,
            seats: all.saturating_sub(1).max(1),
        }
    }

    /// Whether `more` ends in time, and nothing that would have ended in time comes too late for it.
    /// `promised` is in the order in which it was asked for, or is expected to be; what has not asked
    /// yet must be in time also as the last of those that can begin with it.
    pub fn fit(self, promised: &[Demand], more: Demand) -> bool {
        let mut with = promised.to_vec();
        with.push(more);
        let lasts = (0..with.len()).filter(|asked| {
            let demand = with.get(*asked);
            demand.is_some_and(|demand| demand.turn == Turn::Unasked)
        });
        // First as expected.
        let mut orders = std::iter::once(None).chain(lasts.map(Some));
        orders.all(|last| self.holds(promised, &with, last))
    }

    /// The same for one order: as expected, or with one of them last. Then it alone is looked at: the
    /// others have their own turns to be last.
    fn holds(self, promised: &[Demand], with: &[Demand], last: Option<usize>) -> bool {
        let (before, after) = (self.ends(promised, last), self.ends(with, last));
        let mut looked_at = with.iter().zip(&after).enumerate();
        looked_at.all(|(asked, (demand, end))| {
            let late_before = before.get(asked).is_some_and(|end| *end > demand.until);
            let meant = last.is_none_or(|last| last == asked);
            !meant || late_before || *end <= demand.until
        })
    }

    /// When each demand ends. Who can begin first goes first, of those who has an engine already, then
    /// who asked first; what waits for a seat's turn lets others pass. `last`: comes after all that can
    /// begin with it, and those that have not asked yet come in an order that is bad for it.
    fn ends(self, demands: &[Demand], last: Option<usize>) -> Vec<i64> {
        let mut order: Vec<(usize, &Demand)> = demands.iter().enumerate().collect();
        order.sort_by_key(|(asked, demand)| {
            let turn = match (demand.turn, last) {
                (Turn::Begun, _) => 0,
                (Turn::Asked, Some(_)) => 1,
                (Turn::Asked, None) | (Turn::Unasked, _) => 2,
            };
            // The longest first keep all places busy for longest.
            let long = last.map_or(0, |_| -demand.secs.max(0));
            let long = if turn == 2 { long } else { 0 };
            (demand.from, turn, last == Some(*asked), long, *asked)
        });
        let mut places = vec![i64::MIN; self.all];
        let mut turns = vec![i64::MIN; self.seats];
        let mut ends: Vec<(usize, i64)> = Vec::with_capacity(order.len());
        for (asked, demand) in order {
            let seat = demand.kind == Kind::Seat;
            let free = places.iter().min().copied().unwrap_or(i64::MIN);
            let turn = turns.iter().min().copied().filter(|_| seat);
            let start = demand.from.max(free).max(turn.unwrap_or(i64::MIN));
            let end = start.saturating_add(demand.secs.max(0));
            take(&mut places, start, end);
            if seat {
                take(&mut turns, start, end);
            }
            ends.push((asked, end));
        }
        ends.sort_unstable();
        ends.into_iter().map(|(_, end)| end).collect()
    }
}

/// Takes what became free last before the start: what is free longer may serve somebody sooner.
fn take(places: &mut [i64], start: i64, end: i64) {
    let fitting = places.iter_mut().filter(|free| **free <= start).max();
    if let Some(place) = fitting {
        *place = end;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn demand(kind: Kind, from: i64, secs: i64, until: i64) -> Demand {
        Demand {
            kind,
            turn: Turn::Unasked,
            from,
            secs,
            until,
        }
    }

    #[test]
    fn run_that_waits_for_a_place_must_end_in_time_too() {
        let places = Places::new(2);
        let running = demand(Kind::Job, 0, 10, 100);
        let more = |until| demand(Kind::Job, 0, 5, until);
        assert!(places.fit(&[], more(5)) && !places.fit(&[], more(4)));
        assert!(places.fit(&[running], more(5)), "the second place is free");
        assert!(!places.fit(&[running; 2], more(14)));
        assert!(places.fit(&[running; 2], more(15)));
    }

    #[test]
    fn seat_that_is_held_keeps_its_time_from_a_new_job() {
        let places = Places::new(1);
        let seat = demand(Kind::Seat, 100, 20, 125);
        assert!(places.fit(&[seat], demand(Kind::Job, 90, 15, 1_000)));
        assert!(
            !places.fit(&[seat], demand(Kind::Job, 90, 16, 1_000)),
            "the seat would end a second late"
        );
        // A second place serves both.
        assert!(Places::new(2).fit(&[seat], demand(Kind::Job, 90, 500, 1_000)));
    }

    #[test]
    fn seats_leave_a_place_to_jobs() {
        let places = Places::new(2);
        let seats = [demand(Kind::Seat, 0, 50, 100); 2];
        assert!(places.fit(&seats, demand(Kind::Job, 0, 5, 5)));
        assert!(!places.fit(&seats, demand(Kind::Seat, 0, 1, 100)));
    }

    /// Jobs that were promised after it do not push a seat's run off its engine.
    #[test]
    fn what_has_an_engine_keeps_it() {
        let places = Places::new(2);
        let waiting = [Demand {
            turn: Turn::Asked,
            ..demand(Kind::Job, 0, 10, 100)
        }; 2];
        let seat = demand(Kind::Seat, 0, 20, 20);
        let promised = |turn| [waiting[0], waiting[1], Demand { turn, ..seat }];
        let more = |until| demand(Kind::Job, 0, 5, until);
        assert!(places.fit(&promised(Turn::Asked), more(15)));
        assert!(!places.fit(&promised(Turn::Begun), more(24)));
        assert!(places.fit(&promised(Turn::Begun), more(25)));
    }

    /// Two claims are under way: whichever lands first has the engine.
    #[test]
    fn what_has_not_asked_yet_must_be_in_time_as_the_last_one_too() {
        let places = Places::new(1);
        let tight = |turn| Demand {
            turn,
            ..demand(Kind::Job, 0, 5, 12)
        };
        let long = demand(Kind::Job, 0, 8, 100);
        assert!(places.fit(&[tight(Turn::Asked)], long));
        assert!(!places.fit(&[tight(Turn::Unasked)], long));
        let shorter = Demand { secs: 7, ..long };
        assert!(places.fit(&[tight(Turn::Unasked)], shorter));
    }

    #[test]
    fn promise_that_is_late_already_keeps_nobody_out() {
        let places = Places::new(1);
        let late = demand(Kind::Job, 0, 10, 5);
        assert!(places.fit(&[late], demand(Kind::Job, 0, 5, 15)));
    }

    fn any_demand() -> impl Strategy<Value = Demand> {
        let kind = prop_oneof![Just(Kind::Job), Just(Kind::Seat)];
        (kind, 0_i64..50, 0_i64..20, 0_i64..80)
            .prop_map(|(kind, from, secs, until)| demand(kind, from, secs, until))
    }

    /// In another order than they were counted in, claims keep more places busy at first.
    #[test]
    fn short_ones_may_come_after_a_long_one() {
        let places = Places::new(2);
        let promised = [4, 4].map(|secs| demand(Kind::Job, 0, secs, 100));
        let more = |until| demand(Kind::Job, 0, 2, until);
        let long = demand(Kind::Job, 0, 8, 100);
        let all = [promised[0], promised[1], long];
        assert!(places.fit(&all, more(10)));
        assert!(!places.fit(&all, more(9)), "both are busy until the eighth");
    }

    /// A second, slower way to play it through: second by second.
    fn played(places: Places, demands: &[Demand]) -> Vec<i64> {
        let mut order: Vec<usize> = (0..demands.len()).collect();
        order.sort_by_key(|at| (demands[*at].from, *at));
        let mut ends: Vec<Option<i64>> = vec![None; demands.len()];
        for now in 0..1_000 {
            for at in &order {
                let demand = demands[*at];
                let at_work = |seats: bool| {
                    let busy = demands.iter().zip(&ends).filter(|(other, end)| {
                        end.is_some_and(|end| end > now) && (!seats || other.kind == Kind::Seat)
                    });
                    busy.count()
                };
                let turn = demand.kind == Kind::Job || at_work(true) < places.seats;
                if ends[*at].is_none() && demand.from <= now && turn && at_work(false) < places.all
                {
                    ends[*at] = Some(now + demand.secs);
                }
            }
        }
        ends.into_iter().map(Option::unwrap).collect()
    }

    fn orders(demands: &[Demand]) -> Vec<Vec<Demand>> {
        if demands.is_empty() {
            return vec![Vec::new()];
        }
        let firsts = 0..demands.len();
        let with_first = firsts.flat_map(|first| {
            let mut others = demands.to_vec();
            let first = others.remove(first);
            let rests = orders(&others).into_iter();
            rests.map(move |mut rest| {
                rest.insert(0, first);
                rest
            })
        });
        with_first.collect()
    }

    proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(0),
        ..ProptestConfig::default()
    })]

        #[test]
        fn what_is_admitted_one_by_one_ends_in_time(
            all in 1_usize..4,
            demands in proptest::collection::vec(any_demand(), 0..12),
        ) {
            let places = Places::new(all);
            let mut admitted: Vec<Demand> = Vec::new();
            for demand in demands {
                if places.fit(&admitted, demand) {
                    admitted.push(demand);
                }
            }
            for (demand, end) in admitted.iter().zip(played(places, &admitted)) {
                prop_assert!(end <= demand.until, "{demand:?} ends at {end}");
            }
        }

        /// Claims that were counted in one after the other land in any order.
        #[test]
        fn claims_end_in_time_in_whatever_order_they_land(
            all in 1_usize..3,
            jobs in proptest::collection::vec((0_i64..20, 0_i64..60), 0..6),
        ) {
            let places = Places::new(all);
            let mut admitted: Vec<Demand> = Vec::new();
            for (secs, until) in jobs {
                let job = demand(Kind::Job, 0, secs, until);
                if places.fit(&admitted, job) {
                    admitted.push(job);
                }
            }
            for order in orders(&admitted) {
                for (demand, end) in order.iter().zip(played(places, &order)) {
                    prop_assert!(end <= demand.until, "{demand:?} ends at {end} in {order:?}");
                }
            }
        }
    }
}
