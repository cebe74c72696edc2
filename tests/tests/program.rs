//! The program on LiteSVM, one module an instruction. One binary, so that it is linked once.

#[path = "program/budget.rs"]
mod budget;
#[path = "program/lifecycle.rs"]
mod lifecycle;
