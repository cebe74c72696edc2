//! One job of each model of this repository that runs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use assay_engine::{DType, Model, Tensor, to_safetensors};

/// A model and one input.
pub struct Job {
    pub name: String,
    pub model: Model,
    pub input: Vec<u8>,
}

/// The digits model, those of the calibration, and the odd ones that have an answer.
pub fn jobs() -> Vec<Job> {
    let models = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models"));
    let mut all = vec![job(
        &models.join("digits.onnx"),
        fs::read(models.join("digits/sample-0.safetensors")).unwrap(),
    )];
    for file in files(&models.join("calibration"), "onnx") {
        let inputs = files(&file.with_extension(""), "safetensors");
        let input = inputs
            .first()
            .unwrap_or_else(|| panic!("no input for {file:?}"));
        all.push(job(&file, fs::read(input).unwrap()));
    }
    let values = || floats("values", &[1.0, 2.0, 3.0, 4.0], &[4]);
    let odd = [
        (
            "gather_index",
            vec![values(), integers("index", &[2], &[1])],
        ),
        // An index out of range: the canonical error, which is an answer too.
        (
            "gather_index",
            vec![values(), integers("index", &[9], &[1])],
        ),
        (
            "reshape_data",
            vec![values(), integers("shape", &[2, 2], &[2])],
        ),
        ("specials", vec![floats("x", &[1.0, 0.0, -1.0], &[3])]),
        ("loop", vec![integers("turns", &[50], &[])]),
        ("fill", vec![integers("shape", &[100], &[1])]),
        (
            "shared_dimension",
            vec![
                floats("left", &[0.1, 0.2, 0.3], &[1, 3]),
                floats("right", &[0.7, 0.8, 0.9], &[1, 3]),
            ],
        ),
    ];
    for (name, input) in odd {
        let file = models.join(format!("odd/{name}.onnx"));
        let mut job = job(&file, to_safetensors(&input).unwrap());
        if all.last().is_some_and(|last: &Job| last.name == job.name) {
            job.name.push_str(" (fails)");
        }
        all.push(job);
    }
    all
}

fn job(file: &Path, input: Vec<u8>) -> Job {
    let name = file.file_stem().unwrap().to_string_lossy().into_owned();
    let model = Model::new(fs::read(file).unwrap());
    Job { name, model, input }
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|is| is == extension));
    files.sort();
    files
}

fn tensor(name: &str, dtype: DType, data: Vec<u8>, shape: &[usize]) -> Tensor {
    Tensor {
        name: name.into(),
        dtype,
        shape: shape.into(),
        data,
    }
}

fn floats(name: &str, values: &[f32], shape: &[usize]) -> Tensor {
    let data = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    tensor(name, DType::F32, data, shape)
}

fn integers(name: &str, values: &[i64], shape: &[usize]) -> Tensor {
    let data = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    tensor(name, DType::I64, data, shape)
}
