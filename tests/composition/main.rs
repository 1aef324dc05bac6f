//! The layer among others: over the clients people have, beside the layers people use, whichever way round they are
//! stacked.

mod beside;
mod bodies;
mod bounds;
mod clients;
mod redirects;
mod support;
mod wrapped;
