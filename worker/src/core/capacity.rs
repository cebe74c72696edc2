//! Whether one more run ends in time, beside everything that engines have promised already.
//!
//! Engines are places that each do one run at a time, in the order in which runs are asked for; runs
//! for seats use all places but one. What is promised is played through to its end, once without and
//! once with the run that is thought of.

/// One use of an engine: when it can begin, how long it takes, and when its end is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    pub kind: Kind,
    /// Whether it has an engine, or one is due to it: what else can begin now comes after it.
    pub begun: bool,
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
    /// `promised` is in the order in which it was asked for.
    pub fn fit(self, promised: &[Demand], more: Demand) -> bool {
        let mut with = promised.to_vec();
        with.push(more);
        let (before, after) = (self.ends(promised), self.ends(&with));
        let in_time = |demand: &Demand, end: i64| end <= demand.until;
        let harmed = promised
            .iter()
            .zip(before.iter().zip(&after))
            .any(|(demand, (before, after))| in_time(demand, *before) && !in_time(demand, *after));
        let last = after.last().copied();
        !harmed && last.is_some_and(|end| in_time(&more, end))
    }

    /// When each demand ends. Who can begin first goes first, of those who has an engine already, then
    /// who asked first; what waits for a seat's turn lets others pass.
    fn ends(self, demands: &[Demand]) -> Vec<i64> {
        let mut order: Vec<(usize, &Demand)> = demands.iter().enumerate().collect();
        order.sort_by_key(|(asked, demand)| (demand.from, !demand.begun, *asked));
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
            begun: false,
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
        let waiting = [demand(Kind::Job, 0, 10, 100); 2];
        let seat = demand(Kind::Seat, 0, 20, 20);
        let promised = |begun| [waiting[0], waiting[1], Demand { begun, ..seat }];
        let more = |until| demand(Kind::Job, 0, 5, until);
        assert!(places.fit(&promised(false), more(15)));
        assert!(!places.fit(&promised(true), more(24)));
        assert!(places.fit(&promised(true), more(25)));
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
    }
}
