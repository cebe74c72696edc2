//! The life of one job, by the rules' own moves.

use assay_client::protocol::{
    Address, Digest, JobData, JobStatus, Lamports, ModelData, PanelData, UnixSeconds,
    amount::{BasisPoints, split_price},
    args::{JobCommitArgs, JobFinalizeArgs},
    commitment::{Opening as Commitment, Role, secret_hash},
    job::{Finalized, JobPanels, Opening},
    verdict::{Resolution, Verdict},
};
use bytemuck::Zeroable;

use super::{
    Scenario,
    agent::Behaviour,
    answer::{Answer, Sealed},
    court,
    dice::Dice,
    tally::{Ending, Seat},
    town::Town,
};

pub const PROGRAM: Address = Address::new_from_array([0xa5; 32]);

/// One job under way.
pub struct Trial<'a> {
    pub scenario: &'a Scenario,
    pub town: &'a mut Town,
    pub dice: Dice,
    pub job: JobData,
    pub address: Address,
    pub primary: usize,
    pub now: UnixSeconds,
    pub truth: Answer,
    pub sealed: Sealed,
    pub salt: [u8; 32],
    /// Whether the primary's answer is what the model gives.
    pub right: bool,
    /// Whether auditors can have the primary's plaintext.
    pub leaked: bool,
    /// An offline primary that comes back for nothing.
    pub silent: bool,
    pub panels: [Option<PanelData>; 2],
    /// Of each level: who sits where, and whether it told the truth.
    pub truthful: [Vec<(usize, bool)>; 2],
}

/// Runs the job of this number to its end; returns it with the primary's answer. None if nobody could take it.
pub fn run(
    scenario: &Scenario,
    town: &mut Town,
    number: u64,
    now: UnixSeconds,
    last: &Answer,
) -> Option<(Ending, Answer)> {
    // What is computed and what happens to the job have dice of their own: the same jobs are drawn and the same
    // providers take them whatever they answer, so two ways to behave can be compared job by job.
    let mut dice = Dice::new(scenario.seed, 2 * number);
    let mut content = Dice::new(scenario.seed, 2 * number + 1);
    let collateral = Lamports(scenario.terms.collateral);
    let able = town.able(collateral, scenario.primaries);
    if able.is_empty() {
        return None;
    }
    let primary = able[dice.below(able.len())];
    let truth = Answer::truth(&mut content);
    let behaviour = town.members[primary].behaviour;
    let (answer, cost) = behaviour.answer(&truth, last, &scenario.costs, &mut content);
    town.members[primary].cost += cost;
    let sealed = answer.seal();
    // Judged by the market's own comparison, not assumed from the behaviour.
    let right = truth.computed(&mut content).audit(&sealed.hints) == sealed.root;
    let mut trial = Trial {
        scenario,
        job: JobData::zeroed(),
        address: Address::new_from_array(dice.bytes()),
        primary,
        now,
        truth,
        sealed,
        salt: dice.bytes(),
        right,
        leaked: dice.chance(scenario.leak),
        silent: false,
        panels: [None, None],
        truthful: [Vec::new(), Vec::new()],
        town,
        dice,
    };
    trial.open();
    let ending = trial.live(behaviour);
    trial.town.check(0);
    Some((ending, answer))
}

