//! Where the engine finds models and inputs, and puts outputs.

use std::borrow::Cow;

use crate::{
    frame::Response,
    info::TensorInfo,
    shared::{Blank, Layout, Sizes, Window},
    tensor::{View, data_size},
};

#[cfg(target_os = "linux")]
use crate::shared::Offer;

/// Memory shared with the host, if there is any.
#[derive(Default)]
pub struct Memory {
    window: Option<Window>,
    #[cfg(target_os = "linux")]
    offer: Option<Offer>,
    blank: Option<Blank>,
}

impl Memory {
    #[cfg(target_os = "linux")]
    pub fn share(&mut self, sizes: Sizes) -> Response {
        // Without it models are optimised at each load, and nothing else is lost.
        let limit = sizes.optimised;
        let blank = (limit > 0).then(|| Blank::open(limit).ok()).flatten();
        match Window::open(sizes) {
            Ok((window, offer)) => {
                let numbers = offer.numbers();
                (self.window, self.offer) = (Some(window), Some(offer));
                self.blank = blank;
                let blank = self.blank.as_ref().map(Blank::number);
                Response::Sharing { numbers, blank }
            }
            Err(error) => Response::NotSharing {
                reason: error.to_string(),
            },
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub fn share(&mut self, _: Sizes) -> Response {
        Response::NotSharing {
            reason: "this system has no memfd".into(),
        }
    }

    /// For the sandbox, which lets it be written or closes it.
    pub fn take_blank(&mut self) -> Option<Blank> {
        self.blank.take()
    }

    /// Leaves this process without a file that a model could write or grow, but for what is blank.
    pub fn close_offer(&mut self) {
        #[cfg(target_os = "linux")]
        {
            self.offer = None;
        }
    }

    pub fn model<'a>(&'a self, shared: Option<u64>, body: &'a [u8]) -> Option<&'a [u8]> {
        match shared {
            None => Some(body),
            Some(length) => {
                let window = self.window.as_ref()?;
                window.given(0..usize::try_from(length).ok()?)
            }
        }
    }

    pub fn tensors(&mut self) -> (Given<'_>, Made<'_>) {
        let (given, made) = match &mut self.window {
            None => (None, None),
            Some(window) => {
                let (given, made) = window.both();
                (Some(given), Some(made))
            }
        };
        let made = Made {
            made,
            body: Vec::new(),
            layout: Layout::default(),
            shapes: Vec::new(),
        };
        (Given { given }, made)
    }
}

pub struct Given<'a> {
    given: Option<&'a [u8]>,
}

impl<'a> Given<'a> {
    /// The inputs of one run. The host has checked them against the model.
    pub fn inputs(
        &self,
        ports: &[&'a TensorInfo],
        shapes: Vec<Vec<usize>>,
        shared: bool,
        body: &'a [u8],
    ) -> Result<Vec<View<'a>>, String> {
        let memory = match (shared, self.given) {
            (false, _) => body,
            (true, Some(given)) => given,
            (true, None) => return Err("inputs in memory that is not shared".into()),
        };
        if shapes.len() != ports.len() {
            return Err("another number of inputs than the model takes".into());
        }
        let mut layout = Layout::default();
        let input = |(port, shape): (&&'a TensorInfo, Vec<usize>)| {
            let place = layout.next(data_size(port.dtype, &shape)?)?;
            Some(View {
                name: Cow::Borrowed(&port.name),
                dtype: port.dtype,
                shape: Cow::Owned(shape),
                data: memory.get(place)?,
            })
        };
        let inputs: Option<Vec<_>> = ports.iter().zip(shapes).map(input).collect();
        inputs.ok_or_else(|| "inputs that lie nowhere".into())
    }
}

/// Outputs, as they are made.
pub struct Made<'a> {
    /// Shared memory; none if there is none, or not enough.
    made: Option<&'a mut [u8]>,
    body: Vec<u8>,
    layout: Layout,
    shapes: Vec<Vec<usize>>,
}

impl Made<'_> {
    pub fn add(&mut self, output: &View<'_>) -> Result<(), String> {
        let before = self.layout.end();
        let place = self.layout.next(output.data.len());
        let place = place.ok_or("outputs without an end")?;
        self.shapes.push(output.shape.to_vec());
        if let Some(made) = &mut self.made {
            if let Some(to) = made.get_mut(place.clone()) {
                to.copy_from_slice(output.data);
                return Ok(());
            }
            // Many small outputs have more gaps than were reckoned with.
            self.body = made.get(..before).unwrap_or_default().to_vec();
            self.made = None;
        }
        self.body.resize(place.start, 0);
        self.body.extend_from_slice(output.data);
        Ok(())
    }

    pub fn finish(self) -> (Response, Vec<u8>) {
        let response = Response::Outputs {
            shapes: self.shapes,
            shared: self.made.is_some(),
        };
        (response, self.body)
    }
}
