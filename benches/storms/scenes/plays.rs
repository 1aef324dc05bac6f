//! What happens in each scene.

use std::time::{Duration, Instant};

use tokio::time::{sleep, sleep_until};

use super::{
    Client, Effort, Expiry, Figures, Peer, Scene, Servers, Window,
    crowd::{Call, PATIENT, at_once, crowd, over, percentiles, soon, steady, waves},
    servers::{Counts, HOUR},
};

/// How long the token endpoint takes.
const USUAL: Duration = Duration::from_millis(50);
const LONGER_THAN_PATIENCE: Duration = Duration::from_millis(200);
/// So that many calls fall into the time of one renewal.
const LONG: Duration = Duration::from_millis(500);

pub(super) async fn play<P: Peer>(scene: Scene, effort: Effort) -> Figures {
    if !P::ANSWERS_401 && matches!(scene, Scene::Revoked | Scene::RevokedAgain) {
        return Figures::left_out(scene, "does not send again after a 401");
    }
    match scene {
        Scene::Cold => Stage::new::<P>(scene, effort, USUAL).await.cold().await,
        Scene::Expiry => {
            let figures = Stage::new::<P>(scene, effort, USUAL).await.expired().await;
            let expiry = Stage::new::<P>(scene, effort, USUAL).await.across_an_expiry().await;
            Figures { expiry: Some(expiry), ..figures }
        }
        Scene::Revoked => Stage::new::<P>(scene, effort, USUAL).await.revoked(1).await,
        Scene::RevokedAgain => Stage::new::<P>(scene, effort, USUAL).await.revoked(2).await,
        Scene::FirstDropped => Stage::new::<P>(scene, effort, USUAL).await.first_dropped().await,
        Scene::Impatient => Stage::new::<P>(scene, effort, LONGER_THAN_PATIENCE).await.impatient().await,
        Scene::Outage => Stage::new::<P>(scene, effort, USUAL).await.outage().await,
        Scene::Advisory => Stage::new::<P>(scene, effort, LONG).await.advisory().await,
    }
}

/// One client before servers of its own.
struct Stage<C> {
    scene: Scene,
    effort: Effort,
    servers: Servers,
    client: C,
    url: String,
    /// Added to the life of each token that is to end.
    early: Duration,
}

impl<C: Client> Stage<C> {
    async fn new<P: Peer<Client = C>>(scene: Scene, effort: Effort, delay: Duration) -> Self {
        let servers = Servers::start(effort.connections, delay).await;
        let client = P::client(&servers);
        Self { scene, effort, client, url: servers.url(), servers, early: P::RENEWS_BEFORE }
    }

    async fn cold(self) -> Figures {
        let before = self.servers.counts();
        let calls = self.crowd(soon(), at_once(self.effort.callers)).await;
        self.figures(before, &calls)
    }

    async fn expired(self) -> Figures {
        let lifetime = Duration::from_secs(1);
        self.warm(lifetime + self.early).await;
        self.servers.lifetime(HOUR);
        sleep(lifetime + USUAL * 2).await;
        let before = self.servers.counts();
        let calls = self.crowd(soon(), at_once(self.effort.callers)).await;
        self.figures(before, &calls)
    }

    async fn across_an_expiry(self) -> Expiry {
        let lifetime = Duration::from_secs(3);
        self.warm(lifetime + self.early).await;
        self.servers.lifetime(HOUR);
        let begin = soon();
        let calls = self.crowd(begin, steady(500, lifetime * 2)).await;
        let requests = self.servers.token_requests();
        let issued = requests.first().copied().unwrap_or(begin);
        // Some of it was before the calls began.
        let seconds = |at: Instant| match at.checked_duration_since(begin) {
            Some(after) => after.as_secs_f64(),
            None => -(begin - at).as_secs_f64(),
        };
        let good = calls.iter().filter(|call| call.is_good());
        Expiry {
            ends: seconds(issued + lifetime),
            token_requests: requests.into_iter().skip(1).map(seconds).collect(),
            calls: good.map(|call| (seconds(call.started), call.time().as_secs_f64())).collect(),
        }
    }

    async fn revoked(self, times: usize) -> Figures {
        self.warm(HOUR).await;
        let mut before = self.servers.counts();
        let mut calls = Vec::new();
        for _ in 0..times {
            before = self.servers.counts();
            let begin = soon();
            self.servers.revoke();
            calls = self.crowd(begin, over(self.effort.callers, Duration::from_millis(100))).await;
        }
        self.figures(before, &calls)
    }

