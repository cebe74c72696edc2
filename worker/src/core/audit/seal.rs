//! From what a run found to the commitment that binds it.

use std::sync::Arc;

use assay_protocol::{
    Address, Digest, UnixSeconds,
    commitment::{Opening, Role},
    panel::UNAVAILABLE,
};

use super::{
    AuditCommand, Audits, Examined, SavedSeat,
    case::{Files, SeatWork, back_off, of_mut},
};
use crate::core::command::{Body, Fresh, RunFault};

/// Between two tries to get hints, as a power of two in seconds.
const HINTS_PATIENCE: u8 = 1;
impl Audits {
    /// From what was examined to what is saved.
    pub(super) fn examined(
        &mut self,
        address: Address,
        level: u8,
        result: Result<Examined, RunFault>,
        fresh: Fresh,
        now: UnixSeconds,
    ) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        let hopeless = case
            .panel(level)
            .is_some_and(|panel| self.policy.give_up_at(panel) <= now.0);
        let unavailable = Digest(UNAVAILABLE);
        let (root, body): (Digest, Arc<Body>) = match result {
            Ok(Examined::Root { root, body }) => (root, body),
            Ok(Examined::HintsWrong { body }) => (unavailable, body),
            Ok(Examined::HintsMissing { body }) if hopeless => (unavailable, body),
            Ok(Examined::HintsMissing { .. }) => {
                let failures = of_mut(&mut case.work_failures, level);
                let due = back_off(failures, HINTS_PATIENCE, now);
                *of_mut(&mut case.work_due, level) = due;
                return;
            }
            Err(fault) => {
                if fault == RunFault::Never {
                    case.files = Files::Absent;
                }
                let failures = of_mut(&mut case.work_failures, level);
                let due = back_off(failures, 2, now);
                *of_mut(&mut case.work_due, level) = due;
                return;
            }
        };
        if let Some(saved) = self.seal(&address, level, root, fresh) {
            if let Some(case) = self.cases.get_mut(&address) {
                *of_mut(&mut case.work, level) = SeatWork::Saving;
            }
            self.commands.push_back(AuditCommand::Save {
                job: address,
                result: saved,
                body,
            });
        }
    }

    /// Binds a root to our seat; none if we do not hold one any more.
    fn seal(&self, address: &Address, level: u8, root: Digest, fresh: Fresh) -> Option<SavedSeat> {
        let case = self.cases.get(address)?;
        let (_, seat) = case.seat(level, &self.me.provider)?;
        let opening = Opening {
            program_id: &self.me.program_id,
            job: address,
            attempt: case.job.attempt,
            role: Role::auditor(level),
            provider: &self.me.provider,
            generation: seat.generation,
            salt: &fresh.salt,
            root: &root,
            hints_digest: &Digest(case.job.hints_digest),
            runtime_class: &case.job.runtime_class,
        };
        Some(SavedSeat {
            level,
            attempt: case.job.attempt,
            generation: seat.generation,
            salt: fresh.salt,
            root,
            commitment: opening.commitment(),
        })
    }
}
