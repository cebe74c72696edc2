//! What is sent about audits.

use assay_client::{
    instruction::{
        JobDispute, JobReveal, PanelClose, PanelCommit, PanelJoin, PanelOpen, PanelResolve,
        PanelRetarget, PanelReveal, SeatSettle,
    },
    protocol::{
        Address,
        args::{JobRevealArgs, PanelCommitArgs, PanelRevealArgs},
    },
};
use assay_tests::Call;

use super::super::{
    panels::Joining,
    seal::{Seal, Shown},
    shadow::{Outcome, Shadow},
};

/// One instruction about an audit with all its choices.
#[derive(Clone, Copy, Debug)]
pub enum Court {
    Dispute {
        job: Address,
        signer: Address,
    },
    Open {
        payer: Address,
        job: Address,
        level: u8,
        entry: u16,
    },
    Retarget {
        job: Address,
    },
    Join(Joining),
    Commit {
        signer: Address,
        provider: Address,
        panel: Address,
        seat: u8,
        /// None stands for an empty commitment.
        seal: Option<Seal>,
    },
    Reveal {
        job: Address,
        panel: Address,
        seat: u8,
        shown: Shown,
    },
    JobReveal {
        job: Address,
        panel: Address,
        shown: Shown,
    },
    Resolve {
        job: Address,
        provider: Address,
        requester: Address,
        panels: [Option<Address>; 2],
    },
    Settle {
        panel: Address,
        provider: Address,
        seat: u8,
    },
    Close {
        job: Address,
        panel: Address,
        payer: Address,
    },
}

impl Court {
    /// The entry in the book, on a copy of it.
    pub fn enter(self, book: &mut Shadow) -> Outcome {
        match self {
            Self::Dispute { job, signer } => book.job_dispute(job, signer),
            Self::Open {
                payer,
                job,
                level,
                entry,
            } => book.panel_open(payer, job, level, entry),
            Self::Retarget { job } => book.panel_retarget(job),
            Self::Join(joining) => book.panel_join(joining),
            Self::Commit {
                signer,
                provider,
                panel,
                seat,
                seal,
            } => book.panel_commit(signer, provider, panel, seat, seal),
            Self::Reveal {
                job,
                panel,
                seat,
                shown,
            } => book.panel_reveal(job, panel, seat, shown),
            Self::JobReveal { job, panel, shown } => book.job_reveal(job, panel, shown),
            Self::Resolve {
                job,
                provider,
                requester,
                panels,
            } => book.panel_resolve(job, provider, requester, panels),
            Self::Settle {
                panel,
                provider,
                seat,
            } => book.seat_settle(panel, provider, seat),
            Self::Close { job, panel, payer } => book.panel_close(job, panel, payer),
        }
    }

    /// The instruction for the chain.
    pub fn call(self) -> Call {
        match self {
            Self::Dispute { job, signer } => JobDispute {
                requester: signer,
                job,
            }
            .into(),
            Self::Open {
                payer,
                job,
                level,
                entry,
            } => PanelOpen {
                payer,
                job,
                level,
                entry,
            }
            .into(),
            Self::Retarget { job } => PanelRetarget { job }.into(),
            Self::Join(joining) => join(joining),
            Self::Commit { .. } | Self::Reveal { .. } | Self::JobReveal { .. } => {
                self.sealed_call()
            }
            Self::Resolve {
                job,
                provider,
                requester,
                panels: [panel1, panel2],
            } => PanelResolve {
                job,
                provider,
                requester,
                panel1,
                panel2,
            }
            .into(),
            Self::Settle {
                panel,
                provider,
                seat,
            } => SeatSettle {
                panel,
                provider,
                seat,
            }
            .into(),
            Self::Close { job, panel, payer } => PanelClose {
                job,
                panel,
                rent_payer: payer,
            }
            .into(),
        }
    }

    /// Commitments and what opens them.
    fn sealed_call(self) -> Call {
        match self {
            Self::Commit {
                signer,
                provider,
                panel,
                seat,
                seal,
            } => {
                let commitment = seal.map_or([0; 32], |seal| seal.commitment());
                PanelCommit {
                    operator: signer,
                    provider,
                    panel,
                    args: PanelCommitArgs { commitment, seat },
                }
                .into()
            }
            Self::Reveal {
                job,
                panel,
                seat,
                shown: Shown { salt, root },
            } => PanelReveal {
                job,
                panel,
                args: PanelRevealArgs { salt, root, seat },
            }
            .into(),
            Self::JobReveal {
                job,
                panel,
                shown: Shown { salt, root },
            } => JobReveal {
                job,
                panel,
                args: JobRevealArgs { salt, root },
            }
            .into(),
            other => unreachable!("{other:?} is about no commitment"),
        }
    }
}

fn join(joining: Joining) -> Call {
    let call: Call = PanelJoin {
        operator: joining.signer,
        provider: joining.provider,
        job: joining.job,
        level: 1,
        other_panel: joining.other,
        evicted: joining.evicted,
        ticket: joining.ticket,
    }
    .into();
    call.put("panel", joining.panel)
}
