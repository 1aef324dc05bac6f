//! Whatever comes: an answer and no panic.

use proptest::prelude::*;
use serde_json::Map;

use super::*;
use crate::openid::{
    jwks::KeySet,
    logout_token,
    signed::{Claims as Unchecked, Signed},
};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        prop::sample::select(vec![ISSUER, CLIENT, "http://schemas.openid.net/event/backchannel-logout"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".{0,10}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Good ones with some members replaced by anything.
fn members(good: Value, names: &'static [&'static str]) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((prop::sample::select(names), json_value()), 0..6).prop_map(move |changes| {
        let mut members = good.as_object().unwrap().clone();
        members.extend(changes.into_iter().map(|(name, value)| (name.to_owned(), value)));
        members
    })
}

const CLAIMS: &[&str] =
    &["iss", "aud", "azp", "sub", "sid", "exp", "iat", "nbf", "nonce", "at_hash", "auth_time", "events", "jti", "acr"];
const HEADER: &[&str] = &["alg", "kid", "typ", "crit", "jwk", "jku", "b64", "zip"];
const JWK: &[&str] = &["kty", "crv", "x", "y", "n", "e", "k", "kid", "alg", "use", "key_ops"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_is_no_token(text in ".{0,200}", parts in "[A-Za-z0-9_.=-]{0,200}") {
        run(async {
            for text in [text, parts] {
                refusal(&text).await;
                refused(logout(&text).await);
            }
        });
    }

    #[test]
    fn any_header_is_read(header in members(es256(), HEADER)) {
        let header = Value::Object(header);
        let message = message(&header, &good_claims());
        let says = run(refusal(&with_signature(&message, [7; 64])));
        prop_assert!(says.contains("the ID token"));
    }

    #[test]
    fn any_text_is_read_as_a_key_set(text in ".{0,200}") {
        prop_assert!(KeySet::parse(&text).is_err());
    }

    #[test]
    fn any_key_is_read_and_tried(
        key in members(Pair::P256.jwk("one"), JWK),
        rsa in members(Pair::Rsa.jwk("rsa"), JWK),
        anything in json_value(),
    ) {
        let provider = Provider::with_keys(&[key.into(), rsa.into(), anything]);
        let claims = good_claims();
        run(async {
            for (alg, pair) in [("ES256", Pair::P256), ("RS256", Pair::Rsa), ("EdDSA", Pair::Ed25519)] {
                let _ = verified(&Keys::new(), &provider, &sign(pair, &json!({ "alg": alg }), &claims)).await;
            }
        });
    }

    #[test]
    fn any_claims_are_checked(claims in members(good_claims(), CLAIMS), now in any::<u64>()) {
        let signed = |claims: &Map<String, Value>| {
            Signed { algorithm: Algorithm::ES256, typ: None, claims: Unchecked(claims.clone()) }
        };
        let (nonce, access_token) = (nonce(), Secret::new("token"));
        let _ = Expected { access_token: Some(&access_token), ..expected(&nonce) }.check(signed(&claims));
        let _ = Expected { nonce: None, ..expected(&nonce) }.check(signed(&claims));
        for now in [now, NOW] {
            if let Ok(token) = logout_token::check(signed(&claims), ISSUER, CLIENT, now) {
                prop_assert!(now < token.ends_at);
            }
        }
    }
}
