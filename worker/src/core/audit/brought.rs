//! What a resolution changes of our account, part by part.

use assay_protocol::{
    Address, BasisPoints, amount::split_price, panel::SeatState, verdict::Resolution,
};

use super::{command::Evidence, outlook::resolution};

/// What one role in one audit has changed of our account, in lamports, since before the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brought {
    /// 0 as the job's primary, else the panel on which we had a seat.
    pub level: u8,
    pub stake: i64,
    pub earnings: i64,
}

/// What an audit that has ended brought us: as the primary, and with every seat. None if the
/// evidence does not say.
pub fn brought(evidence: &Evidence, me: &Address) -> Option<Vec<Brought>> {
    let job = &evidence.job;
    if !job.status().ok()?.is_terminal() || job.level == 0 {
        return None;
    }
    parts(evidence, me, &resolution(evidence)?)
}

/// The same for any way in which it might end.
pub(super) fn parts(
    evidence: &Evidence,
    me: &Address,
    resolution: &Resolution,
) -> Option<Vec<Brought>> {
    let job = &evidence.job;
    let signed = |lamports: u64| i64::try_from(lamports).ok();
    let mut parts = Vec::new();
    if job.provider == *me {
        let split = split_price(resolution.paid, BasisPoints(job.fee_bps)).ok()?;
        parts.push(Brought {
            level: 0,
            stake: signed(resolution.slash.0)?.checked_neg()?,
            earnings: signed(split.earned.0)?.checked_add(signed(resolution.bonus.0)?)?,
        });
    }
    let payouts = [resolution.level1, resolution.level2];
    for ((level, panel), payouts) in (1..).zip(&evidence.panels).zip(payouts) {
        let Some(panel) = panel else { continue };
        for (seat, payout) in panel.seats.iter().zip(payouts) {
            if seat.state == SeatState::Empty as u8 || seat.provider != *me {
                continue;
            }
            // As far as it reaches, a payout is the bond again.
            let returned = payout.0.min(panel.bond);
            parts.push(Brought {
                level,
                stake: signed(panel.bond - returned)?.checked_neg()?,
                earnings: signed(payout.0 - returned)?,
            });
        }
    }
    Some(parts)
}