impl Trial<'_> {
    fn open(&mut self) {
        let at = Opening {
            requester: Address::new_from_array([1; 32]),
            model: Address::new_from_array([2; 32]),
            open_slot: 1,
            index: 0,
            bump: 255,
            now: self.now,
        };
        let terms = &self.scenario.terms;
        self.job
            .open(&at, terms, &self.town.params, &ModelData::zeroed());
        let escrow = terms.escrow().expect("terms were checked");
        self.job.escrow = escrow.0;
        self.town.paid_in += escrow.0;
    }

    fn live(&mut self, behaviour: Behaviour) -> Ending {
        let offered = self.dice.below(60);
        self.wait(offered);
        let (address, generation) = self.primary_key();
        let collateral = Lamports(self.job.collateral);
        self.provider().reserve(collateral).expect("it was able");
        self.job
            .claim(address, generation, self.now)
            .expect("an open job");
        let mood = if behaviour == Behaviour::Offline {
            self.dice.below(4)
        } else {
            4
        };
        if mood < 2 {
            return self.late(behaviour);
        }
        self.silent = mood == 3;
        let secrets = [self.dice.bytes(), self.scenario.requester_secret];
        let args = JobCommitArgs {
            commitment: self.commitment(Role::Primary, self.primary, &self.sealed.root, &self.salt),
            worker_secret_hash: secret_hash(&secrets[0]).0,
            hints_digest: self.sealed.hints_digest,
            attempt: 0,
        };
        self.job.commit(&args, self.now).expect("in time");
        self.job.hints_digest = self.sealed.hints_digest;
        if mood == 2 {
            return self.unfinalized(behaviour);
        }
        self.finalize(secrets, behaviour)
    }

    /// Expires the claim; the requester then takes the job back.
    fn late(&mut self, behaviour: Behaviour) -> Ending {
        self.wait(1_000_000);
        let lost = self.job.expire_claim(self.now).expect("late");
        self.slash(lost.slash);
        let refund = self.job.cancel(self.now).expect("open again");
        self.ending(behaviour, None, refund, Lamports::ZERO)
    }

    fn unfinalized(&mut self, behaviour: Behaviour) -> Ending {
        self.wait(1_000_000);
        let lost = self.job.fault_unfinalized(self.now).expect("long overdue");
        self.slash(lost.slash);
        self.ending(behaviour, None, lost.refund, Lamports::ZERO)
    }

    fn slash(&mut self, slash: Lamports) {
        let collateral = Lamports(self.job.collateral);
        self.provider()
            .unreserve(collateral, slash)
            .expect("reserved");
        self.town.burned += slash.0;
    }

    fn finalize(&mut self, secrets: [[u8; 32]; 2], behaviour: Behaviour) -> Ending {
        let acknowledged = self.dice.chance(self.scenario.acknowledged);
        if !acknowledged {
            self.wait(3_601);
        }
        let args = JobFinalizeArgs {
            worker_secret: secrets[0],
            requester_secret: secrets[1],
            acknowledged: u8::from(acknowledged),
        };
        let (slot, now) = (self.slot(), self.now);
        match self
            .job
            .finalize(&self.address, &args, slot, now)
            .expect("both secrets fit")
        {
            Finalized::Settled(settlement) => {
                let collateral = Lamports(self.job.collateral);
                let provider = self.provider();
                provider
                    .unreserve(collateral, Lamports::ZERO)
                    .expect("reserved");
                provider.earn(settlement.split).expect("a few SOL");
                let price = Lamports(self.job.price);
                self.ending(behaviour, None, settlement.refund, price)
            }
            Finalized::Audited => self.audited(behaviour),
        }
    }

    fn audited(&mut self, behaviour: Behaviour) -> Ending {
        court::sit(self);
        let mut resolution = self.resolve();
        if resolution.status == JobStatus::Appealing {
            court::sit(self);
            resolution = self.resolve();
        }
        self.book(&resolution);
        let mut ending = self.ending(
            behaviour,
            Some(resolution.verdict),
            resolution.refund,
            resolution.paid,
        );
        ending.captured = court::is_captured(self);
        ending.seats = self.settle();
        ending
    }

    fn resolve(&mut self) -> Resolution {
        let (slot, now) = (self.slot(), self.now);
        let [level1, level2] = &mut self.panels;
        let panels = JobPanels {
            level1: level1.as_mut(),
            level2: level2.as_mut(),
        };
        self.job
            .resolve(panels, slot, now)
            .expect("the panel is over")
    }

    /// The primary's part of a verdict.
    fn book(&mut self, resolution: &Resolution) {
        let collateral = Lamports(self.job.collateral);
        let fee = BasisPoints(self.job.fee_bps);
        let provider = self.provider();
        provider
            .unreserve(collateral, resolution.slash)
            .expect("reserved");
        if resolution.status == JobStatus::Settled {
            provider
                .earn(split_price(resolution.paid, fee).expect("a fee below 10 %"))
                .expect("a few SOL");
            provider.earn_bonus(resolution.bonus).expect("a few SOL");
        }
        self.town.burned += resolution.burned.0;
    }

    /// Pays every seat; returns what each won or lost.
    fn settle(&mut self) -> Vec<Seat> {
        let mut seats = Vec::new();
        for level in 0..2 {
            let Some(mut panel) = self.panels[level].take() else {
                continue;
            };
            for (position, (member, truthful)) in (0..).zip(self.truthful[level].clone()) {
                let held = (
                    &self.town.members[member].address,
                    self.town.members[member].data.generation,
                );
                let settled = panel.settle_seat(position, held).expect("a resolved panel");
                let auditor = &mut self.town.members[member];
                auditor.data.settle_seat(&settled).expect("a seat it holds");
                let signed = |amount: Lamports| i64::try_from(amount.0).expect("a few SOL");
                seats.push(Seat {
                    auditor: auditor.behaviour,
                    truthful,
                    gain: signed(settled.payout) - signed(settled.bond),
                });
            }
            panel.require_closable().expect("every seat is settled");
        }
        seats
    }

    fn ending(
        &mut self,
        primary: Behaviour,
        verdict: Option<Verdict>,
        refund: Lamports,
        paid: Lamports,
    ) -> Ending {
        self.town.paid_back += refund.0;
        let escrow = self.scenario.terms.escrow().expect("terms were checked");
        Ending {
            primary,
            right: self.right,
            status: self.job.status().expect("a status"),
            verdict,
            drawn: verdict.is_some(),
            captured: false,
            price: paid.0,
            fees: escrow.0.saturating_sub(refund.0).saturating_sub(paid.0),
            seats: Vec::new(),
        }
    }

    pub fn commitment(
        &self,
        role: Role,
        member: usize,
        root: &[u8; 32],
        salt: &[u8; 32],
    ) -> [u8; 32] {
        let member = &self.town.members[member];
        Commitment {
            program_id: &PROGRAM,
            job: &self.address,
            attempt: 0,
            role,
            provider: &member.address,
            generation: member.data.generation,
            salt,
            root: &Digest(*root),
            hints_digest: &Digest(self.sealed.hints_digest),
            runtime_class: &[0; 32],
        }
        .commitment()
        .0
    }

    pub fn wait(&mut self, secs: usize) {
        self.now.0 += i64::try_from(secs).expect("a few days");
    }

    pub fn slot(&self) -> u64 {
        self.now.0.unsigned_abs() * 5 / 2
    }

    fn provider(&mut self) -> &mut assay_client::protocol::ProviderData {
        &mut self.town.members[self.primary].data
    }

    fn primary_key(&self) -> (Address, u64) {
        let member = &self.town.members[self.primary];
        (member.address, member.data.generation)
    }
}
