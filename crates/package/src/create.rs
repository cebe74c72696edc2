//! A package from a Modelfile.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    error::PackageError,
    files::{Files, reading},
    manifest::MANIFEST,
    modelfile::Modelfile,
    package::Package,
};

/// A package that is written nowhere yet.
#[derive(Debug)]
pub struct Draft {
    pub package: Package,
    files: Files,
}

/// Makes the package that a Modelfile describes. FROM is relative to the Modelfile.
///
/// # Errors
/// When the Modelfile or what it names is not understood.
pub fn create(modelfile: &Path) -> Result<Draft, PackageError> {
    let text = fs::read_to_string(modelfile).map_err(reading(modelfile))?;
    let Modelfile { from, mut manifest } =
        Modelfile::parse(&text).map_err(|source| PackageError::Modelfile {
            path: modelfile.to_owned(),
            source,
        })?;
    let from = modelfile.parent().unwrap_or(Path::new("")).join(from);
    let mut files = if from.extension().is_some_and(|end| end == "onnx") {
        Files {
            model: Files::single(&from)?,
            model_name: "model.onnx",
            texts: Vec::new(),
        }
    } else {
        Files::read(&from)?
    };
    // A manifest that is there already has been read by whoever wrote this Modelfile, and is replaced by it.
    files.texts.retain(|(name, _)| *name != MANIFEST);
    let place = |files: &mut Files, bytes| {
        files.texts.retain(|(name, _)| *name != MANIFEST);
        files.texts.push((MANIFEST, bytes));
        files.texts.sort_by_key(|(name, _)| *name);
    };
    place(&mut files, manifest.to_bytes()?);
    let canonical = fs::canonicalize(&from).map_err(reading(&from))?;
    let found = Package::of(&files, &canonical)?;
    // What was found out is written down, so that a later version finds the same.
    manifest.name = Some(found.name);
    manifest.kind = Some(found.kind);
    place(&mut files, manifest.to_bytes()?);
    let package = Package::of(&files, &canonical)?;
    Ok(Draft { package, files })
}

impl Draft {
    /// Writes an archive if `out` ends in `.tar`, a folder otherwise; without `out` an archive of the package's name in
    /// the current folder. Returns where.
    ///
    /// # Errors
    /// When it exists, or cannot be written.
    pub fn write(&self, out: Option<&Path>) -> Result<PathBuf, PackageError> {
        let path = out.map_or_else(
            || PathBuf::from(format!("{}.tar", self.package.name)),
            Path::to_owned,
        );
        if path.extension().is_some_and(|end| end == "tar") {
            self.files.write_archive(&path)?;
        } else {
            self.files.write_folder(&path)?;
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests;
