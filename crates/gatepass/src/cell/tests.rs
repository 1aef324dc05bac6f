//! Stories about one cell, in paused time, over a source that does what it is told.

mod failures;
#[cfg(feature = "metrics")]
mod figures;
mod owners;
mod renewal;
mod sharing;
mod stored;
mod tasks;

use std::{
    collections::VecDeque,
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::*;
use crate::{
    clock::{Clock, TestClock},
    error::Error,
    secret::Secret,
    source::TokenSource,
    token::{Token, TokenSet},
};

const HOUR: Duration = secs(3600);

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What the next exchange comes to. Without one: a new token for an hour, and a new refresh token.
enum Answer {
    Set(Box<TokenSet>),
    Fail(Error),
    Panic,
    Never,
}

/// A source that does what it is told, and counts.
#[derive(Clone, Default)]
struct Source(Arc<Told>);

#[derive(Default)]
struct Told {
    answers: Mutex<VecDeque<Answer>>,
    otherwise: Mutex<Option<Error>>,
    takes: Mutex<Duration>,
    begun: AtomicUsize,
    spent: Mutex<Vec<Option<String>>>,
    fixed: bool,
}

impl Source {
    /// Exchanges take a second each.
    fn new() -> Self {
        let source = Self::default();
        source.takes(secs(1));
        source
    }

    /// What it handed out cannot be renewed.
    fn fixed() -> Self {
        Self(Arc::new(Told { fixed: true, ..Told::default() }))
    }

    fn then(&self, answer: Answer) -> &Self {
        self.0.answers.lock().unwrap().push_back(answer);
        self
    }

    fn then_set(&self, set: TokenSet) -> &Self {
        self.then(Answer::Set(Box::new(set)))
    }

    fn then_fail(&self, error: &Error) -> &Self {
        self.then(Answer::Fail(error.clone()))
    }

    /// What exchanges come to that were told nothing; `None` is a new token.
    fn otherwise(&self, error: Option<Error>) {
        *self.0.otherwise.lock().unwrap() = error;
    }

    fn takes(&self, time: Duration) {
        *self.0.takes.lock().unwrap() = time;
    }

    /// How many exchanges were begun.
    fn begun(&self) -> usize {
        self.0.begun.load(SeqCst)
    }

    /// The refresh tokens that were presented.
    fn spent(&self) -> Vec<Option<String>> {
        self.0.spent.lock().unwrap().clone()
    }
}

impl TokenSource for Source {
    async fn exchange(&self, current: Option<&TokenSet>) -> Result<TokenSet, Error> {
        let number = self.0.begun.fetch_add(1, SeqCst) + 1;
        let spent = current.and_then(|set| set.refresh_token.as_ref());
        self.0.spent.lock().unwrap().push(spent.map(|token| token.expose().to_owned()));
        let answer = self.0.answers.lock().unwrap().pop_front();
        let takes = *self.0.takes.lock().unwrap();
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        match answer {
            Some(Answer::Set(set)) => Ok(*set),
            Some(Answer::Fail(error)) => Err(error),
            Some(Answer::Panic) => panic!("the source was told to"),
            Some(Answer::Never) => std::future::pending().await,
            None => match self.0.otherwise.lock().unwrap().clone() {
                Some(error) => Err(error),
                None => Ok(token(number).expires_in(HOUR)),
            },
        }
    }

    fn can_renew(&self, _current: &TokenSet) -> bool {
        !self.0.fixed
    }
}

/// `token-n` with `refresh-n`.
fn token(number: usize) -> TokenSet {
    TokenSet::new(format!("token-{number}")).refresh_token(format!("refresh-{number}"))
}

fn down() -> Error {
    Error::transient("the token endpoint is down")
}

/// A cell in test time, and that time.
fn cell(source: &Source) -> (TokenCell, TestClock) {
    let time = TestClock::new();
    let cell = TokenCell::builder(source.clone()).clock(time.clock()).build();
    (cell, time)
}

/// What a future comes to without waiting.
fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// The token that is there without waiting.
fn token_at_once(cell: &TokenCell) -> Option<String> {
    let token = at_once(cell.get())?.ok()?;
    Some(token.expose().to_owned())
}

/// Lets time pass, for the cell and for tasks.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// What is issued next; there has to be something.
async fn heard(events: &mut Events) -> Issued {
    let next = tokio::time::timeout(HOUR, events.next()).await;
    next.expect("nothing was issued").expect("the cell is gone")
}

fn error(result: Result<Token, Error>) -> Error {
    result.expect_err("there is a token")
}

#[tokio::test(start_paused = true)]
async fn c1_peek_starts_nothing_and_get_finds_the_token_without_waiting() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    assert!(cell.peek().is_none());
    cell.settled().await;
    assert_eq!(source.begun(), 0);
    let first = cell.get().await.unwrap();
    assert_eq!((first.expose(), first.generation()), ("token-1", 1));
    assert_eq!(cell.peek().unwrap().expose(), "token-1");
    for _ in 0..10 {
        assert_eq!(token_at_once(&cell).as_deref(), Some("token-1"));
    }
    assert_eq!(source.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn c1_a_fresh_token_is_used_while_another_thread_holds_the_lock() {
    let (cell, _) = cell(&Source::new());
    cell.get().await.unwrap();
    cell.get().await.unwrap(); // knows now that nothing has to be decided for a second
    let (locked, is_locked) = std::sync::mpsc::channel();
    let (done, is_done) = std::sync::mpsc::channel();
    let holder = std::thread::spawn({
        let cell = cell.clone();
        move || {
            let _ledger = cell.0.lock();
            locked.send(()).unwrap();
            is_done.recv_timeout(secs(10)).is_ok()
        }
    });
    is_locked.recv().unwrap();
    assert!(token_at_once(&cell).is_some());
    assert!(cell.peek().is_some());
    done.send(()).unwrap();
    assert!(holder.join().unwrap(), "it waited for the lock");
}

#[tokio::test(start_paused = true)]
async fn c1_the_header_value_was_built_when_the_token_came_and_is_sensitive() {
    let (cell, _) = cell(&Source::new());
    cell.get().await.unwrap();
    let (one, two) = (cell.peek().unwrap(), cell.peek().unwrap());
    assert_eq!(one.header_value().to_str().unwrap(), "Bearer token-1");
    assert!(one.header_value().is_sensitive());
    assert_eq!(
        one.header_value().as_bytes().as_ptr(),
        two.header_value().as_bytes().as_ptr(),
        "one thread meets one copy"
    );
}

#[test]
fn c1_constructors_work_outside_a_runtime() {
    let cell = TokenCell::builder(Source::new()).name("billing").clock(Clock::default()).build();
    at_once(cell.put(TokenSet::new("had-elsewhere").expires_in(HOUR))).unwrap().unwrap();
    assert_eq!(cell.peek().unwrap().expose(), "had-elsewhere");
    assert_eq!(token_at_once(&cell).as_deref(), Some("had-elsewhere"));
}
