//! The exchange belongs to nobody (C3), and nothing runs for an idle cell (C12).

use std::sync::atomic::AtomicBool;

use tokio::runtime::{Builder, Handle, Runtime};
use tracing::span::{Attributes, Id};
use tracing_subscriber::{
    layer::{self, Layer, SubscriberExt},
    registry::LookupSpan,
};

use super::*;

fn alive() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn c3_the_first_caller_leaves_and_the_second_gets_the_same_exchange() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    let first = tokio::spawn({
        let cell = cell.clone();
        async move { cell.get().await }
    });
    tokio::task::yield_now().await;
    let second = cell.get();
    first.abort();
    assert_eq!(second.await.unwrap().expose(), "token-1");
    assert_eq!(source.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn c3_all_callers_leave_and_the_token_comes_all_the_same() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    let mut events = cell.events();
    assert!(at_once(cell.get()).is_none());
    assert!(at_once(cell.get()).is_none());
    cell.settled().await;
    assert_eq!(cell.peek().unwrap().expose(), "token-1");
    assert_eq!(heard(&mut events).await.generation, 1);
    assert_eq!(source.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn c3_a_caller_that_times_out_neither_stops_nor_restarts_the_exchange() {
    let source = Source::new();
    source.takes(secs(5));
    let (cell, _) = cell(&source);
    for _ in 0..4 {
        assert!(tokio::time::timeout(secs(1), cell.get()).await.is_err());
    }
    assert_eq!(cell.get().await.unwrap().expose(), "token-1");
    assert_eq!(source.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn c3_a_panicking_source_clears_the_slot_and_the_next_attempt_works() {
    let source = Source::new();
    source.then(Answer::Panic);
    let (cell, _) = cell(&source);
    let error = error(cell.get().await);
    assert!(error.is_transient() && error.to_string().contains("panicked"), "{error}");
    assert!(!cell.status().exchanging);
    assert!(at_once(cell.get()).unwrap().is_err(), "a panic is a failure like others (C8)");
    pass(secs(1)).await;
    assert_eq!(cell.get().await.unwrap().expose(), "token-2");
}

#[test]
fn c3_a_runtime_that_ends_fails_the_waiters_and_clears_the_slot() {
    let (ending, staying) = (runtime(), runtime());
    let source = Source::default();
    source.then(Answer::Never);
    let cell = TokenCell::new(source.clone());
    ending.block_on(async {
        assert!(at_once(cell.get()).is_none());
        while source.begun() == 0 {
            tokio::task::yield_now().await;
        }
    });
    let (joined, has_joined) = std::sync::mpsc::channel();
    let waiting = staying.spawn({
        let cell = cell.clone();
        async move {
            let mut get = pin!(cell.get());
            std::future::poll_fn(|cx| {
                let polled = get.as_mut().poll(cx);
                let _ = joined.send(polled.is_pending());
                polled
            })
            .await
        }
    });
    assert!(has_joined.recv().unwrap());
    drop(ending);
    let error = error(staying.block_on(waiting).unwrap());
    assert!(error.is_transient() && error.to_string().contains("runtime"), "{error}");
    assert!(!cell.status().exchanging);
    let token = staying.block_on(cell.get());
    assert!(token.is_ok(), "it says nothing about the server, so the next may start at once: {token:?}");
}

#[test]
fn c3_an_exchange_on_a_runtime_that_does_not_run_is_overtaken_and_its_waiters_with_it() {
    // One thread, and so run by `block_on` alone.
    let parked = Builder::new_current_thread().enable_all().build().unwrap();
    let running = runtime();
    let source = Source::default();
    let time = TestClock::new();
    let cell = TokenCell::builder(source.clone()).clock(time.clock()).build();
    parked.block_on(async { assert!(at_once(cell.get()).is_none()) });
    running.block_on(async {
        let waiter = tokio::spawn({
            let cell = cell.clone();
            async move { cell.get().await }
        });
        tokio::task::yield_now().await;
        time.advance(secs(19));
        assert!(at_once(cell.get()).is_none(), "it may still come");
        assert_eq!(source.begun(), 0, "the first never ran");
        time.advance(secs(1));
        cell.get().await.unwrap();
        assert_eq!(waiter.await.unwrap().unwrap().generation(), 1);
    });
    parked.block_on(cell.settled());
    parked.block_on(tokio::task::yield_now());
    assert_eq!(cell.status().generation, 1, "what comes too late is not published");
    assert!(cell.status().last_error.is_none());
}

#[test]
fn c3_who_waits_alone_for_an_exchange_on_a_runtime_that_does_not_run_overtakes_it_himself() {
    let parked = Builder::new_current_thread().enable_all().build().unwrap();
    let running = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (cell, _) = cell(&Source::new());
    parked.block_on(async { assert!(at_once(cell.get()).is_none()) });
    running.block_on(async {
        let began = tokio::time::Instant::now();
        assert!(cell.get().await.is_ok());
        assert!((20..=22).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    });
}

#[test]
fn c7_nor_does_who_has_a_living_token_wait_long_for_it() {
    let parked = Builder::new_current_thread().enable_all().build().unwrap();
    let running = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (cell, time) = cell(&Source::new());
    at_once(cell.put(token(7).expires_in(HOUR))).unwrap().unwrap();
    time.advance(HOUR - secs(30)); // about to end
    parked.block_on(async { assert!(at_once(cell.get()).is_none()) });
    running.block_on(async {
        let began = tokio::time::Instant::now();
        assert_eq!(cell.get().await.unwrap().expose(), "token-7");
        assert_eq!(began.elapsed().as_secs(), 2);
    });
}

#[test]
fn c3_a_handle_to_a_runtime_that_has_ended_is_an_error_and_not_a_hang() {
    let (ended, staying) = (runtime(), runtime());
    let cell = TokenCell::builder(Source::default()).runtime(ended.handle().clone()).build();
    drop(ended);
    assert!(error(staying.block_on(cell.get())).is_transient());
    assert!(!cell.status().exchanging);
}

#[test]
fn c3_the_exchange_runs_on_the_handle_it_was_given() {
    let (given, callers) = (runtime(), runtime());
    let here = given.handle().id();
    let cell = TokenCell::builder(move |_| async move {
        assert_eq!(Handle::current().id(), here);
        Ok(TokenSet::new("token"))
    })
    .runtime(given.handle().clone())
    .build();
    assert!(callers.block_on(cell.get()).is_ok());
}

#[test]
fn c3_without_a_runtime_the_error_says_what_to_do() {
    let cell = TokenCell::new(Source::default());
    let error = error(at_once(cell.get()).unwrap());
    assert!(error.is_misconfigured() && error.to_string().contains("runtime(..)"), "{error}");
    assert!(!cell.status().exchanging);
    assert!(runtime().block_on(cell.get()).is_ok(), "it is not remembered");
}

#[tokio::test(start_paused = true)]
async fn c3_the_exchange_carries_no_task_locals() {
    tokio::task_local!(static USER: &'static str);
    let cell = TokenCell::new(|_| async {
        let found = USER.try_with(|user| *user).is_ok();
        Ok(TokenSet::new(if found { "leaked" } else { "clean" }))
    });
    let token = USER.scope("alice", cell.get()).await.unwrap();
    assert_eq!(token.expose(), "clean");
}

#[tokio::test(start_paused = true)]
async fn c3_the_exchange_carries_the_callers_span_and_subscriber_and_joiners_are_linked() {
    let journal = Journal::default();
    let cell = TokenCell::builder(|_| async {
        tracing::info!("exchanging");
        Ok(TokenSet::new("token"))
    })
    .clock(TestClock::new().clock())
    .build();
    // With one dispatcher, a place is asked about by whichever thread comes there first, for all.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    tracing::subscriber::with_default(journal.subscriber(), || {
        let first = tracing::info_span!("first").in_scope(|| at_once(cell.get()));
        let second = tracing::info_span!("second").in_scope(|| at_once(cell.get()));
        assert!(first.is_none() && second.is_none());
    });
    cell.settled().await;
    assert_eq!(
        journal.lines(),
        [
            "first",
            "first > token_exchange",
            "second",
            "second follows token_exchange",
            "token_exchange: event",
            "token_exchange: event",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn c3_a_subscriber_may_ask_the_cell_itself() {
    let journal = Journal::default();
    let (cell, _) = cell(&Source::new());
    *journal.0.asks.lock().unwrap() = Some(cell.clone());
    // With one dispatcher, a place is asked about by whichever thread comes there first, for all.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    tracing::subscriber::with_default(journal.subscriber(), || {
        assert!(at_once(cell.get()).is_none());
        let joiner = tracing::info_span!("joiner").in_scope(|| at_once(cell.get()));
        assert!(joiner.is_none());
    });
    assert!(!journal.0.blocked.load(SeqCst), "it was called under the cell's lock");
}

#[tokio::test(start_paused = true)]
async fn c3_a_subscriber_that_panics_fails_the_exchange_and_nothing_more() {
    struct Panics;
    impl<S: tracing::Subscriber> Layer<S> for Panics {
        fn on_event(&self, _: &tracing::Event<'_>, _: layer::Context<'_, S>) {
            panic!("the subscriber was told to");
        }
    }
    let cell = TokenCell::builder(|_| async {
        tracing::info!("exchanging");
        Ok(TokenSet::new("token"))
    })
    .clock(TestClock::new().clock())
    .build();
    // With one dispatcher, a place is asked about by whichever thread comes there first, for all.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let waiting = tracing::subscriber::with_default(tracing_subscriber::registry().with(Panics), || {
        let mut waiting = Box::pin(cell.get());
        assert!(at_once(waiting.as_mut()).is_none());
        waiting
    });
    assert!(error(waiting.await).to_string().contains("panicked"));
    pass(secs(2)).await;
    assert!(cell.get().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn c12_no_task_runs_for_an_idle_cell() {
    let (cell, _) = cell(&Source::new());
    assert!(at_once(cell.get()).is_none());
    assert_eq!(alive(), 1, "one exchange, one task");
    cell.settled().await;
    tokio::task::yield_now().await;
    assert_eq!(alive(), 0);
    pass(HOUR * 24).await;
    assert_eq!(alive(), 0);
    drop(cell);
    assert_eq!(alive(), 0, "drop spawns nothing");
}

#[tokio::test(start_paused = true)]
async fn c12_after_the_last_handle_is_gone_the_exchange_in_flight_finishes() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    let mut events = cell.events();
    assert!(at_once(cell.get()).is_none());
    drop(cell);
    assert_eq!(heard(&mut events).await.generation, 1);
    assert!(events.next().await.is_none(), "then nothing of the cell lives on");
    tokio::task::yield_now().await;
    assert_eq!(alive(), 0);
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Writes down spans, their parents, links and events; and whether the cell's lock was held meanwhile.
#[derive(Clone, Default)]
struct Journal(Arc<Pages>);

#[derive(Default)]
struct Pages {
    lines: Mutex<Vec<String>>,
    asks: Mutex<Option<TokenCell>>,
    blocked: AtomicBool,
}

impl Journal {
    fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + 'static {
        tracing_subscriber::registry().with(self.clone())
    }

    fn lines(&self) -> Vec<String> {
        self.0.lines.lock().unwrap().clone()
    }

    fn write(&self, line: String) {
        self.0.lines.lock().unwrap().push(line);
        if let Some(cell) = self.0.asks.lock().unwrap().clone() {
            let (answer, answered) = std::sync::mpsc::channel();
            std::thread::spawn(move || answer.send(cell.status().exchanging));
            let blocked = answered.recv_timeout(secs(5)).is_err();
            self.0.blocked.fetch_or(blocked, SeqCst);
        }
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Journal {
    fn on_new_span(&self, _attributes: &Attributes<'_>, id: &Id, context: layer::Context<'_, S>) {
        let span = context.span(id).unwrap();
        self.write(match span.parent() {
            Some(parent) => format!("{} > {}", parent.name(), span.name()),
            None => span.name().to_owned(),
        });
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, context: layer::Context<'_, S>) {
        let name = |id| context.span(id).unwrap().name();
        self.write(format!("{} follows {}", name(id), name(follows)));
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: layer::Context<'_, S>) {
        let within = context.event_span(event).map_or("", |span| span.name());
        self.write(format!("{within}: event"));
    }
}
