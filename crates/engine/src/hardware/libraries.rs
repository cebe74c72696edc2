//! ONNX Runtime's library, the provider libraries beside it, and what those need in turn.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::elf::{self, Dynamic};
use crate::runtime;

/// Where the dynamic loader looks in the end.
const DEFAULTS: [&str; 6] = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
];
/// Folders that configuration files of the loader may name; a bound, because they include each other.
const MOST_FILES: usize = 200;

/// The library that engines load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RuntimeLibrary {
    Absent {
        reason: String,
    },
    Present {
        path: PathBuf,
        /// One file a provider. CPU, CoreML and DirectML have none: they are in the library itself.
        providers: Vec<ProviderLibrary>,
    },
}

/// A provider's own library, which ONNX Runtime loads when the provider is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderLibrary {
    pub path: PathBuf,
    /// What it is linked to, but for the system's own libraries. Empty where it cannot be read.
    pub needs: Vec<Needed>,
}

/// A library that another one needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Needed {
    /// `libcudnn.so.9`
    pub name: String,
    /// Where the loader would find it; none if it would not.
    pub path: Option<PathBuf>,
    /// As the file's name tells, where it tells more than the needed name does.
    pub version: Option<String>,
}

impl RuntimeLibrary {
    pub fn look(configured: Option<&Path>) -> Self {
        match runtime::locate(configured) {
            Ok(path) => {
                let providers = providers(&path);
                Self::Present { path, providers }
            }
            Err(fault) => Self::Absent {
                reason: fault.to_string(),
            },
        }
    }
}

impl ProviderLibrary {
    /// What has to be installed before this provider can load.
    pub fn missing(&self) -> Vec<&str> {
        self.needs
            .iter()
            .filter(|needed| needed.path.is_none())
            .map(|needed| needed.name.as_str())
            .collect()
    }
}

fn providers(library: &Path) -> Vec<ProviderLibrary> {
    let Some(folder) = library.parent() else {
        return Vec::new();
    };
    let is_provider = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| {
            let name = name.strip_prefix("lib").unwrap_or(name);
            let plain = name
                .strip_prefix("onnxruntime_providers_")
                .is_some_and(|rest| !rest.starts_with("shared."));
            plain
                && [".so", ".dll", ".dylib"]
                    .iter()
                    .any(|end| name.ends_with(end))
        })
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| is_provider(path));
    paths.sort();
    let system = search();
    paths
        .into_iter()
        .map(|path| ProviderLibrary {
            needs: needs(&path, &system),
            path,
        })
        .collect()
}

/// Everything that a library needs, of what does not come with every system.
fn needs(library: &Path, system: &[PathBuf]) -> Vec<Needed> {
    let Dynamic { needed, search } = fs::File::open(library)
        .ok()
        .and_then(|mut file| elf::dynamic(&mut file))
        .unwrap_or_default();
    let origin = library.parent().unwrap_or(Path::new("."));
    let own = search
        .iter()
        .map(|folder| PathBuf::from(folder.replace("$ORIGIN", &origin.to_string_lossy())));
    let folders: Vec<PathBuf> = own.chain(system.iter().cloned()).collect();
    let foreign = needed.into_iter().filter(|name| !of_the_system(name));
    foreign.map(|name| find(name, &folders)).collect()
}

fn of_the_system(name: &str) -> bool {
    const SYSTEM: [&str; 9] = [
        "libc.",
        "libm.",
        "libdl.",
        "librt.",
        "libpthread.",
        "libgcc_s.",
        "libstdc++.",
        "ld-linux",
        "libonnxruntime",
    ];
    SYSTEM.iter().any(|prefix| name.starts_with(prefix))
}

fn find(name: String, folders: &[PathBuf]) -> Needed {
    let path = folders
        .iter()
        .map(|folder| folder.join(&name))
        .find(|path| path.is_file());
    // libcudart.so.12 leads to libcudart.so.12.4.127; pip's packages have no such link.
    let real = path.as_ref().and_then(|path| path.canonicalize().ok());
    let version = real.and_then(|real| {
        let file = real.file_name()?.to_str()?.to_owned();
        let (_, version) = file.split_once(".so.")?;
        (file.len() > name.len()).then(|| version.to_owned())
    });
    Needed {
        name,
        path,
        version,
    }
}

/// Folders in the loader's order: the environment's, those it is configured for, its own.
fn search() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = env::var_os("LD_LIBRARY_PATH")
        .iter()
        .flat_map(env::split_paths)
        .collect();
    configured(Path::new("/etc/ld.so.conf"), &mut folders);
    folders.extend(DEFAULTS.map(PathBuf::from));
    folders.retain(|folder| folder.is_absolute());
    folders
}

