//! Panels: what anybody sends to convene and pay them, and what an auditor's operator sends.

use assay_protocol::{
    Address,
    args::{PanelCommitArgs, PanelRevealArgs},
};

use super::instruction;
use crate::{
    address,
    program::{INCINERATOR, SYSTEM_PROGRAM},
};

instruction! {
    /// Creates the panel that a job waits for; anyone may send it and gets the rent back.
    PanelOpen = "panel_open" {
        payer: Address,
        job: Address,
        /// The convened level; part of the panel's address.
        level: u8,
        /// Where in SlotHashes, newest first, the search for the first slot at or after the job's
        /// target starts: its position when this is made; see [`crate::slot_hashes`].
        entry: u16,
    }
    accounts |this| {
        payer: WritableSigner = this.payer,
        job: Writable = this.job,
        panel: Writable = address::panel(&this.job, this.level),
        system_program: Readonly = SYSTEM_PROGRAM,
    }
    data { entry }
}

instruction! {
    /// Names another slot where the target's hash is gone; anyone may send it.
    PanelRetarget = "panel_retarget" {
        job: Address,
    }
    accounts |this| {
        job: Writable = this.job,
    }
    data { }
}

instruction! {
    /// Takes a seat and moves its bond out of the stake.
    PanelJoin = "panel_join" {
        operator: Address,
        provider: Address,
        job: Address,
        /// The convened level; part of the panel's address.
        level: u8,
        /// The job's level-1 panel, where the second level is joined and a first one was opened.
        other_panel: Option<Address>,
        /// The provider that leaves its seat, where the panel is full.
        evicted: Option<Address>,
        /// Which of the provider's tickets.
        ticket: u32,
    }
    accounts |this| {
        operator: Signer = this.operator,
        provider: Writable = this.provider,
        job: Readonly = this.job,
        panel: Writable = address::panel(&this.job, this.level),
        other_panel: OptionalReadonly = this.other_panel,
        evicted: OptionalWritable = this.evicted,
    }
    data { ticket }
}

instruction! {
    /// Fixes an auditor's result without showing it.
    PanelCommit = "panel_commit" {
        operator: Address,
        provider: Address,
        panel: Address,
        args: PanelCommitArgs,
    }
    accounts |this| {
        operator: Signer = this.operator,
        provider: Readonly = this.provider,
        panel: Writable = this.panel,
    }
    data { args }
}

instruction! {
    /// Opens an auditor's commitment; whoever knows the opening may send it.
    PanelReveal = "panel_reveal" {
        job: Address,
        panel: Address,
        args: PanelRevealArgs,
    }
    accounts |this| {
        job: Readonly = this.job,
        panel: Writable = this.panel,
    }
    data { args }
}

instruction! {
    /// Lets the convened panel speak once it is over; anyone may send it.
    PanelResolve = "panel_resolve" {
        job: Address,
        /// The job's provider.
        provider: Address,
        requester: Address,
        /// The level-1 panel, where one was opened.
        panel1: Option<Address>,
        /// The level-2 panel, where one was opened.
        panel2: Option<Address>,
    }
    accounts |this| {
        job: Writable = this.job,
        provider: Writable = this.provider,
        requester: Writable = this.requester,
        panel1: OptionalWritable = this.panel1,
        panel2: OptionalWritable = this.panel2,
        incinerator: Writable = INCINERATOR,
    }
    data { }
}

instruction! {
    /// Pays a seat what the verdict fixed; anyone may send it, in any order.
    SeatSettle = "seat_settle" {
        panel: Address,
        /// The provider that holds the seat.
        provider: Address,
        /// Position of the seat.
        seat: u8,
    }
    accounts |this| {
        panel: Writable = this.panel,
        provider: Writable = this.provider,
    }
    data { seat }
}

instruction! {
    /// Closes a panel whose seats are settled; its rent goes back to who paid it; anyone may send it.
    PanelClose = "panel_close" {
        job: Address,
        panel: Address,
        rent_payer: Address,
    }
    accounts |this| {
        job: Writable = this.job,
        panel: Writable = this.panel,
        rent_payer: Writable = this.rent_payer,
    }
    data { }
}
