//! One file an instruction: its accounts, then what it checks, then what it does.

macro_rules! instructions {
    ($($name:ident)*) => { $(mod $name; pub use $name::*;)* };
}

instructions! {
    market_init market_update market_pause authority_propose authority_accept treasury_withdraw
    provider_register provider_update provider_deregister
    stake_deposit stake_unbond stake_withdraw earnings_withdraw
    model_register model_retire model_close
    job_create job_cancel job_claim job_release job_commit job_finalize job_dispute job_reveal job_expire
    job_close
    panel_open panel_retarget panel_join panel_commit panel_reveal panel_resolve seat_settle panel_close
    session_open session_top_up session_settle session_close_request session_close
}

/// Slot and time of this instruction, the two first fields of every event.
#[inline]
pub(crate) fn moment() -> anchor_lang::Result<(u64, assay_protocol::UnixSeconds)> {
    use anchor_lang::prelude::*;
    let clock = Clock::get()?;
    Ok((
        clock.slot,
        assay_protocol::UnixSeconds(clock.unix_timestamp),
    ))
}
