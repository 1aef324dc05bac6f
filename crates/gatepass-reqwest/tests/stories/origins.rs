use gatepass::{Origins, bearer::Refused};
use gatepass_reqwest::BearerMiddleware;
use gatepass_testkit::{Api, Failure, RetryAfter};

use crate::{Stage, client};

#[tokio::test]
async fn x1_a_call_to_another_origin_passes_untouched() {
    let stage = Stage::set().await;
    let other = Api::start(&stage.auth).await;
    let http = stage.http();
    other.fail_next(1, Failure::too_many_requests(RetryAfter::Seconds(0)));
    for expected in [429, 401] {
        let response = http.get(other.url("/")).send().await.unwrap();
        assert_eq!(response.status(), expected);
        assert!(response.extensions().get::<Refused>().is_none());
    }
    let journal = other.journal();
    assert!(journal.iter().all(|call| !call.headers.contains_key("authorization")));
    assert_eq!((journal.len(), stage.auth.token_requests()), (2, 0));
}

#[tokio::test]
async fn x1_a_name_is_not_the_address_behind_it() {
    let stage = Stage::set().await;
    let by_name = stage.api.url("/").replace("127.0.0.1", "localhost");
    let response = stage.http().get(&by_name).send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(stage.auth.token_requests(), 0);

    let origin = stage.api.origin().replace("127.0.0.1", "LOCALHOST");
    let origins = Origins::new([origin]).unwrap();
    let http = client(BearerMiddleware::new(stage.cell(), origins));
    assert_eq!(http.get(by_name).send().await.unwrap().status(), 200);
}
