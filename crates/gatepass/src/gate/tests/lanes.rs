//! Which calls share a lane, and what lanes cost.

use super::*;

fn is_same(one: &Lane, other: &Lane) -> bool {
    refuse(one.try_enter().unwrap(), 5);
    other.try_enter().is_none()
}

#[tokio::test(start_paused = true)]
async fn r5_a_lane_is_found_whichever_way_the_origin_is_written() {
    for (scheme, host, port) in [("HTTPS", "API.Example.com", None), ("https", HOST, Some(443))] {
        let (gate, cell) = (Gate::new(), cell());
        assert!(is_same(&gate.lane(&cell, "https", HOST, None), &gate.lane(&cell.clone(), scheme, host, port)));
    }
    for (scheme, host, port) in
        [("http", HOST, Some(443)), ("https", HOST, Some(80)), ("https", "api.example.co", None), ("", "", None)]
    {
        let (gate, cell) = (Gate::new(), cell());
        assert!(!is_same(&gate.lane(&cell, "https", HOST, None), &gate.lane(&cell, scheme, host, port)));
    }
}

#[tokio::test(start_paused = true)]
async fn r5_a_service_whose_requests_name_no_host_has_a_lane_too() {
    let (gate, cell) = (Gate::new(), cell());
    let lane = gate.lane(&cell, "", "", None);
    assert!(is_same(&lane, &gate.lane(&cell, "", "", None)));
    let error = lane.enter(Some(Instant::now().into())).await.unwrap_err();
    assert!(error.to_string().contains("the server"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn r5_clones_are_one_gate_and_settings_make_another() {
    let (gate, cell) = (Gate::new(), cell());
    let lane = gate.lane(&cell, "https", HOST, None);
    assert!(is_same(&lane, &gate.clone().lane(&cell, "https", HOST, None)));
    assert!(gate.queue(5).lane(&cell, "https", HOST, None).try_enter().is_some());
}

/// An address would come again at once: the next cell would inherit the wait of one that is gone.
#[tokio::test(start_paused = true)]
async fn r5_a_new_cell_never_gets_the_lane_of_one_that_is_gone() {
    let gate = Gate::new();
    for _ in 0..1_000 {
        let cell = cell();
        let lane = gate.lane(&cell, "https", HOST, None);
        refuse(lane.try_enter().expect("a lane of its own"), 50);
    }
}

#[tokio::test(start_paused = true)]
async fn r5_a_million_origins_cost_no_more_than_ten_thousand() {
    let (gate, cell) = (Gate::new(), cell());
    let mut most = 0;
    for number in 0..1_000_000 {
        let lane = gate.lane(&cell, "https", &format!("{number}.example.com"), None);
        if number % 10 == 0 {
            refuse(lane.try_enter().unwrap(), 5);
        }
        most = most.max(gate.len());
    }
    assert!((5_000..=12_000).contains(&most), "{most}");
}

/// Of what there is no more room for, those are let go that nobody asked for lately.
#[tokio::test(start_paused = true)]
async fn r5_a_lane_that_is_asked_for_outlives_a_flood_of_others() {
    let (gate, cell) = (Gate::new(), cell());
    refuse(gate.lane(&cell, "https", HOST, None).try_enter().unwrap(), 50);
    for number in 0..100_000 {
        let _ = gate.lane(&cell, "https", &format!("{number}.example.com"), None);
        if number % 100 == 0 {
            assert!(gate.lane(&cell, "https", HOST, None).try_enter().is_none(), "forgotten after {number}");
        }
    }
}

/// A subscriber is code of others.
#[tokio::test(start_paused = true)]
async fn r5_a_subscriber_that_panics_takes_no_pass_with_it() {
    struct Panics;
    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Panics {
        fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            panic!("as it was told");
        }
    }
    let lane = closed(&Gate::new(), 0, 1);
    tokio::time::advance(secs(3)).await;
    let subscriber = tracing_subscriber::layer::SubscriberExt::with(tracing_subscriber::registry(), Panics);
    let entering = std::panic::AssertUnwindSafe(|| lane.try_enter());
    // With one dispatcher, a place is asked about by whichever thread comes there first, for all.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let entered = tracing::subscriber::with_default(subscriber, || std::panic::catch_unwind(entering));
    assert!(entered.is_err(), "as the lane opened");
    assert!(lane.try_enter().is_some(), "one at a time, and nobody is under way");
}
