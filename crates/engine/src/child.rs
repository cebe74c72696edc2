//! The far end of the pipe: this executable, started with the argument `engine`.
//!
//! One thread takes requests and answers them. Another waits for the end of standard input, on
//! which nothing is ever sent: it comes when the host is gone.

use std::{
    io::{self, BufReader, Read},
    process::ExitCode,
    thread,
    time::Duration,
};

use super::{
    backend::{Backend, LoadError, RunError},
    carry::Carrying,
    config::EngineConfig,
    error::RuntimeFault,
    frame::{self, Kept, Request, Response},
    info::ModelInfo,
    runtime::OrtBackend,
    sandbox,
    settings::Mode,
};
use memory::Memory;
use pipe::Pipe;

mod memory;
mod pipe;
mod sample;

/// Serves requests until they end. Called by `main` for the hidden subcommand `engine`, before
/// configuration, logging or keys are touched.
pub fn child_main() -> ExitCode {
    let mut pipe = BufReader::new(Pipe::default());
    let mut engine = Engine::default();
    loop {
        let (request, body) = match frame::read::<Request>(&mut pipe, u64::MAX) {
            Ok(Some(request)) => request,
            Ok(None) => return ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("the host sent no frame: {error}");
                return ExitCode::FAILURE;
            }
        };
        let linger = linger(&request);
        let (response, body) = engine.answer(request, body);
        if let Err(error) = frame::write(pipe.get_mut(), &response, &body) {
            eprintln!("the host takes no answer: {error}");
            return ExitCode::FAILURE;
        }
        pipe.get_mut().answered(linger);
    }
}

/// How long the next request may be looked for after this one.
fn linger(request: &Request) -> Duration {
    if let Request::Run { linger_micros, .. } = request {
        return Duration::from_micros(*linger_micros);
    }
    Duration::ZERO
}

/// Ends the process with its host, even in the middle of an inference.
fn end_with_host() -> io::Result<()> {
    let wait = || {
        let _: io::Result<usize> = io::stdin().lock().read(&mut [0]);
        std::process::exit(0);
    };
    thread::Builder::new().spawn(wait).map(|_| ())
}

#[derive(Default)]
struct Engine {
    memory: Memory,
    started: Option<(EngineConfig, OrtBackend)>,
    info: Option<ModelInfo>,
}

impl Engine {
    fn answer(&mut self, request: Request, body: Vec<u8>) -> (Response, Vec<u8>) {
        // The host has opened what was offered to it.
        self.memory.close_offer();
        let response = match request {
            Request::Share { sizes } => self.memory.share(sizes),
            Request::Start { config, mode } => self.start(config, mode),
            Request::Load { shared, keep } => self.load(shared, body, Form::Model { keep }),
            Request::LoadOptimised { shared, info } => {
                self.load(shared, body, Form::Optimised(info))
            }
            Request::LoadUnchecked => self.load(None, body, Form::Unchecked),
            Request::Run {
                shapes,
                shared,
                carrying,
                ..
            } => return self.run((shapes, shared, &body), carrying.as_ref()),
            Request::Forget { sequence } => self.forget(sequence),
            Request::Attempt { attempt } => Response::Attempted {
                denied: attempt.make(),
            },
        };
        (response, Vec::new())
    }

    /// Loads the library, then gives up what only that needed.
    fn start(&mut self, config: EngineConfig, mode: Mode) -> Response {
        if self.started.is_some() {
            return out_of_order();
        }
        let backend = match OrtBackend::open(&config, mode) {
            Ok(backend) => backend,
            Err(fault) => return Response::Fault { fault },
        };
        let entered = sandbox::enter(&config, &config.settings(mode), self.memory.take_blank());
        // The sandbox holds the thread that enters it, and those that this one starts afterwards.
        if let Err(error) = end_with_host() {
            return unexpected(error.to_string());
        }
        match entered.close() {
            Ok(confinement) => {
                let runtime = backend.runtime().clone();
                self.started = Some((config, backend));
                Response::Started {
                    runtime,
                    confinement,
                }
            }
            Err(fault) => Response::Fault { fault },
        }
    }

