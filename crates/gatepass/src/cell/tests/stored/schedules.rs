//! Random schedules: three instances, one refresh token; processes die, answers are lost, the store goes away, time
//! passes.
//!
//! Whatever the order: with a server that has a grace the grant is never revoked, and unless three answers in a row
//! were lost the last request gets a token. Nothing hangs, and no token is used that has ended.

use proptest::prelude::*;

use super::*;
use crate::store::{Version, Versioned};

#[derive(Clone, Debug)]
enum Step {
    Request(usize),
    /// The process dies; another one starts in its place.
    Kill(usize),
    LoseBefore,
    LoseAfter,
    Fail,
    StoreAway,
    StoreBack,
    Pass(Duration),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize).prop_map(Step::Request),
        2 => (0..3_usize).prop_map(Step::Kill),
        1 => Just(Step::LoseBefore),
        1 => Just(Step::LoseAfter),
        1 => Just(Step::Fail),
        1 => Just(Step::StoreAway),
        2 => Just(Step::StoreBack),
        6 => (0..4000_u64).prop_map(|millis| Step::Pass(Duration::from_millis(millis))),
        1 => (0..40_u64).prop_map(|seconds| Step::Pass(secs(seconds))),
    ]
}

/// What a process has; once it died, nothing it does comes to an end.
#[derive(Clone)]
struct Mortal<T> {
    inner: T,
    alive: tokio::sync::watch::Receiver<bool>,
}

impl<T> Mortal<T> {
    async fn live<O>(&self, call: impl Future<Output = O>) -> O {
        let mut alive = self.alive.clone();
        let dies = async move { alive.wait_for(|alive| !alive).await.is_ok() };
        tokio::select! {
            biased;
            _ = dies => std::future::pending().await,
            output = call => output,
        }
    }
}

impl TokenStore for Mortal<TestStore> {
    type Lease = <TestStore as TokenStore>::Lease;

    async fn load(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        self.live(self.inner.load(key)).await
    }

    async fn compare_and_swap(
        &self,
        key: &Key,
        expected: Option<Version>,
        value: &Secret,
    ) -> Result<Option<Version>, Error> {
        self.live(self.inner.compare_and_swap(key, expected, value)).await
    }

    async fn lease(&self, key: &Key, seen: Option<Version>) -> Result<Option<Self::Lease>, Error> {
        self.live(self.inner.lease(key, seen)).await
    }

    async fn remove(&self, key: &Key, tombstone: Duration) -> Result<(), Error> {
        self.live(self.inner.remove(key, tombstone)).await
    }
}

impl TokenSource for Mortal<Client> {
    async fn exchange(&self, current: Option<&TokenSet>) -> Result<TokenSet, Error> {
        self.live(self.inner.exchange(current)).await
    }

    fn identity(&self) -> crate::source::Identity {
        self.inner.identity()
    }
}

struct Process {
    cell: TokenCell,
    alive: tokio::sync::watch::Sender<bool>,
}

fn start(server: &Server, store: &TestStore, time: &TestClock) -> Process {
    let (alive, is_alive) = tokio::sync::watch::channel(true);
    let source = Mortal { inner: server.client(), alive: is_alive.clone() };
    let store = Mortal { inner: store.clone(), alive: is_alive };
    let first = TokenSet::from_refresh_token("refresh-0");
    let cell = TokenCell::builder(source).clock(time.clock()).store(store).subject("alice").start_from(first);
    Process { cell: cell.grace(HOUR).build(), alive }
}

