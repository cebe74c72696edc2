//! The Assay program: an inference market that checks the work.
//!
//! Every rule is in `assay-protocol`; this crate wires accounts, lamports and events to them.
//! Each instruction has a file of its own under `instructions/`; only `escrow` moves lamports.

// Anchor's IDL macros name the standard prelude.
#![cfg_attr(not(feature = "idl-build"), no_std)]

use anchor_lang::prelude::*;
use assay_protocol::{
    args::{
        JobCommitArgs, JobCreateArgs, JobFinalizeArgs, JobRevealArgs, ModelArgs, PanelCommitArgs,
        PanelRevealArgs, ProviderArgs, SessionOpenArgs,
    },
    market::MarketParams,
};

pub mod admin;
pub mod escrow;
pub mod instructions;
pub mod slot_hashes;
pub mod state;

#[cfg(target_arch = "bpf")]
mod memory;

pub use instructions::*;

// A throw-away key for local networks; `make program-id KEYPAIR=..` writes another.
declare_id!("AsyWn5BwMuQy35FtTbSA65vwycbmAuCHPJsgg2jA5Bpc");

#[program]
pub mod assay {
    use super::*;

    // The market's authority.

    /// Upgrade authority: creates the market and its treasury, once.
    pub fn market_init(ctx: &mut Context<MarketInit>, params: MarketParams) -> Result<()> {
        let bumps = (ctx.bumps.market, ctx.bumps.treasury);
        ctx.accounts.handle(params, bumps)
    }

    /// Authority: changes parameters; running jobs keep theirs.
    pub fn market_update(ctx: &mut Context<MarketUpdate>, params: MarketParams) -> Result<()> {
        ctx.accounts.handle(params)
    }

    /// Authority: stops new jobs, registrations or sessions; no exit.
    pub fn market_pause(ctx: &mut Context<MarketPause>, flags: u8) -> Result<()> {
        ctx.accounts.handle(flags)
    }

    /// Authority: proposes the next authority, or withdraws the proposal with the zero address.
    pub fn authority_propose(ctx: &mut Context<AuthorityPropose>, pending: Address) -> Result<()> {
        ctx.accounts.handle(pending)
    }

    /// Proposed authority: takes over.
    pub fn authority_accept(ctx: &mut Context<AuthorityAccept>) -> Result<()> {
        ctx.accounts.handle()
    }

    /// Authority: takes collected fees out.
    pub fn treasury_withdraw(ctx: &mut Context<TreasuryWithdraw>, amount: u64) -> Result<()> {
        ctx.accounts.handle(amount)
    }

    // A provider's authority.

    /// Authority: registers a provider, without stake.
    pub fn provider_register(
        ctx: &mut Context<ProviderRegister>,
        args: ProviderArgs,
    ) -> Result<()> {
        let bump = ctx.bumps.provider;
        ctx.accounts.handle(&args, bump)
    }

    /// Authority: changes operator, endpoint or runtime class.
    pub fn provider_update(ctx: &mut Context<ProviderUpdate>, args: ProviderArgs) -> Result<()> {
        ctx.accounts.handle(&args)
    }

    /// Authority: closes an empty provider.
    pub fn provider_deregister(ctx: &mut Context<ProviderDeregister>) -> Result<()> {
        ctx.accounts.handle()
    }

    /// Authority: adds stake.
    pub fn stake_deposit(ctx: &mut Context<StakeDeposit>, amount: u64) -> Result<()> {
        ctx.accounts.handle(amount)
    }

    /// Authority: starts to take free stake out.
    pub fn stake_unbond(ctx: &mut Context<StakeUnbond>, amount: u64) -> Result<()> {
        ctx.accounts.handle(amount)
    }

    /// Authority: takes unbonded stake out.
    pub fn stake_withdraw(ctx: &mut Context<StakeWithdraw>) -> Result<()> {
        ctx.accounts.handle()
    }

    /// Authority: takes income out; fees go to the treasury with it.
    pub fn earnings_withdraw(ctx: &mut Context<EarningsWithdraw>) -> Result<()> {
        ctx.accounts.handle()
    }

    // A model's author.

    /// Author: registers an ONNX file by digest, with its comparison profile.
    pub fn model_register(ctx: &mut Context<ModelRegister>, args: ModelArgs) -> Result<()> {
        let bump = ctx.bumps.model;
        ctx.accounts.handle(&args, bump)
    }

    /// Author: takes no new jobs.
    pub fn model_retire(ctx: &mut Context<ModelRetire>) -> Result<()> {
        ctx.accounts.handle()
    }

    /// Author: closes a model that no job can need any more.
    pub fn model_close(ctx: &mut Context<ModelClose>) -> Result<()> {
        ctx.accounts.handle()
    }

    // A requester.

    /// Requester: escrows the ceiling for one inference. Reaches Open.
    pub fn job_create(ctx: &mut Context<JobCreate>, args: JobCreateArgs) -> Result<()> {
        let bump = ctx.bumps.job;
        ctx.accounts.handle(&args, bump)
    }

