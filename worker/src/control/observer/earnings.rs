//! The journal's books, summed by day.

use std::collections::BTreeMap;

use crate::{
    control::snapshot::{Day, Earnings, Sum},
    store::Booked,
};

/// Seconds of a day of UTC.
const DAY: i64 = 86_400;

/// A job counts on the day of its last change.
pub(super) fn sum(books: &[Booked], now: i64) -> Earnings {
    let mut days: BTreeMap<i64, Sum> = BTreeMap::new();
    for booked in books {
        add(
            days.entry(booked.at.div_euclid(DAY)).or_default(),
            &one(booked),
        );
    }
    let today = now.div_euclid(DAY);
    let on = |day: i64| days.get(&day).copied().unwrap_or_default();
    let all = |sums: &mut dyn Iterator<Item = Sum>| {
        sums.fold(Sum::default(), |mut all, sum| {
            add(&mut all, &sum);
            all
        })
    };
    let week = today.saturating_sub(6)..=today;
    Earnings {
        today: on(today),
        week: all(&mut week.clone().map(on)),
        total: all(&mut days.values().copied()),
        days: week
            .map(|day| Day {
                begins: day.saturating_mul(DAY),
                earned: on(day).earned,
                settled: on(day).settled,
            })
            .collect(),
    }
}

fn one(booked: &Booked) -> Sum {
    let amounts = &booked.amounts;
    Sum {
        earned: amounts.earned.saturating_add(amounts.audits_earned),
        slashed: amounts.slashed.saturating_add(amounts.bonds_lost),
        fees: amounts.fees,
        net: amounts.net(),
        settled: u64::from(booked.is_paid()),
        failed: u64::from(booked.is_lost() || booked.is_faulted()),
        audits: u64::from(booked.is_audit()),
    }
}

fn add(sum: &mut Sum, other: &Sum) {
    for (part, more) in [
        (&mut sum.earned, other.earned),
        (&mut sum.slashed, other.slashed),
        (&mut sum.net, other.net),
    ] {
        *part = part.saturating_add(more);
    }
    for (part, more) in [
        (&mut sum.fees, other.fees),
        (&mut sum.settled, other.settled),
        (&mut sum.failed, other.failed),
        (&mut sum.audits, other.audits),
    ] {
        *part = part.saturating_add(more);
    }
}

#[cfg(test)]
mod tests {
    use assay_client::protocol::{Address, JobData, Lamports, UnixSeconds};
    use bytemuck::Zeroable;

    use super::*;
    use crate::{core::Report, store::Store};

    const TODAY: i64 = 20_000;

    #[test]
    fn week_is_today_and_six_days_before() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("journal.sqlite")).unwrap();
        let data = JobData {
            price: 500,
            ..JobData::zeroed()
        };
        let report = |number: u8, report, at| {
            let job = Address::new_from_array([number; 32]);
            store
                .report(&job, 0, &data, report, UnixSeconds(at))
                .unwrap();
        };
        let paid = |earned| Report::Settled {
            price: Lamports(500),
            earned: Lamports(earned),
        };
        report(1, paid(1), TODAY * DAY + 5);
        report(2, paid(10), (TODAY - 6) * DAY);
        report(3, paid(100), (TODAY - 6) * DAY - 1);
        report(4, Report::Faulted, TODAY * DAY);
        let earnings = sum(&store.books().unwrap(), TODAY * DAY + 60);
        let sums = [earnings.today, earnings.week, earnings.total];
        assert_eq!(sums.map(|sum| sum.earned), [1, 11, 111]);
        assert_eq!(sums.map(|sum| sum.settled), [1, 2, 3]);
        assert_eq!(sums.map(|sum| sum.failed), [1, 1, 1]);
        let days = earnings.days.iter();
        let days: Vec<(i64, i64)> = days
            .map(|day| (day.begins / DAY - TODAY, day.earned))
            .collect();
        assert_eq!(
            days,
            [
                (-6, 10),
                (-5, 0),
                (-4, 0),
                (-3, 0),
                (-2, 0),
                (-1, 0),
                (0, 1)
            ]
        );
    }
}
