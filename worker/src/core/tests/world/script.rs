//! Random scripts, and what must hold after every step and at the end.

use assay_protocol::{JobStatus, UnixSeconds};

use super::{super::super::*, PROVIDER, World, address};

impl World {
    /// kill -9 and a new start: memory is gone, the journal and what was sent are not.
    pub fn restart(&mut self) {
        self.events.clear();
        let me = Identity {
            program_id: address(160),
            provider: PROVIDER,
            operator: address(161),
        };
        self.core = Core::new(me, self.policy.clone());
        // The submitter follows every transaction of the journal to its end first.
        while !self.transactions.is_empty() {
            if self.pick(2) == 0 {
                self.expire(0)
            } else {
                self.land(0)
            }
        }
        self.events.clear();
        for (job, attempt) in &self.journal.live {
            let restored = Restored {
                attempt: *attempt,
                result: self.journal.results.get(&(*job, *attempt)).cloned(),
                acknowledged: self
                    .journal
                    .acknowledgements
                    .get(&(*job, *attempt))
                    .copied(),
                missing_since: None,
            };
            self.core.restore(*job, restored);
        }
        self.tell_provider();
        let now = UnixSeconds(self.now);
        for (job, data) in &self.chain {
            if data.provider == PROVIDER || self.journal.live.contains_key(job) {
                self.core.handle_job(*job, data, now);
            }
        }
        self.core.start(now);
        self.tell_jobs();
    }

    /// One step of a random script.
    pub fn act(&mut self, what: u8, which: u8) {
        let pick = |length: usize| usize::from(which) % length.max(1);
        match what % 17 {
            0..=3 => {
                self.command();
            }
            4..=6 if !self.events.is_empty() => {
                let event = self.events.remove(pick(self.events.len()));
                self.deliver(event);
            }
            7..=8 if !self.transactions.is_empty() => self.land(pick(self.transactions.len())),
            9 if !self.transactions.is_empty() => self.expire(pick(self.transactions.len())),
            10..=11 => self.tell_job(address(which % 4)),
            12 if which % 16 == 15 => self.pause(Pause::Drained),
            12 if which % 16 >= 13 => {
                self.core.resume(Pause::Drained, UnixSeconds(self.now));
            }
            12 if which % 16 == 12 => self.measured(u64::from(which) * 40),
            12 => {
                self.now += i64::from(which % 4);
                self.core.handle_time(UnixSeconds(self.now));
            }
            13 => self.acknowledge(which % 4),
            14 if which.is_multiple_of(4) => self.restart(),
            14 if !self.old_readings.is_empty() => {
                let (job, data) = self.old_readings[pick(self.old_readings.len())];
                self.core.handle_job(job, &data, UnixSeconds(self.now));
            }
            15 if which.is_multiple_of(3) => self.rival(address(which % 4)),
            15 => self.crank(address(which % 4)),
            16 if which.is_multiple_of(3) => self.err_about_time(10_000_000),
            _ => {}
        }
        self.tell_provider();
        self.check();
    }

    /// Plays on fairly until nothing of ours is left, then looks at the money.
    pub fn finish(&mut self) {
        self.core.resume(Pause::Drained, UnixSeconds(self.now));
        for _ in 0..400 {
            self.drain();
            self.now += 3;
            self.core.handle_time(UnixSeconds(self.now));
            // Nobody need end a job that stays open.
            for number in 0..4 {
                if self.status(number) == JobStatus::Claimed {
                    self.crank(address(number));
                }
            }
        }
        self.check();
        for (address, job) in &self.chain {
            let status = job.status().unwrap();
            let ours = job.provider == PROVIDER;
            assert!(
                !ours || status == JobStatus::Settled,
                "{address} is left {}",
                status.name()
            );
        }
        assert!(self.core.is_idle());
        assert_eq!(self.provider.reserved, 0);
        assert_eq!(self.provider.earnings, self.earned);
        assert!(self.journal.live.is_empty(), "{:?}", self.journal.live);
    }

    fn check(&self) {
        for (attempt, sent) in &self.commitments {
            assert_eq!(sent.len(), 1, "{attempt:?} was committed to twice");
        }
        for (address, job) in &self.chain {
            assert_ne!(job.status().unwrap(), JobStatus::Faulted, "{address}");
        }
    }
}
