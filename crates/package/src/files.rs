//! The files of a package that count, from a folder or a tar archive of it, and the digest over them.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Seek as _, SeekFrom, Write},
    path::{Component, Path, PathBuf},
    time::SystemTime,
};

use assay_client::protocol::Digest;
use sha2::{Digest as _, Sha256};

use crate::{error::PackageError, manifest::MANIFEST};

/// Where the model can be; the first one that is there.
pub const MODELS: [&str; 2] = ["model.onnx", "onnx/model.onnx"];

/// The other files that count, in the order of the digest. Whatever else lies beside them does not.
pub const COUNTED: [&str; 8] = [
    "1_Pooling/config.json",
    MANIFEST,
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
];

/// Bytes of any file but the model: the largest tokenizers have some tens of MB.
const MAX_TEXT_BYTES: u64 = 256 * 1024 * 1024;

/// Where a package's model lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// The .onnx file, or the archive that holds it.
    pub path: PathBuf,
    /// Where it begins in that.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// sha256: what the market knows the model by.
    pub digest: Digest,
    pub modified: Option<SystemTime>,
}

impl ModelFile {
    /// Opens it for reading.
    ///
    /// # Errors
    /// When it has gone since.
    pub fn open(&self) -> Result<impl Read + use<>, PackageError> {
        let open = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(self.offset))?;
            Ok(file.take(self.size))
        };
        open().map_err(reading(&self.path))
    }
}

/// The files that count.
#[derive(Debug)]
pub struct Files {
    pub model: ModelFile,
    /// Its path in the package.
    pub model_name: &'static str,
    /// The others that are there.
    pub texts: Vec<(&'static str, Vec<u8>)>,
}

impl Files {
    /// Reads a folder or an archive.
    ///
    /// # Errors
    /// When it cannot be read, or holds no model.
    pub fn read(path: &Path) -> Result<Self, PackageError> {
        if path.is_dir() {
            Self::folder(path)
        } else {
            Self::archive(path)
        }
    }

    fn folder(folder: &Path) -> Result<Self, PackageError> {
        let mut found = None;
        for name in MODELS {
            if found.is_none() {
                found = inside(folder, name)?.map(|path| (name, path));
            }
        }
        let (model_name, path) = found.ok_or_else(|| no_model(folder))?;
        let model = Self::single(&path)?;
        let mut texts = Vec::new();
        for name in COUNTED {
            if let Some(path) = inside(folder, name)? {
                let file = File::open(&path).map_err(reading(&path))?;
                texts.push((name, text(file, &path)?));
            }
        }
        Ok(Self {
            model,
            model_name,
            texts,
        })
    }

    /// A model by itself.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn single(path: &Path) -> Result<ModelFile, PackageError> {
        let file = File::open(path).map_err(reading(path))?;
        let modified = file.metadata().and_then(|data| data.modified()).ok();
        let (digest, size) = hash(BufReader::new(file)).map_err(reading(path))?;
        Ok(ModelFile {
            path: path.to_owned(),
            offset: 0,
            size,
            digest,
            modified,
        })
    }

    fn archive(path: &Path) -> Result<Self, PackageError> {
        let read = || -> io::Result<_> {
            let file = File::open(path)?;
            let modified = file.metadata()?.modified().ok();
            Ok((tar::Archive::new(BufReader::new(file)), modified))
        };
        let (mut archive, modified) = read().map_err(reading(path))?;
        let mut models = Vec::new();
        let mut texts = Vec::new();
        for entry in archive.entries().map_err(reading(path))? {
            let mut entry = entry.map_err(reading(path))?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let Some(inner) = plain(&entry.path().map_err(reading(path))?) else {
                continue;
            };
            if let Some(name) = counted(&MODELS, &inner) {
                let offset = entry.raw_file_position();
                let (digest, size) = hash(&mut entry).map_err(reading(path))?;
                let model = ModelFile {
                    path: path.to_owned(),
                    offset,
                    size,
                    digest,
                    modified,
                };
                models.push((root(&inner, name), name, model));
            } else if let Some(name) = counted(&COUNTED, &inner) {
                texts.push((root(&inner, name), name, text(entry, path)?));
            }
        }
        // An archive of the folder's name has everything one level down.
        models.sort_by_key(|(root, name, _)| (root.len(), *name));
        let (base, model_name, model) = models.into_iter().next().ok_or_else(|| no_model(path))?;
        let mut texts: Vec<_> = texts
            .into_iter()
            .filter(|(root, _, _)| *root == base)
            .map(|(_, name, bytes)| (name, bytes))
            .collect();
        texts.sort_by_key(|(name, _)| *name);
        if texts
            .windows(2)
            .any(|pair| matches!(pair, [(a, _), (b, _)] if a == b))
        {
            return Err(PackageError::Invalid {
                file: path.display().to_string(),
                reason: "it holds a file twice".to_owned(),
            });
        }
        Ok(Self {
            model,
            model_name,
            texts,
        })
    }

    /// A file's bytes, if it is there.
    pub fn text(&self, name: &str) -> Option<&[u8]> {
        self.texts
            .iter()
            .find(|(found, _)| *found == name)
            .map(|(_, bytes)| bytes.as_slice())
    }

