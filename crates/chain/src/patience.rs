//! How long something may go on failing.

use std::time::{Duration, Instant};

/// A span that begins with the first failure and ends with the next success.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    span: Duration,
    since: Option<Instant>,
}

impl Patience {
    pub const fn new(span: Duration) -> Self {
        Self { span, since: None }
    }

    /// Something failed, or is still missing; whether it may go on like this.
    pub fn lasts(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        now.saturating_duration_since(since) < self.span
    }

    /// It went well.
    pub const fn renew(&mut self) {
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_measured_in_time_not_in_attempts() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut patience = Patience::new(10 * second);
        for attempt in 0..1_000 {
            assert!(patience.lasts(start + second / 1_000 * attempt));
        }
        assert!(patience.lasts(start + 9 * second));
        assert!(!patience.lasts(start + 10 * second));
        patience.renew();
        assert!(patience.lasts(start + 60 * second));
        assert!(!patience.lasts(start + 70 * second));
    }
}
