//! `assay-worker ps`: what the running worker has loaded and works on.

use comfy_table::{CellAlignment, Table, presets::NOTHING};

use super::{Ended, amount::sol, block_on, print, print_json};
use crate::{
    config::Config,
    control::{
        client::Client,
        snapshot::{Audit, Engine, Job, Snapshot},
    },
};

pub fn show(config: &Config, json: bool) -> Result<(), Ended> {
    let snapshot = block_on(async { Ok(Client::find(config)?.snapshot().await?) })?;
    if json {
        return Ok(print_json(&snapshot)?);
    }
    Ok(print(&text(&snapshot))?)
}

fn text(snapshot: &Snapshot) -> String {
    let mut parts = vec![standing(snapshot)];
    if snapshot.engines.is_empty() {
        parts.push("no model is loaded\n".to_owned());
    } else {
        parts.push(engines(&snapshot.engines));
    }
    if snapshot.jobs.is_empty() {
        parts.push("no jobs\n".to_owned());
    } else {
        parts.push(jobs(&snapshot.jobs, snapshot.chain_time));
    }
    if !snapshot.audits.is_empty() {
        parts.push(audits(&snapshot.audits, snapshot.chain_time));
    }
    parts.join("\n")
}

fn standing(snapshot: &Snapshot) -> String {
    let standing = &snapshot.standing;
    let up = snapshot.at.saturating_sub(snapshot.started_at);
    let mut out = format!(
        "{}, up for {}, {} open jobs watched\n",
        standing.state.name(),
        span(up),
        snapshot.watched
    );
    for reason in &standing.reasons {
        out.push_str(&format!("  {}\n", plain(&reason.detail)));
    }
    out
}

fn engines(engines: &[Engine]) -> String {
    let mut table = table(
        &[
            "MODEL", "FOR", "STATE", "RUNS ON", "MEMORY", "RUNS", "MEDIAN", "95 %",
        ],
        4,
    );
    for engine in engines {
        let placement = engine.placement.iter();
        let placement: Vec<String> = placement
            .map(|placed| format!("{} {}", plain(&placed.provider), placed.nodes))
            .collect();
        table.add_row([
            or_dash(
                engine
                    .model
                    .as_deref()
                    .map(|digest| model(engine.model_name.as_deref(), digest)),
            ),
            if engine.sessions { "sessions" } else { "jobs" }.to_owned(),
            engine.state.clone(),
            or_dash((!placement.is_empty()).then(|| placement.join(", "))),
            or_dash(engine.memory.map(bytes)),
            engine.runs.to_string(),
            or_dash(engine.median_ms.map(|ms| format!("{ms:.1} ms"))),
            or_dash(engine.p95_ms.map(|ms| format!("{ms:.1} ms"))),
        ]);
    }
    finished(&table)
}

fn jobs(jobs: &[Job], now: Option<i64>) -> String {
    let mut table = table(
        &["JOB", "MODEL", "STATE", "TIME LEFT", "RUN TAKES", "PRICE"],
        5,
    );
    for job in jobs {
        let ours = if job.ours { "" } else { " (open)" };
        table.add_row([
            job.job.clone(),
            model(job.model_name.as_deref(), &job.model),
            format!("{}{ours}", job.phase),
            left(job.deadline, now, job.deadline_for.as_deref()),
            or_dash(job.estimate_ms.map(|ms| format!("{ms} ms"))),
            sol(job.price),
        ]);
    }
    finished(&table)
}

fn audits(audits: &[Audit], now: Option<i64>) -> String {
    let mut table = table(
        &[
            "AUDIT OF",
            "ROLE",
            "LEVEL",
            "SEAT",
            "PANEL",
            "TIME LEFT",
            "AT STAKE",
        ],
        6,
    );
    for audit in audits {
        table.add_row([
            audit.job.clone(),
            audit.role.clone(),
            audit.level.to_string(),
            or_dash(audit.seat.clone()),
            or_dash(audit.phase.clone()),
            left(audit.deadline, now, None),
            sol(audit.at_stake),
        ]);
    }
    finished(&table)
}

