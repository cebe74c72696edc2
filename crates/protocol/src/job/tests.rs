//! Unit tests of the job rules.
