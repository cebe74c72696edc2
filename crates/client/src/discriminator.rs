//! The eight bytes that tell instructions, accounts and events apart.

use assay_protocol::Digest;

/// First bytes of an instruction's data, an account's data or an event's data.
pub type Discriminator = [u8; 8];

/// Bytes of a discriminator.
pub const LENGTH: usize = 8;

/// Discriminator of the instruction with this name, in snake case.
pub fn instruction(name: &str) -> Discriminator {
    of("global:", name)
}

/// Discriminator of the account type with this name, in camel case.
pub fn account(name: &str) -> Discriminator {
    of("account:", name)
}

/// Discriminator of the event with this name, in camel case.
pub fn event(name: &str) -> Discriminator {
    of("event:", name)
}

fn of(namespace: &str, name: &str) -> Discriminator {
    let Digest([a, b, c, d, e, f, g, h, ..]) = Digest::of(&[namespace.as_bytes(), name.as_bytes()]);
    [a, b, c, d, e, f, g, h]
}
