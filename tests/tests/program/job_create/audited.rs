//! job_create with audits: every bound of the terms that pay for them.

use assay_client::protocol::{Error, terms::JobTerms};
use assay_tests::{SOL, World};

use super::{refused, world};

/// Terms of an audited job, changed.
fn audited(change: impl FnOnce(&mut JobTerms)) -> impl FnOnce(&mut JobTerms) {
    |terms| {
        let bought = World::audited_terms(&[1; 32]);
        terms.audit_fee = bought.audit_fee;
        terms.audit_bps = bought.audit_bps;
        terms.panel_size = bought.panel_size;
        terms.collateral = bought.collateral;
        change(terms);
    }
}

#[test]
fn job_create_locks_the_ceiling_and_a_panels_fees() {
    for size in [2, 3] {
        let (mut world, job) = world();
        let job = job.with_terms(audited(|terms| terms.panel_size = size));
        let before = world.balance(&job.requester);
        world.do_job_create_as(&job);
        let terms = job.args.terms;
        let escrow = terms.ceiling + u64::from(size) * terms.audit_fee;
        let data = world.job(&job.account);
        assert_eq!(
            (data.escrow, data.panel_size, data.level),
            (escrow, size, 0)
        );
        assert_eq!(data.ticket_stake, world.market().params.ticket_stake);
        let rent = world.balance(&job.account) - escrow;
        assert_eq!(world.balance(&job.requester), before - escrow - rent);
    }
}

#[test]
fn job_create_with_half_audited_terms_fails() {
    refused(|terms| terms.audit_bps = 1, Error::TermsPanelInvalid);
    refused(|terms| terms.panel_size = 2, Error::TermsPanelInvalid);
    refused(|terms| terms.audit_fee = 1, Error::TermsPanelInvalid);
    refused(
        audited(|terms| terms.audit_bps = 0),
        Error::TermsPanelInvalid,
    );
    refused(
        audited(|terms| terms.audit_bps = 10_001),
        Error::TermsPanelInvalid,
    );
    for size in [0, 1, 4, 255] {
        refused(
            audited(|terms| terms.panel_size = size),
            Error::TermsPanelInvalid,
        );
    }
}

#[test]
fn job_create_with_an_audit_fee_below_the_ceiling_or_above_twice_that_fails() {
    let ceiling = SOL / 10;
    for fee in [0, 1, ceiling - 1, 2 * ceiling + 1, u64::MAX] {
        refused(
            audited(|terms| terms.audit_fee = fee),
            Error::TermsAuditFeeInvalid,
        );
    }
    for fee in [ceiling, 2 * ceiling] {
        let (mut world, job) = world();
        world.do_job_create_as(&job.with_terms(audited(|terms| terms.audit_fee = fee)));
    }
}

#[test]
fn job_create_with_collateral_below_twenty_audit_fees_fails() {
    let least = 20 * 15 * SOL / 100;
    refused(
        audited(|terms| terms.collateral = least - 1),
        Error::TermsCollateralInvalid,
    );
    let (mut world, job) = world();
    world.do_job_create_as(&job.with_terms(audited(|terms| terms.collateral = least)));
}

/// The expected loss of cheating, rate x (C + K), is at least twice its gain, K.
#[test]
fn job_create_with_too_little_deterrence_fails() {
    let at = |rate: u16| {
        audited(move |terms| {
            terms.collateral = 3 * SOL;
            terms.audit_bps = rate;
        })
    };
    // 646 x 3.1 SOL is the first above 20,000 x 0.1 SOL.
    refused(at(645), Error::TermsDeterrenceTooLow);
    refused(at(1), Error::TermsDeterrenceTooLow);
    let (mut world, job) = world();
    world.do_job_create_as(&job.with_terms(at(646)));
}
