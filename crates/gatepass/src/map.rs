//! One cell for each user, tenant or audience: [`TokenMap`].
//!
//! ```
//! use gatepass::{BearerLayer, Error, Origins, TokenCell, TokenMap, TokenSet};
//! use http::{Request, Response};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! #[derive(Clone, PartialEq, Eq, Hash)]
//! struct UserId(u64);
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), gatepass::BoxError> {
//! # let client = service_fn(|request: Request<String>| async move {
//! #     assert_eq!(request.headers()["authorization"], "Bearer token-of-7");
//! #     Ok::<_, std::io::Error>(Response::new(String::new()))
//! # });
//! let users = TokenMap::new(10_000, |user: &UserId| {
//!     let token = format!("token-of-{}", user.0);
//!     let source = move |_current| {
//!         let token = token.clone();
//!         async { Ok::<_, Error>(TokenSet::new(token)) } // ask for this user's token
//!     };
//!     TokenCell::builder(source).copies(1).build() // one user's requests need no more copies
//! });
//! let origins = Origins::new(["https://api.example.com"])?;
//! let mut api = ServiceBuilder::new().layer(BearerLayer::keyed(users.clone(), origins)).service(client);
//!
//! let request = Request::get("https://api.example.com/v1/me").extension(UserId(7)).body(String::new())?;
//! let response = api.ready().await?.call(request).await?;
//! # assert_eq!(response.status(), 200);
//! assert_eq!(users.get(&UserId(7)).get().await?.expose(), "token-of-7"); // the same cell
//! # Ok(()) }
//! ```
//!
//! Where all keys share one source, build it once, keep its [`Builder`](crate::cell::Builder) with `copies(1)` set,
//! and let the map's function clone that: the cells then share source and settings, and an idle one costs about a
//! kilobyte.
//!
//! What distinguishes two tokens has to be in the key (C13): the user *and* the scopes or the audience, where they
//! differ. A tuple or a small struct does.
//!
//! # What is evicted
//!
//! When there are more keys than the map was made for, cells go that were not asked for lately. One goes only if
//! nobody would miss it:
//!
//! - nobody holds the cell or listens to its [events](TokenCell::events), no exchange is under way, and no request
//!   that carries its token (whose refusal the cell would heal);
//! - what it holds can be had again: from a [store](crate::store), or from its source. A refresh token that is in no
//!   store cannot. Nor can a living access token that was
//!   [`put`](TokenCell::put) and that the source cannot renew. Where a refresh token is
//!   dead and the access token has ended, both may go.
//!
//! With the cell goes what it remembers: its generation, and a failure that holds the next exchange off.
//!
//! So the map grows beyond its capacity rather than lose a token, warns once, and shrinks as soon as cells may go.
//! With a refresh token for each user, and no store, this means that it holds all users who signed in until they are
//! [removed](TokenMap::remove). With a store it does not: who comes back is found there. Give each cell the user as
//! its [`subject`](crate::cell::Builder::subject) then, or all have one key in the store, and one user gets another's
//! token.
//!
//! To sign out is [`TokenCell::remove`]: it forgets the set, here and in the store. [`TokenMap::remove`] only takes the
//! cell out of the map.
//!
//! There is no task, for a key or for the map; what is evicted goes when other cells are made.

use std::{
    any::type_name,
    borrow::Borrow,
    collections::hash_map::RandomState,
    convert::Infallible,
    fmt,
    hash::Hash,
    sync::{
        Arc, Once,
        atomic::{AtomicUsize, Ordering},
    },
};

use quick_cache::{Lifecycle, UnitWeighter, sync::Cache};

use crate::cell::TokenCell;

#[cfg(test)]
mod tests;

/// A bounded map of cells, each made when it is first asked for. See the [module docs](crate::map).
///
/// A handle: clones share one map.
pub struct TokenMap<K> {
    shared: Arc<Shared<K>>,
}

struct Shared<K> {
    cells: Cache<K, TokenCell, UnitWeighter, RandomState, Eviction>,
    make: Box<dyn Fn(&K) -> TokenCell + Send + Sync>,
    /// How many cells there are room for.
    capacity: usize,
    /// How many more may be made beyond that before the others are looked at again.
    overdraft: AtomicUsize,
}

impl<K: Hash + Eq + Clone> TokenMap<K> {
    /// A map of about `capacity` cells (one at least; rounded up to equal parts) that `make` makes, one for each key.
    ///
    /// `make` is called without a lock. It may be slow: only those who ask for the same key wait, and they block their
    /// thread. It must not ask the map for the same key. If it panics, so does who called [`get`](Self::get), and the
    /// next one who asks calls it again. Each cell must be a new one.
    pub fn new<F>(capacity: usize, make: F) -> Self
    where
        F: Fn(&K) -> TokenCell + Send + Sync + 'static,
    {
        let capacity = capacity.max(1);
        let cells = Cache::with(capacity, capacity as u64, UnitWeighter, RandomState::new(), Eviction);
        let shared = Shared {
            capacity: usize::try_from(cells.capacity()).unwrap_or(usize::MAX),
            cells,
            make: Box::new(make),
            overdraft: AtomicUsize::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The cell of this key, made if there is none. However many ask at once, they get the same one.
    pub fn get<Q>(&self, key: &Q) -> TokenCell
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let mut is_new = false;
        let Ok(cell) = self.shared.cells.get_or_insert_with(key, || {
            is_new = true;
            Ok::<_, Infallible>((self.shared.make)(&key.to_owned()))
        });
        if is_new {
            self.shared.make_room();
            warn_of_shared_key(&cell);
        }
        cell
    }

    /// The cell of this key, if there is one; makes none.
    pub fn peek<Q>(&self, key: &Q) -> Option<TokenCell>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shared.cells.peek(key)
    }

    /// Takes the cell of this key out of the map. Who holds it keeps it; who asks for the key next gets a new one.
    pub fn remove<Q>(&self, key: &Q) -> Option<TokenCell>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        // Not `remove`: that would also take away the place of a cell that is being made, and two would be made.
        let (_, cell) = self.shared.cells.remove_if(key, |_| true)?;
        Some(cell)
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.shared.cells.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.shared.cells.is_empty()
    }
}

