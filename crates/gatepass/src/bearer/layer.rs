use std::{
    any::type_name,
    fmt,
    hash::Hash,
    sync::{Arc, Once},
};

use http::{Uri, request::Parts};
use tower_layer::Layer;

use super::Bearer;
use crate::{
    cell::TokenCell,
    error::Error,
    gate::{Gate, Lane},
    map::TokenMap,
    origins::{Origin, Origins},
};

/// Puts a cell's token on the requests to some origins. See the [module docs](crate::bearer).
#[derive(Clone, Debug)]
pub struct BearerLayer {
    config: Arc<Config>,
}

/// Aligned, so that it does not lie beside its reference count: where layers are cloned for each request, other
/// threads would wait for that line to read this.
#[derive(Clone, Debug)]
#[repr(align(128))]
pub(super) struct Config {
    pub(super) cells: Cells,
    origins: Origins,
    inner_is_served: bool,
    pub(super) gate: Option<Gate>,
    pub(super) tells: bool,
}

/// Which cell a request takes its token from.
#[derive(Clone)]
pub(super) enum Cells {
    One(TokenCell),
    Choose(Arc<Choose>),
}

type Choose = dyn Fn(&Parts) -> Result<TokenCell, Error> + Send + Sync;

impl BearerLayer {
    /// Puts the token of `cell` on the requests to `origins`.
    pub fn new(cell: TokenCell, origins: Origins) -> Self {
        Self::with_cells(Cells::One(cell), origins)
    }

    /// The same with the cell chosen for each request, by its extensions for example. A request to one of `origins`
    /// for which `choose` names no cell fails: it is not sent without a token (F5).
    pub fn choose<F>(choose: F, origins: Origins) -> Self
    where
        F: Fn(&Parts) -> Option<TokenCell> + Send + Sync + 'static,
    {
        Self::with_choice(move |parts| choose(parts).ok_or_else(no_cell), origins)
    }

    /// The same with the cell that `map` has for the key in the request's extensions, a `K`: a newtype such as
    /// `UserId`. A request to one of `origins` without one fails (F5). See [`map`](crate::map).
    pub fn keyed<K>(map: TokenMap<K>, origins: Origins) -> Self
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
    {
        let choose = move |parts: &Parts| match parts.extensions.get::<K>() {
            Some(key) => Ok(map.get(key)),
            None => Err(no_key::<K>()),
        };
        Self::with_choice(choose, origins)
    }

    fn with_choice<F>(choose: F, origins: Origins) -> Self
    where
        F: Fn(&Parts) -> Result<TokenCell, Error> + Send + Sync + 'static,
    {
        Self::with_cells(Cells::Choose(Arc::new(choose)), origins)
    }

    fn with_cells(cells: Cells, origins: Origins) -> Self {
        Self { config: Arc::new(Config { cells, origins, inner_is_served: false, gate: None, tells: false }) }
    }

    /// Says at which origin the inner service is, for requests whose URI does not: above a tonic channel, which adds
    /// the authority itself, or before an in-process router. Without this such requests pass without a token.
    ///
    /// # Errors
    /// Misconfigured, when this is no origin or not one of the layer's.
    pub fn inner_is(mut self, origin: &str) -> Result<Self, Error> {
        // Plain http was allowed or refused when the origins were given.
        Origin::new(origin, true)?;
        let uri: Uri = origin.parse().map_err(|_| Error::misconfigured("not an origin"))?;
        if !self.config.origins.contains(&uri) {
            return Err(Error::misconfigured(format!(
                "`{origin}` is not among the origins that may get the token: add it to them"
            )));
        }
        Arc::make_mut(&mut self.config).inner_is_served = true;
        Ok(self)
    }
}

/// What is off unless asked for.
impl BearerLayer {
    /// Has requests wait at this gate while the server that turned a sibling away wants to be left alone (R5). See
    /// [`gate`](crate::gate).
    ///
    /// Who finds it closed waits, until the [`Deadline`](crate::retry::Deadline) in the extensions of the request; if
    /// that comes first, it fails with an error that [is rate limited](Error::is_rate_limited) and is not sent. A
    /// [`RetryPolicy`](crate::RetryPolicy) above does not sleep on a 429 then, but comes back to the gate.
    pub fn gate(mut self, gate: Gate) -> Self {
        Arc::make_mut(&mut self.config).gate = Some(gate);
        self
    }

    /// Tells each request's [`Story`](super::Story) in the extensions of its response. That allocates.
    pub fn stories(mut self) -> Self {
        Arc::make_mut(&mut self.config).tells = true;
        self
    }
}

impl<S> Layer<S> for BearerLayer {
    type Service = Bearer<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Bearer::new(inner, self.config.clone())
    }
}

impl Config {
    /// Whether a request to this URI gets the token.
    #[inline]
    pub(super) fn serves(&self, uri: &Uri) -> bool {
        if uri.authority().is_none() {
            if !self.inner_is_served {
                warn_once();
            }
            return self.inner_is_served;
        }
        self.origins.contains(uri)
    }
}

impl Config {
    /// Whether each request goes in and out as cheaply as can be.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.gate.is_none() && !self.tells
    }

    /// Where a request with this cell's token has to pass.
    pub(super) fn lane(&self, cell: &TokenCell, uri: &Uri) -> Option<Lane> {
        let (scheme, host) = (uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default());
        self.gate.as_ref().map(|gate| gate.lane(cell, scheme, host, uri.port_u16()))
    }
}

/// Else nothing would say why tonic's calls are answered by UNAUTHENTICATED.
#[cold]
fn warn_once() {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            "requests whose URI names no host pass without a token: say by BearerLayer::inner_is where they go"
        );
    });
}

#[cold]
fn no_cell() -> Error {
    Error::misconfigured(
        "no token was chosen for a request to an origin that needs one: let the function given to BearerLayer::choose \
         name a cell for it, or leave the origin out of the layer's",
    )
}

#[cold]
fn no_key<K>() -> Error {
    Error::misconfigured(format!(
        "nothing says whose token a request to an origin that needs one takes: insert the key, a `{}`, into the extensions of the \
         request before it reaches the layer, or leave the origin out of the layer's",
        type_name::<K>()
    ))
}

impl fmt::Debug for Cells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(cell) => cell.fmt(f),
            Self::Choose(_) => f.write_str("chosen for each request"),
        }
    }
}
