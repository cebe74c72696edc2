//! What auditors computed, for a requester who has nothing from the provider to rely on.

use assay_chain::Panels;
use std::{collections::BTreeSet, path::PathBuf};

use anyhow::Result;
use assay_client::protocol::{
    Address, JobData, JobStatus, OutputProfile, ProviderData, SeatData,
    commitment::{empty_hints_digest, error_root},
    panel::{SeatState, UNAVAILABLE},
    verdict::Verdict,
};
use assay_engine::{Outcome, from_safetensors};
use serde::Serialize;
use solana_keypair::Keypair;

use crate::{context::Context, delivery::Worker};

/// One auditor's outputs.
pub struct Testimony {
    pub provider: Address,
    pub level: u8,
    /// A safetensors file.
    pub outputs: Vec<u8>,
    /// Whether they give the root that the auditor revealed on chain.
    pub verified: bool,
}

/// The same, once it is kept.
#[derive(Debug, Serialize)]
pub struct Kept {
    pub file: PathBuf,
    pub provider: String,
    pub level: u8,
    pub verified: bool,
}

/// What a requester knows that helps to check an auditor's outputs.
#[derive(Default)]
pub struct Known {
    /// The provider's hints, if they were delivered.
    pub hints: Option<Vec<u8>>,
    /// Names of the outputs in the model's order, from the delivery or the model's file.
    pub order: Option<Vec<String>>,
}

/// Seats whose outputs are worth more than what the provider delivered, if it delivered anything.
pub fn witnesses(job: &JobData, panels: &Panels, delivered: bool) -> Vec<(u8, u8, Address)> {
    let verdict = Verdict::from_byte(job.verdict);
    let against = match (job.status(), verdict) {
        (Ok(JobStatus::Faulted | JobStatus::Unresolved), _) => true,
        (
            Ok(JobStatus::Settled),
            Some(Verdict::Confirmed | Verdict::Upheld | Verdict::Undecided),
        ) if !delivered => false,
        _ => return Vec::new(),
    };
    let says = |seat: &SeatData| {
        let spoke = matches!(seat.state(), Ok(SeatState::Revealed | SeatState::Settled));
        let result = seat.digest != UNAVAILABLE && seat.digest != error_root().0;
        // Against a silent provider every result is one that it did not deliver.
        spoke && result && (seat.digest == job.root) != against
    };
    // The second panel's word counts for more.
    panels
        .iter()
        .flatten()
        .rev()
        .flat_map(|panel| {
            let seats = panel.seats.iter().zip(0_u8..);
            seats
                .filter(|(seat, _)| says(seat))
                .map(|(seat, position)| (panel.level, position, seat.provider))
        })
        .collect()
}

/// Asks the witnesses one after the other, and takes the first answer that can be verified, or else the first one.
pub async fn fetch(
    context: &Context,
    wallet: &Keypair,
    (address, job, panels): (&Address, &JobData, &Panels),
    known: &Known,
) -> Option<Testimony> {
    let delivered = known.hints.is_some();
    let mut first = None;
    let mut asked = BTreeSet::new();
    for (level, position, provider) in witnesses(job, panels, delivered) {
        if !asked.insert(provider) {
            continue;
        }
        let outputs = match ask(context, wallet, (address, job), (level, provider)).await {
            Ok(Some(outputs)) => outputs,
            Ok(None) => continue,
            Err(error) => {
                if context.options.verbose {
                    context.say(format_args!("  {error:#}"));
                }
                continue;
            }
        };
        let root = panels
            .iter()
            .flatten()
            .find(|panel| panel.level == level)
            .and_then(|panel| panel.seats.get(usize::from(position)))
            .map(|seat| seat.digest);
        let testimony = Testimony {
            provider,
            level,
            verified: root.is_some() && root == root_of(&outputs, job, known),
            outputs,
        };
        if testimony.verified {
            return Some(testimony);
        }
        first = first.or(Some(testimony));
    }
    first
}

async fn ask(
    context: &Context,
    wallet: &Keypair,
    (address, job): (&Address, &JobData),
    (level, provider): (u8, Address),
) -> Result<Option<Vec<u8>>> {
    let provider: ProviderData = context.cluster.get(&provider).await?;
    match Worker::of(&provider, context.allow_private())? {
        Some(worker) => {
            worker
                .audit_outputs(wallet, address, level, job.output_limit)
                .await
        }
        None => Ok(None),
    }
}

