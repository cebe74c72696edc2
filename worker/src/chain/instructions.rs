//! From what the cores want sent to the program's instructions.

use assay_client::{
    address,
    instruction::{
        JobClaim, JobCommit, JobFinalize, JobRelease, JobReveal, PanelClose, PanelCommit,
        PanelJoin, PanelOpen, PanelResolve, PanelRetarget, PanelReveal, SeatSettle, SessionClose,
        SessionSettle, session::proof,
    },
    protocol::{Address, JobData},
    session::Payment,
};
use solana_instruction::Instruction;

use crate::core::{AuditIntent, Intent};

/// Who signs, and for which provider.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    pub operator: Address,
    pub provider: Address,
}

/// What the claim, result or end of a job needs.
pub fn job(sender: Sender, address: Address, job: &JobData, intent: Intent) -> Instruction {
    let Sender { operator, provider } = sender;
    let (requester, attempt) = (job.requester, job.attempt);
    let job = address;
    match intent {
        Intent::Claim { min_price } => JobClaim {
            operator,
            provider,
            job,
            min_price: min_price.0,
        }
        .instruction(),
        Intent::Commit(args) => JobCommit {
            operator,
            provider,
            job,
            args,
        }
        .instruction(),
        Intent::Finalize(args) => JobFinalize {
            operator,
            provider,
            job,
            requester,
            args,
        }
        .instruction(),
        Intent::Release => JobRelease {
            operator,
            provider,
            job,
            requester,
            attempt,
        }
        .instruction(),
    }
}

/// Everything about an audit but its opening, which depends on the slot hashes of the moment.
pub fn audit(sender: Sender, job: Address, intent: AuditIntent) -> Instruction {
    let Sender { operator, provider } = sender;
    let panel = address::panel(&job, intent.level());
    match intent {
        AuditIntent::Open { level } => open(sender, job, level, 0),
        AuditIntent::Join {
            level,
            ticket,
            other_panel,
            evicted,
        } => PanelJoin {
            operator,
            provider,
            job,
            level,
            other_panel: other_panel.then(|| address::panel(&job, 1)),
            evicted,
            ticket,
        }
        .instruction(),
        AuditIntent::Commit { args, .. } => PanelCommit {
            operator,
            provider,
            panel,
            args,
        }
        .instruction(),
        AuditIntent::Reveal { args, .. } => PanelReveal { job, panel, args }.instruction(),
        AuditIntent::RevealPrimary { args, .. } => JobReveal { job, panel, args }.instruction(),
        AuditIntent::Resolve {
            provider,
            requester,
            panels: [first, second],
            ..
        } => PanelResolve {
            job,
            provider,
            requester,
            panel1: first.then(|| address::panel(&job, 1)),
            panel2: second.then(|| address::panel(&job, 2)),
        }
        .instruction(),
        AuditIntent::Settle { seat, provider, .. } => SeatSettle {
            panel,
            provider,
            seat,
        }
        .instruction(),
        AuditIntent::Close { rent_payer, .. } => PanelClose {
            job,
            panel,
            rent_payer,
        }
        .instruction(),
    }
}

/// Opens the panel with the slot hash that is searched for from this position on.
pub fn open(sender: Sender, job: Address, level: u8, entry: u16) -> Instruction {
    PanelOpen {
        payer: sender.operator,
        job,
        level,
        entry,
    }
    .instruction()
}

pub fn retarget(job: Address) -> Instruction {
    PanelRetarget { job }.instruction()
}

/// Pays us what a voucher says: the proof of its signature, and what must come directly after it.
pub fn session_settle(
    sender: Sender,
    payment: &Payment,
    session_key: &Address,
) -> [Instruction; 2] {
    let settle = SessionSettle {
        provider: sender.provider,
        session: payment.voucher.session,
    };
    let proof = proof(&payment.voucher, session_key, payment.signature.as_array());
    [proof, settle.instruction()]
}

/// Ends a session; what no voucher took goes back to its requester.
pub fn session_close(sender: Sender, session: Address, requester: Address) -> Instruction {
    SessionClose {
        closer: sender.operator,
        session,
        provider: Some(sender.provider),
        requester,
    }
    .instruction()
}
