//! The claims of ID tokens.

use sha2::{Digest, Sha256, Sha384, Sha512};

use super::*;

async fn claims(changes: &Value) -> Claims {
    verified(&Keys::new(), &Provider::new(), &id_token(changes)).await.unwrap()
}

/// Every one of them is refused for the claim that is named, and nothing of its value is told.
async fn all_are_refused_for(claim: &str, bad: &[Value]) {
    for changes in bad {
        let says = refusal(&id_token(changes)).await;
        assert!(says.contains(claim) && says.ends_with("start the sign-in again"), "{changes}: {says}");
        assert!(!says.contains("evil"), "{says}");
    }
}

#[tokio::test(start_paused = true)]
async fn oidc_1_what_a_good_token_says_is_handed_over() {
    let claims = claims(&json!({ "sid": "s-1", "auth_time": NOW - 100, "email": "alice@example.com" })).await;
    assert_eq!((claims.subject.as_str(), claims.sid.as_deref()), ("alice", Some("s-1")));
    assert_eq!(claims.issued_at, NOW - 5);
    assert_eq!(claims.all["email"], "alice@example.com");
    let shown = format!("{claims:?}");
    assert!(shown.contains("email") && !shown.contains("alice") && !shown.contains("n-0S6"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn oidc_1_the_issuer_is_compared_to_the_letter() {
    all_are_refused_for(
        "(iss)",
        &[
            json!({ "iss": "https://evil.example" }),
            json!({ "iss": "https://auth.example.com/" }),
            json!({ "iss": "https://AUTH.example.com" }),
            json!({ "iss": [ISSUER] }),
            json!({ "iss": null }),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn oidc_1_the_client_is_an_audience() {
    claims(&json!({ "aud": [CLIENT] })).await;
    all_are_refused_for(
        "(aud)",
        &[
            json!({ "aud": "evil" }),
            json!({ "aud": ["evil"] }),
            json!({ "aud": [] }),
            json!({ "aud": { CLIENT: CLIENT } }),
            json!({ "aud": [[CLIENT]] }),
            json!({ "aud": null }),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn oidc_1_of_several_audiences_the_authorized_party_is_the_client() {
    claims(&json!({ "azp": CLIENT })).await;
    claims(&json!({ "aud": [CLIENT, "https://api"], "azp": CLIENT })).await;
    all_are_refused_for(
        "(azp)",
        &[
            json!({ "azp": "evil" }),
            json!({ "azp": 7 }),
            json!({ "azp": "" }),
            json!({ "aud": [CLIENT, "evil"] }),
            json!({ "aud": [CLIENT, "evil"], "azp": "evil" }),
            json!({ "aud": [CLIENT, 7] }),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn oidc_1_times_have_a_minute_of_leeway() {
    for good in [
        json!({ "exp": NOW - 59 }),
        json!({ "exp": NOW as f64 + 0.5 }),
        json!({ "exp": 1e300 }),
        json!({ "exp": u64::MAX }),
        json!({ "iat": NOW + 60 }),
        json!({ "iat": NOW as f64 - 0.5 }),
        json!({ "iat": -1 }),
        json!({ "nbf": NOW + 60 }),
        json!({ "nbf": -1e300 }),
    ] {
        claims(&good).await;
    }
    let clocks = "check that the clocks";
    all_are_refused_for(&format!("(exp; {clocks}"), &[json!({ "exp": NOW - 60 }), json!({ "exp": -1 })]).await;
    all_are_refused_for(&format!("(iat; {clocks}"), &[json!({ "iat": NOW + 61 }), json!({ "iat": 1e300 })]).await;
    all_are_refused_for(&format!("(nbf; {clocks}"), &[json!({ "nbf": NOW + 61 }), json!({ "nbf": u64::MAX })]).await;
    let text = NOW.to_string();
    all_are_refused_for("(exp)", &[json!({ "exp": null }), json!({ "exp": text }), json!({ "exp": true })]).await;
    all_are_refused_for("(iat)", &[json!({ "iat": null }), json!({ "iat": text }), json!({ "iat": [NOW] })]).await;
    all_are_refused_for("(nbf)", &[json!({ "nbf": text })]).await;
    all_are_refused_for("(auth_time)", &[json!({ "auth_time": text })]).await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_before_1970_refuses_and_does_not_panic() {
    let (nonce, token) = (nonce(), Secret::new(id_token(&json!({}))));
    let early = Expected { now: SystemTime::UNIX_EPOCH - Duration::from_secs(1), ..expected(&nonce) };
    let says = refused(verify_id_token(&Keys::new(), &Provider::new(), &token, &early).await);
    assert!(says.contains("(iat; check that the clocks"), "{says}");
}

#[tokio::test(start_paused = true)]
async fn oidc_1_a_subject_has_1_to_255_characters() {
    assert_eq!(claims(&json!({ "sub": "ä".repeat(255) })).await.subject.chars().count(), 255);
    let long = "evil".repeat(64);
    all_are_refused_for("(sub)", &[json!({ "sub": "" }), json!({ "sub": null }), json!({ "sub": 7 })]).await;
    all_are_refused_for("(sub)", &[json!({ "sub": long })]).await;
    all_are_refused_for("(sid)", &[json!({ "sid": 7 }), json!({ "sid": "" })]).await;
}

#[tokio::test(start_paused = true)]
async fn oidc_1_the_nonce_is_that_of_the_request() {
    all_are_refused_for(
        "(nonce)",
        &[
            json!({ "nonce": "evil" }),
            json!({ "nonce": "n-0S6_WzA2M" }),
            json!({ "nonce": "N-0S6_WzA2Mj" }),
            json!({ "nonce": "" }),
            json!({ "nonce": 7 }),
            json!({ "nonce": null }),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn oidc_2_where_none_was_sent_no_nonce_is_required() {
    let nonce = nonce();
    let refreshed = Expected { nonce: None, ..expected(&nonce) };
    for changes in [json!({ "nonce": null }), json!({ "nonce": "of the sign-in" })] {
        let token = Secret::new(id_token(&changes));
        assert!(verify_id_token(&Keys::new(), &Provider::new(), &token, &refreshed).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn oidc_1_at_hash_is_the_left_half_of_the_access_tokens_hash() {
    let (nonce, access_token) = (nonce(), Secret::new("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"));
    let expected = Expected { access_token: Some(&access_token), ..expected(&nonce) };
    let text = access_token.expose();
    // The example of section A.3.
    assert_eq!(URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..16]), "77QmUPtjPfzWtF2AnpK9RQ");
    let (sha256, sha384, sha512) =
        (&Sha256::digest(text)[..16], &Sha384::digest(text)[..24], &Sha512::digest(text)[..32]);
    for (alg, kid, pair, half) in [
        ("ES256", "one", Pair::P256, sha256),
        ("PS256", "rsa", Pair::Rsa, sha256),
        ("RS384", "rsa", Pair::Rsa, sha384),
        ("ES384", "p384", Pair::P384, sha384),
        ("RS512", "rsa", Pair::Rsa, sha512),
        ("EdDSA", "ed", Pair::Ed25519, sha512),
    ] {
        let token = |at_hash: &Value| {
            let claims = with(&good_claims(), &json!({ "at_hash": at_hash }));
            Secret::new(sign(pair, &json!({ "alg": alg, "kid": kid }), &claims))
        };
        let keys = Keys::new();
        for good in [json!(URL_SAFE_NO_PAD.encode(half)), json!(null)] {
            let result = verify_id_token(&keys, &Provider::new(), &token(&good), &expected).await;
            assert!(result.is_ok(), "{alg} {good}: {result:?}");
        }
        let other = URL_SAFE_NO_PAD.encode(&Sha256::digest("another")[..16]);
        for bad in [json!(other), json!(URL_SAFE_NO_PAD.encode(&half[1..])), json!(""), json!(7)] {
            let says = refused(verify_id_token(&keys, &Provider::new(), &token(&bad), &expected).await);
            assert!(says.contains("(at_hash)"), "{alg} {bad}: {says}");
        }
    }
    // Of an access token that is not there, nothing can be said.
    claims(&json!({ "at_hash": "of another" })).await;
}

#[tokio::test(start_paused = true)]
async fn rfc8725_3_12_another_kind_of_token_is_no_id_token() {
    all_are_refused_for("(events)", &[json!({ "events": {} }), json!({ "events": "evil" })]).await;
    for typ in ["logout+jwt", "application/Logout+JWT", "at+jwt"] {
        let says = refusal(&sign(Pair::P256, &with(&es256(), &json!({ "typ": typ })), &good_claims())).await;
        assert!(says.contains("(typ)"), "{says}");
    }
    for typ in ["JWT", "jwt", "application/jwt", "ID"] {
        let token = sign(Pair::P256, &with(&es256(), &json!({ "typ": typ })), &good_claims());
        assert!(verified(&Keys::new(), &Provider::new(), &token).await.is_ok(), "{typ}");
    }
}
