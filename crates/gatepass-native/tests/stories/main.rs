//! The callback server, seen from browsers and from those who mean no good.

mod browser;
mod callback;
mod closing;
mod crowds;
mod hostile;
