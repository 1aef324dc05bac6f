use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, crypto::aws_lc};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::Secret;

/// The key of RFC 7515 appendix A.3.
const P256: &str = include_str!("tests/ec-p256.pem");
const P384: &str = include_str!("tests/ec-p384.pem");
/// The key of RFC 8037 appendix A.
const ED25519: &str = include_str!("tests/ed25519.pem");
const RSA: &str = include_str!("tests/rsa.pem");
const RSA_PUBLIC: &str = include_str!("tests/rsa-public.pem");

fn part(jwt: &Secret, number: usize) -> Value {
    let part = jwt.expose().split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn verifies(algorithm: Algorithm, key: &DecodingKey, message: &str, signature: &[u8]) -> bool {
    let verifier = (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&algorithm.inner(), key).unwrap();
    verifier.verify(message.as_bytes(), &signature.to_vec()).is_ok()
}

fn secret_key() -> SigningKey {
    SigningKey::from_secret(Algorithm::HS256, "0123456789abcdef0123456789abcdef").unwrap()
}

#[test]
fn rfc7515_a1_hs256_signs_as_the_appendix_does() {
    let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let key = SigningKey::from_secret(Algorithm::HS256, URL_SAFE_NO_PAD.decode(key).unwrap()).unwrap();
    let message = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9le\
                   GFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = key.sign_bytes(message.as_bytes()).unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(signature), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
}

#[test]
fn rfc7515_a3_es256_signatures_are_of_64_bytes_and_verify_with_the_appendix_key() {
    let public = DecodingKey::from_ec_components(
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    )
    .unwrap();
    let message = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb2\
                   90Ijp0cnVlfQ";
    let published = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert!(verifies(Algorithm::ES256, &public, message, &URL_SAFE_NO_PAD.decode(published).unwrap()));

    let key = SigningKey::from_pem(Algorithm::ES256, P256).unwrap();
    let signature = key.sign_bytes(message.as_bytes()).unwrap();
    assert_eq!(signature.len(), 64);
    assert!(verifies(Algorithm::ES256, &public, message, &signature));
    assert!(!verifies(Algorithm::ES256, &public, "another", &signature));
}

#[test]
fn rfc8037_a4_eddsa_signs_as_the_appendix_does() {
    let key = SigningKey::from_pem(Algorithm::EdDSA, ED25519).unwrap();
    let message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = key.sign_bytes(message.as_bytes()).unwrap();
    assert_eq!(
        URL_SAFE_NO_PAD.encode(signature),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
}

#[test]
fn every_algorithm_signs_and_says_which_it_is() {
    let rsa = DecodingKey::from_rsa_pem(RSA_PUBLIC.as_bytes()).unwrap();
    for (algorithm, pem, length) in [
        (Algorithm::RS256, RSA, 256),
        (Algorithm::RS384, RSA, 256),
        (Algorithm::RS512, RSA, 256),
        (Algorithm::PS256, RSA, 256),
        (Algorithm::PS384, RSA, 256),
        (Algorithm::PS512, RSA, 256),
        (Algorithm::ES256, P256, 64),
        (Algorithm::ES384, P384, 96),
        (Algorithm::EdDSA, ED25519, 64),
    ] {
        let key = SigningKey::from_pem(algorithm, pem).unwrap();
        let jwt = Assertion::new(key, "me", "https://a").sign().unwrap();
        assert_eq!(part(&jwt, 0), json!({ "alg": algorithm.as_str(), "typ": "JWT" }));
        let (message, signature) = jwt.expose().rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert_eq!(signature.len(), length, "{algorithm:?}");
        assert!(pem != RSA || verifies(algorithm, &rsa, message, &signature), "{algorithm:?}");
    }
    for (algorithm, length) in [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)] {
        let key = SigningKey::from_secret(algorithm, "secret").unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(key.sign_bytes(b"x").unwrap().len(), length);
    }
}

#[test]
fn rfc7523_2_issuer_subject_audience_end_and_identifier_are_in_it() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_900);
    let assertion = Assertion::new(secret_key(), "me", "https://auth.example.com");
    let expected = json!({
        "iss": "me", "sub": "me", "aud": "https://auth.example.com", "jti": "one",
        "iat": 1_700_000_000, "exp": 1_700_000_300,
    });
    assert_eq!(Value::Object(assertion.claims(now, "one")), expected);
    assert!(assertion.sign().is_ok());

    let assertion = assertion
        .subject("alice")
        .lifetime(Duration::from_secs(3600))
        .not_before(Duration::from_secs(60))
        .claim("scope", "a b")
        .claim("groups", vec!["x", "y"]);
    let expected = json!({
        "iss": "me", "sub": "alice", "aud": "https://auth.example.com", "jti": "two",
        "iat": 1_700_000_000, "exp": 1_700_003_600, "nbf": 1_699_999_940, "scope": "a b", "groups": ["x", "y"],
    });
    assert_eq!(Value::Object(assertion.claims(now, "two")), expected);
}

#[test]
fn rfc7523_3_each_has_an_identifier_of_its_own_of_256_bits() {
    let assertion = Assertion::new(secret_key(), "me", "https://a");
    let ids = [assertion.sign().unwrap(), assertion.sign().unwrap()].map(|jwt| part(&jwt, 1)["jti"].clone());
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[0].as_str().unwrap().len(), 43);
}