/// The folders that a configuration of the loader names, and those of the files it includes. Of a
/// pattern, the one form that is used is understood: all files of a folder with one ending.
fn configured(file: &Path, folders: &mut Vec<PathBuf>) {
    let mut waiting = vec![file.to_owned()];
    for _ in 0..MOST_FILES {
        let Some(file) = waiting.pop() else { return };
        let text = fs::read_to_string(&file).unwrap_or_default();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            match line.strip_prefix("include ") {
                Some(pattern) => waiting.extend(matching(&file, pattern.trim())),
                None if line.starts_with('/') => folders.push(PathBuf::from(line)),
                None => {}
            }
        }
    }
}

fn matching(from: &Path, pattern: &str) -> Vec<PathBuf> {
    let pattern = from.parent().unwrap_or(Path::new("/")).join(pattern);
    let (Some(folder), Some(name)) = (pattern.parent(), pattern.file_name()) else {
        return Vec::new();
    };
    let name = name.to_string_lossy();
    let Some(ending) = name.strip_prefix('*') else {
        return vec![pattern.clone()];
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(ending));
    // The last one is read first.
    files.sort_by(|a, b| b.cmp(a));
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn library_is_found_as_the_loader_finds_it_with_its_version() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a"), folder.path().join("b"));
        fs::create_dir_all(&first).unwrap();
        fs::create_dir_all(&second).unwrap();
        fs::write(second.join("libcudart.so.12.4.127"), "").unwrap();
        symlink("libcudart.so.12.4.127", second.join("libcudart.so.12")).unwrap();
        fs::write(second.join("libcudnn.so.9"), "").unwrap();
        // A link into nowhere is no library.
        symlink("gone", first.join("libcudart.so.12")).unwrap();
        let folders = [first, second.clone()];

        let cudart = find("libcudart.so.12".into(), &folders);
        assert_eq!(cudart.path, Some(second.join("libcudart.so.12")));
        assert_eq!(cudart.version.as_deref(), Some("12.4.127"));
        let cudnn = find("libcudnn.so.9".into(), &folders);
        assert_eq!((cudnn.path.is_some(), cudnn.version), (true, None));
        let absent = find("libnvinfer.so.10".into(), &folders);
        assert_eq!((absent.path.clone(), absent.version.clone()), (None, None));
        let library = ProviderLibrary {
            path: "/lib/x.so".into(),
            needs: vec![cudart, absent],
        };
        assert_eq!(library.missing(), ["libnvinfer.so.10"]);
    }

    #[test]
    fn loader_configuration_is_followed_through_its_includes() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("conf.d")).unwrap();
        fs::write(root.join("ld.conf"), "include conf.d/*.conf\n/opt/last\n").unwrap();
        fs::write(
            root.join("conf.d/a.conf"),
            "# CUDA\n/usr/local/cuda/lib64 # here\n",
        )
        .unwrap();
        // Itself again: includes may go round in a circle.
        fs::write(root.join("conf.d/b.conf"), "include ../ld.conf\n").unwrap();
        fs::write(root.join("conf.d/c.txt"), "/not/this\n").unwrap();
        let mut folders = Vec::new();
        configured(&root.join("ld.conf"), &mut folders);
        let has = |folder: &str| folders.contains(&PathBuf::from(folder));
        assert!(has("/usr/local/cuda/lib64") && has("/opt/last"));
        assert!(!has("/not/this"));
        assert!(folders.len() <= MOST_FILES, "{}", folders.len());
    }

    #[test]
    fn provider_libraries_are_those_beside_the_runtime() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("libonnxruntime.so.1.31.1");
        for name in [
            "libonnxruntime.so.1.31.1",
            "libonnxruntime_providers_cuda.so",
            "libonnxruntime_providers_shared.so",
            "libonnxruntime_providers_tensorrt.so",
            "README.md",
        ] {
            fs::write(folder.path().join(name), "no library").unwrap();
        }
        let RuntimeLibrary::Present { path, providers } = RuntimeLibrary::look(Some(&library))
        else {
            panic!("it is there")
        };
        assert_eq!(path, library);
        let names: Vec<_> = providers
            .iter()
            .map(|provider| provider.path.file_name().unwrap().to_str().unwrap())
            .collect();
        let expected = [
            "libonnxruntime_providers_cuda.so",
            "libonnxruntime_providers_tensorrt.so",
        ];
        assert_eq!(names, expected);
        // Text is no library: nothing is known of what it needs, and nothing is made up.
        assert!(providers.iter().all(|provider| provider.needs.is_empty()));
    }
}
