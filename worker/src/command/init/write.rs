//! Writing: the template with the answers in it, whole or not at all.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use toml::{Table, Value};

use crate::config::{Config, TEMPLATE};

/// The template with every setting that differs from its default.
pub fn fill(config: &Config) -> Result<String, String> {
    let table = |config: &Config| Table::try_from(config).map_err(|error| error.to_string());
    let (wanted, defaults) = (table(config)?, table(&Config::default())?);
    let mut text = TEMPLATE.replace("{authority}", "");
    for (section, key, value) in changes("", &defaults, &wanted) {
        text = replace(&text, &section, &key, &value)
            .ok_or_else(|| format!("the template has no line for {section}.{key}"))?;
    }
    Ok(text)
}

/// Section, key and value of everything that is not as by default.
fn changes(section: &str, defaults: &Table, wanted: &Table) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (key, value) in wanted {
        match (value, defaults.get(key)) {
            (Value::Table(value), Some(Value::Table(default))) => {
                let name = if section.is_empty() {
                    key.clone()
                } else {
                    format!("{section}.{key}")
                };
                found.extend(changes(&name, default, value));
            }
            (value, default) if default != Some(value) => {
                found.push((section.to_owned(), key.clone(), value.clone()));
            }
            _ => {}
        }
    }
    found
}

/// The text with one setting's line replaced; one that is commented out is put in force.
fn replace(text: &str, section: &str, key: &str, value: &Value) -> Option<String> {
    let mut current = "";
    let mut replaced = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            current = name;
        }
        let setting = line.strip_prefix("# ").unwrap_or(line);
        let is_it = current == section
            && setting
                .strip_prefix(key)
                .is_some_and(|rest| rest.starts_with(" = "));
        if is_it && !replaced {
            replaced = true;
            lines.push(format!("{key} = {value}"));
        } else {
            lines.push(line.to_owned());
        }
    }
    replaced.then(|| lines.join("\n") + "\n")
}

/// A new file, whole or not at all, even if the machine stops in between. Never overwrites.
pub fn create(path: &Path, text: &str) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".assay-worker-")
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_is_filled_where_the_answers_differ_and_keeps_its_comments() {
        let mut config = Config {
            authority: "AsyWn5BwMuQy35FtTbSA65vwycbmAuCHPJsgg2jA5Bpc".into(),
            ..Config::default()
        };
        config.chain.rpc = vec!["https://a.example".into(), "https://b.example".into()];
        config.policy.min_price_lamports = 77;
        config.engine.library = Some("/lib/it's \"here\".so".into());
        config.engine.limits.input_bytes = 1_000;
        config.log.filter = "debug".into();
        let text = fill(&config).unwrap();
        let read: Config = toml::from_str(&text).unwrap();
        assert_eq!(
            toml::to_string(&read).unwrap(),
            toml::to_string(&config).unwrap()
        );
        let comments = |text: &str| text.lines().filter(|line| line.starts_with("# ")).count();
        assert_eq!(
            comments(&text),
            comments(TEMPLATE) - 1,
            "the library's line is in force"
        );
        assert_eq!(
            fill(&Config::default()).unwrap(),
            TEMPLATE.replace("{authority}", "")
        );
    }

    #[test]
    fn file_is_made_whole_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("etc/worker.toml");
        create(&path, "first").unwrap();
        let again = create(&path, "second").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        let files = fs::read_dir(folder.path().join("etc")).unwrap().count();
        assert_eq!(files, 1, "nothing half-written is left");
    }
}