#[test]
fn google_gets_its_scopes_as_a_claim_and_no_subject() {
    let key = SigningKey::from_pem(Algorithm::RS256, RSA).unwrap().key_id("370ab79b4513eb9bad7c9bd16a95cb76b5b2a56a");
    let jwt = Assertion::new(key, "robot@project.iam.gserviceaccount.com", "https://oauth2.googleapis.com/token")
        .without_subject()
        .claim("scope", "https://www.googleapis.com/auth/prediction")
        .sign()
        .unwrap();
    assert_eq!(part(&jwt, 0)["kid"], "370ab79b4513eb9bad7c9bd16a95cb76b5b2a56a");
    let Value::Object(claims) = part(&jwt, 1) else { panic!() };
    let mut names: Vec<_> = claims.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["aud", "exp", "iat", "iss", "jti", "scope"]);
    let lasts = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert!(lasts <= 3600);
}

#[test]
fn a_setting_that_is_wrong_is_found_before_anything_is_signed() {
    let good = || Assertion::new(secret_key(), "me", "https://a");
    for (bad, says) in [
        (Assertion::new(secret_key(), "", "https://a"), "issuer"),
        (Assertion::new(secret_key(), "me", ""), "audience"),
        (good().subject(""), "subject"),
        (good().lifetime(Duration::ZERO), "lifetime"),
        (good().claim("exp", 7), "`exp`"),
        (Assertion::new(secret_key().header("alg", "none"), "me", "https://a"), "`alg`"),
    ] {
        let error = bad.sign().unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains(says), "{error}");
    }
    // No sum overflows.
    assert!(good().lifetime(Duration::MAX).not_before(Duration::MAX).sign().is_ok());
}

#[test]
fn a_bad_pem_says_what_is_expected_and_nothing_of_what_it_is() {
    let label = |label: &str| format!("-----BEGIN {label}-----\nczNjcmV0\n-----END {label}-----\n");
    for (algorithm, pem, says) in [
        (Algorithm::RS256, String::new(), "BEGIN RSA PRIVATE KEY"),
        (Algorithm::RS256, "czNjcmV0".to_owned(), "2048"),
        (Algorithm::RS256, ED25519.to_owned(), "RSA"),
        (Algorithm::RS256, RSA_PUBLIC.to_owned(), "public"),
        (Algorithm::RS256, RSA.replace('\n', "\\n"), "written as \\n"),
        (Algorithm::RS256, RSA.repeat(20), "RSA"),
        (Algorithm::ES256, P384.to_owned(), "P-256"),
        (Algorithm::ES384, P256.to_owned(), "P-384"),
        (Algorithm::ES256, label("EC PRIVATE KEY"), "openssl pkcs8 -topk8"),
        (Algorithm::ES256, label("ENCRYPTED PRIVATE KEY"), "decrypt"),
        (Algorithm::ES256, label("CERTIFICATE"), "public"),
        (Algorithm::EdDSA, label("PRIVATE KEY"), "Ed25519"),
        (Algorithm::HS256, RSA.to_owned(), "from_secret"),
    ] {
        let error = SigningKey::from_pem(algorithm, &pem).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(error.is_misconfigured() && shown.contains(says), "{algorithm:?}: {shown}");
        assert!(!shown.contains("czNjcmV0") && !shown.contains("MII"), "{shown}");
    }
    assert!(SigningKey::from_secret(Algorithm::RS256, "x").unwrap_err().to_string().contains("from_pem"));
    assert!(SigningKey::from_secret(Algorithm::HS256, "").unwrap_err().is_misconfigured());
}

#[test]
fn neither_key_nor_claims_are_shown() {
    let key = SigningKey::from_secret(Algorithm::HS256, "k3y-s3cret").unwrap().key_id("2026");
    let shown = format!("{key:?} {:?}", Assertion::new(key.clone(), "me", "https://a").claim("email", "alice@example"));
    assert!(shown.contains("2026") && shown.contains("email"), "{shown}");
    let bytes = format!("{:?}", "k3y-s3cret".as_bytes());
    assert!(!shown.contains("s3cret") && !shown.contains(&bytes) && !shown.contains("alice"), "{shown}");
}

#[test]
fn tokens_of_two_accounts_are_told_apart() {
    let of = |issuer: &str, scope: &str| {
        Assertion::new(secret_key(), issuer, "https://a").without_subject().claim("scope", scope).fingerprint()
    };
    assert_eq!(of("one", "a"), of("one", "a"));
    assert_ne!(of("one", "a"), of("two", "a"));
    assert_ne!(of("one", "a"), of("one", "b"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_read_as_a_key_without_panic(der in proptest::collection::vec(any::<u8>(), 0..200)) {
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            base64::engine::general_purpose::STANDARD.encode(der));
        for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
            prop_assert!(SigningKey::from_pem(algorithm, &pem).is_err());
        }
    }

    #[test]
    fn a_key_with_a_byte_changed_is_read_without_panic(which in 0..4_usize, at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let (algorithm, pem) =
            [(Algorithm::ES256, P256), (Algorithm::ES384, P384), (Algorithm::EdDSA, ED25519), (Algorithm::RS256, RSA)][which];
        let mut pem = pem.as_bytes().to_vec();
        let at = at.index(pem.len());
        pem[at] = to;
        let _ = SigningKey::from_pem(algorithm, &pem);
    }

    #[test]
    fn any_claims_make_a_jwt_of_three_parts(name in "[a-z]{4,9}", text in ".{0,50}") {
        let mut claims = Map::new();
        claims.insert(name.clone(), text.clone().into());
        let jwt = secret_key().sign(claims).unwrap();
        prop_assert_eq!(jwt.expose().split('.').count(), 3);
        let claims = part(&jwt, 1);
        prop_assert_eq!(claims[name].as_str(), Some(&*text));
    }
}
