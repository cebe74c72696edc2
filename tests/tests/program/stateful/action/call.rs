//! Actions as instructions of the program.

use assay_client::{
    instruction::{
        AuthorityAccept, AuthorityPropose, EarningsWithdraw, JobCancel, JobClaim, JobClose,
        JobCommit, JobCreate, JobExpire, JobFinalize, JobRelease, MarketInit, MarketPause,
        MarketUpdate, ModelClose, ModelRegister, ModelRetire, ProviderDeregister, ProviderRegister,
        ProviderUpdate, StakeDeposit, StakeUnbond, StakeWithdraw, TreasuryWithdraw,
    },
    protocol::{
        Address,
        args::{JobCommitArgs, JobFinalizeArgs, ProviderArgs},
        commitment::secret_hash,
        market::MarketParams,
    },
};
use assay_tests::{Call, Model, WORKER_SECRET};

use super::{
    super::seal::{HINTS, Seal},
    Action, Reveals,
};

impl Action {
    /// The instruction for the chain.
    pub fn call(self) -> Call {
        match self {
            Self::JobCreate { .. }
            | Self::JobCancel { .. }
            | Self::JobClaim { .. }
            | Self::JobRelease { .. }
            | Self::JobCommit { .. }
            | Self::JobFinalize { .. }
            | Self::JobExpire { .. }
            | Self::JobClose { .. } => self.job_call(),
            Self::Court(court) => court.call(),
            Self::Session(channel) => channel.call(),
            Self::MarketInit { .. }
            | Self::MarketUpdate { .. }
            | Self::MarketPause { .. }
            | Self::AuthorityPropose { .. }
            | Self::AuthorityAccept { .. }
            | Self::TreasuryWithdraw { .. } => self.market_call(),
            _ => self.party_call(),
        }
    }

    fn market_call(self) -> Call {
        match self {
            Self::MarketInit { signer } => {
                let params = MarketParams::LOCAL;
                MarketInit {
                    payer: signer,
                    upgrade_authority: signer,
                    params,
                }
                .into()
            }
            Self::MarketUpdate { signer, params } => MarketUpdate {
                authority: signer,
                params,
            }
            .into(),
            Self::MarketPause { signer, flags } => MarketPause {
                authority: signer,
                flags,
            }
            .into(),
            Self::AuthorityPropose { signer, next } => AuthorityPropose {
                authority: signer,
                pending: next.unwrap_or_default(),
            }
            .into(),
            Self::AuthorityAccept { signer } => AuthorityAccept { pending: signer }.into(),
            Self::TreasuryWithdraw { signer, to, amount } => TreasuryWithdraw {
                authority: signer,
                destination: to,
                amount,
            }
            .into(),
            other => unreachable!("{other:?} is no instruction of the market"),
        }
    }

    fn party_call(self) -> Call {
        let of = |call: Call, account: Address| call.put("provider", account);
        match self {
            Self::ProviderRegister {
                payer,
                authority,
                operator,
                class,
            } => ProviderRegister {
                payer,
                authority,
                args: provider_args(operator, class),
            }
            .into(),
            Self::ProviderUpdate {
                account,
                signer,
                operator,
                class,
            } => {
                let args = provider_args(operator, class);
                of(
                    ProviderUpdate {
                        authority: signer,
                        args,
                    }
                    .into(),
                    account,
                )
            }
            Self::ProviderDeregister {
                account,
                signer,
                payer,
            } => of(
                ProviderDeregister {
                    authority: signer,
                    rent_payer: payer,
                }
                .into(),
                account,
            ),
            Self::StakeDeposit {
                account,
                signer,
                amount,
            } => of(
                StakeDeposit {
                    authority: signer,
                    amount,
                }
                .into(),
                account,
            ),
            Self::StakeUnbond {
                account,
                signer,
                amount,
            } => of(
                StakeUnbond {
                    authority: signer,
                    amount,
                }
                .into(),
                account,
            ),
            Self::StakeWithdraw {
                account,
                signer,
                to,
            } => of(
                StakeWithdraw {
                    authority: signer,
                    destination: to,
                }
                .into(),
                account,
            ),
            Self::EarningsWithdraw {
                account,
                signer,
                to,
            } => of(
                EarningsWithdraw {
                    authority: signer,
                    destination: to,
                }
                .into(),
                account,
            ),
            Self::ModelRegister {
                payer,
                author,
                digest,
            } => {
                let args = Model::of(author, digest).args();
                ModelRegister {
                    payer,
                    author,
                    args,
                }
                .into()
            }
            Self::ModelRetire { account, signer } => ModelRetire {
                author: signer,
                model: account,
            }
            .into(),
            Self::ModelClose {
                account,
                signer,
                payer,
            } => ModelClose {
                author: signer,
                model: account,
                rent_payer: payer,
            }
            .into(),
            other => unreachable!("{other:?} is no instruction of a party"),
        }
    }

    fn job_call(self) -> Call {
        match self {
            Self::JobCreate {
                requester,
                model,
                args,
                ..
            } => JobCreate {
                requester,
                model,
                args,
            }
            .into(),
            Self::JobCancel { job, signer } => JobCancel {
                requester: signer,
                job,
            }
            .into(),
            Self::JobClaim {
                job,
                provider,
                signer,
                least,
            } => JobClaim {
                operator: signer,
                provider,
                job,
                min_price: least,
            }
            .into(),
            Self::JobRelease {
                job,
                provider,
                signer,
                requester,
                attempt,
            } => JobRelease {
                operator: signer,
                provider,
                job,
                requester,
                attempt,
            }
            .into(),
            Self::JobCommit {
                job,
                provider,
                signer,
                attempt,
                seal,
            } => {
                let args = commit_args(attempt, seal);
                JobCommit {
                    operator: signer,
                    provider,
                    job,
                    args,
                }
                .into()
            }
            Self::JobFinalize {
                job,
                provider,
                signer,
                requester,
                reveals,
                secret,
            } => {
                let args = finalize_args(reveals, secret);
                JobFinalize {
                    operator: signer,
                    provider,
                    job,
                    requester,
                    args,
                }
                .into()
            }
            Self::JobExpire {
                job,
                requester,
                provider,
            } => JobExpire {
                job,
                requester,
                provider,
            }
            .into(),
            Self::JobClose { job, requester } => JobClose { job, requester }.into(),
            other => unreachable!("{other:?} is no instruction of a job"),
        }
    }
}

fn provider_args(operator: Address, class: [u8; 32]) -> ProviderArgs {
    ProviderArgs {
        operator,
        runtime_class: class,
        endpoint: [0; 96],
        endpoint_len: 0,
    }
}

fn commit_args(attempt: u8, seal: Option<Seal>) -> JobCommitArgs {
    JobCommitArgs {
        commitment: seal.map_or([0; 32], |seal| seal.commitment()),
        worker_secret_hash: secret_hash(&WORKER_SECRET).0,
        hints_digest: HINTS,
        attempt,
    }
}

fn finalize_args(reveals: Reveals, secret: [u8; 32]) -> JobFinalizeArgs {
    let shown = |right: bool, secret: [u8; 32]| if right { secret } else { [0xee; 32] };
    JobFinalizeArgs {
        worker_secret: shown(reveals.worker, WORKER_SECRET),
        requester_secret: shown(reveals.requester, secret),
        acknowledged: u8::from(reveals.acknowledged),
    }
}
