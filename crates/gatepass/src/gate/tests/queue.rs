//! Who waits, in which order, and who leaves.

use std::{
    future::Future,
    sync::{Arc, Mutex},
};

use tokio::{
    task::{JoinHandle, yield_now},
    time::{advance, sleep, timeout},
};

use super::*;

/// Starts one that waits, and lets it take its place.
async fn waiter(lane: &Lane, number: usize, order: &Arc<Mutex<Vec<usize>>>) -> JoinHandle<()> {
    let (lane, order) = (lane.clone(), order.clone());
    let task = tokio::spawn(async move {
        let pass = lane.enter(None).await.unwrap();
        order.lock().unwrap().push(number);
        accept(pass);
    });
    yield_now().await;
    task
}

#[tokio::test(start_paused = true)]
async fn r5_first_come_first_served_and_nobody_slips_past() {
    let lane = closed(&Gate::new(), 10, 1);
    let order = Arc::default();
    let mut tasks = vec![];
    for number in 0..5 {
        tasks.push(waiter(&lane, number, &order).await);
    }
    advance(secs(2)).await;
    assert!(lane.try_enter().is_none(), "the lane is open, and there is a queue");
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn r5_who_is_cancelled_frees_the_place_and_the_others_keep_theirs() {
    let lane = closed(&Gate::new().queue(4), 10, 1);
    let order = Arc::default();
    let mut tasks = vec![];
    for number in 0..4 {
        tasks.push(waiter(&lane, number, &order).await);
    }
    assert!(lane.enter(None).await.unwrap_err().is_rate_limited(), "full");
    // The first holds the turn, the third stands in the queue.
    for number in [2, 0] {
        tasks.remove(number).abort();
        yield_now().await;
    }
    for number in 4..6 {
        tasks.push(waiter(&lane, number, &order).await);
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), [1, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn r5_the_queue_is_bounded_over_all_lanes() {
    let gate = Gate::new().queue(2);
    let lanes = [closed(&gate, 0, 5), closed(&gate, 0, 5), closed(&gate, 0, 5)];
    let order = Arc::default();
    let first = waiter(&lanes[0], 0, &order).await;
    let second = waiter(&lanes[1], 1, &order).await;
    let error = lanes[2].enter(None).await.unwrap_err();
    assert!(error.is_rate_limited() && error.to_string().contains("Gate::queue"), "{error}");
    assert!((secs(5)..secs(6)).contains(&error.retry_after().unwrap()));
    first.await.unwrap();
    second.await.unwrap();
    advance(secs(1)).await;
    assert!(timeout(millis(1), lanes[2].enter(None)).await.is_ok(), "there is room again, and the lane is open");
}

#[tokio::test(start_paused = true)]
async fn r5_who_is_foreseen_to_wait_beyond_the_deadline_leaves_at_once() {
    let lane = closed(&Gate::new(), 0, 5);
    let start = Instant::now();
    let error = lane.enter(Some((start + secs(4)).into())).await.unwrap_err();
    assert!(error.is_rate_limited() && error.to_string().contains("deadline"), "{error}");
    assert_eq!(start.elapsed(), Duration::ZERO);
    let pass = lane.enter(Some((start + secs(6)).into())).await;
    assert!(pass.is_ok(), "in time");
}

/// Position in the queue times pace.
#[tokio::test(start_paused = true)]
async fn r5_who_is_foreseen_to_wait_too_long_in_the_queue_leaves_at_once() {
    let lane = closed(&Gate::new(), 20, 1);
    time_to_enter(&lane).await;
    let order = Arc::default();
    let mut tasks = vec![];
    for number in 0..100 {
        tasks.push(waiter(&lane, number, &order).await);
    }
    let start = Instant::now();
    let error = lane.enter(Some((start + secs(4)).into())).await.unwrap_err();
    assert_eq!(start.elapsed(), Duration::ZERO);
    let foreseen = error.retry_after().unwrap();
    assert!((millis(5_000)..millis(5_600)).contains(&foreseen), "100 at twenty a second: {foreseen:?}");
    accept(lane.enter(Some((start + secs(6)).into())).await.unwrap());
}

/// The last may be answered first: then those before it are under way still, and the server has counted them.
#[tokio::test(start_paused = true)]
async fn r6_nobody_is_turned_away_for_what_may_be_counted_already() {
    let lane = lane(&Gate::new().pacing());
    let mut passes: Vec<_> = (0..10).map(|_| lane.try_enter().unwrap()).collect();
    let mut answer_last = |left: u32| {
        let fields = headers([("ratelimit", &*format!("\"a\";r={left};t=3600;q=100;w=3600"))]);
        passes.pop().unwrap().answered(StatusCode::OK, &fields);
    };
    answer_last(25);
    let order = Arc::default();
    let next = waiter(&lane, 0, &order).await;
    (26..35).for_each(&mut answer_last);
    let start = Instant::now();
    next.await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO, "a quarter is left");
}

#[tokio::test(start_paused = true)]
async fn r5_a_deadline_that_comes_in_the_queue_ends_the_wait_at_that_moment() {
    let lane = closed(&Gate::new(), 0, 1);
    // Nothing was accepted, so one goes at a time; this one does not come back.
    let stuck = lane.enter(None).await.unwrap();
    let start = Instant::now();
    let error = lane.enter(Some((start + millis(1_500)).into())).await.unwrap_err();
    assert_eq!(start.elapsed(), Duration::ZERO, "two seconds are foreseen: {error}");
    drop(stuck);
    let stuck = lane.enter(None).await.unwrap();
    let waits = tokio::spawn({
        let lane = lane.clone();
        async move { lane.enter(None).await.map(drop) }
    });
    sleep(millis(1_600)).await;
    let start = Instant::now();
    let error = lane.enter(Some((start + millis(1_500)).into())).await.unwrap_err();
    assert_eq!(start.elapsed(), millis(1_500), "the one before it takes two more: {error}");
    assert!(error.is_rate_limited());
    waits.abort();
    drop(stuck);
}

#[tokio::test(start_paused = true)]
async fn r5_nobody_waits_longer_than_the_longest_wait() {
    let lane = closed(&Gate::new().longest_wait(secs(3)), 0, 1);
    let stuck = lane.enter(None).await.unwrap();
    refuse(stuck, 4);
    let order = Arc::default();
    let start = Instant::now();
    assert!(lane.enter(None).await.unwrap_err().is_rate_limited(), "4 s and the jitter");
    assert_eq!(start.elapsed(), Duration::ZERO);
    advance(millis(1_200)).await;
    waiter(&lane, 1, &order).await.await.unwrap();
    assert!(start.elapsed() >= secs(4));
}

#[tokio::test(start_paused = true)]
async fn r5_who_was_not_foreseen_to_wait_so_long_leaves_when_it_is_so_long() {
    let lane = closed(&Gate::new().longest_wait(secs(3)), 10, 1);
    let start = Instant::now();
    let first = tokio::spawn({
        let lane = lane.clone();
        async move { refuse(lane.enter(None).await.unwrap(), 30) }
    });
    yield_now().await;
    let error = lane.enter(None).await.unwrap_err();
    assert_eq!(start.elapsed(), millis(3_300), "and the jitter");
    assert!(error.is_rate_limited() && error.retry_after().unwrap() >= secs(27), "{error:?}");
    assert!(first.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn r5_when_the_lane_closes_again_those_in_the_queue_wait_on() {
    let lane = closed(&Gate::new(), 10, 1);
    let start = Instant::now();
    let first = tokio::spawn({
        let lane = lane.clone();
        async move { lane.enter(None).await.unwrap() }
    });
    yield_now().await;
    let order = Arc::default();
    let second = waiter(&lane, 2, &order).await;
    assert!(refuse(first.await.unwrap(), 7));
    second.await.unwrap();
    assert!((secs(8)..secs(10)).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn r5_a_task_that_panics_or_is_aborted_at_its_turn_blocks_nobody() {
    let lane = closed(&Gate::new(), 10, 2);
    let order = Arc::default();
    let panics = tokio::spawn({
        let lane = lane.clone();
        async move {
            tokio::select! {
                _ = lane.enter(None) => {}
                () = sleep(secs(1)) => panic!("as it was told"),
            }
        }
    });
    yield_now().await;
    let aborted = waiter(&lane, 1, &order).await;
    let last = waiter(&lane, 2, &order).await;
    assert!(panics.await.unwrap_err().is_panic());
    aborted.abort();
    last.await.unwrap();
    assert_eq!(*order.lock().unwrap(), [2]);
    assert!(time_to_enter(&lane).await < secs(1));
}

#[tokio::test(start_paused = true)]
async fn r5_where_they_go_one_at_a_time_the_next_goes_when_the_last_was_answered_or_dropped() {
    for is_answered in [true, false] {
        let lane = closed(&Gate::new(), 0, 1);
        let pass = lane.enter(None).await.unwrap();
        let order = Arc::default();
        let next = waiter(&lane, 1, &order).await;
        let start = Instant::now();
        sleep(millis(100)).await;
        if is_answered {
            assert!(!accept(pass));
        } else {
            drop(pass);
        }
        next.await.unwrap();
        assert_eq!(start.elapsed(), millis(100));
    }
}

/// A stream's `buffered`, a `select!`: what is not polled for a while may have the turn.
#[tokio::test(start_paused = true)]
async fn r5_one_that_nobody_polls_at_its_turn_holds_the_others_up_for_a_moment_only() {
    let lane = closed(&Gate::new(), 10, 1);
    let mut idle = Box::pin(lane.enter(None));
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(idle.as_mut().poll(cx))).await.is_pending());
    let start = Instant::now();
    for _ in 0..3 {
        accept(lane.enter(None).await.unwrap());
    }
    assert!(start.elapsed() < secs(8), "{:?}", start.elapsed());
    accept(idle.await.unwrap());
    assert!(time_to_enter(&lane).await < secs(1), "then all is as before");
}
