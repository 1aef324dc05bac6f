//! Which lane is whose: found without allocating.

use std::{
    any::Any,
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, Weak},
};

use quick_cache::Equivalent;

use crate::cell::TokenCell;

/// One origin and one credential.
pub(super) struct Name {
    address: usize,
    /// As long as it is held, no other cell has this address.
    _place: Weak<dyn Any + Send + Sync>,
    /// In lower case, as the host.
    scheme: Box<str>,
    host: Box<str>,
    port: u16,
    /// For people: the host, and the port if one is named.
    authority: Box<str>,
    /// The cell's name, for whoever counts.
    label: Option<Box<str>>,
}

/// The same, not owned, in any case.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) cell: &'a TokenCell,
    pub(super) scheme: &'a str,
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

impl Name {
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }
}

impl Parts<'_> {
    pub(super) fn to_name(&self) -> Arc<Name> {
        let host = self.host.to_ascii_lowercase();
        let authority = self.port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        Arc::new(Name {
            address: self.cell.address(),
            _place: self.cell.place(),
            scheme: self.scheme.to_ascii_lowercase().into(),
            host: host.into(),
            port: self.port(),
            authority: authority.into(),
            label: self.cell.name().map(Into::into),
        })
    }

    fn port(&self) -> u16 {
        self.port.unwrap_or_else(|| match self.scheme {
            scheme if scheme.eq_ignore_ascii_case("https") => 443,
            scheme if scheme.eq_ignore_ascii_case("http") => 80,
            _ => 0,
        })
    }
}

impl Equivalent<Arc<Name>> for Parts<'_> {
    fn equivalent(&self, name: &Arc<Name>) -> bool {
        name.address == self.cell.address()
            && name.port == self.port()
            && self.host.eq_ignore_ascii_case(&name.host)
            && self.scheme.eq_ignore_ascii_case(&name.scheme)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
            && self.port == other.port
            && self.host == other.host
            && self.scheme == other.scheme
    }
}

impl Eq for Name {}

/// The scheme is left out: few lanes differ in nothing else.
impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self.address, &self.host, self.port, state);
    }
}

impl Hash for Parts<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self.cell.address(), self.host, self.port(), state);
    }
}

fn hash(address: usize, host: &str, port: u16, state: &mut impl Hasher) {
    state.write_usize(address);
    state.write_u16(port);
    for chunk in host.as_bytes().chunks(32) {
        let mut lower = [0; 32];
        let lower = &mut lower[..chunk.len()];
        lower.copy_from_slice(chunk);
        lower.make_ascii_lowercase();
        state.write(lower);
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}
