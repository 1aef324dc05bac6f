//! What stays, what goes, and that there is never a second cell for a key.

use std::{
    collections::HashMap,
    future::ready,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Barrier, Mutex, OnceLock, atomic::AtomicBool, mpsc},
    thread,
    time::Duration,
};

use super::*;
use crate::{
    clock::TestClock,
    error::Error,
    source::TokenSource,
    store::{FileStore, MemoryStore},
    token::{Token, TokenSet},
};

const HOUR: Duration = Duration::from_secs(3600);

/// A map whose cells get their tokens from this.
fn map(capacity: usize, source: impl TokenSource) -> TokenMap<u64> {
    let cells = TokenCell::builder(source).clock(TestClock::new().clock()).copies(1);
    TokenMap::new(capacity, move |_| cells.clone().build())
}

/// An access token, and nothing else.
fn access(_current: Option<TokenSet>) -> std::future::Ready<Result<TokenSet, Error>> {
    ready(Ok(TokenSet::new("access").expires_in(HOUR)))
}

/// A refresh token with it.
fn refresh(_current: Option<TokenSet>) -> std::future::Ready<Result<TokenSet, Error>> {
    ready(Ok(TokenSet::new("access").refresh_token("refresh").expires_in(HOUR)))
}

/// Gives what it was told, and says that nothing of it can be renewed.
struct Unrenewable;

impl TokenSource for Unrenewable {
    async fn exchange(&self, _current: Option<&TokenSet>) -> Result<TokenSet, Error> {
        access(None).await
    }

    fn can_renew(&self, _current: &TokenSet) -> bool {
        false
    }
}

/// Asks for so many other cells that an idle one would go.
fn press(map: &TokenMap<u64>) {
    for other in 1_000_000..1_000_050 {
        map.get(&other);
    }
}

/// Whether the cell of key 7 is still there when others need its place.
fn stays(map: &TokenMap<u64>) -> bool {
    press(map);
    map.peek(&7).is_some()
}

#[test]
fn a_cell_is_made_once_and_found_again() {
    let made = Arc::new(AtomicUsize::new(0));
    let map = TokenMap::new(100, {
        let made = made.clone();
        move |key: &String| {
            made.fetch_add(1, Ordering::Relaxed);
            TokenCell::builder(access).name(key.as_str()).copies(1).build()
        }
    });
    assert!(map.is_empty() && map.peek("ann").is_none());
    assert_eq!(map.get("ann").name(), Some("ann"));
    assert_eq!(map.clone().get("ann").name(), Some("ann"));
    assert_eq!(map.peek("ann").unwrap().name(), Some("ann"));
    assert_eq!((map.len(), made.load(Ordering::Relaxed)), (1, 1));

    assert_eq!(map.remove("ann").unwrap().name(), Some("ann"));
    assert!(map.remove("ann").is_none() && map.is_empty());
    map.get("ann");
    assert_eq!(made.load(Ordering::Relaxed), 2);
}

