//! The study as text.

use std::fmt::Write as _;

use assay_tests::sim::{
    Behaviour,
    study::{Mixed, PROVIDERS, Study},
};

pub fn all(study: &Study) -> String {
    let mut text = format!(
        "seed {}, {} jobs a market, {PROVIDERS} providers of equal stake; money in K, the most a job costs\n",
        study.seed, study.jobs
    );
    mixed(&mut text, &study.mixed);
    costs(&mut text, study);
    cheating(&mut text, study);
    wrecking(&mut text, study);
    captured(&mut text, study);
    thin(&mut text, study);
    griefing(&mut text, study);
    text
}

fn line(text: &mut String, row: &str) {
    writeln!(text, "{row}").expect("writing to a string");
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn mixed(text: &mut String, mixed: &Mixed) {
    let tally = &mixed.tally;
    line(
        text,
        &format!(
            "\nA mixed market: {} jobs at an audit rate of {}, stakes never refilled",
            tally.jobs,
            percent(f64::from(mixed.audit_bps) / 10_000.0)
        ),
    );
    line(
        text,
        "  behaviour    members    jobs   wrong   drawn  slashed    seats   lost  profit each  stake left each",
    );
    for behaviour in Behaviour::ALL {
        let (members, profit, left) = mixed.cohort(behaviour);
        if members == 0 {
            continue;
        }
        let row = tally.row(behaviour);
        line(
            text,
            &format!(
                "  {:<12} {members:>7} {:>7} {:>7} {:>7} {:>8} {:>8} {:>6} {profit:>12.2} {left:>16.1}",
                behaviour.name(),
                row.jobs,
                row.wrong,
                row.wrong_drawn + row.right_drawn,
                row.wrong_faulted + row.right_faulted,
                row.seats,
                row.seats_lost
            ),
        );
    }
    line(
        text,
        &format!(
            "  honest slashes {}, truthful auditors' bonds lost {}, cheats drawn {}, slashed {}, unresolved {}",
            tally.sum(|row| row.right_faulted),
            tally.sum(|row| row.truthful_lost),
            tally.sum(|row| row.wrong_drawn),
            tally.sum(|row| row.wrong_faulted),
            tally.sum(|row| row.wrong_unresolved)
        ),
    );
}

fn costs(text: &mut String, study: &Study) {
    line(
        text,
        "\nWhat audits cost requesters in an honest market, as a share of what they pay for answers",
    );
    line(
        text,
        "  audit rate  collateral     drawn  audit cost  honest slashes",
    );
    for cost in &study.costs {
        line(
            text,
            &format!(
                "  {:>10} {:>9.1} K {:>9} {:>11} {:>15}",
                percent(f64::from(cost.audit_bps) / 10_000.0),
                cost.collateral as f64 / assay_tests::sim::CEILING as f64,
                cost.drawn,
                percent(cost.share_of_turnover),
                cost.honest_slashes
            ),
        );
    }
}

fn cheating(text: &mut String, study: &Study) {
    line(
        text,
        "\nReturn on cheating: K for a job cheated, beyond honesty (computing costs 0.4 K, cheating 0.04 K)",
    );
    line(
        text,
        "  who         stake   audit rate    drawn   caught  escape expected    return        +-",
    );
    for cell in &study.returns {
        line(
            text,
            &format!(
                "  {:<10} {:>6} {:>12} {:>8} {:>8} {:>16} {:>9.3} {:>9.3}{}",
                cell.behaviour.name(),
                percent(cell.share()),
                percent(f64::from(cell.audit_bps) / 10_000.0),
                cell.drawn,
                percent(cell.caught),
                percent(cell.expected_escape),
                cell.per_job,
                cell.error,
                if cell.per_job > 0.0 {
                    "  cheating wins"
                } else {
                    ""
                }
            ),
        );
    }
}

fn wrecking(text: &mut String, study: &Study) {
    line(
        text,
        "\nA group that dissents against everybody else, by another root (wrecking) or by claiming that hints were",
    );
    line(text, "withheld (denying), every job drawn");
    line(
        text,
        "  how        stake   honest drawn  honest slashed  expected  without capture  return for a drawn job",
    );
    for wreck in &study.wrecks {
        line(
            text,
            &format!(
                "  {:<8} {:>6} {:>14} {:>15} {:>9} {:>16} {:>23.3}{}",
                wreck.behaviour.name(),
                percent(wreck.share()),
                wreck.drawn,
                wreck.slashed,
                percent(wreck.expected),
                wreck.uncaptured,
                wreck.per_drawn,
                if wreck.per_drawn > 0.0 {
                    "  slashing wins"
                } else {
                    ""
                }
            ),
        );
    }
}

fn captured(text: &mut String, study: &Study) {
    line(
        text,
        "\nA group holds three of level 2's five seats, everybody joining",
    );
    line(
        text,
        "   stake     panels  measured  expected  in a large market",
    );
    for captured in &study.captured {
        line(
            text,
            &format!(
                "  {:>6} {:>10} {:>8.3}% {:>8.3}% {:>17.3}%",
                percent(captured.share()),
                captured.panels,
                100.0 * captured.measured,
                100.0 * captured.expected,
                100.0 * captured.large
            ),
        );
    }
}

fn thin(text: &mut String, study: &Study) {
    line(
        text,
        "\nOne provider before few auditors, every job drawn: what becomes of its cheats",
    );
    line(
        text,
        "  auditors   slashed  unresolved      paid   honest slashed, unpaid",
    );
    for thin in &study.thin {
        line(
            text,
            &format!(
                "  {:>8} {:>9} {:>11} {:>9} {:>15} {:>8}",
                thin.auditors,
                percent(thin.slashed),
                percent(thin.unresolved),
                percent(thin.paid),
                thin.honest_slashed,
                thin.honest_unpaid
            ),
        );
    }
    line(
        text,
        "\nThe same before auditors of which a share takes its seats and vanishes",
    );
    line(
        text,
        "   offline   slashed  unresolved      paid   honest slashed, unpaid",
    );
    for offline in &study.offline {
        line(
            text,
            &format!(
                "  {:>8} {:>9} {:>11} {:>9} {:>15} {:>8}",
                percent(offline.share()),
                percent(offline.slashed),
                percent(offline.unresolved),
                percent(offline.paid),
                offline.honest_slashed,
                offline.honest_unpaid
            ),
        );
    }
}

fn griefing(text: &mut String, study: &Study) {
    line(
        text,
        "\nA group that computes honestly and serves its hints to level 2 only, every job drawn",
    );
    line(
        text,
        "   stake     drawn    upheld  truthful seats that lost  group  other providers",
    );
    for grief in &study.griefing {
        line(
            text,
            &format!(
                "  {:>6} {:>9} {:>9} {:>25} {:>6.2} {:>16.2}{}",
                percent(grief.share()),
                grief.drawn,
                grief.upheld,
                grief.truthful_lost,
                grief.group,
                grief.others,
                if grief.group > 0.0 {
                    "  withholding wins"
                } else {
                    ""
                }
            ),
        );
    }
}
