//! What it costs that each chat template is rendered in a process of its own: `cargo bench -p assay-gateway`.
//!
//! This executable is that process too.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement ends by panicking"
)]

use std::{
    env,
    process::ExitCode,
    time::{Duration, Instant},
};

use assay_gateway::templates::{self, Processes, Renderer as _};
use assay_package::{ChatTemplate, Message, Rendering};

const RENDERINGS: usize = 1_000;
const CHATML: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + \
    '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

fn main() -> ExitCode {
    if env::args().nth(1).as_deref() == Some(templates::ARGUMENT) {
        return templates::child_main();
    }
    tokio::runtime::Runtime::new().unwrap().block_on(measure());
    ExitCode::SUCCESS
}

async fn measure() {
    let renderer = Processes::of_this_executable().unwrap();
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for _ in 0..RENDERINGS {
        let began = Instant::now();
        let text = chat().render().unwrap();
        here.push(began.elapsed());
        let began = Instant::now();
        assert_eq!(renderer.render(chat()).await.unwrap(), text);
        there.push(began.elapsed());
    }
    println!("a chat of ten messages, {RENDERINGS} renderings, each after the other");
    report("in the process itself", here);
    report("in a process of its own", there);
}

fn chat() -> Rendering {
    let template = ChatTemplate {
        file: "chat_template.jinja".to_owned(),
        source: CHATML.to_owned(),
        bos: String::new(),
        eos: String::new(),
    };
    let message = |turn: usize| Message {
        role: ["user", "assistant"][turn % 2].to_owned(),
        content: "What is the capital of France? ".repeat(8),
    };
    template.prompt((0..10).map(message).collect())
}

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times[times.len() * percent / 100].as_micros();
    println!(
        "{name}: {} us at the median, {} us at the 99th percentile",
        at(50),
        at(99)
    );
}
