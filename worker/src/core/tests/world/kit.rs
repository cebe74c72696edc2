//! What single tests make happen.

use assay_protocol::JobStatus;

use super::{super::super::*, Event, World, address, chain::open_job};

impl Event {
    pub(super) fn is_held(&self, [preparations, trials, runs]: [bool; 3]) -> bool {
        match self {
            Self::Prepared(_) => preparations,
            Self::Tried(_) => trials,
            Self::Ran(..) => runs,
            Self::Saved(..) | Self::Submitted(..) => false,
        }
    }
}

impl World {
    pub fn pause(&mut self, pause: Pause) {
        let now = UnixSeconds(self.now);
        self.core.pause(pause, String::new(), now);
    }

    /// One round of answers; what is sent stays under way.
    pub fn step(&mut self) {
        self.commands();
        for event in std::mem::take(&mut self.events) {
            self.deliver(event);
        }
        self.commands();
    }

    /// A time is believed that is far off, and then corrected.
    pub fn err_about_time(&mut self, ahead: i64) {
        self.core.handle_time(UnixSeconds(self.now + ahead));
        self.core.handle_set_back(UnixSeconds(self.now));
    }

    /// One more job, opened now.
    pub fn add(&mut self, number: u8, change: impl Fn(&mut JobData)) {
        let mut data = open_job(number);
        (data.created_at, data.opened_at) = (self.now, self.now);
        change(&mut data);
        self.chain.insert(address(number), data);
        self.tell_job(address(number));
    }

    /// A run of the jobs' model took so long.
    pub fn measured(&mut self, millis: u64) {
        self.note(Took::Ended(millis));
    }

    pub fn note(&mut self, took: Took) {
        let size = Size::of([1; 32], 100);
        self.core.handle_measured(size, took, UnixSeconds(self.now));
    }

    /// The same for the model with this number.
    pub fn note_model(&mut self, number: u8, secs: i64) {
        let took = Took::Ended(secs.unsigned_abs() * 1_000);
        let size = Size::of([number; 32], 100);
        self.core.handle_measured(size, took, UnixSeconds(self.now));
    }

    pub fn taken_by_another(&mut self, number: u8) {
        self.rival(address(number));
    }

    /// Whoever has claimed it is late, and loses it.
    pub fn lost_by_another(&mut self, number: u8) {
        self.now = self.job(number).compute_deadline().unwrap().0 + 1;
        self.crank(address(number));
    }

    /// What is under way lands and its end is told; no reading is.
    pub fn land_unseen(&mut self) {
        while !self.transactions.is_empty() {
            self.land(0);
        }
        for event in std::mem::take(&mut self.events) {
            self.deliver(event);
        }
    }

    /// What is under way is lost; its end is for the test to tell.
    pub fn lose_sent(&mut self) {
        self.transactions.clear();
    }

    /// A reading of one job.
    pub fn reads(&mut self, number: u8) {
        self.tell_job(address(number));
    }

    /// Runs that were asked for since the last look.
    pub fn begun(&mut self) -> Vec<Address> {
        std::mem::take(&mut self.begun)
    }

    /// The engine ends a run that is held.
    pub fn end_run(&mut self, job: Address) {
        let ended = |event: &Event| matches!(event, Event::Ran(of, _) if *of == job);
        if let Some(position) = self.events.iter().position(ended) {
            let event = self.events.remove(position);
            self.deliver(event);
        }
    }

    /// Jobs that were committed, and paid since.
    pub fn committed(&self) -> usize {
        let done = [JobStatus::Committed, JobStatus::Settled].map(Ok);
        let done = |job: &&JobData| done.contains(&job.status());
        self.chain.values().filter(done).count()
    }
}