    fn load(&mut self, shared: Option<u64>, body: Vec<u8>, form: Form) -> Response {
        let Some((config, backend)) = &mut self.started else {
            return out_of_order();
        };
        let Some(model) = self.memory.model(shared, &body) else {
            return unexpected("a model that lies nowhere".into());
        };
        let loaded = load(backend, model, form);
        // Whether or not it was written, nothing is from now on.
        sandbox::close_blank();
        let (info, kept) = match loaded {
            Ok(loaded) => loaded,
            Err(LoadError::Refused(refused)) => return Response::Refused { refused },
            Err(LoadError::Fault(fault)) => return Response::Fault { fault },
        };
        drop(body);
        let sample = if config.warm_up {
            match sample::run(backend, &info, config.limits.input_bytes) {
                Ok(sample) => sample,
                Err(fault) => return Response::Fault { fault },
            }
        } else {
            None
        };
        let placement = match backend.placement() {
            Ok(placement) => placement,
            Err(fault) => return Response::Fault { fault },
        };
        self.info = Some(info.clone());
        Response::Loaded {
            info,
            placement,
            sample,
            kept,
        }
    }

    fn forget(&mut self, sequence: u64) -> Response {
        let Some((_, backend)) = &mut self.started else {
            return out_of_order();
        };
        backend.forget(sequence);
        Response::Forgotten
    }

    fn run(
        &mut self,
        (shapes, shared, body): (Vec<Vec<usize>>, bool, &[u8]),
        carrying: Option<&Carrying>,
    ) -> (Response, Vec<u8>) {
        let (Some((_, backend)), Some(info)) = (&mut self.started, &self.info) else {
            return (out_of_order(), Vec::new());
        };
        let (given, mut made) = self.memory.tensors();
        let ports = info.inputs.iter();
        let ports = ports.filter(|port| Carrying::is_given(carrying, &port.name));
        let inputs = match given.inputs(&ports.collect::<Vec<_>>(), shapes, shared, body) {
            Ok(inputs) => inputs,
            Err(reason) => return (unexpected(reason), Vec::new()),
        };
        let ran = backend.run_on(&inputs, carrying, |output| {
            made.add(&output)
                .map_err(|reason| RuntimeFault::Unexpected { reason })
        });
        match ran {
            Ok(()) => made.finish(),
            Err(RunError::Failed(failure)) => (Response::Failed { failure }, Vec::new()),
            Err(RunError::Fault(fault)) => (Response::Fault { fault }, Vec::new()),
        }
    }
}

/// What is to be loaded.
enum Form {
    Model { keep: bool },
    Unchecked,
    Optimised(ModelInfo),
}

fn load(
    backend: &mut OrtBackend,
    model: &[u8],
    form: Form,
) -> Result<(ModelInfo, Kept), LoadError> {
    let plain = |info| (info, Kept::NotAsked);
    match form {
        Form::Unchecked => backend.load_unchecked(model).map(plain),
        Form::Optimised(info) => backend.load_optimised(model, info).map(plain),
        Form::Model { keep: false } => backend.load(model).map(plain),
        Form::Model { keep: true } => {
            let Some(path) = sandbox::blank_path() else {
                let reason = "there is nothing that it could be written to".into();
                let info = backend.load(model)?;
                return Ok((info, Kept::Not { reason }));
            };
            let is_touched = || sandbox::blank_path().is_none();
            let (info, reason) = backend.load_and_keep(model, path, is_touched)?;
            let kept = reason.map_or(Kept::Written, |reason| Kept::Not { reason });
            Ok((info, kept))
        }
    }
}

fn out_of_order() -> Response {
    unexpected("a request came before those it builds on".into())
}

fn unexpected(reason: String) -> Response {
    Response::Fault {
        fault: RuntimeFault::Unexpected { reason },
    }
}
