//! The end of a session: by the person here, or by the provider.

mod back_channel;
mod person;

pub(crate) use self::{
    back_channel::back_channel,
    person::{confirm, revoke, sign_out},
};
