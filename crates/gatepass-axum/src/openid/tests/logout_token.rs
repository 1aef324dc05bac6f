//! Logout tokens.

use super::*;

fn good() -> Value {
    json!({
        "iss": ISSUER, "aud": CLIENT, "sub": "alice", "sid": "s-1", "iat": NOW - 5, "exp": NOW + 120, "jti": "j-1",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    })
}

fn logout_token(changes: &Value) -> String {
    sign(Pair::P256, &with(&es256(), &json!({ "typ": "logout+jwt" })), &with(&good(), changes))
}

async fn all_are_refused_for(claim: &str, bad: &[Value]) {
    for changes in bad {
        let says = refused(logout(&logout_token(changes)).await);
        assert!(says.contains(claim) && says.contains("nobody was signed out"), "{changes}: {says}");
        assert!(!says.contains("evil"), "{says}");
    }
}

#[tokio::test(start_paused = true)]
async fn oidc_3_a_good_logout_token_says_whose_sessions_end() {
    let token = logout(&logout_token(&json!({}))).await.unwrap();
    assert_eq!((token.subject.as_deref(), token.sid.as_deref()), (Some("alice"), Some("s-1")));
    assert_eq!((token.id.as_str(), token.issued_at, token.ends_at), ("j-1", NOW - 5, NOW + 180));
    let shown = format!("{token:?}");
    assert!(!shown.contains("alice") && !shown.contains("s-1"), "{shown}");

    let token = logout(&logout_token(&json!({ "sid": null }))).await.unwrap();
    assert_eq!((token.subject.as_deref(), token.sid), (Some("alice"), None));
    let token = logout(&logout_token(&json!({ "sub": null }))).await.unwrap();
    assert_eq!((token.subject, token.sid.as_deref()), (None, Some("s-1")));
}

#[tokio::test(start_paused = true)]
async fn oidc_3_somebody_has_to_be_named_and_the_token_too() {
    all_are_refused_for("(sub, sid)", &[json!({ "sub": null, "sid": null })]).await;
    all_are_refused_for("(sub)", &[json!({ "sub": "" }), json!({ "sub": 7 }), json!({ "sub": "evil".repeat(64) })])
        .await;
    all_are_refused_for("(sid)", &[json!({ "sid": "" }), json!({ "sid": ["evil"] })]).await;
    all_are_refused_for("(jti)", &[json!({ "jti": null }), json!({ "jti": "" }), json!({ "jti": 7 })]).await;
}

#[tokio::test(start_paused = true)]
async fn oidc_3_it_is_from_the_provider_and_for_the_client() {
    let iss = [json!({ "iss": "https://evil.example" }), json!({ "iss": null })];
    all_are_refused_for("(iss)", &iss).await;
    let aud = [json!({ "aud": "evil" }), json!({ "aud": ["evil"] }), json!({ "aud": null })];
    all_are_refused_for("(aud)", &aud).await;
    assert!(logout(&logout_token(&json!({ "aud": [CLIENT, "another"] }))).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn oidc_3_it_is_not_old_and_what_ends_later_is_forgotten_all_the_same() {
    let clocks = "check that the clocks";
    let iat = [json!({ "iat": NOW + 61 }), json!({ "iat": NOW - 660 }), json!({ "iat": 0 }), json!({ "iat": -1e300 })];
    all_are_refused_for(&format!("(iat; {clocks}"), &iat).await;
    all_are_refused_for("(iat)", &[json!({ "iat": null }), json!({ "iat": NOW.to_string() })]).await;
    all_are_refused_for(&format!("(exp; {clocks}"), &[json!({ "exp": NOW - 60 }), json!({ "exp": 0 })]).await;
    all_are_refused_for("(exp)", &[json!({ "exp": "evil" })]).await;
    all_are_refused_for("(nbf", &[json!({ "nbf": NOW + 61 })]).await;

    let oldest = logout(&logout_token(&json!({ "iat": NOW - 659, "exp": 1e300 }))).await.unwrap();
    assert_eq!(oldest.ends_at, NOW + 1);
    let without = logout(&logout_token(&json!({ "exp": null }))).await.unwrap();
    assert_eq!(without.ends_at, NOW - 5 + 660, "servers in use leave `exp` out");
}

#[tokio::test(start_paused = true)]
async fn oidc_3_what_it_reports_is_a_logout() {
    all_are_refused_for(
        "(events)",
        &[
            json!({ "events": null }),
            json!({ "events": {} }),
            json!({ "events": "http://schemas.openid.net/event/backchannel-logout" }),
            json!({ "events": ["http://schemas.openid.net/event/backchannel-logout"] }),
            json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": true } }),
            json!({ "events": { "https://schemas.openid.net/event/backchannel-logout": {} } }),
        ],
    )
    .await;
    let several = json!({ "http://schemas.openid.net/event/backchannel-logout": { "x": 1 }, "https://another": {} });
    assert!(logout(&logout_token(&json!({ "events": several }))).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn oidc_3_neither_token_passes_for_the_other() {
    all_are_refused_for("(nonce)", &[json!({ "nonce": "n" }), json!({ "nonce": "" }), json!({ "nonce": 7 })]).await;
    let says = refused(logout(&id_token(&json!({ "nonce": null, "jti": "j" }))).await);
    assert!(says.contains("(events)"), "{says}");

    let nonce = nonce();
    let refreshed = Expected { nonce: None, ..expected(&nonce) };
    for header in [es256(), with(&es256(), &json!({ "typ": "logout+jwt" }))] {
        let token = Secret::new(sign(Pair::P256, &header, &good()));
        refused(verify_id_token(&Keys::new(), &Provider::new(), &token, &refreshed).await);
    }
}

#[tokio::test(start_paused = true)]
async fn rfc8725_3_11_its_type_is_none_or_its_own() {
    for typ in ["logout+jwt", "Logout+JWT", "application/logout+jwt", "JWT", "jwt"] {
        let token = sign(Pair::P256, &with(&es256(), &json!({ "typ": typ })), &good());
        assert!(logout(&token).await.is_ok(), "{typ}");
    }
    assert!(logout(&sign(Pair::P256, &es256(), &good())).await.is_ok());
    for typ in [json!("at+jwt"), json!("secevent+jwt"), json!(""), json!(7)] {
        let says = refused(logout(&sign(Pair::P256, &with(&es256(), &json!({ "typ": typ })), &good())).await);
        assert!(says.contains("(typ)"), "{says}");
    }
}

#[tokio::test(start_paused = true)]
async fn oidc_3_a_forged_one_signs_nobody_out() {
    let forged = sign(Pair::AnotherP256, &es256(), &good());
    assert!(refused(logout(&forged).await).contains("signature"));
    let unsigned = format!("{}.", message(&json!({ "alg": "none" }), &good()));
    assert!(refused(logout(&unsigned).await).contains("(alg"));
}
