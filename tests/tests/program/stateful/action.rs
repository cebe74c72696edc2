//! Everything anybody can do, as an instruction for the chain and as an entry in the book.

mod call;
mod court;
mod session;

use assay_client::{
    address,
    protocol::{Address, Digest, args::JobCreateArgs, market::MarketParams},
};

use super::{
    jobs::Reveals,
    seal::Seal,
    shadow::{Expected, Outcome, Shadow},
};

pub use court::Court;
pub use session::{Channel, Proof};

/// One instruction with all its choices.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    MarketInit {
        signer: Address,
    },
    MarketUpdate {
        signer: Address,
        params: MarketParams,
    },
    MarketPause {
        signer: Address,
        flags: u8,
    },
    AuthorityPropose {
        signer: Address,
        next: Option<Address>,
    },
    AuthorityAccept {
        signer: Address,
    },
    TreasuryWithdraw {
        signer: Address,
        to: Address,
        amount: u64,
    },
    ProviderRegister {
        payer: Address,
        authority: Address,
        operator: Address,
        class: [u8; 32],
    },
    ProviderUpdate {
        account: Address,
        signer: Address,
        operator: Address,
        class: [u8; 32],
    },
    ProviderDeregister {
        account: Address,
        signer: Address,
        payer: Address,
    },
    StakeDeposit {
        account: Address,
        signer: Address,
        amount: u64,
    },
    StakeUnbond {
        account: Address,
        signer: Address,
        amount: u64,
    },
    StakeWithdraw {
        account: Address,
        signer: Address,
        to: Address,
    },
    EarningsWithdraw {
        account: Address,
        signer: Address,
        to: Address,
    },
    ModelRegister {
        payer: Address,
        author: Address,
        digest: Digest,
    },
    ModelRetire {
        account: Address,
        signer: Address,
    },
    ModelClose {
        account: Address,
        signer: Address,
        payer: Address,
    },
    JobCreate {
        requester: Address,
        model: Address,
        secret: [u8; 32],
        args: JobCreateArgs,
    },
    JobCancel {
        job: Address,
        signer: Address,
    },
    JobClaim {
        job: Address,
        provider: Address,
        signer: Address,
        least: u64,
    },
    JobRelease {
        job: Address,
        provider: Address,
        signer: Address,
        requester: Address,
        attempt: u8,
    },
    JobCommit {
        job: Address,
        provider: Address,
        signer: Address,
        attempt: u8,
        /// None stands for an empty commitment.
        seal: Option<Seal>,
    },
    JobFinalize {
        job: Address,
        provider: Address,
        signer: Address,
        requester: Address,
        reveals: Reveals,
        secret: [u8; 32],
    },
    JobExpire {
        job: Address,
        requester: Address,
        provider: Option<Address>,
    },
    JobClose {
        job: Address,
        requester: Address,
    },
    Court(Court),
    Session(Channel),
}

impl Action {
    /// The entry in the book, on a copy of it.
    pub fn enter(self, book: &mut Shadow) -> Outcome {
        match self {
            Self::MarketInit { .. } => Err(Expected::Refused),
            Self::MarketUpdate { signer, params } => book.market_update(signer, params),
            Self::MarketPause { signer, flags } => book.market_pause(signer, flags),
            Self::AuthorityPropose { signer, next } => book.authority_propose(signer, next),
            Self::AuthorityAccept { signer } => book.authority_accept(signer),
            Self::TreasuryWithdraw { signer, to, amount } => {
                book.treasury_withdraw(signer, to, amount)
            }
            Self::ProviderRegister {
                payer,
                authority,
                operator,
                class,
            } => book.provider_register(payer, authority, operator, class),
            Self::ProviderUpdate {
                account,
                signer,
                operator,
                class,
            } => book.provider_update(account, signer, operator, class),
            Self::ProviderDeregister {
                account,
                signer,
                payer,
            } => book.provider_deregister(account, signer, payer),
            Self::StakeDeposit {
                account,
                signer,
                amount,
            } => book.stake_deposit(account, signer, amount),
            Self::StakeUnbond {
                account,
                signer,
                amount,
            } => book.stake_unbond(account, signer, amount),
            Self::StakeWithdraw {
                account,
                signer,
                to,
            } => book.stake_withdraw(account, signer, to),
            Self::EarningsWithdraw {
                account,
                signer,
                to,
            } => book.earnings_withdraw(account, signer, to),
            Self::ModelRegister {
                payer,
                author,
                digest,
            } => book.model_register(payer, author, digest),
            Self::ModelRetire { account, signer } => book.model_retire(account, signer),
            Self::ModelClose {
                account,
                signer,
                payer,
            } => book.model_close(account, signer, payer),
            Self::JobCreate {
                requester,
                model,
                secret,
                args,
            } => book.job_create(requester, model, secret, args),
            Self::JobCancel { job, signer } => book.job_cancel(job, signer),
            Self::JobClaim {
                job,
                provider,
                signer,
                least,
            } => book.job_claim(job, provider, signer, least),
            Self::JobRelease {
                job,
                provider,
                signer,
                requester,
                attempt,
            } => book.job_release(job, provider, signer, requester, attempt),
            Self::JobCommit {
                job,
                provider,
                signer,
                attempt,
                seal,
            } => book.job_commit(job, provider, signer, attempt, seal),
            Self::JobFinalize {
                job,
                provider,
                signer,
                requester,
                reveals,
                ..
            } => book.job_finalize(job, provider, signer, requester, reveals),
            Self::JobExpire {
                job,
                requester,
                provider,
            } => book.job_expire(job, requester, provider),
            Self::JobClose { job, requester } => book.job_close(job, requester),
            Self::Court(court) => court.enter(book),
            Self::Session(channel) => channel.enter(book),
        }
    }

    /// The job at a fresh address that this creates, if it does.
    pub fn created(self) -> Option<Address> {
        if let Self::JobCreate {
            requester, args, ..
        } = self
        {
            Some(address::job(&requester, args.open_slot, args.index))
        } else {
            None
        }
    }
}
