//! What is asked, and what is accepted as an answer.

use std::path::{Path, PathBuf};

use assay_client::protocol::{Address, market::MarketParams};
use assay_engine::Provider;
use url::Url;

use super::{
    hardware::Hardware,
    measure::Measurement,
    price::{Costs, Suggestion, explain, suggest},
    talk::{Question, Talk},
};
use crate::{
    args,
    command::{Ended, amount::millionths},
    config::{Config, ConfigError, Websockets},
};

/// Who, and where: authority, chain, service, model folders.
pub fn place(talk: Talk, flags: &args::Init, config: &mut Config) -> Result<(), Ended> {
    config.authority = talk.ask(
        &Question {
            flag: "authority",
            prompt: "Authority",
            explanation: "The wallet that registers the provider, stakes and withdraws. It stays cold: only its address \
                          is needed here. Empty: write it into the file later.",
            default: String::new(),
        },
        flags.authority.clone(),
        |text| match text.parse::<Address>() {
            Ok(_) => Ok(text.to_owned()),
            Err(_) if text.is_empty() => Ok(String::new()),
            Err(_) => Err("this is no address; give the wallet in base58".to_owned()),
        },
    )?;
    let flag = (!flags.rpc.is_empty()).then(|| flags.rpc.join(" "));
    config.chain.rpc = talk.ask(
        &Question {
            flag: "rpc",
            prompt: "RPC endpoints",
            explanation: "Where the chain is read and written: one or more urls, separated by spaces, the preferred one \
                          first. https://api.devnet.solana.com is Solana's public test network.",
            default: config.chain.rpc.join(" "),
        },
        flag,
        |text| {
            let rpc: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            accepted(config, |trial| trial.chain.rpc.clone_from(&rpc))?;
            Ok(rpc)
        },
    )?;
    let derived = config.chain.rpc.first().and_then(|rpc| websocket_of(rpc));
    config.chain.websocket = talk.ask(
        &Question {
            flag: "websocket",
            prompt: "Websocket",
            explanation: "Makes new jobs known at once; without it the chain is read every two seconds. \"-\" for none.",
            default: derived.unwrap_or_default(),
        },
        flags.websocket.clone(),
        |text| {
            let text = if text == "-" { "" } else { text };
            let websocket = Websockets::One(text.to_owned());
            accepted(config, |trial| trial.chain.websocket.clone_from(&websocket))?;
            Ok(websocket)
        },
    )?;
    service(talk, flags, config)
}

/// What is reachable, and the operator's own models.
fn service(talk: Talk, flags: &args::Init, config: &mut Config) -> Result<(), Ended> {
    config.api.listen = talk.ask(
        &Question {
            flag: "listen",
            prompt: "Listen on",
            explanation: "The worker speaks plain HTTP here. Put a TLS proxy or a tunnel before it.",
            default: config.api.listen.to_string(),
        },
        flags.listen.map(|listen| listen.to_string()),
        |text| {
            text.parse()
                .map_err(|_| "write an address and a port, such as 127.0.0.1:8950".to_owned())
        },
    )?;
    config.api.public_url = talk.ask(
        &Question {
            flag: "public-url",
            prompt: "Public url",
            explanation: "Under which requesters reach this worker: the provider's endpoint on chain, at most 96 \
                          characters. Requesters elsewhere need a public name, https for preference.",
            default: format!("http://{}", config.api.listen),
        },
        flags.public_url.clone(),
        |text| {
            accepted(config, |trial| text.clone_into(&mut trial.api.public_url))?;
            Ok(text.to_owned())
        },
    )?;
    let given: Vec<String> = flags
        .models
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    config.artifacts.model_dirs = talk.ask(
        &Question {
            flag: "models",
            prompt: "Model folders",
            explanation: "Folders with .onnx files of your own, separated by commas; others are fetched. Empty for none.",
            default: String::new(),
        },
        (!given.is_empty()).then(|| given.join(",")),
        folders,
    )?;
    Ok(())
}

