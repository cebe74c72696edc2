//! Where there is no `memfd`: everything goes through the pipe.

use std::{convert::Infallible, fs::File, io, ops::Range};

/// There is none.
pub struct Window(Infallible);

impl Window {
    pub fn given(&self, _: Range<usize>) -> Option<&[u8]> {
        match self.0 {}
    }

    pub fn both(&mut self) -> (&[u8], &mut [u8]) {
        match self.0 {}
    }
}

/// There is none.
#[derive(Debug)]
pub struct Shared(Infallible);

impl Shared {
    pub fn give_model(&self, _: &[u8]) -> io::Result<()> {
        match self.0 {}
    }

    pub fn give_file(&self, _: &mut File, _: u64) -> io::Result<()> {
        match self.0 {}
    }

    pub fn each_given(&self, _: u64, _: impl FnMut(&[u8])) -> io::Result<()> {
        match self.0 {}
    }

    pub fn take_model_back(&self) -> io::Result<()> {
        match self.0 {}
    }

    pub fn fits(&self, _: usize) -> bool {
        match self.0 {}
    }

    pub fn give(&self, _: usize, _: &[u8]) -> io::Result<()> {
        match self.0 {}
    }

    pub fn made(&self, _: Range<usize>) -> io::Result<Vec<u8>> {
        match self.0 {}
    }

    pub fn rest(&self, _: usize, _: usize) -> io::Result<()> {
        match self.0 {}
    }
}

/// There is none.
#[derive(Debug)]
pub struct Blank(Infallible);

/// There is none.
#[derive(Debug)]
pub struct Written(Infallible);

impl Written {
    pub fn read(&self, _: u64) -> io::Result<Vec<u8>> {
        match self.0 {}
    }
}
