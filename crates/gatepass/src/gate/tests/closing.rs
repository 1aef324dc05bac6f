//! What closes a lane, for how long, and for whom.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{advance, sleep},
};

use super::*;

#[tokio::test(start_paused = true)]
async fn r5_one_429_holds_the_siblings_for_as_long_as_it_says_and_nobody_else() {
    let gate = Gate::new();
    let (mine, yours) = (cell(), cell());
    let lane = gate.lane(&mine, "https", HOST, None);
    assert!(refuse(lane.try_enter().unwrap(), 3));
    assert!(gate.lane(&mine, "https", HOST, None).try_enter().is_none(), "a sibling");
    assert!(gate.lane(&yours, "https", HOST, None).try_enter().is_some(), "another credential");
    assert!(gate.lane(&mine, "https", "other.example.com", None).try_enter().is_some(), "another origin");
    assert!(gate.lane(&mine, "https", HOST, Some(8443)).try_enter().is_some(), "another origin");
    let waited = time_to_enter(&lane).await;
    assert!((secs(3)..secs(4)).contains(&waited), "never early, jitter after: {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn r5_of_a_thousand_callers_only_those_under_way_are_refused() {
    let (lane, connections, refused) =
        (lane(&Gate::new()), Arc::new(Semaphore::new(20)), Arc::new(AtomicUsize::new(0)));
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..1_000 {
        let (lane, connections, refused) = (lane.clone(), connections.clone(), refused.clone());
        tasks.spawn(async move {
            loop {
                let ready = connections.acquire().await.unwrap();
                let Some(pass) = lane.try_enter() else {
                    drop(ready);
                    let pass = lane.enter(None).await.unwrap();
                    sleep(millis(10)).await;
                    assert!(start.elapsed() >= secs(5), "before it may");
                    return accept(pass);
                };
                sleep(millis(10)).await;
                refused.fetch_add(1, SeqCst);
                assert!(refuse(pass, 5));
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(refused.load(SeqCst), 20);
}

#[tokio::test(start_paused = true)]
async fn r5_they_resume_spread_out_at_the_pace_the_server_showed() {
    let lane = closed(&Gate::new(), 100, 1);
    let start = Instant::now();
    let mut moments = vec![];
    for _ in 0..100 {
        accept(lane.enter(None).await.unwrap());
        moments.push(start.elapsed());
    }
    let took = moments[99] - moments[0];
    assert!((millis(950)..millis(1_100)).contains(&took), "{took:?}");
    let distances = moments.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(distances.max().unwrap() < millis(15), "evenly");
}

#[tokio::test(start_paused = true)]
async fn r5_when_nobody_had_to_wait_for_a_minute_the_lane_is_free_again() {
    let lane = closed(&Gate::new(), 20, 1);
    time_to_enter(&lane).await;
    assert!(lane.try_enter().is_none(), "by the pace");
    sleep(secs(59)).await;
    assert!(lane.try_enter().is_some());
    assert!(lane.try_enter().is_none(), "still");
    sleep(secs(2)).await;
    assert!((0..10).all(|_| lane.try_enter().is_some()));
}

#[tokio::test(start_paused = true)]
async fn r5_late_429s_neither_shorten_nor_lengthen_the_wait_beyond_what_they_ask() {
    let lane = lane(&Gate::new());
    let passes: Vec<_> = (0..5).map(|_| lane.try_enter().unwrap()).collect();
    let [first, shorter, silent, early, longer] = <[Pass; 5]>::try_from(passes).unwrap();
    assert!(refuse(first, 10));
    advance(secs(2)).await;
    assert!(refuse(shorter, 1));
    assert!(silent.answered(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new()).is_some());
    assert!(refuse(early, 3));
    let waited = time_to_enter(&lane).await;
    assert!((secs(8)..secs(9)).contains(&waited), "{waited:?}");
    assert!(refuse(longer, 7), "it is a wait the server asks for, even so");
    let waited = time_to_enter(&lane).await;
    assert!((secs(7)..secs(8)).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn r5_a_pass_that_was_held_is_given_back_where_the_lane_closed_since_by_a_late_429_too() {
    let lane = lane(&Gate::new());
    let (first, late) = (lane.try_enter().unwrap(), lane.try_enter().unwrap());
    let before = lane.try_enter().unwrap().held();
    assert!(refuse(first, 1));
    assert!(before.unless_closed().is_none());

    let held = lane.enter(None).await.unwrap().held();
    let held = held.unless_closed().expect("nothing came since");
    assert!(refuse(late, 5));
    assert!(held.unless_closed().is_none());
    let waited = time_to_enter(&lane).await;
    assert!((secs(5)..secs(6)).contains(&waited), "{waited:?}");
}

/// Each of them as a refusal of its own would halve the pace again.
#[tokio::test(start_paused = true)]
async fn r5_late_429s_are_the_same_refusal_and_late_answers_still_show_the_pace() {
    let lane = lane(&Gate::new());
    let passes: Vec<_> = (0..150).map(|_| lane.try_enter().unwrap()).collect();
    for (number, pass) in passes.into_iter().enumerate() {
        if number % 3 == 0 {
            refuse(pass, 1)
        } else {
            accept(pass)
        };
    }
    time_to_enter(&lane).await;
    let start = Instant::now();
    for _ in 0..100 {
        time_to_enter(&lane).await;
    }
    assert!((millis(950)..millis(1_100)).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn r5_a_503_closes_only_if_it_says_for_how_long() {
    let lane = lane(&Gate::new());
    let answer =
        |lines: HeaderMap| lane.try_enter().unwrap().answered(StatusCode::SERVICE_UNAVAILABLE, &lines).is_some();
    assert!(!answer(HeaderMap::new()));
    assert!(!answer(headers([("retry-after", "soon")])));
    assert!(answer(headers([("retry-after", "2")])));
    assert!(time_to_enter(&lane).await >= secs(2));
}

#[tokio::test(start_paused = true)]
async fn r5_without_a_word_the_wait_doubles_with_each_in_a_row_up_to_half_a_minute() {
    let lane = lane(&Gate::new());
    let silent = |pass: Pass| assert!(pass.answered(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new()).is_some());
    silent(lane.try_enter().unwrap());
    for expected in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
        let start = Instant::now();
        let pass = lane.enter(None).await.unwrap();
        let waited = start.elapsed();
        assert!((millis(expected / 2)..millis(expected) + secs(1)).contains(&waited), "{expected}: {waited:?}");
        silent(pass);
    }
    time_to_enter(&lane).await;
    silent(lane.enter(None).await.unwrap());
    let waited = time_to_enter(&lane).await;
    assert!(waited < secs(1), "an accepted one ends the row: {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn r5_many_that_were_under_way_are_one_in_a_row() {
    let lane = lane(&Gate::new());
    let passes: Vec<_> = (0..20).map(|_| lane.try_enter().unwrap()).collect();
    for pass in passes {
        assert!(pass.answered(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new()).is_some());
    }
    let waited = time_to_enter(&lane).await;
    assert!(waited < secs(1), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn r5_the_fields_of_a_429_name_the_pace() {
    let lane = lane(&Gate::new());
    let both = headers([("ratelimit", "\"a\";r=0;t=1;q=100;w=10"), ("retry-after", "1")]);
    lane.try_enter().unwrap().answered(StatusCode::TOO_MANY_REQUESTS, &both);
    let passes = [lane.enter(None).await.unwrap(), lane.enter(None).await.unwrap()];
    let start = Instant::now();
    let third = lane.enter(None).await.unwrap();
    let waited = start.elapsed();
    assert!((millis(90)..millis(110)).contains(&waited), "ten a second: {waited:?}");
    drop((passes, third));
}

#[tokio::test(start_paused = true)]
async fn r5_without_retry_after_the_reset_counts_if_nothing_is_left() {
    for (fields, least, most) in [("\"a\";r=0;t=7", 7, 8), ("\"a\";r=3;t=7", 0, 1)] {
        let lane = lane(&Gate::new());
        lane.try_enter().unwrap().answered(StatusCode::TOO_MANY_REQUESTS, &headers([("ratelimit", fields)]));
        let waited = time_to_enter(&lane).await;
        assert!((secs(least)..secs(most)).contains(&waited), "{fields}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rl_6_retry_after_wins_over_the_fields() {
    for gate in [Gate::new(), Gate::new().pacing()] {
        let lane = lane(&gate);
        let both = headers([("ratelimit", "\"a\";r=0;t=30;q=100;w=60"), ("retry-after", "2")]);
        lane.try_enter().unwrap().answered(StatusCode::TOO_MANY_REQUESTS, &both);
        let waited = time_to_enter(&lane).await;
        assert!((secs(2)..secs(3)).contains(&waited), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn r5_a_wait_beyond_the_cap_is_a_typed_error_at_once() {
    for asked in [61, 86_400, u64::MAX] {
        let lane = closed(&Gate::new(), 0, asked);
        let start = Instant::now();
        let error = lane.enter(None).await.unwrap_err();
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(error.is_rate_limited() && error.is_transient());
        assert!(error.retry_after().unwrap() >= secs(asked.min(86_400)));
        let text = format!("{error} {error:?} {lane:?}");
        assert!(text.contains(HOST) && text.contains("longest_wait") && !text.contains("s3cr3t"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn rl_12_no_response_closes_a_lane_for_more_than_a_day() {
    let lane = closed(&Gate::new(), 0, u64::MAX);
    advance(secs(86_400 + 1)).await;
    assert!(lane.try_enter().is_some());
}

#[tokio::test(start_paused = true)]
async fn r5_again_at_once_is_no_hot_loop() {
    let lane = closed(&Gate::new(), 0, 0);
    assert!(time_to_enter(&lane).await >= millis(100));
}

#[tokio::test(start_paused = true)]
async fn r5_a_403_with_nothing_left_counts_where_that_was_asked_for() {
    let spent = headers([("ratelimit", "\"core\";r=0;t=9")]);
    let plain = headers([("ratelimit", "\"core\";r=8;t=9")]);
    let lane_of = |gate: Gate| lane(&gate);
    let answer =
        |lane: &Lane, lines: &HeaderMap| lane.try_enter().unwrap().answered(StatusCode::FORBIDDEN, lines).is_some();
    assert!(!answer(&lane_of(Gate::new()), &spent));
    let lane = lane_of(Gate::new().forbidden_when_spent());
    assert!(!answer(&lane, &plain));
    assert!(!answer(&lane, &HeaderMap::new()));
    assert!(answer(&lane, &spent));
    let waited = time_to_enter(&lane).await;
    assert!((secs(9)..secs(10)).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn r6_fields_of_accepted_answers_slow_the_sender_only_where_that_was_asked_for() {
    let answer =
        |lane: &Lane, fields| lane.try_enter().unwrap().answered(StatusCode::OK, &headers([("ratelimit", fields)]));
    for (gate, paces) in [(Gate::new(), false), (Gate::new().pacing(), true)] {
        let lane = lane(&gate);
        assert!(answer(&lane, "\"a\";r=10;t=10;q=100;w=10").is_none(), "no refusal");
        assert_eq!(lane.try_enter().is_none(), paces);
        let waited = time_to_enter(&lane).await;
        assert_eq!(waited, if paces { secs(1) } else { Duration::ZERO });
    }
}

#[tokio::test(start_paused = true)]
async fn r6_calls_that_brought_no_fields_count_as_spent() {
    for is_answered in [true, false] {
        let lane = lane(&Gate::new().pacing());
        let fields = headers([("ratelimit", "\"a\";r=22;t=10;q=100;w=10")]);
        lane.try_enter().unwrap().answered(StatusCode::OK, &fields);
        for _ in 0..2 {
            let pass = lane.try_enter().unwrap();
            if is_answered { assert!(!accept(pass)) } else { drop(pass) }
        }
        assert!(lane.try_enter().is_none(), "20 of 100 are left");
    }
}

/// RL-5, from the caller's side: the limit is never hit.
#[tokio::test(start_paused = true)]
async fn r6_with_fields_nobody_is_refused() {
    let lane = lane(&Gate::new().pacing());
    let (start, mut window, mut left) = (Instant::now(), 0, 60_u64);
    for _ in 0..200 {
        let pass = lane.enter(None).await.unwrap();
        let now = start.elapsed().as_secs();
        if now / 60 != window {
            (window, left) = (now / 60, 60);
        }
        left = left.checked_sub(1).expect("more than there was");
        let fields = format!("\"a\";r={left};t={};q=60;w=60", 60 - now % 60);
        pass.answered(StatusCode::OK, &headers([("ratelimit", &fields)]));
    }
    assert!(start.elapsed() < secs(200), "{:?}", start.elapsed());
}

/// A moment in the past, of a clock that is off, or zero: that says nothing.
#[tokio::test(start_paused = true)]
async fn rl_12_fields_that_reset_now_bring_no_hot_loop() {
    for reset in ["0", "1000000001"] {
        let lane = lane(&Gate::new());
        let fields = headers([("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset)]);
        let (start, mut refused) = (Instant::now(), 0);
        while start.elapsed() < secs(60) {
            assert!(lane.enter(None).await.unwrap().answered(StatusCode::TOO_MANY_REQUESTS, &fields).is_some());
            refused += 1;
        }
        assert!(refused < 12, "{refused} refusals in a minute");
    }
}

#[tokio::test(start_paused = true)]
async fn r5_after_a_429_that_came_when_the_lane_was_free_again_they_resume_spread_out_too() {
    let lane = lane(&Gate::new());
    let passes: Vec<_> = (0..32).map(|_| lane.try_enter().unwrap()).collect();
    let mut passes = passes.into_iter();
    let (first, late) = (passes.next().unwrap(), passes.next().unwrap());
    passes.for_each(|pass| assert!(!accept(pass)));
    assert!(refuse(first, 1));
    time_to_enter(&lane).await;
    sleep(secs(100)).await;
    assert!((0..10).all(|_| lane.try_enter().is_some()), "free");
    assert!(refuse(late, 3));
    time_to_enter(&lane).await;
    let at_once = (0..100).filter(|_| lane.try_enter().is_some()).count();
    assert!(at_once < 10, "{at_once} at once");
}

#[tokio::test(start_paused = true)]
async fn r6_a_window_longer_than_the_longest_wait_is_spread_over_all_of_it() {
    let lane = lane(&Gate::new().pacing());
    let answer = |pass: Pass, fields| pass.answered(StatusCode::OK, &headers([("ratelimit", fields)]));
    answer(lane.try_enter().unwrap(), "\"a\";r=20;t=3600;q=100;w=3600");
    // Three minutes are more than a call waits.
    let error = lane.enter(None).await.unwrap_err();
    assert!(error.is_rate_limited() && error.retry_after() > Some(secs(170)), "{error}");
    advance(secs(181)).await;
    answer(lane.try_enter().unwrap(), "\"a\";r=0;t=3419;q=100;w=3600");
    let error = lane.enter(None).await.unwrap_err();
    assert!(error.retry_after() > Some(secs(3400)), "{error}");
    assert!(!error.to_string().contains("turned"), "nobody was: {error}");
}

#[tokio::test(start_paused = true)]
async fn r5_a_403_that_says_when_to_come_back_counts_too_where_that_was_asked_for() {
    let come_back = headers([("retry-after", "30")]);
    for (gate, counts) in [(Gate::new(), false), (Gate::new().forbidden_when_spent(), true)] {
        let lane = lane(&gate);
        assert_eq!(lane.try_enter().unwrap().answered(StatusCode::FORBIDDEN, &come_back).is_some(), counts);
        assert_eq!(lane.try_enter().is_none(), counts);
    }
}
