//! One of ONNX's test folders: a model, inputs, expected outputs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use assay_engine::{ModelInfo, Tensor, TensorInfo};
use prost::Message;

use crate::proto::{ModelProto, TensorProto};

/// Those of onnx/backend/test that come with a model and data; `real` and `light` do not.
const KINDS: [&str; 4] = ["node", "simple", "pytorch-converted", "pytorch-operator"];

pub struct Case {
    /// Kind and folder, as in `node/test_abs`.
    pub name: String,
    pub folder: PathBuf,
}

impl Case {
    pub fn all(data: &Path) -> Vec<Self> {
        let mut cases: Vec<Self> = KINDS
            .iter()
            .flat_map(|kind| {
                fs::read_dir(data.join(kind))
                    .unwrap()
                    .map(move |entry| (kind, entry))
            })
            .map(|(kind, entry)| {
                let folder = entry.unwrap().path();
                let name = format!("{kind}/{}", folder.file_name().unwrap().to_str().unwrap());
                Self { name, folder }
            })
            .filter(|case| case.folder.join("model.onnx").is_file())
            .collect();
        cases.sort_by(|left, right| left.name.cmp(&right.name));
        cases
    }

    pub fn data_sets(&self) -> Vec<DataSet> {
        let model = fs::read(self.folder.join("model.onnx")).unwrap();
        let graph = ModelProto::decode(model.as_slice()).unwrap().graph;
        let names = graph
            .input
            .into_iter()
            .map(|port| port.name)
            .collect::<Vec<_>>();
        (0..)
            .map(|set| self.folder.join(format!("test_data_set_{set}")))
            .take_while(|folder| folder.is_dir())
            .map(|folder| DataSet {
                folder,
                names: names.clone(),
            })
            .collect()
    }
}

pub struct DataSet {
    folder: PathBuf,
    /// Of the graph's inputs: file number i holds input number i.
    names: Vec<String>,
}

impl DataSet {
    pub fn inputs(&self, info: &ModelInfo) -> Result<Vec<Tensor>, String> {
        let port = |name: &String| info.inputs.iter().find(|port| &port.name == name);
        self.names
            .iter()
            .enumerate()
            .map(|(number, name)| (self.folder.join(format!("input_{number}.pb")), name))
            .filter(|(file, _)| file.is_file())
            .map(|(file, name)| read(&file, port(name).ok_or(format!("{name} has a default"))?))
            .collect()
    }

    pub fn outputs(&self, info: &ModelInfo) -> Result<Vec<Tensor>, String> {
        let file = |number| self.folder.join(format!("output_{number}.pb"));
        info.outputs
            .iter()
            .enumerate()
            .map(|(number, port)| read(&file(number), port))
            .collect()
    }
}

fn read(file: &Path, port: &TensorInfo) -> Result<Tensor, String> {
    let bytes = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let proto = TensorProto::decode(bytes.as_slice()).map_err(|error| error.to_string())?;
    let dtype = proto
        .dtype()
        .ok_or(format!("data type {}", proto.data_type))?;
    let shape = proto
        .dims
        .iter()
        .map(|side| usize::try_from(*side).unwrap())
        .collect();
    Ok(Tensor {
        name: port.name.clone(),
        dtype,
        shape,
        data: proto.bytes(dtype),
    })
}

/// How outputs differ from the expected ones by more than ONNX's own runner allows.
pub fn difference(found: &[Tensor], expected: &[Tensor]) -> Option<String> {
    found.iter().zip(expected).find_map(|(found, expected)| {
        let name = &expected.name;
        if (found.dtype, &found.shape) != (expected.dtype, &expected.shape) {
            let (a, b) = (found.dtype, expected.dtype);
            let (c, d) = (&found.shape, &expected.shape);
            return Some(format!(
                "{name} is {a:?}{c:?} where {b:?}{d:?} was expected"
            ));
        }
        let (found, expected) = (found.to_f64s(), expected.to_f64s());
        let at = found
            .iter()
            .zip(&expected)
            .position(|(found, expected)| !close(*found, *expected))?;
        Some(format!(
            "{name}[{at}] is {} where {} was expected",
            found[at], expected[at]
        ))
    })
}

fn close(found: f64, expected: f64) -> bool {
    const RELATIVE: f64 = 1e-3;
    const ABSOLUTE: f64 = 1e-7;
    found == expected
        || (found.is_nan() && expected.is_nan())
        || (found - expected).abs() <= ABSOLUTE + RELATIVE * expected.abs()
}
