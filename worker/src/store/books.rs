//! What every job brought and cost: the rows that `assay-worker earnings` adds up.

use std::collections::{BTreeMap, BTreeSet};

use assay_protocol::{
    Address, BasisPoints, Lamports, UnixSeconds,
    amount::{late_slash, release_slash, split_price},
};
use rusqlite::{Row, params};

use super::{Store, StoreError, bytes32, loaded};
use crate::core::{Brought, Evidence};

mod amounts;

pub use amounts::Amounts;

/// What we were to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It was claimed by us.
    Primary,
    /// We had a seat on its panels, or asked for one.
    Auditor,
    /// A claim that came too late, and cost its fee.
    Bystander,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Auditor => "auditor",
            Self::Bystander => "bystander",
        }
    }
}

/// One attempt at one job. Amounts in lamports, times in unix seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booked {
    pub job: Address,
    pub attempt: u8,
    pub role: Role,
    /// As in [`crate::core::Report::name`]; for others' jobs, whether the audit has ended.
    pub phase: String,
    /// Nothing more will change, but fees of what is still under way.
    pub ended: bool,
    /// How it ended was not seen, or is older than the journal's memory of terms: what it brought or
    /// cost beside fees is not in the sums.
    pub unknown: bool,
    /// Not known of a job that was only asked for.
    pub requester: Option<Address>,
    pub model: Option<Address>,
    pub began_at: i64,
    /// Of its last change; the day on which it counts.
    pub at: i64,
    pub amounts: Amounts,
    /// What energy counters counted in millijoules.
    pub energy_mj: Option<u64>,
}

impl Booked {
    pub fn is_own(&self) -> bool {
        self.role == Role::Primary
    }

    /// A job of ours that ended with its price.
    pub fn is_paid(&self) -> bool {
        self.is_own() && self.ended && self.amounts.price > 0
    }

    /// A job of ours that was given back, or was too late.
    pub fn is_lost(&self) -> bool {
        self.is_own() && self.phase == "lost"
    }

    /// A job of ours whose collateral was slashed.
    pub fn is_faulted(&self) -> bool {
        self.is_own() && self.phase == "faulted"
    }

    /// A job of another that we had a seat for, or asked for one.
    pub fn is_audit(&self) -> bool {
        self.role == Role::Auditor
    }

    fn new(job: Address, attempt: u8, role: Role, at: i64) -> Self {
        Self {
            job,
            attempt,
            role,
            phase: String::new(),
            ended: true,
            unknown: false,
            requester: None,
            model: None,
            began_at: at,
            at,
            amounts: Amounts::default(),
            energy_mj: None,
        }
    }

    fn computed(&mut self, compute_ms: i64, energy_mj: Option<i64>) {
        let compute_ms = loaded(compute_ms);
        self.amounts.compute_ms = self.amounts.compute_ms.saturating_add(compute_ms);
        if let Some(energy) = energy_mj.map(loaded) {
            self.amounts.measured_ms = self.amounts.measured_ms.saturating_add(compute_ms);
            self.energy_mj = Some(self.energy_mj.unwrap_or(0).saturating_add(energy));
        }
    }
}

type Books = BTreeMap<(Address, u8), Booked>;