    /// Requester: takes an open job back. Open to Cancelled.
    pub fn job_cancel(ctx: &mut Context<JobCancel>) -> Result<()> {
        ctx.accounts.handle()
    }

    /// Requester: objects in the challenge window, with a bond. Committed to Appealing.
    pub fn job_dispute(ctx: &mut Context<JobDispute>) -> Result<()> {
        ctx.accounts.handle()
    }

    /// Requester: opens a payment channel to a provider with a deposit.
    pub fn session_open(ctx: &mut Context<SessionOpen>, args: SessionOpenArgs) -> Result<()> {
        let bump = ctx.bumps.session;
        ctx.accounts.handle(&args, bump)
    }

    /// Requester: adds to an open session's deposit.
    pub fn session_top_up(ctx: &mut Context<SessionTopUp>, amount: u64) -> Result<()> {
        ctx.accounts.handle(amount)
    }

    /// Requester: wants the rest of the deposit back. Open to CloseRequested.
    pub fn session_close_request(ctx: &mut Context<SessionCloseRequest>) -> Result<()> {
        ctx.accounts.handle()
    }

    // A provider's operator.

    /// Operator: takes an open job and reserves its collateral. Open to Claimed.
    pub fn job_claim(ctx: &mut Context<JobClaim>, min_price: u64) -> Result<()> {
        ctx.accounts.handle(min_price)
    }

    /// Operator: gives a claim back for a small slash. Claimed to Open or Expired.
    pub fn job_release(ctx: &mut Context<JobRelease>, attempt: u8) -> Result<()> {
        ctx.accounts.handle(attempt)
    }

    /// Operator: fixes the result by its hiding hash. Claimed to Committed.
    pub fn job_commit(ctx: &mut Context<JobCommit>, args: JobCommitArgs) -> Result<()> {
        ctx.accounts.handle(&args)
    }

    /// Operator: reveals its secret; is paid, or audited. Committed to Settled or Auditing.
    pub fn job_finalize(ctx: &mut Context<JobFinalize>, args: JobFinalizeArgs) -> Result<()> {
        ctx.accounts.handle(&args)
    }

    /// Operator: takes a seat on a panel with the score of one of its tickets, and moves the bond.
    pub fn panel_join(ctx: &mut Context<PanelJoin>, ticket: u32) -> Result<()> {
        ctx.accounts.handle(ticket)
    }

    /// Operator: fixes an auditor's result by its hiding hash.
    pub fn panel_commit(ctx: &mut Context<PanelCommit>, args: PanelCommitArgs) -> Result<()> {
        ctx.accounts.handle(&args)
    }

    // Anyone who knows what opens a commitment.

    /// Anyone: shows an auditor's root.
    pub fn panel_reveal(ctx: &mut Context<PanelReveal>, args: PanelRevealArgs) -> Result<()> {
        ctx.accounts.handle(&args)
    }

    /// Anyone: shows the primary's root.
    pub fn job_reveal(ctx: &mut Context<JobReveal>, args: JobRevealArgs) -> Result<()> {
        ctx.accounts.handle(&args)
    }

    /// Anyone who has a voucher, proven by the Ed25519 instruction before: pays the provider.
    pub fn session_settle(ctx: &mut Context<SessionSettle>) -> Result<()> {
        ctx.accounts.handle()
    }

    // Anyone, once time alone decides.

    /// Anyone: opens the convened panel with the first slot hash at or after its target.
    pub fn panel_open(ctx: &mut Context<PanelOpen>, entry: u16) -> Result<()> {
        let bump = ctx.bumps.panel;
        ctx.accounts.handle(entry, bump)
    }

    /// Anyone: names a later slot where the target's hash is gone.
    pub fn panel_retarget(ctx: &mut Context<PanelRetarget>) -> Result<()> {
        ctx.accounts.handle()
    }

    /// Anyone: lets the convened panel speak. Auditing to Settled, Faulted or Appealing; Appealing
    /// to Settled, Faulted or Unresolved.
    pub fn panel_resolve(ctx: &mut Context<PanelResolve>) -> Result<()> {
        ctx.accounts.handle()
    }

    /// Anyone: pays one seat what the verdict fixed.
    pub fn seat_settle(ctx: &mut Context<SeatSettle>, seat: u8) -> Result<()> {
        ctx.accounts.handle(seat)
    }

    /// Anyone: closes a settled panel; the rent goes to whoever opened it.
    pub fn panel_close(ctx: &mut Context<PanelClose>) -> Result<()> {
        ctx.accounts.handle()
    }

    /// Anyone: Open to Expired, Claimed to Open or Expired, Committed to Faulted.
    pub fn job_expire(ctx: &mut Context<JobExpire>) -> Result<()> {
        ctx.accounts.handle()
    }

    /// Anyone: closes an ended job; the rent goes to its requester.
    pub fn job_close(ctx: &mut Context<JobClose>) -> Result<()> {
        ctx.accounts.handle()
    }

    /// Provider's authority or operator at once, anyone after the grace time: closes a session; rest
    /// and rent go to its requester.
    pub fn session_close(ctx: &mut Context<SessionClose>) -> Result<()> {
        ctx.accounts.handle()
    }
}
