//! What a person can say about a calibration.

use std::path::PathBuf;

use clap::Args;

use crate::engine::EngineOptions;

pub const EXAMPLES: &str = "\
Examples:
  assay model calibrate net.onnx                       # inputs drawn from the model's shapes
  assay model calibrate models/digits.onnx --inputs models/calibration/digits --out docs/calibration
  assay model calibrate net.onnx --profile=-10,exact   # try a profile instead of choosing one
  assay model register net.onnx --profile-from net.json

Writes NET.json (the profile), NET.md (the report) and NET.svg (its picture) to --out. Fails, and writes no \
NET.json, if the profile does not tell honest results from cheating ones.

With QEMU's user emulation installed (Debian: qemu-user) the model is also run as on processors with other \
instruction sets.";

#[derive(Args, Debug)]
pub struct CalibrateOptions {
    /// The .onnx file
    pub file: PathBuf,
    /// Inputs: .safetensors files, folders of them, or what `assay job run --input` takes; drawn if none are given
    #[arg(long, num_args = 1.., value_name = "FILE_OR_DIR")]
    pub inputs: Vec<PathBuf>,
    /// How many inputs to draw when none are given
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(2..=1_000), value_name = "N")]
    pub runs: u16,
    /// Size of a named dimension of drawn inputs; by default 1 for a batch, 8 for others
    #[arg(long, value_parser = dimension, value_name = "NAME=SIZE")]
    pub dimension: Vec<(String, usize)>,
    /// Folder for profile, report and picture
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub out: PathBuf,
    /// How many times the largest honest deviation must fit into half a step. Other processors differ more than one
    /// machine can show, and a result near the edge of its cell must not divide honest auditors: 16 keeps the honest
    /// spread below a thirtieth of the step
    #[arg(long, default_value_t = 16.0, value_parser = safety, value_name = "F")]
    pub safety: f64,
    /// Compare outputs exactly that were bit-equal throughout. Other hardware may differ all the same
    #[arg(long, conflicts_with = "profile")]
    pub exact: bool,
    /// Try this profile instead of choosing one: `exact` or an exponent for each output, separated by commas
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub profile: Option<String>,
    /// Fewer variations
    #[arg(long)]
    pub quick: bool,
    /// Do not emulate other processors, even if QEMU is installed
    #[arg(long)]
    pub native: bool,
    #[command(flatten)]
    pub engine: EngineOptions,
}

fn dimension(text: &str) -> Result<(String, usize), String> {
    let (name, size) = text.split_once('=').ok_or("it must be NAME=SIZE")?;
    let size = size.parse().ok().filter(|size| *size > 0);
    Ok((
        name.to_owned(),
        size.ok_or("the size must be a positive number")?,
    ))
}

fn safety(text: &str) -> Result<f64, String> {
    let factor = text
        .parse()
        .ok()
        .filter(|factor| (2.0..=1e6).contains(factor));
    factor.ok_or_else(|| {
        "it must be a number from 2, where the spread is a quarter of the step, to 1000000".into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_or_refused_with_the_reason() {
        assert_eq!(dimension("time=12"), Ok(("time".into(), 12)));
        let wrong = ["time", "time=", "time=0", "time=-1"];
        assert!(wrong.iter().all(|text| dimension(text).is_err()));
        assert_eq!(safety("16"), Ok(16.0));
        let wrong = ["1", "nan", "inf", "x"];
        assert!(wrong.iter().all(|text| safety(text).is_err()));
    }
}
