//! Encrypts what any store keeps: [`Sealed`].

mod envelope;
mod key;
mod store;
#[cfg(test)]
mod tests;

pub use self::{key::SealKey, store::Sealed};
