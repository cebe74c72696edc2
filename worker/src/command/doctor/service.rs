//! Whether requesters find this worker.

use assay_client::delivery::{INFO_PATH, Info};
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;

use super::{Patient, report::Report};

/// Returns whether our own worker answers where it listens.
pub async fn check(report: &mut Report, patient: &Patient) -> bool {
    let here = listen(report, patient).await;
    public(report, patient, here).await;
    here
}

/// Whether our own worker answers where it should listen.
async fn listen(report: &mut Report, patient: &Patient) -> bool {
    let name = "listen";
    let address = patient.config.api.listen;
    match TcpListener::bind(address).await {
        Ok(_) => {
            report.good(name, format!("{address} is free; the worker does not run"));
            return false;
        }
        Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
            report.broken(
                name,
                format!("{address}: {error}"),
                "set api.listen to an address of this machine and a port above 1023",
            );
            return false;
        }
        Err(_) => {}
    }
    // Asked where it can be reached from here.
    let mut reached = address;
    if reached.ip().is_unspecified() {
        reached.set_ip(if reached.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    match ask::<Info>(&format!("http://{reached}"), INFO_PATH, patient).await {
        Ok(info) if Some(info.provider) == patient.provider() => {
            let accepting = if info.accepting { "" } else { "no " };
            report.good(
                name,
                format!(
                    "{address}: our worker {} runs, and takes {accepting}new jobs",
                    info.version
                ),
            );
            true
        }
        Ok(info) => {
            report.broken(
                name,
                format!(
                    "{address} is in use by the worker of another provider, {}",
                    info.provider
                ),
                "set api.listen to another port",
            );
            false
        }
        Err(reason) => {
            report.broken(
                name,
                format!("{address} is in use by something else: {reason}"),
                "set api.listen to another port, or stop what is there",
            );
            false
        }
    }
}

async fn public(report: &mut Report, patient: &Patient, runs: bool) {
    let name = "public url";
    let url = &patient.config.api.public_url;
    let local = url::Url::parse(url)
        .ok()
        .is_some_and(|url| match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback() || address.is_private(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(domain)) => domain == "localhost",
            None => false,
        });
    if local {
        report.notice(
            name,
            format!("{url}: only this machine or network finds it"),
            "put a TLS proxy or a tunnel before the worker, and set api.public_url to its name",
        );
    } else if url.starts_with("http://") {
        report.notice(
            name,
            format!("{url}: inputs and results travel in the open"),
            "put a TLS proxy before the worker, and use https",
        );
    }
    match ask::<Info>(url, INFO_PATH, patient).await {
        Ok(info) if Some(info.provider) == patient.provider() => {
            report.good(name, format!("{url} answers as this provider"));
        }
        Ok(info) => report.broken(
            name,
            format!("{url} answers as another provider, {}", info.provider),
            "correct api.public_url, or where the proxy leads",
        ),
        Err(reason) if runs => report.broken(
            name,
            format!("{url} does not answer, and the worker runs: {reason}"),
            "check the proxy or tunnel, the firewall and the name's address",
        ),
        Err(_) => report.skipped(
            name,
            format!("{url} does not answer, as the worker does not run"),
        ),
    }
}

/// What a worker says of itself.
pub async fn ask<T: DeserializeOwned>(
    base: &str,
    path: &str,
    patient: &Patient,
) -> Result<T, String> {
    let client = reqwest::Client::builder()
        .timeout(patient.patience)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| error.to_string())?;
    let url = format!("{}{path}", base.trim_end_matches('/'));
    let answer = client.get(url).send().await.map_err(reason)?;
    let status = answer.status();
    if !status.is_success() {
        return Err(format!("it answers {status}"));
    }
    answer
        .json()
        .await
        .map_err(|_| "it answers as no worker does".to_owned())
}

fn reason(error: reqwest::Error) -> String {
    use std::error::Error;
    let mut deepest: &dyn Error = &error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
