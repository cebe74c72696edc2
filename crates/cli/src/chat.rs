//! `assay chat`: a conversation in the terminal with a model behind a gateway.

mod api;

use std::{
    io::{ErrorKind, IsTerminal, Result as IoResult, Write, stdin, stdout},
    path::Path,
    thread,
};

use anyhow::{Context as _, Result, bail};
use assay_package::Package;
use clap::Args;
use serde::Serialize;
use tokio::{signal::ctrl_c, sync::mpsc};

use crate::{Ending, context::Context, output, plain::lines};
use api::{Answer, Api, Message, Settings};

pub const EXAMPLES: &str = "\
Examples:
  assay gateway --max-spend 0.1 --package tiny-chat/     # in another terminal
  assay chat
  assay chat --once \"What is 7 + 5?\"

Ctrl-C stops an answer, and leaves where none is under way. /clear forgets what was said, /quit leaves. Each answer is \
paid for by the gateway's wallet.";

#[derive(Args, Debug)]
pub struct ChatOptions {
    /// The package to talk to: its name, or its folder or archive; the gateway's only chat model by default
    #[arg(long, value_name = "PACKAGE")]
    package: Option<String>,
    /// Where the gateway is
    #[arg(
        long,
        env = "ASSAY_GATEWAY",
        default_value = "http://127.0.0.1:8952",
        value_name = "URL"
    )]
    gateway: String,
    /// Its key, if it wants one
    #[arg(
        long,
        env = "ASSAY_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    api_key: Option<String>,
    /// Ask this, print the answer and end
    #[arg(long, value_name = "TEXT")]
    once: Option<String>,
    /// What the model is to keep to, in place of the package's own system message
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Tokens of an answer, at most
    #[arg(long, value_name = "N")]
    max_tokens: Option<u32>,
    /// 0 for the likeliest answer; the package's by default
    #[arg(long, value_name = "NUMBER")]
    temperature: Option<f32>,
    /// The same seed gives the same answer
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// An answer for programs.
#[derive(Serialize)]
struct View<'a> {
    model: &'a str,
    content: &'a str,
    finish_reason: &'a str,
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

struct Chat<'a> {
    api: Api,
    /// None prints text as it comes.
    json: bool,
    system: Option<&'a str>,
    said: Vec<Message>,
}

pub async fn run(context: &Context, options: ChatOptions) -> Result<Ending> {
    let settings = Settings {
        max_tokens: options.max_tokens,
        temperature: options.temperature,
        seed: options.seed,
    };
    let api = Api::connect(&options.gateway, options.api_key.as_deref(), settings)?;
    let name = match &options.package {
        Some(path) if Path::new(path).exists() => Package::open(Path::new(path))?.name,
        Some(name) => name.clone(),
        None => api.only_chat_model().await?,
    };
    let api = api.of(name);
    let mut chat = Chat {
        api,
        json: context.options.json,
        system: options.system.as_deref(),
        said: Vec::new(),
    };
    chat.clear();
    if let Some(question) = &options.once {
        chat.ask(question).await?;
        return Ok(Ending::Done);
    }
    let at_terminal = stdin().is_terminal();
    if at_terminal {
        context.say(format_args!(
            "talking to {} at {}; /quit leaves",
            lines(chat.api.model()),
            options.gateway
        ));
    }
    let mut input = typed();
    while let Some(line) = question(&mut input, at_terminal).await? {
        match line.trim() {
            "" => {}
            "/quit" | "/exit" | "/bye" => break,
            "/clear" => chat.clear(),
            other if other.starts_with('/') => {
                context.say("that is no command; there are /clear and /quit");
            }
            // What fails once may go well the next time, and a person can type it again; a script cannot.
            question => match chat.ask(question).await {
                Err(error) if at_terminal => crate::explain::report(&error),
                done => done?,
            },
        }
    }
    Ok(Ending::Done)
}

/// Lines from stdin, read on a thread of their own: one that waits for a person must not keep this program from ending.
fn typed() -> mpsc::Receiver<IoResult<String>> {
    let (give, take) = mpsc::channel(1);
    thread::spawn(move || {
        for line in stdin().lines() {
            if give.blocking_send(line).is_err() {
                break;
            }
        }
    });
    take
}

/// The next line that is typed; none at the end, or when Ctrl-C is pressed instead.
async fn question(
    input: &mut mpsc::Receiver<IoResult<String>>,
    at_terminal: bool,
) -> Result<Option<String>> {
    if at_terminal {
        eprint!("> ");
    }
    tokio::select! {
        line = input.recv() => line.transpose().context("cannot read what is typed"),
        interrupted = ctrl_c() => {
            interrupted?;
            eprintln!();
            Ok(None)
        }
    }
}

impl Chat<'_> {
    fn clear(&mut self) {
        self.said = self
            .system
            .map(|system| Message::new("system", system))
            .into_iter()
            .collect();
    }

    /// Asks, and shows the answer as it comes. What was asked and answered belongs to the next question, unless it
    /// failed.
    async fn ask(&mut self, question: &str) -> Result<()> {
        self.said.push(Message::new("user", question));
        let answer = self.answer().await;
        let answer = answer.inspect_err(|_| {
            self.said.pop();
        })?;
        if self.json {
            output::json(&View {
                model: self.api.model(),
                content: &answer.text,
                finish_reason: answer.finish.as_deref().unwrap_or("interrupted"),
                prompt_tokens: answer.prompt_tokens,
                completion_tokens: answer.completion_tokens,
            })?;
        } else {
            show("\n")?;
            if answer.finish.as_deref() == Some("length") {
                eprintln!("(cut off: as many tokens as it may have)");
            }
        }
        self.said.push(Message::new("assistant", &answer.text));
        Ok(())
    }

    async fn answer(&self) -> Result<Answer> {
        let mut answer = Answer::default();
        let mut coming = self.api.ask(&self.said).await?;
        loop {
            let piece = tokio::select! {
                piece = coming.next() => piece?,
                interrupted = ctrl_c() => {
                    interrupted?;
                    // Dropping the stream tells the gateway to stop.
                    return Ok(answer);
                }
            };
            let Some(piece) = piece else {
                if answer.finish.is_none() {
                    bail!("the answer broke off; ask again");
                }
                return Ok(answer);
            };
            if !self.json {
                show(&lines(&piece.text.replace('\t', "    ")))?;
            }
            answer.add(piece);
        }
    }
}

/// Writes to stdout at once. A reader that has gone away, as `head` does, is no failure.
fn show(text: &str) -> Result<()> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
