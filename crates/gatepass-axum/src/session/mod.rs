//! What a session holds of a sign-in, for how long, and how it ends before its time.

mod marks;
mod memory;
mod record;
mod store;
mod watched;

pub(crate) use self::{
    marks::{Marks, Order},
    memory::MemorySessions,
    record::{Limits, SEEN, SignedIn, seconds, seen, unreachable},
    store::Sessions,
    watched::{Watch, Watched},
};
