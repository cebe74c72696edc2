//! The last lines of the log that a person may want to see, kept in memory.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{
    Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::{Context, Layer},
    registry::LookupSpan,
};

use super::snapshot::Event;

/// Lines kept.
const LINES: usize = 100;
/// Characters kept of a text or a value: errors may quote what strangers wrote.
const CHARACTERS: usize = 400;

/// The lines, shared between the log and whoever shows them.
#[derive(Clone, Default)]
pub struct Recent(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    kept: VecDeque<Event>,
    seen: u64,
}

impl Recent {
    /// The newest first.
    pub fn newest(&self) -> Vec<Event> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.kept.iter().rev().cloned().collect()
    }

    /// What listens to the log: INFO and above of this project's own crates, whatever `log.filter`
    /// says.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let ours = Targets::new().with_target("assay", LevelFilter::INFO);
        self.clone().with_filter(ours)
    }

    fn push(&self, mut event: Event) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.seen = lines.seen.wrapping_add(1);
        event.number = lines.seen;
        if lines.kept.len() >= LINES {
            lines.kept.pop_front();
        }
        lines.kept.push_back(event);
    }
}

impl<S: Subscriber> Layer<S> for Recent {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let level = match *metadata.level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG | Level::TRACE => return,
        };
        let mut line = Event {
            at: crate::wall_clock(),
            level: level.to_owned(),
            ..Event::default()
        };
        event.record(&mut Line(&mut line));
        self.push(line);
    }
}

struct Line<'a>(&'a mut Event);

impl Line<'_> {
    fn take(&mut self, field: &Field, value: &str) {
        let value: String = value.chars().take(CHARACTERS).collect();
        if field.name() == "message" {
            self.0.text = value;
        } else {
            self.0.fields.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn lines_of_this_project_from_info_on_are_kept_with_their_fields() {
        let recent = Recent::default();
        let subscriber = tracing_subscriber::registry().with(recent.layer());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(job = %"abc", price = 5, "job claimed");
            tracing::warn!(reason = "late", "run failed");
            tracing::debug!("a decision");
            tracing::error!(target: "hyper", "another crate");
        });
        let lines = recent.newest();
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["run failed", "job claimed"]);
        let fields: Vec<(&str, &str)> = lines[1]
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(fields, [("job", "abc"), ("price", "5")]);
        assert_eq!(
            (lines[0].level.as_str(), lines[1].level.as_str()),
            ("warn", "info")
        );
    }

    #[test]
    fn lines_beyond_the_limit_push_out_the_oldest_and_long_ones_are_cut() {
        let recent = Recent::default();
        let subscriber = tracing_subscriber::registry().with(recent.layer());
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..=LINES {
                tracing::info!(number, "{}", "é".repeat(CHARACTERS + 1));
            }
        });
        let lines = recent.newest();
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines[LINES - 1].fields["number"], "1");
        assert!(
            lines
                .iter()
                .all(|line| line.text.chars().count() == CHARACTERS)
        );
    }
}
