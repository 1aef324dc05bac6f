//! Many keys over a small map: nothing of them stays, neither tasks nor cells (C12).

use std::{future::ready, sync::Arc, time::Duration};

use gatepass::{Error, TokenCell, TokenMap, TokenSet};
use tokio::runtime::Handle;

const KEYS: u64 = 1_000_000;
const CAPACITY: usize = 256;

#[tokio::test]
async fn c12_many_keys_leave_no_task_and_no_cell_behind() {
    let before = Handle::current().metrics().num_alive_tasks();
    let witness = Arc::new(());
    let map = TokenMap::new(CAPACITY, {
        let witness = witness.clone();
        move |key: &u64| {
            let (key, witness) = (*key, witness.clone());
            let source = move |_current| {
                let _alive = &witness;
                let set = TokenSet::new(format!("token-{key}")).expires_in(Duration::from_secs(3600));
                ready(Ok::<_, Error>(set))
            };
            TokenCell::builder(source).copies(1).build()
        }
    });
    for key in 0..KEYS {
        let token = map.get(&key).get().await.unwrap();
        assert_eq!(token.generation(), 1);
    }
    tokio::task::yield_now().await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before);
    assert!((1..=CAPACITY + 16).contains(&map.len()), "{}", map.len());
    assert_eq!(Arc::strong_count(&witness) - 2, map.len(), "what was evicted is gone");
}
