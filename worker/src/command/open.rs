//! `assay-worker status --open`: the running worker's page, in a browser.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{Ended, block_on, print};
use crate::{config::Config, control::client::Client};

/// Prints a link that is good once, and opens it where there is a screen.
pub fn show(config: &Config) -> Result<(), Ended> {
    let (url, ticket) = block_on(async {
        let client = Client::find(config)?;
        let ticket = client.ticket().await?;
        Ok((client.url().to_owned(), ticket))
    })?;
    let link = format!("{url}/#ticket={}", ticket.ticket);
    print(&format!("{link}\n"))?;
    eprintln!("this link is good once, within {} s", ticket.good_secs);
    if has_screen() {
        match open(&config.data_dir, &link) {
            Ok(()) => {}
            Err(error) => eprintln!("no browser could be started ({error}); open the link in one"),
        }
    }
    Ok(())
}

/// A browser's arguments can be read by every user of the machine, so it gets a file that only its
/// owner can read, which leads to the link.
fn open(data_dir: &Path, link: &str) -> std::io::Result<()> {
    let file = page(data_dir, link)?;
    let (program, arguments) = opener();
    Command::new(program)
        .args(arguments)
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(|_| ())
}

fn page(data_dir: &Path, link: &str) -> std::io::Result<PathBuf> {
    let path = data_dir.canonicalize()?.join("open.html");
    // Made with mode 0600. The link is of our own making: an address and hexadecimal digits.
    let mut file = tempfile::NamedTempFile::new_in(data_dir)?;
    writeln!(
        file,
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">\
         <meta http-equiv=\"refresh\" content=\"0;url={link}\"><title>Assay worker</title>"
    )?;
    file.persist(&path)?;
    Ok(path)
}

fn opener() -> (&'static str, &'static [&'static str]) {
    if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("cmd", &["/C", "start", ""])
    } else {
        ("xdg-open", &[])
    }
}

fn has_screen() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(target_os = "macos") || cfg!(windows) || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_that_leads_to_the_link_is_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = page(folder.path(), "http://127.0.0.1:1/#ab").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("content=\"0;url=http://127.0.0.1:1/#ab\""));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        page(folder.path(), "http://127.0.0.1:1/#cd").unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().contains("#cd"));
    }
}
