//! Stories of people who sign in to a site, through the public API, at a real provider on a socket.

mod arrivals;
mod back_channel;
mod bare_hyper;
mod browser;
mod callback;
mod cookies;
mod crowds;
mod id_tokens;
mod jobs;
mod mix_up;
mod on_behalf;
mod outages;
mod pushed;
mod secrets;
mod session_store;
mod sessions;
mod settings;
mod sign_in;
mod sign_out;
mod state;
mod stores;
mod under_fire;
mod world;
