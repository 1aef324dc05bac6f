//! `Bearer`, and what it is compared with.

use std::time::Duration;

use gatepass::{BearerLayer, Error, Origins, RetryPolicy, TokenCell, TokenMap, TokenSet};
use http::Request;
use tokio::runtime::Runtime;
use tower::Layer;
use tower_http::auth::AddAuthorizationLayer;

use crate::{
    harness::{Body, Scene, Stack, Upstream, request},
    token,
};

pub(crate) const STATIC: usize = 1;
const BEARER: usize = 2;
const RETRY: usize = 3;
const STATIC_OF_A_USER: usize = 4;
const BEARER_OF_A_USER: usize = 5;

const USERS: usize = 10_000;
const ACTIVE: usize = 1_000;

pub(crate) fn stacks(cell: &TokenCell, runtime: &Runtime) -> [Stack; 8] {
    let origins = || Origins::new(["https://api.example.com"]).unwrap();
    let fixed = AddAuthorizationLayer::bearer(&token()).as_sensitive(true).layer(Upstream);
    let bearer = BearerLayer::new(cell.clone(), origins());
    let keyed = BearerLayer::keyed(runtime.block_on(warm_map()), origins()).layer(Upstream);
    [
        Stack::new("no layer", Upstream),
        Stack::new("AddAuthorization", fixed.clone()),
        Stack::new("Bearer", bearer.layer(Upstream)),
        Stack::new("Bearer under Retry", bearer.retry(RetryPolicy::new()).layer(Upstream)),
        Stack::asking("AddAuthorization, key along", fixed, |turn| of_a_user(turn, ACTIVE)),
        Stack::asking("Bearer of a TokenMap", keyed.clone(), |turn| of_a_user(turn, ACTIVE)),
        // With all users in turn no cell is in the processor's cache; for one user what is left is the code.
        Stack::asking("the same, all in turn", keyed.clone(), |turn| of_a_user(turn, USERS)),
        Stack::asking("the same, one user", keyed, |turn| of_a_user(turn, 1)),
    ]
}

pub(crate) fn last_line([kept, cloned, shared, shared_cloned]: &[Scene<'_>; 4]) -> String {
    format!(
        "hot_path bearer/static one={:.3} two={:.3} allocs={:+.0} cloned={:.3} cloned_two={:.3} retry_allocs={:+.0} map={:.3}",
        kept.ratio(BEARER, STATIC),
        shared.ratio(BEARER, STATIC),
        kept.allocated(BEARER, STATIC),
        cloned.ratio(BEARER, STATIC),
        shared_cloned.ratio(BEARER, STATIC),
        kept.allocated(RETRY, STATIC),
        kept.ratio(BEARER_OF_A_USER, STATIC_OF_A_USER),
    )
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct UserId(usize);

/// So many users in turn, neighbours far apart.
fn of_a_user(turn: usize, active: usize) -> Request<Body> {
    let mut request = request();
    request.extensions_mut().insert(UserId(turn * 7_919 % active));
    request
}

/// Everybody has a token.
async fn warm_map() -> TokenMap<UserId> {
    let source = |_current| async { Ok::<_, Error>(TokenSet::new(token()).expires_in(Duration::from_secs(3600))) };
    let cells = TokenCell::builder(source).copies(1);
    // The parts of the map fill unevenly: with room for as many, some would be evicted.
    let map = TokenMap::new(USERS * 2, move |_user: &UserId| cells.clone().build());
    for user in 0..USERS {
        map.get(&UserId(user)).get().await.unwrap();
    }
    map
}
