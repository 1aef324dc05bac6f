//! The examples that are web servers, run as the programs they are, and used by somebody with a browser.

mod browser;
mod jobs;
mod login;
mod program;
mod settings;
mod spa;
mod swap;
