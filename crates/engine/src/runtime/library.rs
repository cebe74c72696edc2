//! Where ONNX Runtime's shared library is.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::error::RuntimeFault;

/// The version that `make bootstrap` installs.
const VERSION: &str = "1.31.1";

/// Configuration first, then the environment, then the place `make bootstrap` uses. A path that was
/// given but does not exist is an error: falling back would run another library than was asked for.
pub fn locate(configured: Option<&Path>) -> Result<PathBuf, RuntimeFault> {
    let given = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let path = configured
        .map(Path::to_path_buf)
        .or_else(|| given("ORT_DYLIB_PATH"))
        .unwrap_or_else(|| {
            bootstrapped(given("ASSAY_CACHE"), given("XDG_CACHE_HOME"), given("HOME"))
        });
    // `ort` takes a relative path as relative to the executable.
    let path = std::path::absolute(&path).unwrap_or(path);
    if path.is_file() {
        Ok(path)
    } else {
        Err(RuntimeFault::LibraryMissing { path })
    }
}

/// The version that the library gives itself, which `ort` reads and does not pass on.
pub fn version(path: &Path) -> Result<String, RuntimeFault> {
    let unusable = |reason: String| RuntimeFault::LibraryUnusable {
        path: path.into(),
        reason,
    };
    #[expect(
        unsafe_code,
        reason = "a library's own words are only had by calling it"
    )]
    // SAFETY: the library is in this process already, so that nothing is run by opening it again;
    // the function is what makes it ONNX Runtime's, and its text lives as long as the library.
    let text = unsafe {
        let library =
            libloading::Library::new(path).map_err(|error| unusable(error.to_string()))?;
        let base: libloading::Symbol<'_, unsafe extern "C" fn() -> *const ort::sys::OrtApiBase> =
            library
                .get(b"OrtGetApiBase")
                .map_err(|error| unusable(error.to_string()))?;
        let base = base().as_ref();
        base.map(|base| std::ffi::CStr::from_ptr((base.GetVersionString)()).to_owned())
    };
    let text = text.ok_or_else(|| unusable("it has no interface".into()))?;
    Ok(text.to_string_lossy().into_owned())
}

fn bootstrapped(assay: Option<PathBuf>, xdg: Option<PathBuf>, home: Option<PathBuf>) -> PathBuf {
    let cache = assay
        .or_else(|| Some(xdg.or_else(|| Some(home?.join(".cache")))?.join("assay")))
        .unwrap_or_else(|| PathBuf::from(".cache/assay"));
    cache
        .join(format!("onnxruntime-{VERSION}"))
        .join(format!("libonnxruntime.so.{VERSION}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_place_follows_its_variables() {
        let path = |text: &str| Some(PathBuf::from(text));
        let tail = "onnxruntime-1.31.1/libonnxruntime.so.1.31.1";
        let cases = [
            (path("/a"), path("/x"), path("/h"), "/a"),
            (None, path("/x"), path("/h"), "/x/assay"),
            (None, None, path("/h"), "/h/.cache/assay"),
            (None, None, None, ".cache/assay"),
        ];
        for (assay, xdg, home, folder) in cases {
            assert_eq!(bootstrapped(assay, xdg, home), Path::new(folder).join(tail));
        }
    }

    #[test]
    fn given_path_that_does_not_exist_is_an_error_with_the_fix() {
        let error = locate(Some(Path::new("/nowhere/libonnxruntime.so"))).unwrap_err();
        let path = PathBuf::from("/nowhere/libonnxruntime.so");
        assert_eq!(error, RuntimeFault::LibraryMissing { path });
        assert!(error.to_string().contains("make bootstrap"));
    }
}
