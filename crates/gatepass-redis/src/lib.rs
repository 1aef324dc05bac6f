//! gatepass for a fleet: a [`TokenStore`](gatepass::store::TokenStore) on Redis or Valkey, which all instances share.
//!
//! ```no_run
//! use gatepass::{Error, TokenCell, TokenSet, TokenSource};
//! use gatepass_redis::RedisStore;
//!
//! # fn cell(endpoint: impl TokenSource) -> Result<TokenCell, Error> {
//! let store = RedisStore::new("redis://:s3cr3t@redis.internal")?.prefix("orders");
//! let had = TokenSet::from_refresh_token("tGzv3JOkF0XG5Qx2TlKWIA");
//! let cell = TokenCell::builder(endpoint).store(store).subject("alice").start_from(had).build();
//! # Ok(cell) }
//! ```
//!
//! Give the store to the cells of every instance; they do the rest. One of them exchanges, the others wait, hear of
//! the new set at once and load it. What a set contains is kept in clear; wrap the store in `gatepass::store::Sealed`
//! to encrypt it.
//!
//! # What is kept where
//!
//! | name | |
//! |---|---|
//! | `gatepass:{KEY}:record` | a hash: `version`, `value` (none for a while after a removal), `by` |
//! | `gatepass:{KEY}:lease` | who exchanges, a text that expires |
//! | `gatepass:{KEY}:changed` | a channel: the record changed, the lease was released |
//!
//! `gatepass` is the [prefix](RedisStore::prefix). The braces put a record and its lease into one slot of a cluster. A
//! name that holds something else is an error and is left alone.
//!
//! Versions are microseconds of the clock of Redis, and grow: each change gets the time or the last version plus one,
//! whichever is more.
//!
//! # How Redis has to be set up
//!
//! - *Redis 5 or newer, or Valkey*: scripts (`EVALSHA`), and `TIME` within them. Tested with Redis 7.0.
//! - *Keep what was written.* A refresh token that rotates exists nowhere else. `appendonly yes` with
//!   `appendfsync always` keeps what was acknowledged through a crash of the machine; `everysec` may lose the last
//!   second; without
//!   an append-only file, what came since the last snapshot is lost. A set that is lost means a new sign-in.
//! - *Evict nothing of this.* `maxmemory-policy noeviction`, or one of `volatile-*`: a record does not expire unless
//!   you [ask for it](RedisStore::expire_after). When memory is full, what cannot be written is an error.
//! - *A user of its own* needs no more than this, and `+select` where the URL names a database:
//!
//!   ```text
//!   ACL SETUSER gatepass on >PASSWORD resetkeys ~gatepass:* resetchannels &gatepass:* -@all +evalsha +script|load +type +hget +hset
//!     +hdel +get +set +del +pttl +pexpire +persist +time +publish +subscribe +unsubscribe
//!   ```
//!
//! Where there is no pub/sub, because a proxy has none or the user may not, waiters look again about seven times a
//! second.
//!
//! # What it costs
//!
//! A call is one script on one connection, which all clones of a store share. Who waits for a lease shares a second
//! one with all others who do; it is closed when nobody waits. A held lease has a task, which renews it three times
//! each [term](RedisStore::lease_term). An idle store has its connection and nothing else.
//!
//! # What it cannot do
//!
//! - *Redis replicates late.* After a failover the new primary may lack the last write, or the lease: two instances
//!   may then spend the same refresh token, and the server may end the sign-in. The version still keeps the older from
//!   overwriting the newer.
//! - *Of a cluster it knows one node.* It follows no `MOVED`, and asks no Sentinel. Lead the URL to a single primary,
//!   a name that follows the primary, or a proxy that knows the cluster.
//! - *A lease is no lock.* A holder that stands still for longer than the term loses it. It learns that when it
//!   writes: another version is there.
//! - *The clock of Redis may be set back*, but not by more than the time since a key was forgotten, or a version may
//!   come again.
//! - *Removal needs memory*, a little: when Redis is full and evicts nothing, it fails like any other write.
//! - *What passes through* the redis crate and Redis is not wiped from their memory.
//!
//! # TLS
//!
//! With the feature `tls`, `rediss://` URLs work, with rustls and the root certificates of the system. Other roots, or
//! a client certificate: `redis::Client::build_with_tls` and [`RedisStore::from_client`]. rustls needs a provider of
//! cryptography for the process; where the program has installed none by the time of the first connection, this crate
//! installs ring.

mod changes;
mod connection;
mod error;
mod lease;
mod names;
mod scripts;
mod store;

pub use {gatepass, redis};

pub use self::{lease::RedisLease, store::RedisStore};