/// What computes.
pub fn engine(
    talk: Talk,
    flags: &args::Init,
    hardware: &Hardware,
    config: &mut Config,
) -> Result<(), Ended> {
    config.engine.provider = talk.ask(
        &Question {
            flag: "provider",
            prompt: "Execution provider",
            explanation: "What runs models: cpu, cuda, tensorrt, coreml, directml or auto. One that is missing is an error \
                          later, never a silent fallback.",
            default: config.engine.provider.name().to_owned(),
        },
        flags.provider.clone(),
        provider,
    )?;
    let at_least_one = |text: &str| match text.parse() {
        Ok(0) | Err(_) => Err("write a number, at least 1".to_owned()),
        Ok(count) => Ok(count),
    };
    config.engine.threads = talk.ask(
        &Question {
            flag: "threads",
            prompt: "Threads of an inference",
            explanation: "One keeps sums in one order, and leaves cores to other jobs.",
            default: config.engine.threads.to_string(),
        },
        flags.threads.map(|threads| threads.to_string()),
        at_least_one,
    )?;
    config.engine.concurrency = talk.ask(
        &Question {
            flag: "concurrency",
            prompt: "Inferences at once",
            explanation: "Each has a process of its own, with the model in its memory. As many as there are cores.",
            default: hardware
                .suggested_concurrency(config.engine.threads)
                .to_string(),
        },
        flags.concurrency.map(|count| count.to_string()),
        at_least_one,
    )?;
    config.policy.concurrent_jobs = config.engine.concurrency;
    Ok(())
}

/// What to ask for a job; with the arithmetic, if there is one.
pub fn price(
    talk: Talk,
    flags: &args::Init,
    measurement: &Measurement,
    config: &mut Config,
) -> Result<Option<(Costs, Suggestion)>, Ended> {
    if let Some(price) = flags.min_price {
        config.policy.min_price_lamports = price;
        return Ok(None);
    }
    let Some(measured) = measurement.measured.first() else {
        eprintln!(
            "! no price is suggested: run time is not known. policy.min_price_lamports stays 0."
        );
        return Ok(None);
    };
    eprintln!(
        "\nA price covers the fees and the energy of a run of: {}",
        measured.model
    );
    let costs = costs(talk, flags, measured.median_micros, config)?;
    if talk == Talk::Terminal || flags.watts.is_some() {
        let watts = u32::try_from(costs.watts.div_ceil(1_000_000));
        config.earnings.watts = watts.unwrap_or(u32::MAX);
    }
    let Some(suggestion) = suggest(&costs) else {
        eprintln!(
            "! no price is suggested: it is beyond every lamport there is. Check the figures."
        );
        return Ok(None);
    };
    eprintln!(
        "\nPrice of a job, in lamports:\n{}",
        explain(&costs, &suggestion)
    );
    config.policy.min_price_lamports = talk.ask(
        &Question {
            flag: "min-price",
            prompt: "Least price, lamports",
            explanation: "The price of an open job rises; the worker claims it when it reaches this. Larger models \
                          take longer: measure the one that you serve, with --bench-model.",
            default: suggestion.price.to_string(),
        },
        None,
        |text| {
            text.parse()
                .map_err(|_| "write a whole number of lamports".to_owned())
        },
    )?;
    Ok(Some((costs, suggestion)))
}

fn costs(talk: Talk, flags: &args::Init, run_micros: u64, config: &Config) -> Result<Costs, Ended> {
    let positive = |text: &str| match millionths(text) {
        Some(0) | None => Err("write a number above 0, such as 0.30".to_owned()),
        Some(number) => Ok(number),
    };
    let watts = talk.ask(
        &Question {
            flag: "watts",
            prompt: "Watts while a model runs",
            explanation: "What the machine draws from the wall then, above what it draws anyway. A desktop processor \
                          takes about 65, a large graphics card 300: a meter knows better.",
            default: "65".to_owned(),
        },
        flags.watts.clone(),
        positive,
    )?;
    let electricity = talk.ask(
        &Question {
            flag: "electricity",
            prompt: "Price of a kilowatt hour",
            explanation: "In your currency, from your bill.",
            default: "0.30".to_owned(),
        },
        flags.electricity.clone(),
        positive,
    )?;
    let sol_price = talk.ask(
        &Question {
            flag: "sol-price",
            prompt: "Price of one SOL",
            explanation: "In the same currency, today. Nobody is asked: the worker knows no exchange.",
            default: "100".to_owned(),
        },
        flags.sol_price.clone(),
        positive,
    )?;
    let margin_percent = talk.ask(
        &Question {
            flag: "margin",
            prompt: "Margin, percent",
            explanation: "Beyond the costs: wear, idle hours, audits, your work.",
            default: "50".to_owned(),
        },
        flags.margin.map(|margin| margin.to_string()),
        |text| {
            text.parse()
                .map_err(|_| "write a whole number of percent".to_owned())
        },
    )?;
    let market_fee_bps = MarketParams::PUBLIC.fee_bps;
    eprintln!("assumed: the market's share, {market_fee_bps} basis points as on a public market");
    Ok(Costs {
        run_micros,
        watts,
        electricity,
        sol_price,
        max_unit_price: config.chain.max_unit_price,
        margin_percent,
        market_fee_bps,
    })
}

