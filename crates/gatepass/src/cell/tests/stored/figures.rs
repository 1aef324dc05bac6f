//! What the metrics say of a cell with a store.

use super::*;
use crate::meter::tests::Page;

#[tokio::test(start_paused = true)]
async fn c5_a_token_at_risk_shows_until_it_is_stored_or_lost() {
    let page = Page::default();
    let _guard = page.open();
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let cell = builder(&server.client(), &store, &time).name("alice").build();
    let at_risk = || page.figure("gatepass_tokens_at_risk{cell=alice}");
    store.go_away_after_writes(2); // what it starts from, and the intent
    cell.get().await.unwrap();
    assert_eq!((at_risk(), cell.status().unsaved.is_some()), (1.0, true));
    pass(secs(10)).await;
    store.come_back();
    cell.settled().await;
    assert_eq!((at_risk(), cell.status().unsaved.is_some()), (0.0, false));
    store.go_away();
    assert!(cell.put(TokenSet::new("signed-in").expires_in(HOUR)).await.is_err());
    assert_eq!(at_risk(), 1.0);
    drop(cell);
    assert_eq!(at_risk(), 0.0, "what is lost is at risk no more");
    assert_eq!(page.figure("gatepass_tokens_put_at_risk_total{cell=alice}"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn c4_and_f4_adoptions_lost_answers_and_dead_grants_are_told_apart() {
    let page = Page::default();
    let _guard = page.open();
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    server.grace(secs(30)).then(Next::LostAfter);
    let [one, two] = [(); 2].map(|()| builder(&server.client(), &store, &time).name("alice").build());
    one.get().await.unwrap();
    two.get().await.unwrap();
    let exchanges =
        |outcome| page.figure(&format!("gatepass_exchanges_total{{cell=alice,reason=cold,outcome={outcome}}}"));
    assert_eq!((exchanges("issued"), exchanges("adopted")), (1.0, 1.0));
    assert_eq!(page.figure("gatepass_in_doubt_total{cell=alice}"), 1.0);
    server.revoke();
    pass(HOUR * 2).await;
    assert!(one.get().await.is_err());
    assert_eq!(page.figure("gatepass_exchanges_total{cell=alice,reason=mandatory,outcome=reauth_required}"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_recorder_may_ask_the_cell_itself() {
    let page = Page::default();
    let _guard = page.open();
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let cell = builder(&server.client(), &store, &time).name("alice").build();
    let asked = cell.clone();
    // On this thread: under the cell's lock it would not come back.
    page.asks(move || drop(asked.status()));
    let token = cell.get().await.unwrap();
    assert!(cell.reject(&token));
    server.then(Next::Fails(Error::transient("down")));
    assert!(cell.get().await.is_err() && cell.get().await.is_err());
    cell.put(server.sign_in()).await.unwrap();
    cell.remove().await.unwrap();
    page.asks(|| {});
    assert_eq!(page.figure("gatepass_exchanges_total{cell=alice,reason=rejected,outcome=transient}"), 1.0);
}

/// What ends the risk is under the lock; the gauge, too, is code of others.
#[tokio::test(start_paused = true)]
async fn a_gauge_that_falls_may_ask_the_cell_itself() {
    type End = fn(&TokenCell);
    let ends: [End; 3] = [
        |cell| drop(at_once(cell.remove())),
        |cell| drop(at_once(cell.put(TokenSet::new("again").refresh_token("fresh")))),
        |_| {},
    ];
    for end in ends {
        let page = Page::default();
        let _guard = page.open();
        let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
        let cell = builder(&server.client(), &store, &time).name("alice").build();
        store.go_away_after_writes(2);
        cell.get().await.unwrap();
        cell.settled().await; // gave up, for now
        assert_eq!(page.figure("gatepass_tokens_at_risk{cell=alice}"), 1.0);
        let asked = cell.clone();
        page.asks(move || drop(asked.status()));
        store.come_back();
        end(&cell);
        pass(HOUR).await;
        drop(cell.get().await);
        page.asks(|| {});
        assert_eq!(page.figure("gatepass_tokens_at_risk{cell=alice}"), 0.0);
    }
}
