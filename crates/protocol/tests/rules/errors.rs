//! Error numbers are an interface: pinned by name, appended, never renumbered.

use std::collections::BTreeSet;

use assay_protocol::{Error, error::ERROR_OFFSET};

/// Number and name of every error. Append only; 6007, 6100 and 6127 are retired.
const PINNED: &[(u32, &str)] = &[
    (6000, "AmountZero"),
    (6001, "AmountOverflow"),
    (6002, "AmountInsufficient"),
    (6003, "ClockOverflow"),
    (6004, "InvariantViolated"),
    (6005, "DurableNonceRefused"),
    (6006, "TextInvalid"),
    (6008, "RentPayerMismatch"),
    (6020, "MarketAuthorityMismatch"),
    (6021, "MarketPendingMismatch"),
    (6022, "MarketUpgradeAuthorityMismatch"),
    (6023, "MarketPaused"),
    (6024, "MarketParamsInvalid"),
    (6025, "TreasuryInsufficient"),
    (6040, "ProviderAuthorityMismatch"),
    (6041, "ProviderOperatorMismatch"),
    (6042, "ProviderStakeBelowMinimum"),
    (6043, "ProviderStakeInsufficient"),
    (6044, "ProviderNothingUnbonding"),
    (6045, "ProviderStillUnbonding"),
    (6046, "ProviderHasStake"),
    (6047, "ProviderHasLiveWork"),
    (6048, "ProviderHasEarnings"),
    (6049, "ProviderNothingEarned"),
    (6050, "ProviderNotInvited"),
    (6051, "ProviderClassMismatch"),
    (6052, "ProviderMissing"),
    (6053, "ProviderOperatorMissing"),
    (6060, "ModelAuthorMismatch"),
    (6061, "ModelRetired"),
    (6062, "ModelNotRetired"),
    (6063, "ModelStillInUse"),
    (6064, "ModelProfileInvalid"),
    (6065, "ModelDigestMissing"),
    (6066, "ModelSizeInvalid"),
    (6080, "JobStatusInvalid"),
    (6081, "JobTransitionForbidden"),
    (6082, "JobNotOpen"),
    (6083, "JobNotClaimed"),
    (6084, "JobNotCommitted"),
    (6085, "JobNotTerminal"),
    (6086, "JobClaimDeadlinePassed"),
    (6087, "JobComputeDeadlinePassed"),
    (6088, "JobNotExpired"),
    (6089, "JobChallengeWindowOpen"),
    (6090, "JobRequesterMismatch"),
    (6091, "JobProviderMismatch"),
    (6092, "JobPriceBelowMinimum"),
    (6093, "JobCommitmentMissing"),
    (6094, "JobWorkerSecretMismatch"),
    (6095, "JobRequesterSecretMismatch"),
    (6096, "JobSlotInvalid"),
    (6097, "JobSlotTooRecent"),
    (6098, "JobFinalizeDeadlinePassed"),
    (6099, "JobPanelsLive"),
    (6101, "JobNotExpirable"),
    (6102, "JobAttemptMismatch"),
    (6103, "JobUnaudited"),
    (6104, "JobChallengeWindowPassed"),
    (6105, "JobNotConvened"),
    (6106, "JobAlreadyRevealed"),
    (6107, "OpeningMismatch"),
    (6108, "RootInvalid"),
    (6120, "TermsCeilingInvalid"),
    (6121, "TermsFloorInvalid"),
    (6122, "TermsRampInvalid"),
    (6123, "TermsClaimWindowInvalid"),
    (6124, "TermsComputeWindowInvalid"),
    (6125, "TermsChallengeWindowInvalid"),
    (6126, "TermsCollateralInvalid"),
    (6128, "TermsPanelInvalid"),
    (6129, "TermsAuditFeeInvalid"),
    (6130, "TermsDeterrenceTooLow"),
    (6131, "TermsBytesInvalid"),
    (6132, "TermsSecretHashMissing"),
    (6133, "TermsInputDigestMissing"),
    (6140, "PanelStateInvalid"),
    (6141, "PanelJobMismatch"),
    (6142, "PanelMissing"),
    (6143, "PanelUnexpected"),
    (6144, "PanelAlreadyOpen"),
    (6145, "PanelOpenDeadlinePassed"),
    (6146, "PanelSlotHashMismatch"),
    (6147, "PanelSlotHashRetained"),
    (6148, "PanelNotLive"),
    (6149, "PanelNotJoining"),
    (6150, "PanelNotCommitting"),
    (6151, "PanelNotRevealing"),
    (6152, "PanelNotOver"),
    (6153, "PanelNotResolved"),
    (6154, "PanelSeatsUnsettled"),
    (6160, "SeatScoreTooHigh"),
    (6161, "SeatProviderSeated"),
    (6162, "SeatPrimaryRefused"),
    (6163, "SeatStakeTooYoung"),
    (6164, "SeatTicketInvalid"),
    (6165, "SeatEvictedMissing"),
    (6166, "SeatEvictedMismatch"),
    (6167, "SeatIndexInvalid"),
    (6168, "SeatProviderMismatch"),
    (6169, "SeatNotJoined"),
    (6170, "SeatNotCommitted"),
    (6171, "SeatCommitmentMissing"),
    (6172, "SeatSettled"),
    (6180, "SessionRequesterMismatch"),
    (6181, "SessionProviderMismatch"),
    (6182, "SessionKeyMissing"),
    (6183, "SessionGraceInvalid"),
    (6184, "SessionClosing"),
    (6185, "SessionNotClosable"),
    (6186, "SessionSlotTooRecent"),
    (6190, "VoucherMissing"),
    (6191, "VoucherProofInvalid"),
    (6192, "VoucherKeyMismatch"),
    (6193, "VoucherSessionMismatch"),
    (6194, "VoucherExpired"),
    (6195, "VoucherNotAbove"),
    (6196, "VoucherAboveDeposit"),
];

#[test]
fn error_numbers_are_pinned_by_name() {
    let actual: Vec<_> = Error::ALL
        .iter()
        .map(|error| (error.code(), error.name()))
        .collect();
    assert_eq!(
        actual, PINNED,
        "numbers are an interface: append, never renumber or rename"
    );
}

#[test]
fn errors_are_found_by_number_and_only_by_theirs() {
    for error in Error::ALL {
        assert_eq!(Error::from_code(error.code()), Some(*error));
    }
    let known: BTreeSet<_> = PINNED.iter().map(|(code, _)| *code).collect();
    assert_eq!(known.len(), Error::ALL.len(), "a number is used twice");
    for code in (0..ERROR_OFFSET + 1_000).filter(|code| !known.contains(code)) {
        assert_eq!(Error::from_code(code), None);
    }
}

#[test]
fn messages_are_sentences_that_differ() {
    let messages: BTreeSet<_> = Error::ALL.iter().map(|error| error.message()).collect();
    assert_eq!(messages.len(), Error::ALL.len());
    for error in Error::ALL {
        let message = error.message();
        assert!(
            message.ends_with('.') && message.len() > 15,
            "{}: {message}",
            error.name()
        );
        assert!(
            !message.contains(error.name()),
            "{} restates its name",
            error.name()
        );
    }
}
