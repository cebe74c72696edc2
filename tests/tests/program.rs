//! The program on LiteSVM, one module an instruction. One binary, so that it is linked once.

mod program {
    mod authority_accept;
    mod authority_propose;
    mod earnings_withdraw;
    mod lifecycle;
    mod market_init;
    mod market_pause;
    mod market_update;
    mod model_close;
    mod model_register;
    mod model_retire;
    mod provider_deregister;
    mod provider_register;
    mod provider_update;
    mod stake_deposit;
    mod stake_unbond;
    mod stake_withdraw;
    mod treasury_withdraw;
}
