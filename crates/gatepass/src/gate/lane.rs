use std::{
    fmt,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::{HeaderMap, StatusCode};
use tokio::{
    sync::{Notify, Semaphore},
    time::{timeout, timeout_at},
};

use super::{
    answer::Answer,
    events,
    handle::{Common, Settings},
    key::Name,
    state::{Admitted, Effect, LONGEST_WAIT, STALLED, State, Ticket, spread},
};
use crate::{clock, error::Error};

/// One origin and one credential: those who wait for each other. From [`Gate::lane`](super::Gate::lane).
#[derive(Clone)]
pub struct Lane(Arc<Inner>);

struct Inner {
    name: Arc<Name>,
    common: Arc<Common>,
    state: Mutex<State>,
    /// Who holds it is the next to go; the others queue for it.
    turn: Semaphore,
    /// Tells that one that something came which may let it go earlier.
    changed: Notify,
}

/// A request that went through. It has to be [told what came of it](Self::answered); to drop it says: nothing came, the
/// call was given up or the connection failed.
#[must_use = "tell it what was answered"]
pub struct Pass {
    lane: Lane,
    ticket: Ticket,
    is_sent: bool,
    is_answered: bool,
}

/// A wait that the gate took upon itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    wait: Duration,
    is_refused: bool,
}

/// A place in the queue.
struct Place<'a> {
    lane: &'a Lane,
    since: Instant,
}

enum Entry<'a> {
    Pass(Pass),
    Place(Place<'a>),
}

impl Lane {
    pub(super) fn new(name: Arc<Name>, common: Arc<Common>) -> Self {
        Self(Arc::new(Inner {
            name,
            common,
            state: Mutex::new(State::new(clock::instant())),
            turn: Semaphore::new(1),
            changed: Notify::new(),
        }))
    }

    /// Without waiting: a pass; or `None`, then [`enter`](Self::enter).
    pub fn try_enter(&self) -> Option<Pass> {
        self.admit(clock::instant(), false).ok()
    }

    /// Waits for its turn, first come, first served.
    ///
    /// # Errors
    /// [Rate limited](Error::is_rate_limited), with how long the wait would have been as
    /// [`retry_after`](Error::retry_after): at once, if that is more than the gate's longest wait or goes beyond
    /// `deadline`, or if too many wait; later, when the one or the other comes before the turn does.
    ///
    /// # Panics
    /// Where it has to wait: on a runtime without tokio's timers.
    ///
    /// # Cancel safety
    /// Dropping the future frees its place.
    pub async fn enter(&self, deadline: Option<Instant>) -> Result<Pass, Error> {
        let now = clock::instant();
        let place = match self.queue(now, deadline)? {
            Entry::Pass(pass) => return Ok(pass),
            Entry::Place(place) => place,
        };
        let limit = now + self.longest_wait();
        let limit = deadline.map_or(limit, |deadline| deadline.min(limit));
        let pass = timeout_at(limit.into(), self.turn()).await;
        drop(place);
        pass.unwrap_or_else(|_| {
            let left = self.lock().foresee(clock::instant());
            Err(self.refuse("its turn did not come in time", left))
        })
    }

