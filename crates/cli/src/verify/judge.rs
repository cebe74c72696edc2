//! The verdict: what an auditor with this machine's outputs would vote for.

use anyhow::{Result, bail};
use assay_client::{outputs::digest, protocol::profile::Comparison};
use assay_engine::{AuditFault, Outcome};
use serde::Serialize;

use super::{
    compare::{OutputReport, compare},
    evidence::{Evidence, Receipt},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The same root and the same hints.
    Match,
    /// Another result, which the profile accepts.
    WithinTolerance,
    /// A result that an auditor dissents from.
    Fraud,
}

impl Verdict {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::WithinTolerance => "within tolerance",
            Self::Fraud => "fraud",
        }
    }
}

/// A verdict and what it rests on.
#[derive(Debug)]
pub struct Judgement {
    pub verdict: Verdict,
    /// What is wrong, or what a reader should know of a verdict that is not.
    pub notes: Vec<String>,
    /// One an output; empty where the delivered outputs are not at hand, or there are none.
    pub outputs: Vec<OutputReport>,
}

impl Judgement {
    fn plain(verdict: Verdict, note: impl Into<String>) -> Self {
        Self {
            verdict,
            notes: vec![note.into()],
            outputs: Vec::new(),
        }
    }
}

/// Compares this machine's own outcome with the provider's claim.
///
/// # Errors
/// When the files at hand do not suffice for a verdict.
pub fn judge(receipt: &Receipt, evidence: &Evidence, own: &Outcome) -> Result<Judgement> {
    match (evidence, own) {
        (Evidence::Failure, Outcome::Failed(failure)) => Ok(Judgement::plain(
            Verdict::Match,
            format!(
                "the model has no outputs for this input here either: {}",
                failure.message
            ),
        )),
        (Evidence::Failure, Outcome::Outputs(_)) => Ok(Judgement::plain(
            Verdict::Fraud,
            "the provider claims that the model fails on this input; here it gives outputs",
        )),
        (Evidence::Outputs { .. }, Outcome::Failed(failure)) => Ok(Judgement::plain(
            Verdict::Fraud,
            format!(
                "the provider claims outputs; here there are none: {}",
                failure.message
            ),
        )),
        (Evidence::Outputs { delivered, hints }, Outcome::Outputs(own_tensors)) => {
            let answer = own.answer(&receipt.profile)?;
            let same = answer.root.0 == receipt.delivery.root
                && digest(&answer.hints).0 == receipt.delivery.hints_digest;
            let (verdict, notes) = if same {
                (Verdict::Match, Vec::new())
            } else {
                let Some(hints) = hints else {
                    bail!(
                        "the result here is not the very same, and whether it is within the tolerance cannot be seen \
                         without the delivered outputs (--outputs) or the hints (--hints)"
                    );
                };
                vote(receipt, own, hints)?
            };
            let outputs = match (delivered, hints) {
                (Some(delivered), Some(hints)) => {
                    compare(&receipt.profile, delivered, own_tensors, hints)
                }
                _ => Vec::new(),
            };
            Ok(Judgement {
                verdict,
                notes: [notes, cautions(receipt, verdict, &outputs)].concat(),
                outputs,
            })
        }
    }
}

/// The root of an auditor, which is all that the chain compares.
fn vote(receipt: &Receipt, own: &Outcome, hints: &[u8]) -> Result<(Verdict, Vec<String>)> {
    match own.audit(&receipt.profile, hints) {
        Ok(root) if root.0 == receipt.delivery.root => Ok((Verdict::WithinTolerance, Vec::new())),
        Ok(_) => Ok((Verdict::Fraud, Vec::new())),
        // The hints are the committed ones: if they are too many or too few, no auditor can agree.
        Err(fault @ AuditFault::Hints { .. }) => Ok((Verdict::Fraud, vec![fault.to_string()])),
        Err(fault @ AuditFault::Profile(_)) => Err(fault.into()),
    }
}

/// What keeps a verdict from meaning what it says at first sight.
fn cautions(receipt: &Receipt, verdict: Verdict, outputs: &[OutputReport]) -> Vec<String> {
    let mut notes = Vec::new();
    if verdict == Verdict::Fraud && outputs.iter().any(|output| output.exact_floats) {
        notes.push(
            "floats are compared bit by bit here (`exact`): another processor or another version of ONNX Runtime may \
             differ honestly; compare on the provider's kind of machine before you accuse it"
                .to_owned(),
        );
    }
    if verdict == Verdict::Fraud && outputs.is_empty() && grid(receipt) {
        notes.push("where and by how much is not known without the delivered outputs".to_owned());
    }
    notes
}

fn grid(receipt: &Receipt) -> bool {
    (0..receipt.profile.len())
        .any(|position| matches!(receipt.profile.get(position), Some(Comparison::Grid(_))))
}
