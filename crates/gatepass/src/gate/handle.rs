use std::{
    collections::hash_map::RandomState,
    convert::Infallible,
    fmt,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use quick_cache::{UnitWeighter, sync::Cache};

use super::{
    key::{Name, Parts},
    lane::Lane,
};
use crate::{cell::TokenCell, clock::FAR};

/// How many lanes are remembered. Beyond that, those go that were not asked for lately.
const LANES: usize = 10_000;

/// Holds requests back while the server that turned one away wants to be left alone. See the [module docs](crate::gate).
///
/// Cheap to clone; clones are one gate: the same one may serve a `BearerLayer` and a middleware. Change its settings
/// first: each setting makes a new gate, which knows nothing of the clones made before.
#[derive(Clone)]
#[must_use]
pub struct Gate {
    lanes: Arc<Cache<Arc<Name>, Lane, UnitWeighter, RandomState>>,
    common: Arc<Common>,
}

/// What the lanes of a gate share.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) settings: Settings,
    /// Calls that wait, over all lanes.
    pub(super) waiting: AtomicUsize,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) longest_wait: Duration,
    pub(super) queue: usize,
    pub(super) pacing: bool,
    pub(super) forbidden_when_spent: bool,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// Closes on a 429, and on a 503 that says how long to wait. A call waits for up to a minute; 10,000 may wait.
    pub fn new() -> Self {
        Self::with(Settings {
            longest_wait: Duration::from_secs(60),
            queue: 10_000,
            pacing: false,
            forbidden_when_spent: false,
        })
    }

    /// How long a call may wait, but for the jitter of up to a second. One that would wait longer fails at once (R2).
    pub fn longest_wait(self, wait: Duration) -> Self {
        Self::with(Settings { longest_wait: wait.min(FAR), ..self.common.settings })
    }

    /// How many calls may wait, over all origins and credentials. One more fails at once.
    pub fn queue(self, calls: usize) -> Self {
        Self::with(Settings { queue: calls, ..self.common.settings })
    }

    /// Also reads what servers say of their limits in responses that are no refusals, and goes slower before they are hit
    /// (R6). That takes one response: bound the first burst by a concurrency limit beneath.
    pub fn pacing(self) -> Self {
        Self::with(Settings { pacing: true, ..self.common.settings })
    }

    /// Also takes a 403 for a 429 if it says that nothing of a limit is left, or when to come back. GitHub sends such.
    pub fn forbidden_when_spent(self) -> Self {
        Self::with(Settings { forbidden_when_spent: true, ..self.common.settings })
    }

    /// The lane of this credential at this origin. For adapters: scheme, host and port as for
    /// [`Origins::contains_parts`](crate::Origins::contains_parts); empty for a service whose requests name no host.
    ///
    /// Allocates only for a new one. While a lane is remembered, so is the place of its cell in memory, not its content.
    pub fn lane(&self, cell: &TokenCell, scheme: &str, host: &str, port: Option<u16>) -> Lane {
        let parts = Parts { cell, scheme, host, port };
        if let Some(lane) = self.lanes.get(&parts) {
            return lane;
        }
        let name = parts.to_name();
        let Ok(lane) =
            self.lanes.get_or_insert_with(&name, || Ok::<_, Infallible>(Lane::new(name.clone(), self.common.clone())));
        lane
    }

    fn with(settings: Settings) -> Self {
        // Room is made as it is needed.
        let lanes = Cache::with(LANES, LANES as u64, UnitWeighter, RandomState::new(), Default::default());
        Self { lanes: Arc::new(lanes), common: Arc::new(Common { settings, waiting: AtomicUsize::new(0) }) }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lanes.len()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("lanes", &self.lanes.len()).field("common", &self.common).finish()
    }
}
