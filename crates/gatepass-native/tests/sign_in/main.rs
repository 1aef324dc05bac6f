//! Programs that people sign in to, from the first start to the sign-out, at a server that fails on command. The browser
//! is a plain HTTP client.

mod answers;
mod before_asking;
mod browser;
mod devices;
mod giving_up;
mod keeping;
mod meanwhile;
mod names;
mod program;
mod signing_out;
mod ways;