async fn run(schedule: Vec<Step>) -> Vec<String> {
    let (server, time, store) = (Server::new(), TestClock::new(), TestStore::with_term(secs(3)));
    server.grace(HOUR).takes(Duration::from_millis(300)).lifetime(secs(10));
    let mut processes: Vec<_> = (0..3).map(|_| start(&server, &store, &time)).collect();
    let mut wrong = Vec::new();
    let mut calls = Vec::new();
    let mut lost = 0;
    for step in schedule {
        match step {
            Step::Request(which) => {
                let (cell, time) = (processes[which].cell.clone(), time.clone());
                calls.push(tokio::spawn(async move {
                    match tokio::time::timeout(secs(200), cell.get()).await {
                        Err(_) => Some("a request hangs".to_owned()),
                        Ok(Ok(token)) if token.expires_at()? <= time.wall() => Some("it had ended".to_owned()),
                        Ok(_) => None,
                    }
                }));
            }
            Step::Kill(which) => {
                lost += 1;
                processes[which].alive.send_replace(false);
                processes[which] = start(&server, &store, &time);
            }
            Step::LoseBefore | Step::LoseAfter => {
                lost += 1;
                server.then(if matches!(step, Step::LoseBefore) { Next::LostBefore } else { Next::LostAfter });
            }
            Step::Fail => {
                // Where the store is away by then, the intent cannot be taken back: to others its answer is lost.
                lost += 1;
                server.then(Next::Fails(down()));
            }
            Step::StoreAway => store.go_away(),
            Step::StoreBack => store.come_back(),
            Step::Pass(time) => pass(time).await,
        }
    }
    store.come_back();
    pass(secs(100)).await;
    for (which, process) in processes.iter().enumerate() {
        let mut last = process.cell.get().await;
        for _ in 0..20 {
            if last.as_ref().is_err_and(Error::is_transient) {
                pass(secs(6)).await;
                last = process.cell.get().await;
            }
        }
        if let Err(error) = last
            && (lost < 3 || !error.is_reauth_required())
        {
            wrong.push(format!("{which} has no token after all: {error:?}"));
        }
        process.cell.settled().await;
        if process.cell.status().unsaved.is_some() {
            wrong.push(format!("{which} has not stored its set"));
        }
    }
    for call in calls {
        // Those of a process that died hang, as they should; the others have ended by now.
        call.abort();
        if let Ok(found) = call.await {
            wrong.extend(found);
        }
    }
    if server.is_revoked() {
        wrong.push("the grant was revoked".to_owned());
    }
    wrong
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_no_refresh_token_is_lost(schedule in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let wrong = runtime.block_on(run(schedule));
        prop_assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[derive(Clone, Debug)]
enum Act {
    Request(usize),
    Reject(usize),
    Kill(usize),
    Put(usize),
    Remove(usize),
    Settle(usize),
    LoseBefore,
    LoseAfter,
    Fail,
    StoreAway,
    StoreBack,
    AnswerLost,
    Refused,
    Pass(Duration),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..3_usize).prop_map(Act::Request),
        3 => (0..3_usize).prop_map(Act::Reject),
        1 => (0..3_usize).prop_map(Act::Kill),
        2 => (0..3_usize).prop_map(Act::Put),
        1 => (0..3_usize).prop_map(Act::Remove),
        1 => (0..3_usize).prop_map(Act::Settle),
        1 => Just(Act::LoseBefore),
        1 => Just(Act::LoseAfter),
        1 => Just(Act::Fail),
        1 => Just(Act::StoreAway),
        2 => Just(Act::StoreBack),
        2 => Just(Act::AnswerLost),
        2 => Just(Act::Refused),
        6 => (0..4000_u64).prop_map(|millis| Act::Pass(Duration::from_millis(millis))),
        1 => (0..400_u64).prop_map(|seconds| Act::Pass(secs(seconds))),
    ]
}

fn begin(server: &Server, store: &TestStore, time: &TestClock) -> Process {
    let (alive, is_alive) = tokio::sync::watch::channel(true);
    let source = Mortal { inner: server.client(), alive: is_alive.clone() };
    let store = Mortal { inner: store.clone(), alive: is_alive };
    let cell = TokenCell::builder(source).clock(time.clock()).store(store).subject("alice");
    Process { cell: cell.grace(HOUR * 10).build(), alive }
}

#[derive(Debug, PartialEq)]
enum Outcome {
    In(usize),
    Out,
    Unclear,
}

