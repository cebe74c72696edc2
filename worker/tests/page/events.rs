//! The last lines of a worker's log.

use assay_worker::control::snapshot::Event;

use super::NOW;

pub fn events() -> Vec<Event> {
    let job = ("job", "US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx");
    vec![
        event(
            6,
            "info",
            "job claimed",
            &[job, ("price", "900000"), ("collateral", "20000000")],
        ),
        event(
            5,
            "info",
            "job settled: paid",
            &[
                ("job", "9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin"),
                ("earned", "891000"),
            ],
        ),
        event(
            4,
            "warn",
            "an endpoint does not answer",
            &[
                ("endpoint", "backup-rpc.example"),
                ("reason", "the connection timed out"),
            ],
        ),
        event(
            3,
            "error",
            "job faulted: the collateral is slashed",
            &[
                ("job", "2wmVCSfPxGPjrnMMn7rchp4uaeoTqN39mXFC2zhPdri9"),
                ("collateral", "20000000"),
            ],
        ),
        event(
            2,
            "info",
            "seat taken",
            &[("level", "1"), ("bond", "5000000")],
        ),
        event(1, "info", "ready: taking jobs", &[]),
    ]
}

pub fn event(number: u64, level: &str, text: &str, fields: &[(&str, &str)]) -> Event {
    Event {
        number,
        at: NOW - 400 + i64::try_from(number).unwrap() * 50,
        level: level.into(),
        text: text.into(),
        fields: fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}
