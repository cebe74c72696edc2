//! The rules against independent references: 128-bit arithmetic, slow and obvious models, and fixed vectors.

#[cfg(test)]
mod amount;
#[cfg(test)]
mod auditor;
#[cfg(test)]
mod commitment;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod grid;
#[cfg(test)]
mod grid_bounds;
#[cfg(test)]
mod layout;
#[cfg(test)]
mod market;
#[cfg(test)]
mod outputs;
#[cfg(test)]
mod panel;
#[cfg(test)]
mod profile;
#[cfg(test)]
mod provider;
#[cfg(test)]
#[cfg(test)]
mod session;
mod sortition;
#[cfg(test)]
mod status;
#[cfg(test)]
mod terms;
#[cfg(test)]
mod text;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod verdict;
#[cfg(test)]
mod voucher;
