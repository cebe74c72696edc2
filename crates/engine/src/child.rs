//! The far end of the pipe: this executable, started with the argument `engine`.

use std::{
    io::{self, BufWriter},
    process::ExitCode,
    sync::mpsc,
    thread,
};

use super::{
    backend::{Backend, LoadError, RunError},
    config::EngineConfig,
    frame::{self, Request, Response},
    info::{Dimension, ModelInfo},
    runtime::OrtBackend,
    sandbox,
    settings::Mode,
    tensor::{Tensor, to_safetensors},
};

/// Serves requests from standard input on standard output until it ends. Called by `main` for the
/// hidden subcommand `engine`, before configuration, logging or keys are touched.
pub fn child_main() -> ExitCode {
    let mut stdout = BufWriter::new(io::stdout().lock());
    let mut engine = Engine::default();
    // Read by this thread, the only one: the sandbox holds whoever enters it, and what that one
    // starts afterwards.
    let (response, requests) = match next(&mut io::stdin().lock()) {
        (Request::Start { config, mode }, _) => engine.start(config, mode),
        (Request::Load | Request::LoadUnchecked | Request::Run | Request::Attempt { .. }, _) => {
            (out_of_order(), listen())
        }
    };
    let mut answered = frame::write(&mut stdout, &response, &[]);
    for (request, body) in requests {
        if answered.is_err() {
            break;
        }
        let (response, body) = engine.answer(request, &body);
        answered = frame::write(&mut stdout, &response, &body);
    }
    match answered {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the host takes no answer: {error}");
            ExitCode::FAILURE
        }
    }
}

type Message = (Request, Vec<u8>);

/// Takes requests from now on, so that the end of the host is seen even in the middle of an
/// inference.
fn listen() -> mpsc::Receiver<Message> {
    let (send, requests) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        while send.send(next(&mut stdin)).is_ok() {}
    });
    requests
}

/// The next request. Where none comes any more, the process ends.
fn next(stdin: &mut impl io::Read) -> Message {
    match frame::read::<Request>(stdin, u64::MAX) {
        Ok(Some(message)) => message,
        Ok(None) => std::process::exit(0),
        Err(error) => {
            eprintln!("the host sent no frame: {error}");
            std::process::exit(1);
        }
    }
}

#[derive(Default)]
struct Engine {
    started: Option<(EngineConfig, OrtBackend)>,
    info: Option<ModelInfo>,
}

impl Engine {
    fn answer(&mut self, request: Request, body: &[u8]) -> (Response, Vec<u8>) {
        let response = match request {
            Request::Start { .. } => out_of_order(),
            Request::Load => self.load(body, OrtBackend::load),
            Request::LoadUnchecked => self.load(body, OrtBackend::load_unchecked),
            Request::Run => return self.run(body),
            Request::Attempt { attempt } => Response::Attempted {
                denied: attempt.make(),
            },
        };
        (response, Vec::new())
    }

    /// Loads the library, then gives up what only that needed.
    fn start(&mut self, config: EngineConfig, mode: Mode) -> (Response, mpsc::Receiver<Message>) {
        let backend = match OrtBackend::open(&config, mode) {
            Ok(backend) => backend,
            Err(fault) => return (Response::Fault { fault }, listen()),
        };
        let entered = sandbox::enter(&config, &config.settings(mode));
        let requests = listen();
        let response = match entered.close() {
            Ok(confinement) => {
                let runtime = backend.runtime().clone();
                self.started = Some((config, backend));
                Response::Started {
                    runtime,
                    confinement,
                }
            }
            Err(fault) => Response::Fault { fault },
        };
        (response, requests)
    }

    fn load(
        &mut self,
        model: &[u8],
        load: fn(&mut OrtBackend, &[u8]) -> Result<ModelInfo, LoadError>,
    ) -> Response {
        let Some((config, backend)) = &mut self.started else {
            return out_of_order();
        };
        let info = match load(backend, model) {
            Ok(info) => info,
            Err(LoadError::Refused(refused)) => return Response::Refused { refused },
            Err(LoadError::Fault(fault)) => return Response::Fault { fault },
        };
        if config.warm_up
            && let Some(zeros) = zeros(&info, config.limits.input_bytes)
        {
            // A model may rightly fail on zeros; what counts is that its kernels have run.
            if let Err(RunError::Fault(fault)) = backend.run(&zeros) {
                return Response::Fault { fault };
            }
        }
        let placement = match backend.placement() {
            Ok(placement) => placement,
            Err(fault) => return Response::Fault { fault },
        };
        self.info = Some(info.clone());
        Response::Loaded { info, placement }
    }

    fn run(&mut self, input: &[u8]) -> (Response, Vec<u8>) {
        let (Some((config, backend)), Some(info)) = (&mut self.started, &self.info) else {
            return (out_of_order(), Vec::new());
        };
        let tensors = match info.check_input(input, config.limits.input_bytes) {
            Ok(tensors) => tensors,
            Err(mismatch) => return (Response::Mismatch { mismatch }, Vec::new()),
        };
        let response = match backend.run(&tensors) {
            Ok(outputs) => match to_safetensors(&outputs) {
                Ok(file) => return (Response::Outputs, file),
                Err(error) => unexpected(error.to_string()),
            },
            Err(RunError::Failed(failure)) => Response::Failed { failure },
            Err(RunError::Fault(fault)) => Response::Fault { fault },
        };
        (response, Vec::new())
    }
}

fn out_of_order() -> Response {
    unexpected("a request came before those it builds on".into())
}

fn unexpected(reason: String) -> Response {
    Response::Fault {
        fault: super::error::RuntimeFault::Unexpected { reason },
    }
}

/// The smallest input of the model's types and shapes; None if it would be larger than any job's.
fn zeros(info: &ModelInfo, limit: u64) -> Option<Vec<Tensor>> {
    let mut room = usize::try_from(limit).ok()?;
    info.inputs
        .iter()
        .map(|input| {
            let sizes = input
                .shape
                .iter()
                .flatten()
                .map(|dimension| match dimension {
                    Dimension::Fixed(size) => *size,
                    Dimension::Named(_) | Dimension::Any => 1,
                });
            let shape: Vec<usize> = sizes.collect();
            let size = shape
                .iter()
                .try_fold(input.dtype.size(), |size, side| size.checked_mul(*side))?;
            room = room.checked_sub(size)?;
            let (name, dtype) = (input.name.clone(), input.dtype);
            Some(Tensor {
                name,
                dtype,
                shape,
                data: vec![0; size],
            })
        })
        .collect()
}
