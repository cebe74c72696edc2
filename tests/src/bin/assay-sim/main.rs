//! `make sim`: what honesty and dishonesty bring under the market's own rules. Tables to stdout, the picture and the
//! numbers to files.

use std::{env, fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use assay_tests::sim::study::Study;

mod plot;
mod tables;

/// Jobs of one market where ASSAY_SIM_JOBS says nothing.
const JOBS: u64 = 3_000;
const SEED: u64 = 1;

fn main() -> Result<()> {
    let folder = PathBuf::from(
        env::args()
            .nth(1)
            .context("give the folder for simulation.svg and simulation.json")?,
    );
    let study = Study::run(
        number("ASSAY_SIM_SEED", SEED)?,
        number("ASSAY_SIM_JOBS", JOBS)?,
        |what| {
            eprintln!("simulating: {what}");
        },
    );
    print!("{}", tables::all(&study));
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write("simulation.json", &format!("{:#}\n", study.json()))?;
    write("simulation.svg", &plot::picture(&study)?)?;
    if study.broken_promises() != 0 {
        bail!("an honest primary was slashed although level 2 was not captured: see the tables");
    }
    Ok(())
}

/// A positive number from the environment.
fn number(name: &str, otherwise: u64) -> Result<u64> {
    let Ok(text) = env::var(name) else {
        return Ok(otherwise);
    };
    match text.parse() {
        Ok(number) if number >= 20 || name == "ASSAY_SIM_SEED" => Ok(number),
        _ => bail!("{name} is {text}; give a number, of jobs at least 20"),
    }
}
