//! The providers of a market and every lamport in it.

use assay_client::protocol::{
    Address, JobData, Lamports, ProviderData, UnixSeconds, market::MarketParams, panel::Joined,
    provider::Registration, sortition::best_ticket,
};

use super::agent::Behaviour;

/// Providers of one behaviour.
#[derive(Clone, Copy, Debug)]
pub struct Cohort {
    pub behaviour: Behaviour,
    pub count: usize,
    /// Of each, in lamports.
    pub stake: u64,
}

/// One provider.
#[derive(Clone, Debug)]
pub struct Member {
    pub address: Address,
    pub behaviour: Behaviour,
    pub data: ProviderData,
    /// The stake it began with.
    pub home: u64,
    pub deposited: u64,
    /// Spent on computing.
    pub cost: u64,
}

impl Member {
    /// What it has beyond what it paid in and spent, in lamports.
    pub fn profit(&self) -> i64 {
        let signed = |amount: u64| i64::try_from(amount).expect("a few SOL");
        signed(self.data.stake) + signed(self.data.earnings)
            - signed(self.deposited)
            - signed(self.cost)
    }
}

/// The market's parties: providers, and everybody else as one account of what went in and out.
#[derive(Clone, Debug)]
pub struct Town {
    pub members: Vec<Member>,
    pub params: MarketParams,
    /// Burned at the incinerator.
    pub burned: u64,
    /// By requesters into jobs, and back to them.
    pub paid_in: u64,
    pub paid_back: u64,
}

impl Town {
    pub fn new(cohorts: &[Cohort], params: MarketParams) -> Self {
        let mut members = Vec::new();
        for cohort in cohorts {
            for _ in 0..cohort.count {
                let number = u64::try_from(members.len()).expect("few providers");
                members.push(member(number, cohort, &params));
            }
        }
        Self {
            members,
            params,
            burned: 0,
            paid_in: 0,
            paid_back: 0,
        }
    }

    /// Nothing was created or lost: what everybody paid in is with a provider, with a requester or burned.
    pub fn check(&self, in_jobs: u64) {
        let sum = |of: fn(&Member) -> u64| -> u64 { self.members.iter().map(of).sum() };
        let held = sum(|member| member.data.money().expect("sums of lamports").0);
        let deposited = sum(|member| member.deposited);
        assert_eq!(
            deposited + self.paid_in,
            held + self.burned + self.paid_back + in_jobs,
            "lamports appeared or vanished"
        );
    }

    /// Which of the first so many providers could take a job now: collateral is free.
    pub fn able(&self, collateral: Lamports, first: usize) -> Vec<usize> {
        let free = |index: &usize| {
            self.members[*index]
                .data
                .free_stake()
                .expect("checked after every change")
        };
        (0..self.members.len().min(first))
            .filter(|index| free(index) >= collateral)
            .collect()
    }

    /// What the first so many providers have beyond what they paid in and spent, in lamports.
    pub fn profit(&self, first: usize) -> i64 {
        self.members.iter().take(first).map(Member::profit).sum()
    }

    /// Brings every stake back to where it began, so that a long run measures the same market throughout.
    pub fn restock(&mut self, now: UnixSeconds) {
        for member in &mut self.members {
            let lack = member.home.saturating_sub(member.data.stake);
            if lack > 0 {
                member
                    .data
                    .deposit(Lamports(lack), &self.params, now)
                    .expect("above the minimum");
                member.deposited += lack;
            }
        }
    }

    /// The ticket this provider would join with, where the rules admit it to the job's panel.
    pub fn ticket(&self, index: usize, job: &JobData, seed: &[u8; 32]) -> Option<u64> {
        let member = &self.members[index];
        let tickets = member
            .data
            .tickets(Lamports(job.ticket_stake))
            .expect("checked after every change");
        let (ticket, score) = best_ticket(seed, &member.address, tickets)?;
        let bond = Lamports(5 * job.audit_fee);
        let free = member
            .data
            .free_stake()
            .expect("checked after every change");
        let admitted = member.data.require_auditor(&member.address, job, ticket);
        (free >= bond && admitted.is_ok()).then_some(score)
    }

    /// Moves bonds as a seat is taken, and given up by whoever was evicted.
    pub fn seat(&mut self, index: usize, joined: &Joined, bond: Lamports) {
        self.members[index]
            .data
            .take_seat(bond)
            .expect("its free stake was checked");
        if joined.evicted != Address::default() {
            let evicted = self.find(&joined.evicted);
            self.members[evicted]
                .data
                .leave_seat(bond)
                .expect("it held a seat");
        }
    }

    pub fn find(&self, address: &Address) -> usize {
        self.members
            .iter()
            .position(|member| member.address == *address)
            .expect("a provider of this market")
    }
}

fn member(number: u64, cohort: &Cohort, params: &MarketParams) -> Member {
    let mut bytes = [0x77; 32];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    let address = Address::new_from_array(bytes);
    let at = Registration {
        authority: address,
        rent_payer: address,
        bump: 255,
        generation: number + 1,
        now: UnixSeconds(0),
    };
    let mut data = ProviderData::new(&at, params);
    data.deposit(Lamports(cohort.stake), params, UnixSeconds(0))
        .expect("above the minimum");
    Member {
        address,
        behaviour: cohort.behaviour,
        data,
        home: cohort.stake,
        deposited: cohort.stake,
        cost: 0,
    }
}
