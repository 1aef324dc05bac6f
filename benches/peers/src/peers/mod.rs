//! One file for each peer: how its docs have it set up, against a token endpoint on loopback.

pub(crate) mod aliri;
pub(crate) mod aws;
pub(crate) mod azure;
pub(crate) mod by_hand;
pub(crate) mod cf_gears;
pub(crate) mod google;
pub(crate) mod huskarl;
pub(crate) mod middle;
pub(crate) mod ours;
pub(crate) mod retry;
pub(crate) mod yup;
