use std::{fmt, pin::pin, time::Duration};

use futures_util::future::{Either, select};
use gatepass::{
    Error,
    store::{Key, Lease, Version},
};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};
use tracing::{Instrument, instrument::WithSubscriber};

use crate::{
    changes::Listener,
    names::Names,
    scripts::{self, Answer},
    store::RedisStore,
};

/// How long to wait before looking again, where no message can be had: in milliseconds, at random between them.
const PAUSE: std::ops::Range<u64> = 50..250;

/// A lease of a [`RedisStore`](crate::RedisStore), renewed by a task for as long as it is held.
///
/// When it is dropped that task gives it back. If the task cannot, because Redis or the runtime is gone, the lease
/// ends by itself after its term.
pub struct RedisLease {
    key: Key,
    /// Dropping it is enough; whoever wants to know when it is done sends where to say so.
    stop: oneshot::Sender<oneshot::Sender<()>>,
}

impl Lease for RedisLease {
    async fn release(self) {
        let (done, finished) = oneshot::channel();
        if self.stop.send(done).is_ok() {
            let _ = finished.await;
        }
    }
}

impl fmt::Debug for RedisLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLease").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Waits for the lease in a task of its own, which sees to it that nothing stays taken if the caller leaves.
pub(crate) async fn wait_for(
    store: &RedisStore,
    key: &Key,
    seen: Option<Version>,
) -> Result<Option<RedisLease>, Error> {
    let token = scripts::unique();
    let candidate = Candidate { store: store.clone(), key: key.clone(), names: store.names(key), seen, token };
    let (grant, granted) = oneshot::channel();
    tokio::spawn(candidate.run(grant).in_current_span().with_current_subscriber());
    granted.await.unwrap_or_else(|_| Err(Error::transient("the runtime shuts down")))
}

/// Who wants the lease, or has it.
struct Candidate {
    store: RedisStore,
    key: Key,
    names: Names,
    seen: Option<Version>,
    /// Tells this holder from all others.
    token: String,
}

impl Candidate {
    async fn run(self, mut grant: oneshot::Sender<Result<Option<RedisLease>, Error>>) {
        let outcome = match select(pin!(self.acquire()), pin!(grant.closed())).await {
            Either::Left((outcome, _)) => Some(outcome),
            Either::Right(_) => None,
        };
        // The attempt is dropped by now, and lets others connect if it was about to.
        match outcome {
            None => self.give_back().await,
            Some(Ok(true)) => {
                let (stop, stopped) = oneshot::channel();
                // If the caller has left, this drops the lease, and it is given back at once.
                let _ = grant.send(Ok(Some(RedisLease { key: self.key.clone(), stop })));
                self.hold(stopped).await;
            }
            Some(Ok(false)) => {
                let _ = grant.send(Ok(None));
            }
            Some(Err(error)) => {
                let _ = grant.send(Err(error));
                // What failed may be the way back only.
                self.give_back().await;
            }
        }
    }

    /// True with the lease, false when there is something to load first.
    async fn acquire(&self) -> Result<bool, Error> {
        let mut ears = Ears::Closed;
        loop {
            let left = match self.store.run(&self.call()).await? {
                Answer::Held => return Ok(true),
                Answer::Changed => return Ok(false),
                Answer::Taken(left) => left,
                other => return Err(self.store.refusal(other)),
            };
            ears = match ears {
                // What was said before goes unheard: so look once more before the first wait.
                Ears::Closed => self.listen().await,
                Ears::Open(listener) => wait(listener, left).await,
                Ears::Deaf => {
                    sleep(pause().min(left)).await;
                    Ears::Deaf
                }
            };
        }
    }

    async fn listen(&self) -> Ears {
        match self.store.listen(&self.names).await {
            Some(listener) => Ears::Open(listener),
            None => {
                tracing::debug!(key = %self.key, "no pub/sub with Redis: looking now and then whether the lease is free");
                Ears::Deaf
            }
        }
    }

    /// Renews the lease until it is dropped, then gives it back.
    async fn hold(&self, mut stopped: oneshot::Receiver<oneshot::Sender<()>>) {
        let asked = match select(&mut stopped, pin!(self.renew())).await {
            Either::Left((asked, _)) => asked.ok(),
            Either::Right(_) => {
                tracing::warn!(
                    key = %self.key,
                    "the lease was lost: Redis forgot it, or this process stood still for longer than its term",
                );
                return;
            }
        };
        self.give_back().await;
        if let Some(done) = asked {
            let _ = done.send(());
        }
    }

    /// Ends when the lease is lost.
    async fn renew(&self) {
        loop {
            sleep(self.store.settings().term / 3).await;
            let call = scripts::renew(&self.names, &self.token, self.store.settings().term);
            match self.store.run(&call).await {
                Ok(Answer::Lost) => return,
                Ok(_) => {}
                Err(error) => tracing::debug!(key = %self.key, %error, "the lease could not be renewed"),
            }
        }
    }

    /// As far as it was taken.
    async fn give_back(&self) {
        let call = scripts::release(&self.names, &self.token);
        if let Err(error) = self.store.run(&call).await {
            tracing::debug!(key = %self.key, %error, "the lease could not be given back, and ends by itself");
        }
    }

    fn call(&self) -> scripts::Call {
        scripts::lease(&self.names, self.seen, &self.token, self.store.settings().term)
    }
}

/// How a candidate learns that it may look again.
enum Ears {
    Closed,
    Open(Listener),
    Deaf,
}

/// Until something is said, or the lease would end by itself.
async fn wait(mut listener: Listener, left: Duration) -> Ears {
    // Not all at once.
    let left = left + Duration::from_millis(fastrand::u64(1..20));
    match timeout(left, listener.hear()).await {
        Ok(false) => {
            sleep(pause().min(left)).await;
            Ears::Closed
        }
        Ok(true) | Err(_) => Ears::Open(listener),
    }
}

fn pause() -> Duration {
    Duration::from_millis(fastrand::u64(PAUSE))
}
