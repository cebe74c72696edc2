//! Commands that work on files alone, with the real runtime and real models, without a chain.

#[cfg(test)]
mod calibrate;
#[cfg(test)]
mod verify;
