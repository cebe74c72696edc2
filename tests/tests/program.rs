//! The program on LiteSVM, one module an instruction. One binary, so that it is linked once.

mod program {
    mod adversary;
    mod authority_accept;
    mod authority_propose;
    mod budget;
    mod bypass;
    mod earnings_withdraw;
    mod errors;
    mod exits;
    mod harmless;
    mod job_cancel;
    mod job_claim;
    mod job_close;
    mod job_commit;
    mod job_create;
    mod job_expire;
    mod job_finalize;
    mod job_release;
    mod lifecycle;
    mod market_init;
    mod market_pause;
    mod market_update;
    mod model_close;
    mod model_register;
    mod model_retire;
    mod packet;
    mod panel_resolve;
    mod prefunded;
    mod provider_deregister;
    mod provider_register;
    mod provider_update;
    mod stake_deposit;
    mod stake_unbond;
    mod stake_withdraw;
    mod stateful;
    mod treasury_withdraw;
}
