//! Apps, a server that swaps for them, and an authorization server, over real sockets.

mod faults;
mod forms;
mod sealing;
mod stories;
mod world;
