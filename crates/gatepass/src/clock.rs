//! All time is read here.
//!
//! Two clocks decide when a token ends, and the earlier wins (C11): a coarse monotonic one, cheap enough to be read
//! for each request, which a stepped clock cannot fool; and the wall clock, which goes on while the machine sleeps.
//!
//! In tests time is a value. A [`TestClock`] follows tokio's time, so that `tokio::time::advance` and paused time move
//! both clocks, and steps each of them apart from the other:
//!
//! ```
//! use std::time::Duration;
//! use gatepass::{TokenCell, TokenSet, clock::TestClock};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), gatepass::Error> {
//! let time = TestClock::new();
//! let source = |_| async { Ok(TokenSet::new("token").expires_in(Duration::from_secs(3600))) };
//! let cell = TokenCell::builder(source).clock(time.clock()).build();
//! cell.get().await?;
//! assert!(cell.peek().is_some());
//! time.suspend(Duration::from_secs(4000)); // the lid was closed
//! assert!(cell.peek().is_none());
//! # Ok(()) }
//! ```

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use coarsetime::Instant;

/// Longer than any token lives; what is longer is cut to it, so that no sum overflows.
pub(crate) const FAR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// How far the coarse clock may lag behind. Who is told to come back is told that much later, so as not to be early.
pub(crate) const COARSE: Duration = Duration::from_millis(20);

/// Where a cell reads the time. [`Clock::default`] is the system's.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    test: Option<TestClock>,
}

impl Clock {
    /// The monotonic clock, to a few milliseconds.
    #[inline]
    pub(crate) fn tick(&self) -> Tick {
        match &self.test {
            None => Tick(Instant::now_without_cache_update()),
            Some(test) => test.tick(),
        }
    }

    /// The wall clock.
    pub fn wall(&self) -> SystemTime {
        match &self.test {
            None => wall(),
            Some(test) => test.wall(),
        }
    }
}

/// A clock for tests: it follows tokio's time (paused or not), and its two halves can be moved apart.
#[derive(Clone)]
pub struct TestClock {
    shared: Arc<TestTime>,
}

struct TestTime {
    started: tokio::time::Instant,
    wall_at_start: SystemTime,
    offsets: Mutex<Offsets>,
}

#[derive(Clone, Copy, Default)]
struct Offsets {
    monotonic: Duration,
    wall_ahead: Duration,
    wall_behind: Duration,
}

impl TestClock {
    /// A clock that starts now.
    #[expect(clippy::new_without_default, reason = "starting a clock is an act, not a default")]
    pub fn new() -> Self {
        Self {
            shared: Arc::new(TestTime {
                started: tokio::time::Instant::now(),
                wall_at_start: SystemTime::now(),
                offsets: Mutex::default(),
            }),
        }
    }

    /// The handle to give to [`Builder::clock`](crate::cell::Builder::clock).
    pub fn clock(&self) -> Clock {
        Clock { test: Some(self.clone()) }
    }

    /// Moves both clocks on, as the passing of time does.
    pub fn advance(&self, by: Duration) {
        self.change(|offsets| {
            offsets.monotonic += by;
            offsets.wall_ahead += by;
        });
    }

    /// The machine sleeps: the wall clock goes on, the monotonic one stands still.
    pub fn suspend(&self, by: Duration) {
        self.change(|offsets| offsets.wall_ahead += by);
    }

    /// Somebody sets the wall clock back.
    pub fn set_back(&self, by: Duration) {
        self.change(|offsets| offsets.wall_behind += by);
    }

    /// What the wall clock says.
    pub fn wall(&self) -> SystemTime {
        let offsets = self.offsets();
        self.shared.wall_at_start + self.shared.started.elapsed() + offsets.wall_ahead - offsets.wall_behind
    }

    fn tick(&self) -> Tick {
        Tick::START.plus(Duration::from_secs(1) + self.shared.started.elapsed() + self.offsets().monotonic)
    }

    fn offsets(&self) -> Offsets {
        *self.shared.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Offsets)) {
        change(&mut self.shared.offsets.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl fmt::Debug for TestClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClock").field("wall", &self.wall()).finish_non_exhaustive()
    }
}

/// A reading of the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(Instant);

impl Tick {
    pub(crate) const START: Self = Self(Instant::from_ticks(0));

    pub(crate) fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by.min(FAR).into()))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        if self.0 > earlier.0 { self.0.duration_since(earlier.0).into() } else { Duration::ZERO }
    }

    #[inline]
    pub(crate) fn as_u64(self) -> u64 {
        self.0.as_ticks()
    }
}

/// How long until `then`; zero if it has passed.
pub(crate) fn until(now: SystemTime, then: SystemTime) -> Duration {
    then.duration_since(now).unwrap_or(Duration::ZERO)
}

/// `now + by`, cut where the calendar of the platform ends.
pub(crate) fn after(now: SystemTime, by: Duration) -> SystemTime {
    now.checked_add(by.min(FAR)).unwrap_or(now)
}

/// The exact monotonic clock, for waits. It follows tokio's, so that paused time holds here too.
pub(crate) fn instant() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}

/// The wall clock, for dates that servers send.
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
