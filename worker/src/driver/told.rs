//! What websockets tell is read again before it counts: whoever makes up an account there gains a reading.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use assay_client::protocol::{Address, JobData};
use tokio::time::Instant;

use super::{Chain, ChainError, Driver, Effect};

/// Jobs in one reading, as nodes allow in one request.
const PAGE: usize = 100;
/// Jobs that may wait for it; of more the next poll or list tells.
const MOST: usize = 1_024;
/// Readings that may miss what was told: endpoints may be behind a websocket.
const TRIES: u8 = 3;

/// Jobs of which a websocket told something new.
#[derive(Default)]
pub(super) struct Told {
    /// With the sequence number that was told, and the readings that are left for it.
    jobs: BTreeMap<Address, (u32, u8)>,
    reading: bool,
    /// No reading before.
    next: Option<Instant>,
}

impl Told {
    fn note(&mut self, job: Address, sequence: u32) {
        if self.jobs.len() < MOST || self.jobs.contains_key(&job) {
            self.jobs.insert(job, (sequence, TRIES));
        }
    }

    /// What is to be read now; the next reading is `pause` later.
    fn take(&mut self, now: Instant, pause: Duration) -> Vec<Address> {
        if self.due(now).is_none_or(|due| due > now) {
            return Vec::new();
        }
        (self.reading, self.next) = (true, Some(now + pause));
        self.jobs.keys().take(PAGE).copied().collect()
    }

    fn due(&self, now: Instant) -> Option<Instant> {
        let waits = !self.jobs.is_empty() && !self.reading;
        waits.then(|| self.next.map_or(now, |next| next.max(now)))
    }

    /// A reading of these has ended. `is_known`: whether so high a sequence number has been read.
    fn has_read(&mut self, jobs: &[Address], is_known: impl Fn(&Address, u32) -> bool) {
        self.reading = false;
        for job in jobs {
            if let Some((sequence, left)) = self.jobs.get_mut(job) {
                *left = left.saturating_sub(1);
                if *left == 0 || is_known(job, *sequence) {
                    self.jobs.remove(job);
                }
            }
        }
    }

    /// Ends when something is to be read.
    pub(super) async fn wait(&self) {
        match self.due(Instant::now()) {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }
}

/// A reading of what was told.
pub struct ToldReading {
    asked: Vec<Address>,
    jobs: Result<Vec<(Address, Option<JobData>)>, ChainError>,
}

impl<C: Chain> Driver<C> {
    /// A websocket shows this job.
    pub(super) fn hear_of(&mut self, address: Address, job: &JobData) {
        if self.minds(&address, job) {
            self.told.note(address, job.sequence);
        }
    }

    fn minds(&self, address: &Address, job: &JobData) -> bool {
        self.core.minds(address, job) || self.audits.core.minds(address, job)
    }

    /// Reads what websockets told of.
    pub(super) fn read_told(&mut self) {
        let pause = self.parts.submitter.config.look_every;
        let asked = self.told.take(Instant::now(), pause);
        if asked.is_empty() {
            return;
        }
        let chain = Arc::clone(&self.parts.chain);
        self.spawn(async move {
            let jobs = chain.jobs(&asked).await;
            Effect::Told(ToldReading { asked, jobs })
        });
    }

    pub(super) fn told(&mut self, reading: ToldReading) {
        match reading.jobs {
            Ok(jobs) => {
                // One that is missing may not be there yet; gone is what polls find gone.
                let found = jobs
                    .into_iter()
                    .filter_map(|(job, data)| Some((job, data?)));
                for (address, job) in found {
                    self.read(address, Some(Some(Box::new(job))));
                }
            }
            Err(error) => tracing::debug!(%error, "what a websocket told of is not readable"),
        }
        let (core, audits) = (&self.core, &self.audits.core);
        let known = |job: &Address, sequence: u32| {
            let newer = |known: &JobData| crate::core::is_newer(sequence, known.sequence);
            let known = core.job(job).or_else(|| audits.job(job));
            known.is_some_and(|known| !newer(known))
        };
        self.told.has_read(&reading.asked, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_millis(500);

    #[test]
    fn what_was_told_is_read_at_once_and_until_it_shows_or_three_times() {
        let (mut told, now) = (Told::default(), Instant::now());
        let [one, other] = [1, 2].map(|byte| Address::new_from_array([byte; 32]));
        assert_eq!(told.take(now, PAUSE), []);
        told.note(one, 7);
        assert_eq!(told.take(now, PAUSE), [one]);
        told.note(other, 8);
        assert_eq!(told.take(now + PAUSE, PAUSE), [], "one reading at a time");
        told.has_read(&[one], |_, _| false);
        assert_eq!(told.take(now, PAUSE), [], "not so often");
        assert_eq!(told.take(now + PAUSE, PAUSE), [one, other]);
        told.has_read(&[one, other], |job, sequence| {
            *job == other && sequence == 8
        });
        assert_eq!(told.take(now + PAUSE * 2, PAUSE), [one]);
        told.has_read(&[one], |_, _| false);
        assert!(told.due(now).is_none(), "given up");
    }

    #[test]
    fn flood_of_made_up_jobs_is_bounded() {
        let mut told = Told::default();
        for number in 0..=u16::MAX {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&number.to_le_bytes());
            told.note(Address::new_from_array(bytes), 1);
        }
        assert_eq!(told.jobs.len(), MOST);
        assert_eq!(told.take(Instant::now(), PAUSE).len(), PAGE);
    }
}
