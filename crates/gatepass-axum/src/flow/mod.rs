//! One sign-in, from the first redirect to the session. Framework-free: a request's head in, an answer out.

mod begin;
mod callback;
mod cookie;
mod identity;
mod trouble;

pub(crate) use self::{
    begin::{begin, choose},
    callback::callback,
};