/// Whether the configuration's own check accepts a change.
fn accepted(config: &Config, change: impl FnOnce(&mut Config)) -> Result<(), String> {
    let mut trial = config.clone();
    change(&mut trial);
    // Whoever has no authority yet is asked for everything else.
    if trial.authority.is_empty() {
        trial.authority = Address::default().to_string();
    }
    trial.check().map_err(|error| match error {
        ConfigError::Invalid { reason, .. } => reason,
        other @ (ConfigError::Read { .. }
        | ConfigError::Parse { .. }
        | ConfigError::Setting { .. }) => other.to_string(),
    })
}

/// By Solana's custom: the same host, and on a local chain the next port.
fn websocket_of(rpc: &str) -> Option<String> {
    let mut url = Url::parse(rpc).ok()?;
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    if let Some(port) = url.port() {
        url.set_port(Some(port.checked_add(1)?)).ok()?;
    }
    // `set_scheme` refuses to turn http into ws.
    let text = url.to_string();
    let rest = text.split_once("://")?.1;
    Some(format!("{scheme}://{}", rest.trim_end_matches('/')))
}

fn folders(text: &str) -> Result<Vec<PathBuf>, String> {
    let named = text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    named
        .map(|name| {
            let folder = std::path::absolute(Path::new(name)).map_err(|error| error.to_string())?;
            if folder.is_dir() {
                Ok(folder)
            } else {
                Err(format!("{} is no folder; make it first", folder.display()))
            }
        })
        .collect()
}

fn provider(text: &str) -> Result<Provider, String> {
    serde_json::from_value(serde_json::Value::from(text)).map_err(|_| {
        format!("{text:?} is none; write cpu, cuda, tensorrt, coreml, directml or auto")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn websocket_is_beside_the_rpc_endpoint() {
        let cases = [
            ("http://127.0.0.1:8899", "ws://127.0.0.1:8900"),
            (
                "https://api.devnet.solana.com",
                "wss://api.devnet.solana.com",
            ),
            ("https://rpc.example/?key=a", "wss://rpc.example/?key=a"),
        ];
        for (rpc, websocket) in cases {
            assert_eq!(websocket_of(rpc).as_deref(), Some(websocket));
        }
        assert_eq!(websocket_of("nonsense"), None);
        assert_eq!(websocket_of("http://a.example:65535"), None);
    }

    #[test]
    fn answers_are_checked_as_the_configuration_is() {
        let mut config = Config::default();
        let reason = accepted(&config, |trial| trial.api.public_url = "ftp://a".into());
        assert!(reason.unwrap_err().contains("http://"));
        accepted(&config, |trial| trial.api.public_url = "https://a".into()).unwrap();
        config.authority = "AsyWn5BwMuQy35FtTbSA65vwycbmAuCHPJsgg2jA5Bpc".into();
        accepted(&config, |_| {}).unwrap();
        assert!(
            folders("/nowhere/at/all")
                .unwrap_err()
                .contains("no folder")
        );
        assert_eq!(folders(" , ").unwrap(), Vec::<PathBuf>::new());
        assert_eq!(provider("tensorrt"), Ok(Provider::Tensorrt));
        assert!(provider("gpu").is_err());
    }
}
