//! A panel at work: who is drawn, what each found, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use assay_client::{
    Event, address,
    protocol::{
        Address, JobData, JobStatus, Lamports, PanelData, UnixSeconds, sortition::best_ticket,
    },
};
use assay_tests::e2e::{Landed, Stage};

use crate::{
    people::People,
    screen::{Screen, grouped, short},
};

/// The panel of level 1, up to its dissent.
pub fn first(screen: &Screen, stage: &Stage, people: &People, job: &Address) -> Result<()> {
    screen.passing("waiting for the slot whose hash draws the lots");
    let everybody = lots(stage, people, job, 1, &BTreeSet::new())?;
    sit(screen, stage, job, 1, &everybody)?;
    screen.passing("the auditors compute, commit and reveal");
    stage.wait_job(job, JobStatus::Appealing)?;
    screen.clear();
    let history = stage.history(&address::panel(job, 1))?;
    show(screen, stage, people, job, &everybody, &history)?;
    screen.fact(
        "so",
        "they disagree with the provider: a second panel decides",
    );
    Ok(())
}

/// The panel of level 2, up to its last seat's pay.
pub fn second(screen: &Screen, stage: &Stage, people: &People, job: &Address) -> Result<()> {
    let before = stage.history(&address::panel(job, 1))?;
    let seated = joined(&before).into_keys().collect();
    screen.passing("waiting for the slot whose hash draws the lots");
    let rest = lots(stage, people, job, 2, &seated)?;
    sit(screen, stage, job, 2, &rest)?;
    screen.passing("the auditors compute, commit and reveal");
    stage.wait_job(job, JobStatus::Faulted)?;
    screen.passing("seats are paid, panels closed");
    for level in [1, 2] {
        stage.wait_gone(&address::panel(job, level))?;
    }
    screen.clear();
    let history = stage.history(&address::panel(job, 2))?;
    show(screen, stage, people, job, &rest, &history)
}

/// Everybody's best lot for a panel, the lowest first.
fn lots(
    stage: &Stage,
    people: &People,
    job: &Address,
    level: u8,
    barred: &BTreeSet<Address>,
) -> Result<Vec<(u64, Address)>> {
    let data: JobData = stage.get(job)?;
    let panel = stage.wait_panel(job, level, "its opening", |_| true)?;
    let mut lots = Vec::new();
    for person in people.peers(&data.provider) {
        let provider = person.provider.address;
        let tickets = person
            .provider
            .data(stage)?
            .tickets(Lamports(data.ticket_stake));
        let tickets = tickets.ok().context("a stake has tickets")?;
        if let (false, Some((_, score))) = (
            barred.contains(&provider),
            best_ticket(&panel.seed, &provider, tickets),
        ) {
            lots.push((score, provider));
        }
    }
    lots.sort_unstable();
    Ok(lots)
}

/// Waits until the lowest lots sit. Nobody can evict them any more, so the clock is moved to the window's end.
fn sit(
    screen: &Screen,
    stage: &Stage,
    job: &Address,
    level: u8,
    lots: &[(u64, Address)],
) -> Result<()> {
    screen.passing("auditors fetch model and input and take their seats");
    let over = |panel: &PanelData| stage.now().is_ok_and(|now| now.0 > panel.join_deadline);
    let drawn = |panel: &PanelData| {
        let mut best = lots.iter().take(usize::from(panel.size));
        best.all(|(_, provider)| panel.seats_provider(provider))
    };
    let seated = |panel: &PanelData| drawn(panel) || over(panel);
    let panel = stage.wait_panel(job, level, "the lowest lots to sit", seated)?;
    let left = panel.join_deadline - stage.now()?.0;
    stage.pass(UnixSeconds(panel.join_deadline))?;
    screen.clear();
    if left >= 0 {
        let why = "the lowest lots sit, nobody can win a seat now";
        screen.fact("clock", &format!("{} s forward: {why}", left + 1));
    }
    Ok(())
}

/// Shows the lots, the seats and their roots beside the primary's.
fn show(
    screen: &Screen,
    stage: &Stage,
    people: &People,
    job: &Address,
    lots: &[(u64, Address)],
    history: &[Landed],
) -> Result<()> {
    let data: JobData = stage.get(job)?;
    let root = |root: &[u8; 32]| short(&hex::encode(root), 16);
    let primary = people.name(&data.provider);
    screen.fact(
        primary,
        &format!("{:<28} root {}", "the provider", root(&data.root)),
    );
    let (bonds, roots) = (joined(history), revealed(history));
    for (score, provider) in lots {
        // A lot as a part of all that there are; whole thousandths are exact enough to be seen.
        let thousandths = (u128::from(*score) * 1_000) >> 64;
        let lot = format!("lot 0.{thousandths:03}");
        let said = match (bonds.get(provider), roots.get(provider)) {
            (Some(bond), Some(found)) => {
                let verdict = if *found == data.root {
                    screen.good("✓ equal")
                } else {
                    screen.bad("✗ differs")
                };
                let bond = format!("bond {}", grouped(*bond));
                format!("{lot}   {bond:<16} root {}  {verdict}", root(found))
            }
            (Some(_), None) => format!("{lot}   sat and never revealed"),
            (None, _) => screen.dim(&format!("{lot}   does not sit: the lowest lots do")),
        };
        screen.fact(people.name(provider), &said);
    }
    let all: Vec<&Landed> = history.iter().filter(|landed| landed.succeeded).collect();
    screen.transactions("panel_*", &all, "workers");
    Ok(())
}

/// Who took a seat, with the bond.
fn joined(history: &[Landed]) -> BTreeMap<Address, u64> {
    let mut seats = BTreeMap::new();
    for event in history.iter().flat_map(|landed| &landed.events) {
        if let Event::PanelJoined(joined) = event {
            seats.remove(&joined.evicted);
            seats.insert(joined.provider, joined.bond);
        }
    }
    seats
}

/// Who revealed which root.
fn revealed(history: &[Landed]) -> BTreeMap<Address, [u8; 32]> {
    let events = history.iter().flat_map(|landed| &landed.events);
    let roots = events.filter_map(|event| match event {
        Event::PanelRevealed(revealed) => Some((revealed.provider, revealed.root)),
        _ => None,
    });
    roots.collect()
}
