//! What a request with a fresh token pays for it: nanoseconds and allocations.
//!
//! Two tables. The first is of tower stacks over the same service that answers at once: no layer, tower-http's static
//! `AddAuthorization`, `Bearer`, `Bearer` under `Retry`, and `Bearer` with the token of one of 10,000 users, of whom a thousand, all or one make the requests. The second
//! is of reqwest-middleware stacks over a last one that answers at once. Each stack is measured on one thread, and on
//! two threads that share it among 128 tasks; each with the service kept, and with a clone of it for each request. A
//! request is built, sent and answered; the time is that of all of it, so that a ratio says what the layer adds to the
//! cheapest request there is.
//!
//! ```text
//! cargo bench --bench hot_path                # about a minute
//! cargo bench --bench hot_path -- --quick     # a first impression
//! ```
//!
//! Stacks take turns, in an order that rotates, and a ratio is the median of the rounds' own ratios: a machine that is
//! busy for a while slows both sides of it. The last line is for machines: `hot_path bearer/static one=RATIO two=RATIO
//! allocs=+N cloned=RATIO cloned_two=RATIO retry_allocs=+N map=RATIO reqwest=+NNns reqwest_retry=+NNns`. `map` is of
//! the thousand, over the static layer with the same requests, which carry the user's key; `reqwest` is over a middleware that does
//! nothing.

mod harness;
mod over_reqwest;
mod over_tower;

use std::{env, time::Duration};

use gatepass::{Error, TokenCell, TokenSet};

use self::harness::{Effort, Threads, measure};

fn main() {
    let effort = effort();
    let threads = Threads::new();
    let cell = threads.one.block_on(warm_cell());

    let tower = over_tower::stacks(&cell, &threads.one);
    let tower_scenes = measure(&threads, &tower, effort);
    let reqwest = over_reqwest::stacks(&cell);
    let reqwest_scenes = measure(&threads, &reqwest, effort);

    println!("tower\n");
    for scene in &tower_scenes {
        scene.print(&tower, over_tower::STATIC);
    }
    println!("reqwest-middleware\n");
    for scene in &reqwest_scenes {
        scene.print(&reqwest, over_reqwest::NOTHING);
    }
    println!("{} {}", over_tower::last_line(&tower_scenes), over_reqwest::last_line(&reqwest_scenes));
}

/// For `cargo bench` enough to believe, otherwise (`cargo test --benches`) just that it runs.
fn effort() -> Effort {
    let given = |flag| env::args().any(|argument| argument == flag);
    if !given("--bench") || given("--test") {
        Effort { rounds: 1, requests: 64 }
    } else if given("--quick") {
        Effort { rounds: 10, requests: 4_000 }
    } else {
        Effort { rounds: 80, requests: 4_000 }
    }
}

fn token() -> String {
    "t".repeat(800)
}

/// A cell that has its token.
async fn warm_cell() -> TokenCell {
    let cell = TokenCell::new(|_current| async {
        Ok::<_, Error>(TokenSet::new(token()).expires_in(Duration::from_secs(3600)))
    });
    cell.get().await.unwrap();
    cell
}