    /// The package's digest.
    pub fn digest(&self) -> Digest {
        let mut entries: Vec<(&str, Digest)> = self
            .texts
            .iter()
            .map(|(name, bytes)| (*name, Digest(Sha256::digest(bytes).into())))
            .collect();
        entries.push((self.model_name, self.model.digest));
        digest_of(entries)
    }

    /// Writes a folder, which must not exist yet.
    ///
    /// # Errors
    /// When it exists, or something cannot be read or written.
    pub fn write_folder(&self, folder: &Path) -> Result<(), PackageError> {
        if folder.exists() {
            return Err(exists(folder));
        }
        let write = |name: &str, mut from: &mut dyn Read| -> Result<(), PackageError> {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(writing(parent))?;
            }
            let mut file = File::create_new(&path).map_err(writing(&path))?;
            io::copy(&mut from, &mut file).map_err(writing(&path))?;
            Ok(())
        };
        for (name, bytes) in &self.texts {
            write(name, &mut bytes.as_slice())?;
        }
        write(self.model_name, &mut self.model.open()?)
    }

    /// Writes an archive, which must not exist yet; the same files give the same bytes.
    ///
    /// # Errors
    /// When it exists, or something cannot be read or written.
    pub fn write_archive(&self, path: &Path) -> Result<(), PackageError> {
        let file = File::create_new(path).map_err(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                exists(path)
            } else {
                writing(path)(error)
            }
        })?;
        let mut builder = tar::Builder::new(io::BufWriter::new(file));
        let mut append = |name: &str, size: u64, from: &mut dyn Read| {
            let mut header = tar::Header::new_gnu();
            header.set_size(size);
            header.set_mode(0o644);
            header.set_mtime(0);
            builder.append_data(&mut header, name, from)
        };
        for (name, bytes) in &self.texts {
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            append(name, size, &mut bytes.as_slice()).map_err(writing(path))?;
        }
        append(self.model_name, self.model.size, &mut self.model.open()?).map_err(writing(path))?;
        builder
            .into_inner()
            .and_then(|mut file| file.flush())
            .map_err(writing(path))
    }
}

/// sha256 over one line a file, `path\0sha256\n` with the sha256 in lower-case hex, sorted by path as bytes.
pub fn digest_of<'a>(files: impl IntoIterator<Item = (&'a str, Digest)>) -> Digest {
    let mut files: Vec<_> = files.into_iter().collect();
    files.sort_by_key(|(path, _)| *path);
    let mut hasher = Sha256::new();
    for (path, digest) in files {
        hasher.update(path);
        hasher.update([0]);
        hasher.update(hex::encode(digest.0));
        hasher.update([b'\n']);
    }
    Digest(hasher.finalize().into())
}

/// An error of reading, for `map_err`.
pub fn reading(path: &Path) -> impl FnOnce(io::Error) -> PackageError + use<> {
    let path = path.to_owned();
    move |source| PackageError::Read { path, source }
}

/// An error of writing, for `map_err`.
pub fn writing(path: &Path) -> impl FnOnce(io::Error) -> PackageError + use<> {
    let path = path.to_owned();
    move |source| PackageError::Write { path, source }
}

/// A file of the folder, if it is there. What a stranger packed must not bring in other files of this machine.
fn inside(folder: &Path, name: &str) -> Result<Option<PathBuf>, PackageError> {
    let path = folder.join(name);
    if !path.is_file() {
        return Ok(None);
    }
    let real = |path: &Path| path.canonicalize().map_err(reading(path));
    if real(&path)?.starts_with(real(folder)?) {
        Ok(Some(path))
    } else {
        Err(PackageError::Outside { path })
    }
}

fn no_model(path: &Path) -> PackageError {
    PackageError::NoModel {
        path: path.to_owned(),
    }
}

fn exists(path: &Path) -> PackageError {
    PackageError::Exists {
        path: path.to_owned(),
    }
}

fn text(file: impl Read, path: &Path) -> Result<Vec<u8>, PackageError> {
    let mut bytes = Vec::new();
    file.take(MAX_TEXT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(reading(path))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_TEXT_BYTES) {
        return Ok(bytes);
    }
    Err(PackageError::TooLarge {
        path: path.to_owned(),
        limit: MAX_TEXT_BYTES,
    })
}

fn hash(mut from: impl Read) -> io::Result<(Digest, u64)> {
    let mut hasher = Sha256::new();
    let size = io::copy(&mut from, &mut hasher)?;
    Ok((Digest(hasher.finalize().into()), size))
}

/// A path in an archive as text, without `.`; none if it goes anywhere but down.
fn plain(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::ParentDir => return None,
        }
    }
    Some(parts.join("/"))
}

/// The longest of these names that the path is or ends in, at most one folder down.
fn counted<const N: usize>(names: &[&'static str; N], path: &str) -> Option<&'static str> {
    names
        .iter()
        .copied()
        .filter(|name| {
            let root = root(path, name);
            path.ends_with(name)
                && (root.is_empty() || (root.ends_with('/') && root.matches('/').count() == 1))
        })
        .max_by_key(|name| name.len())
}

fn root(path: &str, name: &str) -> String {
    path.strip_suffix(name).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