/// Columns from `numbers` on are figures.
fn table(columns: &[&str], numbers: usize) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(columns);
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
        if column.index >= numbers {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn finished(table: &Table) -> String {
    let lines = table.lines().map(|line| format!("{}\n", line.trim_end()));
    lines.collect()
}

fn left(deadline: Option<i64>, now: Option<i64>, action: Option<&str>) -> String {
    let (Some(deadline), Some(now)) = (deadline, now) else {
        return or_dash(None);
    };
    let seconds = deadline.saturating_sub(now);
    let action = action.map_or_else(String::new, |action| format!(" to {action}"));
    if seconds < 0 {
        format!("over for {}", span(seconds.saturating_neg()))
    } else {
        format!("{}{action}", span(seconds))
    }
}

/// In the largest unit that fills, and the next.
pub(super) fn span(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ ..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds @ ..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        seconds => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

fn bytes(count: u64) -> String {
    format!("{:.1} MiB", count as f64 / f64::from(1 << 20))
}

fn model(name: Option<&str>, digest: &str) -> String {
    let digest: String = digest.chars().take(12).collect();
    name.map_or_else(
        || digest.clone(),
        |name| format!("{} ({digest})", plain(name)),
    )
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

/// What strangers wrote, without what would steer a terminal, hide, or turn round what stands beside it.
pub(super) fn plain(text: &str) -> String {
    let hides = |letter: char| {
        matches!(letter, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}')
    };
    let shown = |letter: char| {
        if letter.is_control() || hides(letter) {
            '\u{fffd}'
        } else {
            letter
        }
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::snapshot::{Placed, Reason, Standing, State};

    fn snapshot() -> Snapshot {
        Snapshot {
            at: 5_000,
            started_at: 1_000,
            chain_time: Some(100),
            watched: 3,
            standing: Standing {
                state: State::Draining,
                reasons: vec![Reason {
                    detail: "drained by \u{1b}[31mthe operator".into(),
                    ..Reason::default()
                }],
                ..Standing::default()
            },
            jobs: vec![Job {
                job: "US51".into(),
                phase: "running".into(),
                ours: true,
                price: 900_000,
                model: "abcdefabcdefabcdef".into(),
                model_name: Some("digits\n\u{1b}]0;owned\u{7}\u{202e}gnp".into()),
                deadline: Some(126),
                deadline_for: Some("commit".into()),
                estimate_ms: Some(12),
                ..Job::default()
            }],
            engines: vec![
                Engine {
                    model: Some("abcdefabcdefabcdef".into()),
                    state: "idle".into(),
                    placement: vec![Placed {
                        provider: "CPU".into(),
                        nodes: 7,
                    }],
                    memory: Some(3 << 20),
                    runs: 4,
                    median_ms: Some(1.25),
                    ..Engine::default()
                },
                Engine {
                    model: Some("fedcbafedcbafedcba".into()),
                    model_name: Some("chat".into()),
                    sessions: true,
                    state: "running".into(),
                    ..Engine::default()
                },
            ],
            ..Snapshot::default()
        }
    }

    #[test]
    fn jobs_and_engines_are_tables_of_plain_text() {
        let text = text(&snapshot());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "draining, up for 1 h 6 min, 3 open jobs watched");
        assert!(
            !text.contains('\u{1b}') && !text.contains(['\u{7}', '\u{202e}']),
            "{text:?}"
        );
        let line = |word: &str| *lines.iter().find(|line| line.contains(word)).unwrap();
        for word in ["jobs", "idle", "CPU 7", "3.0 MiB", "1.2 ms", "-"] {
            assert!(line("abcdefabcdef ").contains(word), "{word}: {text}");
        }
        for word in ["chat (fedcbafedcba)", "sessions", "running"] {
            assert!(line("fedcbafedcba").contains(word), "{word}: {text}");
        }
        for word in [
            "digits",
            "running",
            "26 s to commit",
            "12 ms",
            "0.000900000 SOL",
        ] {
            assert!(line("US51").contains(word), "{word}: {text}");
        }
    }

    #[test]
    fn worker_with_nothing_to_do_says_so() {
        let text = text(&Snapshot::default());
        assert!(
            text.contains("no model is loaded\n") && text.contains("no jobs\n"),
            "{text}"
        );
    }

    #[test]
    fn spans_have_two_units() {
        let spans = [-5, 59, 60, 3_599, 3_600, 86_399, 86_400].map(span);
        let wanted = [
            "0 s",
            "59 s",
            "1 min 0 s",
            "59 min 59 s",
            "1 h 0 min",
            "23 h 59 min",
            "1 d 0 h",
        ];
        assert_eq!(spans, wanted);
    }
}
