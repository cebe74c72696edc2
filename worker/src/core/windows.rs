//! Hours in which the operator wants no new work, such as `22:00-07:00` or `sat,sun 09:00-18:00`.
//!
//! In UTC, as the chain's clock: a computer's local time jumps twice a year, and is not the same on
//! the machine that shows it.

use std::fmt;

const DAY: i64 = 24 * 60;
const WEEK: i64 = 7 * DAY;
/// The first day of unix time was a Thursday.
const DAYS: [&str; 7] = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];

/// One window of each week; it may last over midnight into the next day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// By day, counted from Thursday.
    days: [bool; 7],
    /// Minutes of the day.
    from: i64,
    minutes: i64,
    text: String,
}

impl Window {
    /// None if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (days, hours) = match text.trim().rsplit_once(' ') {
            Some((days, hours)) => (which(days)?, hours),
            None => ([true; 7], text.trim()),
        };
        let (from, to) = hours.split_once('-')?;
        let (from, to) = (minute(from)?, minute(to)?);
        let minutes = (to - from).rem_euclid(DAY);
        let whole = from == 0 && to == DAY;
        (from < DAY && (minutes > 0 || whole)).then(|| Self {
            days,
            from,
            minutes: if whole { DAY } else { minutes },
            text: text.trim().to_owned(),
        })
    }

    /// Seconds until its end, if this moment is in it.
    pub fn left(&self, now: i64) -> Option<i64> {
        (0_i64..)
            .zip(self.days)
            .filter(|(_, wanted)| *wanted)
            .find_map(|(day, _)| {
                let begin = (day * DAY + self.from) * 60;
                let passed = (now - begin).rem_euclid(WEEK * 60);
                let left = self.minutes * 60 - passed;
                (left > 0).then_some(left)
            })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} UTC", self.text)
    }
}

fn which(names: &str) -> Option<[bool; 7]> {
    let mut days = [false; 7];
    for name in names.split(',') {
        let name = name.trim().to_ascii_lowercase();
        let position = DAYS.iter().position(|day| *day == name)?;
        *days.get_mut(position)? = true;
    }
    Some(days)
}

/// Minutes of `HH:MM`, up to 24:00.
fn minute(text: &str) -> Option<i64> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<i64>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= DAY).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 5 January 1970, midnight.
    const MONDAY: i64 = 4 * 86_400;

    fn left(window: &str, days: i64, hours: i64, minutes: i64) -> Option<i64> {
        let now = MONDAY + ((days * 24 + hours) * 60 + minutes) * 60;
        let week = 7 * 86_400;
        let window = Window::parse(window).unwrap();
        assert_eq!(
            window.left(now),
            window.left(now + 2_800 * week),
            "every week"
        );
        window.left(now)
    }

    #[test]
    fn window_over_midnight_holds_on_both_days() {
        let night = "22:00-07:00";
        assert_eq!(left(night, 0, 21, 59), None);
        assert_eq!(left(night, 0, 22, 0), Some(9 * 3_600));
        assert_eq!(left(night, 1, 6, 59), Some(60));
        assert_eq!(left(night, 1, 7, 0), None);
        // From Wednesday to Thursday, where the week of unix time begins.
        assert_eq!(left("wed 22:00-07:00", 3, 6, 0), Some(3_600));
        assert_eq!(left("wed 22:00-07:00", 4, 6, 0), None);
    }

    #[test]
    fn window_of_some_days_holds_on_those_only() {
        let weekend = "Sat, sun 09:00-18:00";
        assert_eq!(left(weekend, 5, 9, 0), Some(9 * 3_600));
        assert_eq!(left(weekend, 6, 17, 59), Some(60));
        assert_eq!(left(weekend, 6, 18, 0), None);
        assert_eq!(left(weekend, 4, 12, 0), None);
        assert_eq!(left("mon 00:00-24:00", 0, 23, 59), Some(60));
        assert_eq!(left("mon 00:00-24:00", 1, 0, 0), None);
    }

    #[test]
    fn text_that_is_no_window_is_refused() {
        for text in [
            "",
            "22:00",
            "22-07",
            "25:00-26:00",
            "10:60-11:00",
            "10:00-10:00",
            "24:00-01:00",
            "day 10:00-11:00",
            "sat, 10:00-11:00",
            "+1:00-02:00",
            "10:00-11:00 sat",
            "00:00-24:01",
        ] {
            assert_eq!(Window::parse(text), None, "{text}");
        }
    }
}
