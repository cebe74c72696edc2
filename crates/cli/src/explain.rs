//! What a failure means and what to do about it.

use assay_client::{Failure, error::Cause, protocol::Error as MarketError};

use crate::plain::lines;

/// Prints an error with its causes and, where there is one, the way out.
pub fn report(error: &anyhow::Error) {
    eprintln!("error: {}", lines(&error.to_string()));
    let mut shown = error.to_string();
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        // Wrappers often repeat what they wrap.
        if !shown.contains(&text) {
            eprintln!("  because: {}", lines(&text));
            shown = text;
        }
    }
    if let Some(hint) = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Failure>())
        .and_then(hint)
    {
        eprintln!("  hint: {hint}");
    }
}

/// What to do about a refused transaction, where the message does not say it already.
pub fn hint(failure: &Failure) -> Option<&'static str> {
    match &failure.cause {
        Cause::Market(error) => market_hint(*error),
        Cause::System(error) if error.code == 1 => Some(
            "`solana balance` shows what the wallet holds; on devnet `solana airdrop 1` adds some",
        ),
        Cause::Transaction(error) => transaction_hint(error),
        Cause::System(_) | Cause::Framework(_) | Cause::Instruction(_) => None,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "most errors say themselves what to do"
)]
fn market_hint(error: MarketError) -> Option<&'static str> {
    use MarketError as E;
    Some(match error {
        E::MarketAuthorityMismatch | E::MarketPendingMismatch => {
            "`assay market show` names the authority; sign with its key (--keypair) or use --unsigned --from ADDRESS"
        }
        E::MarketUpgradeAuthorityMismatch => {
            "`solana program show` names the upgrade authority; sign with its key"
        }
        E::MarketPaused => {
            "`assay market show` says what is paused; running jobs and withdrawals go on"
        }
        E::ProviderAuthorityMismatch => {
            "sign with the key that registered the provider (--keypair)"
        }
        E::ProviderStakeBelowMinimum => "`assay market show` names the minimum (min_stake)",
        E::ProviderStakeInsufficient => "`assay provider show` says how much stake is free",
        E::ProviderStillUnbonding => "`assay provider show` says when the stake is free",
        E::ProviderHasStake => "`assay stake unbond all`, wait, then `assay stake withdraw`",
        E::ProviderHasEarnings => "`assay provider withdraw` pays them out",
        E::ModelNotRetired => "`assay model retire` first",
        E::ModelRetired => "`assay model list` shows the models that take jobs",
        E::JobNotOpen | E::JobNotTerminal | E::JobNotExpired => {
            "`assay job show` says where the job stands"
        }
        E::JobSlotTooRecent => "that is about a minute after the job was created; try again then",
        E::JobUnaudited => "only jobs created with --audit can be disputed",
        E::JobChallengeWindowPassed | E::JobNotConvened | E::PanelNotOver => {
            "`assay job show` says where the job stands and how long its phase lasts"
        }
        E::PanelSeatsUnsettled | E::PanelNotResolved => {
            "`assay job advance` does what can be done by now"
        }
        E::TermsPanelInvalid | E::TermsAuditFeeInvalid | E::TermsDeterrenceTooLow => {
            "leave --audit-fee and --collateral out to have them computed"
        }
        E::TermsCeilingInvalid
        | E::TermsClaimWindowInvalid
        | E::TermsComputeWindowInvalid
        | E::TermsChallengeWindowInvalid
        | E::TermsBytesInvalid => "`assay market show` lists the limits",
        _ => return None,
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the others are rare and say what they are"
)]
fn transaction_hint(error: &solana_transaction_error::TransactionError) -> Option<&'static str> {
    use solana_transaction_error::TransactionError as E;
    Some(match error {
        E::AccountNotFound | E::InsufficientFundsForFee => {
            "the wallet holds no SOL for the fee on this cluster; check --url, or add some (`solana airdrop 1` on devnet)"
        }
        E::InsufficientFundsForRent { .. } => {
            "the wallet would keep less than the minimum an account must hold; leave it more, or empty it"
        }
        E::ProgramAccountNotFound => "the program is not deployed on this cluster; check --url",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use assay_client::error::SystemError;

    use super::*;

    #[test]
    fn hints_follow_the_cause() {
        let failure = |cause| Failure {
            instruction: Some(0),
            cause,
        };
        let stake = failure(Cause::Market(MarketError::ProviderStakeBelowMinimum));
        assert!(hint(&stake).unwrap().contains("assay market show"));
        let poor = failure(Cause::System(SystemError {
            code: 1,
            name: "",
            message: "",
        }));
        assert!(hint(&poor).unwrap().contains("balance"));
        let plain = failure(Cause::Market(MarketError::AmountZero));
        assert_eq!(hint(&plain), None);
    }
}