impl Store {
    /// Keeps for good what an ended audit brought, beyond the evidence's retention.
    pub fn book_audit(
        &self,
        job: &Address,
        evidence: &Evidence,
        parts: &[Brought],
        now: UnixSeconds,
    ) -> Result<(), StoreError> {
        let account = &evidence.job;
        // Also where we were no primary: it tells that the audit has ended, and lent rent is back.
        let nothing = Brought {
            level: 0,
            stake: 0,
            earnings: 0,
        };
        let all = parts
            .iter()
            .chain(parts.iter().all(|part| part.level > 0).then_some(&nothing));
        self.with(|connection| {
            let transaction = connection.transaction()?;
            for part in all {
                transaction.execute(
                    "INSERT INTO brought (job, attempt, level, requester, model, stake, earnings, compute_ms, at,
                         energy_mj)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
                         (SELECT coalesce(max(compute_ms), 0) FROM seat_results
                          WHERE job = ?1 AND attempt = ?2 AND level = ?3), ?8,
                         (SELECT energy_mj FROM seat_results
                          WHERE job = ?1 AND attempt = ?2 AND level = ?3 ORDER BY compute_ms DESC LIMIT 1))
                     ON CONFLICT (job, attempt, level) DO UPDATE SET stake = ?6, earnings = ?7",
                    params![
                        job.as_ref(),
                        account.attempt,
                        part.level,
                        account.requester.as_ref(),
                        account.model.as_ref(),
                        part.stake,
                        part.earnings,
                        now.0,
                    ],
                )?;
            }
            transaction.commit()?;
            Ok(())
        })
    }

    /// Every attempt that brought or cost something, by its last change.
    pub fn books(&self) -> Result<Vec<Booked>, StoreError> {
        let mut books = self.own_jobs()?;
        let ended = self.audits_brought(&mut books)?;
        for cost in self.costs(UnixSeconds(i64::MIN))? {
            // Of sessions, which are no jobs.
            if crate::core::SessionStep::ALL
                .iter()
                .any(|step| step.name() == cost.step)
            {
                continue;
            }
            let asked = crate::core::AuditStep::ALL
                .iter()
                .any(|step| step.name() == cost.step);
            let role = if asked {
                Role::Auditor
            } else {
                Role::Bystander
            };
            let entry = books.entry((cost.job, cost.attempt)).or_insert_with(|| {
                let mut entry = Booked::new(cost.job, cost.attempt, role, cost.created_at);
                (entry.phase, entry.ended) = ("asked".into(), false);
                entry
            });
            if entry.role == Role::Bystander && asked {
                entry.role = Role::Auditor;
            }
            entry.amounts.transactions += 1;
            entry.amounts.fees = entry.amounts.fees.saturating_add(cost.fee);
            entry.amounts.priority_fees = entry
                .amounts
                .priority_fees
                .saturating_add(cost.priority_fee);
            // A panel that is gone gave its rent back, whoever closed it.
            if !ended.contains(&(cost.job, cost.attempt)) {
                entry.amounts.rent = entry.amounts.rent.saturating_add(cost.rent.unwrap_or(0));
            }
            entry.amounts.unconfirmed += u64::from(!cost.recorded);
            if matches!(entry.role, Role::Bystander) || entry.phase == "asked" {
                entry.at = entry.at.max(cost.created_at);
            }
        }
        let mut all: Vec<Booked> = books.into_values().collect();
        all.sort_by_key(|booked| (booked.at, booked.job, booked.attempt));
        Ok(all)
    }

    /// The attempts of the jobs table, without audits and costs.
    fn own_jobs(&self) -> Result<Books, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT job, attempt, requester, model, price, earned, phase, ended, claimed_at, changed_at,
                     collateral, ceiling, fee_bps,
                     coalesce(compute_ms, 0), energy_mj,
                     EXISTS (SELECT 1 FROM members JOIN transactions USING (signature)
                         WHERE members.job = jobs.job AND members.attempt = jobs.attempt
                         AND members.step = 'release' AND state = 'landed'),
                     EXISTS (SELECT 1 FROM members JOIN transactions USING (signature)
                         WHERE members.job = jobs.job AND members.attempt = jobs.attempt
                         AND members.step = 'finalize' AND state = 'landed')
                 FROM jobs LEFT JOIN results USING (job, attempt)",
            )?;
            let rows = statement.query_map([], read)?;
            rows.map(|row| {
                let booked = row??;
                Ok(((booked.job, booked.attempt), booked))
            })
            .collect()
        })
    }

    /// Adds what audits brought; returns which have ended.
    fn audits_brought(&self, books: &mut Books) -> Result<BTreeSet<(Address, u8)>, StoreError> {
        let mut ended = BTreeSet::new();
        self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT job, attempt, level, requester, model, stake, earnings, compute_ms, at, energy_mj
                 FROM brought
                 ORDER BY job, attempt, level",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let address = |column: usize| -> Result<Address, StoreError> {
                    let bytes: Vec<u8> = row.get(column)?;
                    Ok(Address::new_from_array(bytes32(&bytes, "an audit's books")?))
                };
                let (job, attempt, level) = (address(0)?, row.get(1)?, row.get::<_, u8>(2)?);
                let (stake, earnings): (i64, i64) = (row.get(5)?, row.get(6)?);
                let at = row.get(8)?;
                let (requester, model) = (address(3)?, address(4)?);
                ended.insert((job, attempt));
                let entry = books.entry((job, attempt)).or_insert_with(|| {
                    let mut entry = Booked::new(job, attempt, Role::Auditor, at);
                    (entry.requester, entry.model) = (Some(requester), Some(model));
                    entry.phase = "ended".into();
                    entry
                });
                entry.at = entry.at.max(at);
                if level > 0 {
                    entry.amounts.audits_earned = entry.amounts.audits_earned.saturating_add(earnings);
                    entry.amounts.bonds_lost = entry.amounts.bonds_lost.saturating_sub(stake);
                    entry.computed(row.get(7)?, row.get(9)?);
                } else if entry.role == Role::Primary {
                    // The verdict's sums, in the place of what the job's end alone suggested.
                    (entry.amounts.earned, entry.amounts.slashed) = (earnings, stake.saturating_neg());
                    entry.unknown = false;
                }
            }
            Ok(())
        })?;
        Ok(ended)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Result<Booked, StoreError>> {
    let address = |column: usize| -> rusqlite::Result<Result<[u8; 32], StoreError>> {
        Ok(bytes32(&row.get::<_, Vec<u8>>(column)?, "an address"))
    };
    let (job, requester, model) = (address(0)?, address(2)?, address(3)?);
    let attempt = row.get(1)?;
    let (price, earned): (i64, i64) = (row.get(4)?, row.get(5)?);
    let (phase, ended): (String, bool) = (row.get(6)?, row.get(7)?);
    let (began_at, at) = (row.get(8)?, row.get(9)?);
    let terms: [Option<i64>; 3] = [row.get(10)?, row.get(11)?, row.get(12)?];
    let (compute_ms, energy_mj): (i64, Option<i64>) = (row.get(13)?, row.get(14)?);
    let (released, finalized): (bool, bool) = (row.get(15)?, row.get(16)?);
    Ok((|| {
        let mut booked = Booked::new(
            Address::new_from_array(job?),
            attempt,
            Role::Primary,
            began_at,
        );
        booked.requester = Some(Address::new_from_array(requester?));
        booked.model = Some(Address::new_from_array(model?));
        (booked.at, booked.ended) = (at, ended);
        booked.computed(compute_ms, energy_mj);
        let [collateral, ceiling, fee] = terms.map(|term| term.map(loaded));
        let amounts = collateral.zip(ceiling);
        let amounts = amounts.map(|(stake, ceiling)| (Lamports(stake), Lamports(ceiling)));
        // What happened where the account was closed before its end could be read.
        let happened = match phase.as_str() {
            "gone" if finalized => "settled",
            other => other,
        };
        match happened {
            "settled" => {
                booked.amounts.price = loaded(price);
                let fee = fee.and_then(|fee| u16::try_from(fee).ok());
                let split = fee.and_then(|fee| {
                    split_price(Lamports(booked.amounts.price), BasisPoints(fee)).ok()
                });
                booked.amounts.market_share = split.map_or(0, |split| split.fee.0);
                // An audited job's may have been corrected; a closed one's was never noted.
                booked.amounts.earned = match split {
                    Some(split) if phase == "gone" => signed(split.earned.0),
                    Some(_) | None => earned,
                };
                booked.unknown = phase == "gone" && split.is_none();
            }
            "lost" | "faulted" => match amounts {
                Some((collateral, ceiling)) => {
                    booked.amounts.slashed = signed(match (happened, released) {
                        ("faulted", _) => collateral.0,
                        (_, true) => release_slash(collateral, ceiling).0,
                        (_, false) => late_slash(collateral, ceiling).0,
                    });
                }
                None => booked.unknown = true,
            },
            "gone" => booked.unknown = true,
            _ => {}
        }
        booked.phase = phase;
        Ok(booked)
    })())
}

fn signed(lamports: u64) -> i64 {
    i64::try_from(lamports).unwrap_or(i64::MAX)
}