    fn queue(&self, now: Instant, deadline: Option<Instant>) -> Result<Entry<'_>, Error> {
        if let Ok(pass) = self.admit(now, false) {
            return Ok(Entry::Pass(pass));
        }
        let mut state = self.lock();
        let foreseen = state.foresee(now);
        let is_in_time = deadline.is_none_or(|deadline| foreseen <= deadline.saturating_duration_since(now));
        let refusal = if foreseen > self.longest_wait() {
            "to wait here for longer, raise Gate::longest_wait"
        } else if !is_in_time {
            "the deadline of this call comes first"
        } else if !take(&self.0.common.waiting, self.settings().queue) {
            "as many calls wait here already as may, see Gate::queue"
        } else {
            state.queue(now);
            return Ok(Entry::Place(Place { lane: self, since: now }));
        };
        drop(state);
        Err(self.refuse(refusal, foreseen))
    }

    async fn turn(&self) -> Result<Pass, Error> {
        let mut turn = pin!(self.0.turn.acquire());
        // Given back on any way out, a panic or an abort included.
        let _turn = loop {
            match timeout(STALLED, turn.as_mut()).await {
                // Never closed.
                Ok(turn) => break turn.map_err(|_| Error::transient("the gate is gone"))?,
                Err(_) => {
                    if let Some(pass) = self.overtake(clock::instant()) {
                        return Ok(pass);
                    }
                }
            }
        };
        loop {
            match self.admit(clock::instant(), true) {
                Ok(pass) => return Ok(pass),
                Err(until) => {
                    let _ = timeout_at(until.into(), self.0.changed.notified()).await;
                }
            }
        }
    }

    fn admit(&self, now: Instant, queued: bool) -> Result<Pass, Instant> {
        let mut state = self.lock();
        let admitted = state.admit(now, queued)?;
        Ok(self.pass(state, admitted))
    }

    fn overtake(&self, now: Instant) -> Option<Pass> {
        let mut state = self.lock();
        let admitted = state.overtake(now)?;
        Some(self.pass(state, admitted))
    }

    fn pass(&self, state: MutexGuard<'_, State>, admitted: Admitted) -> Pass {
        let rate = admitted.opened.then(|| state.rate());
        drop(state);
        // Before the event: should the subscriber panic, it is given back.
        let pass = Pass { lane: self.clone(), ticket: admitted.ticket, is_sent: true, is_answered: false };
        if let Some(rate) = rate {
            events::opened(&self.0.name, rate);
        }
        pass
    }

    fn refuse(&self, why: &str, wait: Duration) -> Error {
        events::refused(&self.0.name, why, wait);
        let server = Some(self.0.name.authority()).filter(|host| !host.is_empty()).unwrap_or("the server");
        let seconds = wait.as_secs_f64();
        Error::rate_limited(format!("held back: {server} takes no more for now. Try again in {seconds:.1} s; {why}"))
            .with_retry_after(wait)
    }

    fn settings(&self) -> &Settings {
        &self.0.common.settings
    }

    fn held(&self, wait: Duration) -> Held {
        let has_room = self.0.common.waiting.load(Ordering::Relaxed) < self.settings().queue;
        Held { wait, is_refused: wait > self.longest_wait() || !has_room }
    }

    /// With the spread: who is asked to wait just as long as a call may is let in, as without a gate.
    fn longest_wait(&self) -> Duration {
        let longest = self.settings().longest_wait;
        longest + spread(longest)
    }

    /// No code of others runs under this lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Says what the server answered. If that closes the lane, or would have, the wait is the gate's: who sends again does
    /// not sleep, but comes back to the gate.
    pub fn answered(mut self, status: StatusCode, headers: &HeaderMap) -> Option<Held> {
        self.is_answered = true;
        let lane = &self.lane;
        let settings = lane.settings();
        let answer = Answer::read(settings, status, headers, clock::wall);
        let longest = settings.pacing.then_some(LONGEST_WAIT);
        let now = clock::instant();
        let mut state = lane.lock();
        let effect = state.answered(now, self.ticket, &answer, fastrand::f64(), longest);
        let held = (effect != Effect::None).then(|| lane.held(state.foresee(now)));
        let has_queue = state.has_queue();
        drop(state);
        if has_queue {
            lane.0.changed.notify_one();
        }
        if let Effect::Closed(wait) = effect {
            events::closed(&lane.0.name, wait);
        }
        held
    }
}

impl Held {
    /// How long it would be, as far as that can be foreseen.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// Whether the gate would refuse who came back now: it is longer than a call may wait there, or too many do.
    pub fn is_refused(&self) -> bool {
        self.is_refused
    }
}

/// For who has more to wait for after it, such as a token: that may take long, and may fail.
impl Pass {
    /// Counts for nothing until it is [sent](Self::sent): to drop it gives it back.
    pub fn held(mut self) -> Self {
        self.is_sent = false;
        self
    }

    /// The request goes only now.
    pub fn sent(&mut self) {
        self.is_sent = true;
        self.ticket.sent = clock::instant();
    }

    /// This, unless the lane was closed since: whoever was not sent yet comes back to it then.
    pub fn unless_closed(self) -> Option<Self> {
        let was_closed = self.lane.lock().was_closed_since(self.ticket, clock::instant());
        (!was_closed).then_some(self)
    }

    /// This, unless it is old: those whose turn came while all waited for the same, such as the token, would go in one
    /// burst. Not for a wait for what there is several of, such as connections.
    pub fn unless_late(self) -> Option<Self> {
        let age = clock::instant().saturating_duration_since(self.ticket.sent);
        (age < STALLED).then_some(self)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let mut state = self.lane.lock();
        if self.is_sent {
            state.lost(self.ticket);
        } else {
            state.unsent(self.ticket);
        }
        let has_queue = state.has_queue();
        drop(state);
        if has_queue {
            self.lane.0.changed.notify_one();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.lane.lock().leave();
        self.lane.0.common.waiting.fetch_sub(1, Ordering::Relaxed);
        events::waited(&self.lane.0.name, clock::instant().saturating_duration_since(self.since));
    }
}

/// One more, if there are less than `most`.
fn take(count: &AtomicUsize, most: usize) -> bool {
    let more = |count| (count < most).then_some(count + 1);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lane").field(&self.0.name).finish()
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pass").field(&self.lane.0.name).finish()
    }
}