/// The root of an auditor with these outputs; none if the hints or the outputs' order are not known.
fn root_of(outputs: &[u8], job: &JobData, known: &Known) -> Option<[u8; 32]> {
    let none_needed = (job.hints_digest == empty_hints_digest().0).then(Vec::new);
    let hints = known.hints.clone().or(none_needed)?;
    let mut tensors = from_safetensors(outputs).ok()?;
    if tensors.len() > 1 {
        let order = known.order.as_ref()?;
        let place = |name: &str| order.iter().position(|known| known == name);
        tensors.sort_by_key(|tensor| place(&tensor.name).unwrap_or(usize::MAX));
    }
    let profile = OutputProfile(job.output_profile);
    Outcome::Outputs(tensors)
        .audit(&profile, &hints)
        .ok()
        .map(|root| root.0)
}

#[cfg(test)]
mod tests {
    use assay_client::protocol::{PanelData, outputs::DType};
    use assay_engine::{Tensor, to_safetensors};
    use bytemuck::Zeroable as _;

    use super::*;

    fn seat(number: u8, digest: [u8; 32]) -> SeatData {
        SeatData {
            provider: Address::new_from_array([number; 32]),
            digest,
            state: SeatState::Revealed as u8,
            ..SeatData::zeroed()
        }
    }

    fn panel(level: u8, seats: &[SeatData]) -> PanelData {
        let mut panel = PanelData {
            level,
            ..PanelData::zeroed()
        };
        panel.seats[..seats.len()].copy_from_slice(seats);
        panel
    }

    fn job(status: JobStatus, verdict: Verdict) -> JobData {
        JobData {
            status: status as u8,
            verdict: verdict as u8,
            root: [1; 32],
            ..JobData::zeroed()
        }
    }

    fn heard(job: &JobData, delivered: bool) -> Vec<(u8, u8)> {
        let first = panel(1, &[seat(1, [1; 32]), seat(2, [2; 32])]);
        let second = panel(
            2,
            &[
                seat(3, UNAVAILABLE),
                seat(4, [2; 32]),
                seat(5, error_root().0),
            ],
        );
        witnesses(job, &[Some(first), Some(second)], delivered)
            .into_iter()
            .map(|(level, position, _)| (level, position))
            .collect()
    }

    #[test]
    fn those_who_differ_are_heard_where_the_provider_was_found_wrong() {
        let faulted = job(JobStatus::Faulted, Verdict::Overturned);
        assert_eq!(heard(&faulted, true), [(2, 1), (1, 1)]);
        let unresolved = job(JobStatus::Unresolved, Verdict::Undecided);
        assert_eq!(heard(&unresolved, true), [(2, 1), (1, 1)]);
    }

    #[test]
    fn those_who_agree_are_heard_where_nothing_was_delivered() {
        let upheld = job(JobStatus::Settled, Verdict::Upheld);
        assert_eq!(heard(&upheld, false), [(1, 0)]);
        assert_eq!(heard(&upheld, true), [], "the delivery is the result");
        assert_eq!(
            heard(&job(JobStatus::Settled, Verdict::Unattended), false),
            []
        );
    }

    #[test]
    fn outputs_are_held_against_the_revealed_root() {
        let tensor = |name: &str, value: i32| Tensor {
            name: name.into(),
            dtype: DType::I32,
            shape: vec![1],
            data: value.to_le_bytes().to_vec(),
        };
        let (b, a) = (tensor("b", 1), tensor("a", 2));
        let mut job = job(JobStatus::Faulted, Verdict::Overturned);
        job.hints_digest = empty_hints_digest().0;
        job.output_profile = OutputProfile::exact(2).unwrap().0;
        let profile = OutputProfile(job.output_profile);
        let root = Outcome::Outputs(vec![b.clone(), a.clone()])
            .audit(&profile, &[])
            .unwrap();
        let file = to_safetensors(&[b, a]).unwrap();
        let known = Known {
            hints: None,
            order: Some(vec!["b".into(), "a".into()]),
        };
        assert_eq!(root_of(&file, &job, &known), Some(root.0));
        // In a file the order of the outputs is lost.
        assert_eq!(root_of(&file, &job, &Known::default()), None);
        job.hints_digest = [9; 32];
        assert_eq!(
            root_of(&file, &job, &known),
            None,
            "hints are needed and not known"
        );
    }
}
