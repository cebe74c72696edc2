//! Days, in UTC.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime};

use crate::args::Grouping;

const DAY: i64 = 86_400;

/// From the one moment on, before the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub since: Option<i64>,
    pub until: Option<i64>,
}

impl Span {
    pub fn read(since: Option<&str>, until: Option<&str>, now: i64) -> Result<Self, String> {
        let span = Self {
            since: since.map(|text| moment("since", text, now)).transpose()?,
            until: until.map(|text| moment("until", text, now)).transpose()?,
        };
        if let (Some(since), Some(until)) = (span.since, span.until)
            && since >= until
        {
            return Err("--until must be after --since".to_owned());
        }
        Ok(span)
    }

    pub fn contains(&self, at: i64) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

/// The midnight that a day begins with, or the one so many days before today's last.
fn moment(flag: &str, text: &str, now: i64) -> Result<i64, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
    if let Some(days) = days.and_then(|days: u32| i64::from(days).checked_mul(DAY)) {
        let tomorrow = now.div_euclid(DAY).saturating_add(1).saturating_mul(DAY);
        return Ok(tomorrow.saturating_sub(days));
    }
    let date: NaiveDate = text.parse().map_err(|_| {
        format!("--{flag} {text}: write a day such as 2026-11-27, or 7d for the last seven")
    })?;
    Ok(date.and_time(NaiveTime::MIN).and_utc().timestamp())
}

pub fn name(grouping: Grouping) -> &'static str {
    match grouping {
        Grouping::Job => "job",
        Grouping::Day => "day",
        Grouping::Week => "week",
        Grouping::Month => "month",
        Grouping::Model => "model",
    }
}

pub fn day(at: i64) -> String {
    written(at, "%Y-%m-%d")
}

/// By ISO 8601: weeks begin on Monday, and the first one of a year has its first Thursday.
pub fn week(at: i64) -> String {
    let Some(date) = DateTime::from_timestamp(at, 0) else {
        return at.to_string();
    };
    let week = date.iso_week();
    format!("{}-W{:02}", week.year(), week.week())
}

pub fn month(at: i64) -> String {
    written(at, "%Y-%m")
}

pub fn minute(at: i64) -> String {
    written(at, "%Y-%m-%d %H:%M")
}

fn written(at: i64, format: &str) -> String {
    let date = DateTime::from_timestamp(at, 0);
    date.map_or_else(|| at.to_string(), |date| date.format(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    // 2026-11-27 14:03:20 UTC, a Friday.
    const NOW: i64 = 1_795_788_200;

    #[test]
    fn days_begin_at_midnight_in_utc() {
        assert_eq!(day(NOW), "2026-11-27");
        assert_eq!(week(NOW), "2026-W48");
        assert_eq!(month(NOW), "2026-11");
        assert_eq!(minute(NOW), "2026-11-27 14:03");
        // Belongs to the last week of the year before.
        assert_eq!(week(1_609_459_200), "2020-W53");
        assert_eq!(day(i64::MAX), i64::MAX.to_string());
    }

    #[test]
    fn spans_are_whole_days() {
        let midnight = NOW - NOW % DAY;
        let today = Span::read(Some("1d"), None, NOW).unwrap();
        assert_eq!(today.since, Some(midnight));
        assert!(today.contains(NOW) && !today.contains(midnight - 1));
        let day = Span::read(Some("2026-11-26"), Some("2026-11-27"), NOW).unwrap();
        assert_eq!(day.since, Some(midnight - DAY));
        assert!(day.contains(midnight - 1) && !day.contains(midnight));
        for (since, until) in [
            ("yesterday", None),
            ("2026-02-30", None),
            ("d", None),
            ("2026-11-27", Some("2026-11-27")),
        ] {
            assert!(Span::read(Some(since), until, NOW).is_err(), "{since}");
        }
    }
}