#[test]
fn however_many_ask_at_once_one_cell_is_made_for_each_key_even_slowly() {
    let made = Arc::new(AtomicUsize::new(0));
    let map = TokenMap::new(100, {
        let made = made.clone();
        move |_: &u64| {
            thread::sleep(Duration::from_millis(20));
            TokenCell::builder(access).name(made.fetch_add(1, Ordering::Relaxed).to_string()).build()
        }
    });
    let start = Barrier::new(16);
    let names: Vec<_> = thread::scope(|threads| {
        let asking: Vec<_> = (0..16)
            .map(|thread| {
                let (map, start) = (&map, &start);
                threads.spawn(move || {
                    start.wait();
                    (thread % 2, map.get(&(thread % 2)).name().unwrap().to_owned())
                })
            })
            .collect();
        asking.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let of_each: HashMap<_, _> = names.iter().cloned().collect();
    assert!(names.iter().all(|(key, name)| of_each[key] == *name), "{names:?}");
    assert_eq!(made.load(Ordering::Relaxed), 2);
}

#[test]
fn a_panic_while_a_cell_is_made_is_not_remembered() {
    let panics = AtomicBool::new(true);
    let map = TokenMap::new(100, move |_: &u64| {
        thread::sleep(Duration::from_millis(20));
        assert!(!panics.swap(false, Ordering::Relaxed), "told to");
        TokenCell::new(access)
    });
    let start = Barrier::new(3);
    let panicked: usize = thread::scope(|threads| {
        let asking: Vec<_> = (0..3)
            .map(|_| {
                threads.spawn(|| {
                    start.wait();
                    catch_unwind(AssertUnwindSafe(|| map.get(&7))).is_err()
                })
            })
            .collect();
        asking.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
    });
    assert_eq!((panicked, map.len()), (1, 1), "who waited made it");
}

#[test]
fn a_cell_that_is_removed_while_it_is_made_is_not_made_twice() {
    let (begun, has_begun) = mpsc::channel();
    let made = Arc::new(AtomicUsize::new(0));
    let may_end = Arc::new(OnceLock::new());
    let map = TokenMap::new(100, {
        let (made, may_end) = (made.clone(), may_end.clone());
        move |_: &u64| {
            let number = made.fetch_add(1, Ordering::Relaxed);
            begun.send(()).unwrap();
            may_end.wait();
            TokenCell::builder(access).name(number.to_string()).build()
        }
    });
    thread::scope(|threads| {
        let first = threads.spawn(|| map.get(&7));
        has_begun.recv().unwrap();
        assert!(map.remove(&7).is_none(), "there is none yet");
        let second = threads.spawn(|| map.get(&7));
        thread::sleep(Duration::from_millis(20));
        may_end.set(()).unwrap();
        assert_eq!(first.join().unwrap().name(), second.join().unwrap().name());
    });
    assert_eq!((map.len(), made.load(Ordering::Relaxed)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn idle_cells_make_room_for_others() {
    let map = map(64, access);
    for key in 0..1000 {
        map.get(&key).get().await.unwrap();
    }
    assert_eq!(map.len(), 64);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_holds_stays() {
    let map = map(1, access);
    let cell = map.get(&7);
    cell.get().await.unwrap();
    assert!(stays(&map));
    drop(cell);
    assert!(!stays(&map));

    let token = map.get(&7).get().await.unwrap();
    assert!(stays(&map), "its refusal is still to be told");
    drop(token);
    assert!(!stays(&map));

    let events = map.get(&7).events();
    assert!(stays(&map), "somebody listens");
    drop(events);
    assert!(!stays(&map));
}

#[tokio::test(start_paused = true)]
async fn a_cell_stays_while_its_exchange_runs() {
    let map = map(1, |_| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        access(None).await
    });
    let asking = tokio::time::timeout(Duration::from_millis(500), async { map.get(&7).get().await });
    assert!(asking.await.is_err(), "who asked has left");
    assert!(stays(&map));
    map.get(&7).settled().await;
    tokio::task::yield_now().await;
    assert!(!stays(&map));
}

#[tokio::test(start_paused = true)]
async fn c6_a_refresh_token_stays_until_it_is_dead_and_the_access_token_has_ended() {
    let lives = Arc::new(AtomicBool::new(true));
    let time = TestClock::new();
    let cells = {
        let lives = lives.clone();
        let source = move |_| {
            ready(match lives.load(Ordering::Relaxed) {
                true => Ok(TokenSet::new("access").refresh_token("refresh").expires_in(HOUR)),
                false => Err(Error::reauth_required("refused").with_code("invalid_grant")),
            })
        };
        TokenCell::builder(source).clock(time.clock())
    };
    let map = TokenMap::new(1, move |_: &u64| cells.clone().build());
    map.get(&7).get().await.unwrap();
    assert!(stays(&map));
    time.advance(HOUR);
    assert!(stays(&map), "ended, but the refresh token is good");

    assert!(map.get(&7).get().await.is_ok());
    lives.store(false, Ordering::Relaxed);
    assert!(map.get(&7).refresh().await.unwrap_err().is_reauth_required());
    assert!(stays(&map), "the access token is good");
    time.advance(HOUR);
    assert!(!stays(&map));
}

#[tokio::test(start_paused = true)]
async fn what_was_put_stays_while_it_lives_unless_the_source_can_renew_it() {
    let signed_in = || TokenSet::new("signed-in").expires_in(HOUR);
    let renewable = map(1, access);
    renewable.get(&7).put(signed_in()).await.unwrap();
    assert!(!stays(&renewable));

    let time = TestClock::new();
    let cells = TokenCell::builder(Unrenewable).clock(time.clock());
    let unrenewable = TokenMap::new(1, move |_: &u64| cells.clone().build());
    unrenewable.get(&7).put(signed_in()).await.unwrap();
    assert!(stays(&unrenewable));
    time.advance(HOUR);
    assert!(!stays(&unrenewable));

    unrenewable.get(&7).get().await.unwrap();
    assert!(!stays(&unrenewable), "what the source gave it gives again");
}

#[tokio::test(start_paused = true)]
async fn fixed_tokens_come_and_go() {
    let map = TokenMap::new(1, |key: &u64| TokenCell::new(Token::new(format!("fixed-{key}")).unwrap()));
    assert_eq!(map.get(&7).get().await.unwrap().expose(), "fixed-7");
    assert!(!stays(&map));
    assert_eq!(map.get(&7).get().await.unwrap().expose(), "fixed-7");
}

#[tokio::test(start_paused = true)]
async fn where_nothing_may_go_the_map_grows_and_shrinks_again_when_something_may() {
    let map = map(100, refresh);
    let room = map.shared.capacity;
    for key in 0..20_000 {
        map.get(&key).get().await.unwrap();
    }
    assert_eq!(map.len(), 20_000, "no refresh token is lost");

    for key in 0..20_000 {
        assert!(map.remove(&key).is_some(), "{key}");
    }
    assert!(map.is_empty());
    let held: Vec<_> = (0..5_000).map(|key| map.get(&key)).collect();
    assert_eq!(map.len(), 5_000);
    drop(held);
    for key in 10_000..20_000 {
        map.get(&key);
    }
    assert!(map.len() <= room, "{} of {room}", map.len());
}

/// Which cell of a key is held, by how many.
#[derive(Default)]
struct Registry(HashMap<u64, (String, usize)>);

impl Registry {
    fn enter(&mut self, key: u64, cell: &TokenCell) {
        let name = cell.name().unwrap();
        let (held, holders) = self.0.entry(key).or_insert_with(|| (name.to_owned(), 0));
        assert_eq!(held, name, "a second cell for {key} while the first is held by {holders}");
        *holders += 1;
    }

    fn leave(&mut self, key: u64) {
        let (_, holders) = self.0.get_mut(&key).unwrap();
        *holders -= 1;
        if *holders == 0 {
            self.0.remove(&key);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn there_is_never_a_second_cell_for_a_key_while_the_first_is_held() {
    const CAPACITY: u64 = 64;
    let made = Arc::new(AtomicUsize::new(0));
    let map = TokenMap::new(CAPACITY as usize, {
        let made = made.clone();
        move |_: &u64| {
            let number = made.fetch_add(1, Ordering::Relaxed);
            TokenCell::builder(access).name(number.to_string()).copies(1).build()
        }
    });
    let registry = Arc::new(Mutex::new(Registry::default()));
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let (map, registry) = (map.clone(), registry.clone());
            tokio::spawn(async move {
                let mut random = fastrand::Rng::with_seed(task);
                for turn in 0..10_000 {
                    // Most ask for a few keys, so that they meet; the rest press them out.
                    let key = random.u64(0..if turn % 2 == 0 { 8 } else { CAPACITY * 10 });
                    let cell = map.get(&key);
                    registry.lock().unwrap().enter(key, &cell);
                    match turn % 8 {
                        0 => drop(cell.get().await.unwrap()),
                        1 => tokio::task::yield_now().await,
                        _ => {}
                    }
                    registry.lock().unwrap().leave(key);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    map.get(&u64::MAX);
    assert!(map.len() <= map.shared.capacity, "{}", map.len());
    assert!(made.load(Ordering::Relaxed) > 1000, "some were evicted and made again");
}

#[tokio::test]
async fn c5_a_refresh_token_in_the_store_may_go_and_one_that_could_not_be_stored_stays() {
    let signed_in = || TokenSet::new("signed-in").refresh_token("refresh").expires_in(HOUR);
    let in_memory = TokenCell::builder(access).store(MemoryStore::new()).copies(1);
    let stored = TokenMap::new(1, move |user: &u64| in_memory.clone().subject(user.to_string()).build());
    stored.get(&7).put(signed_in()).await.unwrap();
    assert!(!stays(&stored));
    assert_eq!(stored.get(&7).get().await.unwrap().expose(), "signed-in", "who comes back is found in the store");

    let nowhere = TokenCell::builder(access).store(FileStore::new("/dev/null/no-directory")).copies(1);
    let unsaved = TokenMap::new(1, move |user: &u64| nowhere.clone().subject(user.to_string()).build());
    unsaved.get(&7).put(signed_in()).await.unwrap_err();
    assert!(stays(&unsaved));
}