impl<K: Hash + Eq + Clone> Shared<K> {
    /// Called after a cell was made, for whom another one was evicted if there was one that could be.
    ///
    /// While there is none, each further cell would have all others looked at, in vain and under a lock. So the cache
    /// gets more room, and only when a quarter more cells were made they are looked at again.
    fn make_room(&self) {
        if self.cells.len() <= self.capacity || self.draw() {
            return;
        }
        self.cells.set_capacity(self.capacity as u64);
        let held = self.cells.len();
        if held <= self.capacity {
            return;
        }
        let more = held / 4;
        // By a power of two: the cache scales its inner limits along, and this way back and forth without rounding.
        let times = (held + more).div_ceil(self.capacity).next_power_of_two();
        self.cells.set_capacity(self.capacity.saturating_mul(times) as u64);
        self.overdraft.store(more, Ordering::Relaxed);
        warn_once(self.capacity, held);
    }

    /// Takes one from the overdraft, if there is any.
    fn draw(&self) -> bool {
        self.overdraft.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// Else one user gets another's token.
fn warn_of_shared_key(cell: &TokenCell) {
    static WARNED: Once = Once::new();
    if cell.shares_its_key() {
        WARNED.call_once(|| {
            tracing::error!(
                "the cells of a TokenMap keep their sets under one key of the store, and so get each other's: give each a \
                 subject, TokenCell::builder(..).subject(..)"
            );
        });
    }
}

#[cold]
fn warn_once(capacity: usize, held: usize) {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            capacity,
            held,
            "a TokenMap holds more cells than it was made for: all are in use, or hold what cannot be had again, such as a refresh \
             token. Remove the cells of who signed out, or make the map larger"
        );
    });
}

/// Which cells may go. The cache asks while it lets nobody else clone them.
#[derive(Clone)]
struct Eviction;

impl<K> Lifecycle<K, TokenCell> for Eviction {
    /// What was evicted, dropped when the cache's lock is free: a source is code of others.
    type RequestState = Vec<(K, TokenCell)>;

    fn is_pinned(&self, _key: &K, cell: &TokenCell) -> bool {
        !cell.is_evictable()
    }

    fn on_evict(&self, evicted: &mut Self::RequestState, key: K, cell: TokenCell) {
        evicted.push((key, cell));
    }
}

impl<K> Clone for TokenMap<K> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<K> fmt::Debug for TokenMap<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenMap")
            .field("key", &type_name::<K>())
            .field("capacity", &self.shared.capacity)
            .finish_non_exhaustive()
    }
}
