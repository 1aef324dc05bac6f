//! One exchange for each refresh token, however many ask (see the [module docs](super)).

use std::{
    collections::{HashMap, hash_map::Entry},
    future::Future,
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gatepass::{Error, Secret};
use tokio::sync::watch;
use tracing::Instrument;

/// How long an answer is given again, for who did not get it.
const KEPT: Duration = Duration::from_secs(10);

/// The exchanges that are under way, and those that succeeded just now.
#[derive(Debug)]
pub(super) struct Flights<T>(Arc<Mutex<HashMap<Presented, Landing<T>>>>);

type Landing<T> = watch::Receiver<Option<Result<T, Error>>>;

/// A refresh token, by which exchanges are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Presented(Secret);

impl Hash for Presented {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.expose().hash(state);
    }
}

/// Without its own `Default` it would ask for one of `T`.
impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// What came of the exchange of this token, which `exchange` begins if none is under way.
    ///
    /// It runs in a task of its own: who hangs up does not stop it. A failure is shared by those who wait for it, and
    /// then forgotten.
    ///
    /// # Errors
    /// Those of the exchange; transient, when it broke off.
    pub(super) async fn join<F>(&self, token: Secret, exchange: impl FnOnce() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let mut landing = match self.lock().entry(Presented(token)) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(vacant) => {
                let (outcome, landing) = watch::channel(None);
                let kept = Kept { flights: self.0.clone(), token: vacant.key().clone() };
                vacant.insert(landing.clone());
                tokio::spawn(fly(exchange(), outcome, kept).in_current_span());
                landing
            }
        };
        let landed = landing.wait_for(Option::is_some).await;
        landed
            .ok()
            .and_then(|outcome| outcome.clone())
            .unwrap_or_else(|| Err(Error::transient("the refresh broke off: try it again")))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Presented, Landing<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fly<T>(
    exchange: impl Future<Output = Result<T, Error>>,
    outcome: watch::Sender<Option<Result<T, Error>>>,
    kept: Kept<T>,
) {
    match exchange.await {
        Ok(issued) => {
            outcome.send_replace(Some(Ok(issued)));
            tokio::time::sleep(KEPT).await;
        }
        Err(error) => {
            // Before anybody hears of it: who then tries again shall not get the same.
            drop(kept);
            outcome.send_replace(Some(Err(error)));
        }
    }
}

/// Forgets the exchange, also when it panics or the runtime ends.
struct Kept<T> {
    flights: Arc<Mutex<HashMap<Presented, Landing<T>>>>,
    token: Presented,
}

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.token);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::{sync::oneshot, task::yield_now, time::advance};

    use super::*;

    type Numbers = Flights<usize>;

    /// An exchange that is counted.
    fn counted(count: &Arc<AtomicUsize>) -> impl Future<Output = Result<usize, Error>> + Send + use<> {
        let count = count.clone();
        async move { Ok(count.fetch_add(1, Ordering::SeqCst) + 1) }
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_while_an_exchange_is_under_way_gets_its_answer() {
        let (flights, count) = (Numbers::default(), Arc::default());
        let (land, landed) = oneshot::channel::<()>();
        let exchange = counted(&count);
        let first = flights.join("a".into(), || async {
            landed.await.unwrap();
            exchange.await
        });
        let second = flights.join("a".into(), || counted(&count));
        let third = flights.join("b".into(), || counted(&count));
        let landing = async {
            yield_now().await;
            land.send(()).unwrap();
        };
        let (first, second, third, ()) = tokio::join!(first, second, third, landing);
        assert_eq!((first.unwrap(), second.unwrap(), third.unwrap()), (2, 2, 1));
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_answer_is_given_again_for_ten_seconds_and_no_longer() {
        let (flights, count) = (Numbers::default(), Arc::default());
        let ask = || flights.join("a".into(), || counted(&count));
        assert_eq!(ask().await.unwrap(), 1);
        advance(Duration::from_millis(9_900)).await;
        assert_eq!(ask().await.unwrap(), 1);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(flights.lock().is_empty(), "nothing of it stays in memory");
        assert_eq!(ask().await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_exchange_goes_on_when_who_asked_has_hung_up() {
        let (flights, count) = (Numbers::default(), Arc::default());
        let (land, landed) = oneshot::channel::<()>();
        let exchange = counted(&count);
        let slow = || async {
            landed.await.unwrap();
            exchange.await
        };
        let hung_up = tokio::time::timeout(Duration::from_secs(1), flights.join("a".into(), slow)).await;
        assert!(hung_up.is_err());
        land.send(()).unwrap();
        assert_eq!(flights.join("a".into(), || counted(&count)).await.unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_shared_by_those_who_wait_and_then_forgotten() {
        let (flights, count) = (Numbers::default(), Arc::default());
        let fail = || async { Err(Error::transient("no answer")) };
        let (first, second) =
            tokio::join!(flights.join("a".into(), fail), flights.join("a".into(), || counted(&count)));
        assert!(first.is_err() && second.is_err());
        assert_eq!(flights.join("a".into(), || counted(&count)).await.unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_exchange_that_panics_is_a_failure_and_no_end() {
        let (flights, count) = (Numbers::default(), Arc::default());
        let error = flights.join("a".into(), || async { panic!("on purpose") }).await.unwrap_err();
        assert!(error.is_transient());
        assert_eq!(flights.join("a".into(), || counted(&count)).await.unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn no_refresh_token_shows() {
        let flights = Numbers::default();
        let _ = flights.join("s3cr3t".into(), || async { Ok(1) }).await;
        assert!(!format!("{flights:?}").contains("s3cr3t"));
    }
}
