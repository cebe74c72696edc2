//! Commitments that were sent, and whether whoever sent them can still open them.

use std::{collections::BTreeMap, path::Path};

use assay_client::{
    discriminator, instruction,
    protocol::{Address, Digest},
};
use assay_worker::store::Store;

use super::{mail::Mail, view::View};

/// What a commitment is for: the job, its attempt, and the panel's level, 0 for the primary.
type Place = (Address, u8, u8);

/// By node and place.
#[derive(Debug, Default)]
pub struct Seals {
    sent: BTreeMap<(usize, Place), [u8; 32]>,
    wrongs: Vec<String>,
}

impl Seals {
    /// Notes what a transaction commits to. The first counts: what was sent may land.
    pub fn sent(&mut self, node: usize, mail: &Mail, view: &View) {
        for instruction in &mail.instructions {
            let is = |name| {
                instruction
                    .data
                    .starts_with(&discriminator::instruction(name))
            };
            let account = |spec: &instruction::InstructionSpec, name: &str| {
                let position = spec
                    .accounts
                    .iter()
                    .position(|account| account.name == name);
                instruction.accounts[position.expect("named in the IDL")].pubkey
            };
            let place = if is("job_commit") {
                // The commitment, the secret's hash, the hints' digest, the attempt.
                let attempt = instruction.data[8 + 96];
                (account(&instruction::JobCommit::SPEC, "job"), attempt, 0)
            } else if is("panel_commit") {
                let panel = account(&instruction::PanelCommit::SPEC, "panel");
                let Some(panel) = view.panels.get(&panel) else {
                    continue;
                };
                let attempt = view.jobs.get(&panel.job).map_or(0, |job| job.attempt);
                (panel.job, attempt, panel.level)
            } else {
                continue;
            };
            let commitment: [u8; 32] = instruction.data[8..40].try_into().expect("32 bytes");
            let known = self.sent.entry((node, place)).or_insert(commitment);
            if *known != commitment {
                let (job, attempt, level) = place;
                self.wrongs.push(format!(
                    "node {node} sent two commitments for job {job}, attempt {attempt}, level {level}"
                ));
            }
        }
    }

    /// What is wrong: a commitment that was sent and that this journal cannot open, or two for one place.
    pub fn faults(&self, node: usize, journal: &Path) -> Vec<String> {
        let mut faults = self.wrongs.clone();
        let sent = self.sent.iter().filter(|((of, _), _)| *of == node);
        let sent: Vec<_> = sent
            .map(|((_, place), digest)| (*place, Digest(*digest)))
            .collect();
        if sent.is_empty() {
            return faults;
        }
        let store = match Store::open_read_only(journal) {
            Ok(store) => store,
            Err(error) => return vec![format!("node {node}: {error}")],
        };
        for ((job, attempt, level), digest) in sent {
            let held = if level == 0 {
                let result = store.result(&job, attempt).expect("a whole journal");
                result.is_some_and(|result| result.commitment == digest)
            } else {
                let seats = store.seats(&job).expect("a whole journal").into_iter();
                seats.map(|row| row.result).any(|seat| {
                    (seat.attempt, seat.level) == (attempt, level) && seat.commitment == digest
                })
            };
            if !held {
                faults.push(format!(
                    "node {node} lost what opens its commitment to job {job}, attempt {attempt}, level {level}"
                ));
            }
        }
        faults
    }

    pub fn count(&self) -> usize {
        self.sent.len()
    }
}
