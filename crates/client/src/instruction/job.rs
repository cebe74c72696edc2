//! A job's way: what its requester, an operator and anybody send.

use assay_protocol::{
    Address,
    args::{JobCommitArgs, JobCreateArgs, JobFinalizeArgs, JobRevealArgs},
};

use super::instruction;
use crate::{
    address,
    program::{INCINERATOR, SYSTEM_PROGRAM},
};

instruction! {
    /// Opens a job and locks its escrow.
    JobCreate = "job_create" {
        requester: Address,
        model: Address,
        args: JobCreateArgs,
    }
    accounts |this| {
        requester: WritableSigner = this.requester,
        market: Readonly = address::market(),
        model: Readonly = this.model,
        job: Writable = address::job(&this.requester, this.args.open_slot, this.args.index),
        system_program: Readonly = SYSTEM_PROGRAM,
    }
    data { args }
}

instruction! {
    /// Takes an open job back, with a full refund.
    JobCancel = "job_cancel" {
        requester: Address,
        job: Address,
    }
    accounts |this| {
        requester: WritableSigner = this.requester,
        job: Writable = this.job,
    }
    data { }
}

instruction! {
    /// Takes an open job on at the price of the moment.
    JobClaim = "job_claim" {
        operator: Address,
        provider: Address,
        job: Address,
        /// Refused below this price, in lamports.
        min_price: u64,
    }
    accounts |this| {
        operator: Signer = this.operator,
        provider: Writable = this.provider,
        job: Writable = this.job,
    }
    data { min_price }
}

instruction! {
    /// Gives a claim back in time, for a part of the late slash.
    JobRelease = "job_release" {
        operator: Address,
        provider: Address,
        job: Address,
        requester: Address,
        /// The attempt to give back; refused if the job is in another one.
        attempt: u8,
    }
    accounts |this| {
        operator: Signer = this.operator,
        provider: Writable = this.provider,
        job: Writable = this.job,
        requester: Writable = this.requester,
        incinerator: Writable = INCINERATOR,
    }
    data { attempt }
}

instruction! {
    /// Fixes a result without showing it.
    JobCommit = "job_commit" {
        operator: Address,
        provider: Address,
        job: Address,
        args: JobCommitArgs,
    }
    accounts |this| {
        operator: Signer = this.operator,
        provider: Readonly = this.provider,
        job: Writable = this.job,
    }
    data { args }
}

instruction! {
    /// Reveals the secrets; settles the job, or sends it to audit.
    JobFinalize = "job_finalize" {
        operator: Address,
        provider: Address,
        job: Address,
        requester: Address,
        args: JobFinalizeArgs,
    }
    accounts |this| {
        operator: Signer = this.operator,
        provider: Writable = this.provider,
        job: Writable = this.job,
        requester: Writable = this.requester,
    }
    data { args }
}

instruction! {
    /// Objects to a committed result, for a bond: five drawn auditors decide.
    JobDispute = "job_dispute" {
        requester: Address,
        job: Address,
    }
    accounts |this| {
        requester: WritableSigner = this.requester,
        job: Writable = this.job,
        system_program: Readonly = SYSTEM_PROGRAM,
    }
    data { }
}

instruction! {
    /// Opens the primary's commitment for the panel; whoever knows the opening may send it.
    JobReveal = "job_reveal" {
        job: Address,
        /// The job's convened panel.
        panel: Address,
        args: JobRevealArgs,
    }
    accounts |this| {
        job: Writable = this.job,
        panel: Readonly = this.panel,
    }
    data { args }
}

instruction! {
    /// Ends or re-opens a job whose deadline has passed; anyone may send it.
    JobExpire = "job_expire" {
        job: Address,
        requester: Address,
        /// The job's provider, where it has one.
        provider: Option<Address>,
    }
    accounts |this| {
        job: Writable = this.job,
        requester: Writable = this.requester,
        provider: OptionalWritable = this.provider,
        incinerator: Writable = INCINERATOR,
    }
    data { }
}

instruction! {
    /// Closes an ended job; refund and rent go to its requester; anyone may send it.
    JobClose = "job_close" {
        job: Address,
        requester: Address,
    }
    accounts |this| {
        job: Writable = this.job,
        requester: Writable = this.requester,
    }
    data { }
}