/// `mild`: nobody dies, and no answer is lost; then whoever was last decides what is there in the end.
async fn perform(schedule: Vec<Act>, mild: bool) -> Vec<String> {
    let (server, store) = (Server::new(), TestStore::with_term(secs(3)));
    server.grace(HOUR * 10).takes(Duration::from_millis(300)).lifetime(secs(20));
    let times = [(); 3].map(|()| TestClock::new());
    let mut processes: Vec<_> = (0..3).map(|which| begin(&server, &store, &times[which])).collect();
    let mut wrong = Vec::new();
    let mut calls = Vec::new();
    let mut lost = 0;
    let number = |set: &TokenSet| set.refresh_token.as_ref().unwrap().expose()["refresh-".len()..].parse().unwrap();
    let first = server.sign_in();
    let mut outcome = Outcome::In(number(&first));
    processes[0].cell.put(first).await.unwrap();
    for act in schedule {
        if mild && matches!(act, Act::Kill(_) | Act::LoseBefore | Act::LoseAfter | Act::AnswerLost) {
            continue;
        }
        match act {
            Act::Refused if mild => store.writes(&[Fault::Refused]),
            Act::Request(which) => {
                let (cell, time) = (processes[which].cell.clone(), times[which].clone());
                calls.push(tokio::spawn(async move {
                    match tokio::time::timeout(secs(200), cell.get()).await {
                        Err(_) => Some("a request hangs".to_owned()),
                        Ok(Ok(token)) if token.expires_at()? <= time.wall() => Some("it had ended".to_owned()),
                        Ok(_) => None,
                    }
                }));
            }
            Act::Reject(which) => {
                if let Some(token) = processes[which].cell.peek() {
                    processes[which].cell.reject(&token);
                }
            }
            Act::Kill(which) => {
                lost += 1;
                processes[which].alive.send_replace(false);
                processes[which] = begin(&server, &store, &times[which]);
            }
            Act::Put(which) => {
                // The clocks of the three are some microseconds apart, and a sign-in after a sign-out is told by them.
                pass(Duration::from_millis(1)).await;
                let set = server.sign_in();
                let number = number(&set);
                match tokio::time::timeout(secs(200), processes[which].cell.put(set)).await {
                    Ok(Ok(())) => {
                        outcome = if outcome == Outcome::Unclear { Outcome::Unclear } else { Outcome::In(number) }
                    }
                    Ok(Err(_)) => outcome = Outcome::Unclear,
                    Err(_) => wrong.push("put hangs".to_owned()),
                }
            }
            Act::Remove(which) => match tokio::time::timeout(secs(200), processes[which].cell.remove()).await {
                Ok(Ok(())) => outcome = if outcome == Outcome::Unclear { Outcome::Unclear } else { Outcome::Out },
                Ok(Err(_)) => outcome = Outcome::Unclear,
                Err(_) => wrong.push("remove hangs".to_owned()),
            },
            Act::Settle(which) => {
                if tokio::time::timeout(secs(200), processes[which].cell.settled()).await.is_err() {
                    wrong.push("settled hangs".to_owned());
                }
            }
            Act::LoseBefore | Act::LoseAfter => {
                lost += 1;
                server.then(if matches!(act, Act::LoseBefore) { Next::LostBefore } else { Next::LostAfter });
            }
            Act::Fail => drop(server.then(Next::Fails(down()))),
            Act::StoreAway => store.go_away(),
            Act::StoreBack => store.come_back(),
            Act::AnswerLost | Act::Refused => {
                // An intent that was kept and not sent is a lost answer to the others.
                lost += 1;
                store.writes(&[if matches!(act, Act::Refused) { Fault::Refused } else { Fault::AnswerLost }]);
            }
            Act::Pass(time) => pass(time).await,
        }
    }
    store.come_back();
    store.heal();
    pass(secs(100)).await;
    for (which, process) in processes.iter().enumerate() {
        let mut last = process.cell.get().await;
        for _ in 0..20 {
            if last.is_err() {
                pass(secs(6)).await;
                last = process.cell.get().await;
            }
        }
        match (&last, &outcome) {
            (Err(error), Outcome::In(_)) if lost < 3 || !error.is_reauth_required() => {
                wrong.push(format!("{which} has no token after all: {error:?}"));
            }
            (Ok(token), Outcome::In(grant)) => {
                let number: usize = token.expose()["access-".len()..].trim_end_matches("-for-mail").parse().unwrap();
                if number < *grant {
                    wrong.push(format!("{which} has {number} of a grant before {grant}"));
                }
            }
            (Ok(token), Outcome::Out) => wrong.push(format!("{which} has {token:?}, which was removed")),
            _ => {}
        }
        process.cell.settled().await;
        if process.cell.status().unsaved.is_some() && outcome != Outcome::Unclear {
            wrong.push(format!("{which} has not stored its set"));
        }
    }
    for call in calls {
        call.abort();
        if let Ok(found) = call.await {
            wrong.extend(found);
        }
    }
    if server.is_revoked() && outcome != Outcome::Unclear {
        wrong.push("the grant was revoked".to_owned());
    }
    wrong
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whoever_signs_in_and_out_meanwhile(schedule in prop::collection::vec(act(), 1..40), mild in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let wrong = runtime.block_on(perform(schedule, mild));
        prop_assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
