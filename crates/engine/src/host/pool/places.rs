//! Whether there is a place for another engine, or one is coming.

use assay_protocol::Digest;

use super::{Engine, Pool, State, Waiter, Want, Work};

impl Pool {
    /// Whether an engine that was only to be had is loading this model. It then loads for the waiter,
    /// where there is a place for that: else nobody is there whom it could be in the way of.
    pub(super) fn is_coming(&mut self, waiter: &Waiter) -> bool {
        let has_place = !self.has_no_place(waiter.work);
        let coming = self.engines.values_mut().find(|engine| {
            let want = waiter.want;
            engine.model == waiter.model
                && matches!(engine.state, State::Loading { want: for_whom }
                    if for_whom != Want::Run || want != Want::Run)
        });
        if let Some(engine) = coming {
            if has_place {
                engine.work = engine.work.min(waiter.work);
            }
            return true;
        }
        false
    }

    /// Whether there is no place for another engine, whatever its memory.
    pub(super) fn is_full(&self, waiter: &Waiter) -> bool {
        self.has_all_instances(&waiter.model) || self.has_no_place(waiter.work)
    }

    pub(super) fn has_all_instances(&self, model: &Digest) -> bool {
        self.engines_of(model) >= self.limits.instances
    }

    /// The first engine that is loading the model, or else the next that will be made.
    pub(super) fn first_loading(&self, model: &Digest) -> u64 {
        let mut engines = self.engines.iter();
        let loading = engines.find(|(_, engine)| {
            engine.model == *model && matches!(engine.state, State::Loading { .. })
        });
        loading.map_or(self.last.saturating_add(1), |(number, _)| *number)
    }

    pub(super) fn has_no_place(&self, work: Work) -> bool {
        if work != Work::Preparing {
            return self.at_work() >= self.limits.runs;
        }
        let preparing = self.engines.values().filter(|engine| engine.is_preparing());
        preparing.count() >= self.limits.preparing
    }

    pub(super) fn at_work(&self) -> usize {
        let at_work = |engine: &&Engine| !engine.is_idle() && !engine.is_preparing();
        self.engines.values().filter(at_work).count()
    }
}