    async fn first_dropped(self) -> Figures {
        let before = self.servers.counts();
        let begin = soon();
        let first = crowd(&self.client, &self.url, begin, at_once(1), Duration::from_millis(10));
        let others = self.crowd(begin + Duration::from_millis(5), at_once(self.effort.callers - 1));
        let (_, calls) = tokio::join!(first, others);
        self.figures(before, &calls)
    }

    /// Few callers: when thousands wait for one moment, the last of them are late for the machine's sake.
    async fn impatient(self) -> Figures {
        let before = self.servers.counts();
        let waves = waves(40, 15, Duration::from_millis(25));
        let calls = crowd(&self.client, &self.url, soon(), waves, Duration::from_millis(150)).await;
        let came = self.servers.lives().iter().map(|life| life.from).min();
        let back_after = came.and_then(|came| back_after(came, &calls));
        Figures { back_after, ..self.figures(before, &calls) }
    }

    async fn outage(self) -> Figures {
        // No longer for who renews early: that the token is old already when the outage begins is the scene.
        self.warm(self.effort.token_lives).await;
        self.servers.lifetime(HOUR);
        let before = self.servers.counts();
        self.servers.is_down(true);
        let begin = Instant::now();
        let ends = begin + self.effort.outage;
        let span = self.effort.outage + Duration::from_secs(3);
        let calls = self.crowd(begin, steady(self.effort.outage_rate, span));
        let end = async {
            sleep_until(ends.into()).await;
            self.servers.is_down(false);
        };
        let (calls, ()) = tokio::join!(calls, end);
        Figures { back_after: back_after(ends, &calls), ..self.figures(before, &calls) }
    }

    async fn advisory(self) -> Figures {
        self.warm(Duration::from_secs(4) + self.early).await;
        let before = self.servers.counts();
        let begin = soon();
        let calls = self.crowd(begin, steady(1000, self.effort.steady)).await;
        let requests = self.servers.token_requests();
        // Whoever began the exchange did so a little before its request came.
        let is_renewed = |call: &&Call| {
            let mut requests = requests.iter().skip(before.token_requests);
            requests.any(|at| (*at - Duration::from_millis(5)..*at + LONG).contains(&call.started))
        };
        // The first calls open the connections.
        let is_warm = |call: &&Call| call.is_good() && call.started > begin + Duration::from_millis(500);
        let (inside, outside): (Vec<_>, Vec<_>) = calls.iter().filter(is_warm).partition(|call| is_renewed(call));
        let [_, p99, max] = percentiles(inside.iter().map(|call| call.time()));
        let [_, p99_outside, max_outside] = percentiles(outside.iter().map(|call| call.time()));
        let window = Window { calls: inside.len(), p99, max, p99_outside, max_outside };
        Figures { window: Some(window), ..self.figures(before, &calls) }
    }

    /// Has the client get a token that lives so long. If it cannot, the scene will show it.
    async fn warm(&self, lifetime: Duration) {
        self.servers.lifetime(lifetime);
        self.crowd(Instant::now(), at_once(1)).await;
    }

    async fn crowd(&self, begin: Instant, offsets: impl Iterator<Item = Duration>) -> Vec<Call> {
        crowd(&self.client, &self.url, begin, offsets, PATIENT).await
    }

    fn figures(&self, before: Counts, calls: &[Call]) -> Figures {
        let lives = self.servers.lives();
        let now = self.servers.counts();
        let refused = now.refused - before.refused;
        let is_revoked = matches!(self.scene, Scene::Revoked | Scene::RevokedAgain);
        let failed: Vec<&Call> = calls.iter().filter(|call| !call.is_good()).collect();
        let failed_with_token = failed.iter().filter(|call| call.had_token(&lives)).count();
        let [p50, p99, max] = percentiles(calls.iter().filter(|call| call.is_good()).map(Call::time));
        Figures {
            scene: self.scene,
            left_out: None,
            calls: calls.len(),
            token_requests: now.token_requests - before.token_requests,
            failed_with_token,
            failed_without: failed.len() - failed_with_token,
            failure: failed.first().and_then(|call| call.failure.clone()),
            p50,
            p99,
            max,
            expired_sent: if is_revoked { 0 } else { refused },
            revoked_sent: if is_revoked { refused } else { 0 },
            back_after: None,
            window: None,
            expiry: None,
        }
    }
}

/// From `moment` until the first success after it.
fn back_after(moment: Instant, calls: &[Call]) -> Option<Duration> {
    let good = calls.iter().filter(|call| call.is_good());
    good.filter_map(|call| call.ended.checked_duration_since(moment)).min()
}
