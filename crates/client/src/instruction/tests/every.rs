//! Every instruction once, in valid form.

use assay_protocol::{
    Address,
    args::{
        JobCommitArgs, JobCreateArgs, JobFinalizeArgs, JobRevealArgs, ModelArgs, PanelCommitArgs,
        PanelRevealArgs, ProviderArgs, SessionOpenArgs,
    },
    market::MarketParams,
    terms::JobTerms,
};
use bytemuck::Zeroable;
use solana_instruction::Instruction;

use super::super::*;

pub fn key(byte: u8) -> Address {
    Address::new_from_array([byte; 32])
}

pub fn create_args() -> JobCreateArgs {
    let terms = JobTerms {
        ceiling: 0x0102_0304_0506_0708,
        input_digest: [7; 32],
        input_uri: [b'x'; 96],
        input_uri_len: 96,
        ..JobTerms::zeroed()
    };
    JobCreateArgs {
        open_slot: 77,
        index: 5,
        reserved: [0; 4],
        terms,
    }
}

/// One of each, in the order of [`ALL`].
fn one_of_each() -> Vec<Instruction> {
    let [a, b, c, d] = [key(1), key(2), key(3), key(4)];
    let model = ModelArgs {
        digest: [9; 32],
        ..ModelArgs::zeroed()
    };
    let commit = JobCommitArgs::zeroed();
    let finalize = JobFinalizeArgs::zeroed();
    let params = MarketParams::PUBLIC;
    let args = ProviderArgs::zeroed();
    vec![
        MarketInit {
            payer: a,
            upgrade_authority: b,
            params,
        }
        .instruction(),
        MarketUpdate {
            authority: a,
            params,
        }
        .instruction(),
        MarketPause {
            authority: a,
            flags: 7,
        }
        .instruction(),
        AuthorityPropose {
            authority: a,
            pending: b,
        }
        .instruction(),
        AuthorityAccept { pending: a }.instruction(),
        TreasuryWithdraw {
            authority: a,
            destination: b,
            amount: 1,
        }
        .instruction(),
        ProviderRegister {
            payer: a,
            authority: b,
            args,
        }
        .instruction(),
        ProviderUpdate { authority: a, args }.instruction(),
        ProviderDeregister {
            authority: a,
            rent_payer: b,
        }
        .instruction(),
        StakeDeposit {
            authority: a,
            amount: 1,
        }
        .instruction(),
        StakeUnbond {
            authority: a,
            amount: 1,
        }
        .instruction(),
        StakeWithdraw {
            authority: a,
            destination: b,
        }
        .instruction(),
        EarningsWithdraw {
            authority: a,
            destination: b,
        }
        .instruction(),
        ModelRegister {
            payer: a,
            author: b,
            args: model,
        }
        .instruction(),
        ModelRetire {
            author: a,
            model: b,
        }
        .instruction(),
        ModelClose {
            author: a,
            model: b,
            rent_payer: c,
        }
        .instruction(),
        JobCreate {
            requester: a,
            model: b,
            args: create_args(),
        }
        .instruction(),
        JobCancel {
            requester: a,
            job: b,
        }
        .instruction(),
        JobClaim {
            operator: a,
            provider: b,
            job: c,
            min_price: 1,
        }
        .instruction(),
        JobRelease {
            operator: a,
            provider: b,
            job: c,
            requester: d,
            attempt: 0,
        }
        .instruction(),
        JobCommit {
            operator: a,
            provider: b,
            job: c,
            args: commit,
        }
        .instruction(),
        JobFinalize {
            operator: a,
            provider: b,
            job: c,
            requester: d,
            args: finalize,
        }
        .instruction(),
        JobDispute {
            requester: a,
            job: b,
        }
        .instruction(),
        JobReveal {
            job: a,
            panel: b,
            args: JobRevealArgs::zeroed(),
        }
        .instruction(),
        JobExpire {
            job: a,
            requester: b,
            provider: Some(c),
        }
        .instruction(),
        JobClose {
            job: a,
            requester: b,
        }
        .instruction(),
    ]
}

/// The rest of them: one of each about a panel.
fn one_of_each_panel() -> Vec<Instruction> {
    let [a, b, c, d, e] = [key(1), key(2), key(3), key(4), key(5)];
    vec![
        PanelOpen {
            payer: a,
            job: b,
            level: 1,
            entry: 3,
        }
        .instruction(),
        PanelRetarget { job: a }.instruction(),
        PanelJoin {
            operator: a,
            provider: b,
            job: c,
            level: 2,
            other_panel: Some(d),
            evicted: Some(e),
            ticket: 7,
        }
        .instruction(),
        PanelCommit {
            operator: a,
            provider: b,
            panel: c,
            args: PanelCommitArgs::zeroed(),
        }
        .instruction(),
        PanelReveal {
            job: a,
            panel: b,
            args: PanelRevealArgs::zeroed(),
        }
        .instruction(),
        PanelResolve {
            job: a,
            provider: b,
            requester: c,
            panel1: Some(d),
            panel2: Some(e),
        }
        .instruction(),
        SeatSettle {
            panel: a,
            provider: b,
            seat: 4,
        }
        .instruction(),
        PanelClose {
            job: a,
            panel: b,
            rent_payer: c,
        }
        .instruction(),
    ]
}

fn one_of_each_session() -> Vec<Instruction> {
    let [a, b, c, d] = [key(1), key(2), key(3), key(4)];
    let args = SessionOpenArgs {
        session_key: c,
        deposit: 7,
        open_slot: 77,
        index: 5,
        grace_secs: 86_400,
    };
    vec![
        SessionOpen {
            requester: a,
            provider: b,
            args,
        }
        .instruction(),
        SessionTopUp {
            requester: a,
            session: b,
            amount: 1,
        }
        .instruction(),
        SessionSettle {
            provider: a,
            session: b,
        }
        .instruction(),
        SessionCloseRequest {
            requester: a,
            session: b,
        }
        .instruction(),
        SessionClose {
            closer: a,
            session: b,
            provider: Some(c),
            requester: d,
        }
        .instruction(),
    ]
}

pub fn every_one() -> Vec<Instruction> {
    [one_of_each(), one_of_each_panel(), one_of_each_session()].concat()
}
