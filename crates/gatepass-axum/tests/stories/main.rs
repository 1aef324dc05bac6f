//! Stories of people who sign in to a site, through the public API, at a real provider on a socket.

mod sign_in;
mod under_fire;
mod world;
