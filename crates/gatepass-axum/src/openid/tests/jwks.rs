//! Documents that are no key sets, or not only.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_no_jwks_says_so_and_the_old_keys_stay() {
    for (document, transient) in [
        ("<html>502</html>", true),
        ("", true),
        (r#"{"keys":["#, true),
        ("{}", false),
        ("[]", false),
        ("7", false),
        (r#"{"keys":{}}"#, false),
        (r#"{"error":"x"}"#, false),
    ] {
        let provider = Provider::new();
        provider.now_answers(document);
        let keys = Keys::new();
        let error = verified(&keys, &provider, &by(Pair::P256, "one")).await.unwrap_err();
        assert_eq!((error.is_transient(), error.is_misconfigured()), (transient, !transient), "{document}: {error}");
        assert!(error.to_string().contains("jwks_uri"), "{error}");

        tokio::time::advance(Duration::from_secs(60)).await;
        provider.now_has(&[Pair::P256.jwk("one")]);
        verified(&keys, &provider, &by(Pair::P256, "one")).await.unwrap();
        provider.now_answers(document);
        assert!(!verified(&keys, &provider, &unknown()).await.unwrap_err().is_reauth_required());
        verified(&keys, &provider, &by(Pair::P256, "one")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_in_a_document_is_passed_over() {
    let mut listed = vec![json!(7), json!(null), json!({}), json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "x" })];
    listed.extend([json!({ "kty": "RSA" }), json!({ "kty": "EC", "crv": "P-256", "x": 1, "y": "?" })]);
    listed.push(with(&Pair::P256.jwk("one"), &json!({ "x5c": ["AA=="], "issuer": "https://a", "exp": 1 })));
    let provider = Provider::with_keys(&listed);
    verified(&Keys::new(), &provider, &by(Pair::P256, "one")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_more_than_a_hundred_keys_are_looked_at() {
    for (others, found) in [(99, true), (100, false)] {
        let mut listed: Vec<_> = (0..others).map(|n| json!({ "kty": "oct", "kid": n.to_string() })).collect();
        listed.push(Pair::P256.jwk("one"));
        let provider = Provider::with_keys(&listed);
        let result = verified(&Keys::new(), &provider, &by(Pair::P256, "one")).await;
        assert_eq!(result.is_ok(), found, "{others}");
    }
}
