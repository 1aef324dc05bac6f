//! Headers and signatures.

use super::*;

async fn subject(provider: &Provider, token: &str) -> String {
    verified(&Keys::new(), provider, token).await.unwrap().subject
}

#[tokio::test(start_paused = true)]
async fn oidc_1_each_kind_of_key_verifies_what_it_signed() {
    for (algorithm, kid, pair) in [
        ("RS256", "rsa", Pair::Rsa),
        ("RS384", "rsa", Pair::Rsa),
        ("RS512", "rsa", Pair::Rsa),
        ("PS256", "rsa", Pair::Rsa),
        ("PS384", "rsa", Pair::Rsa),
        ("PS512", "rsa", Pair::Rsa),
        ("ES256", "one", Pair::P256),
        ("ES384", "p384", Pair::P384),
        ("EdDSA", "ed", Pair::Ed25519),
    ] {
        let good = sign(pair, &json!({ "alg": algorithm, "kid": kid, "typ": "JWT" }), &good_claims());
        assert_eq!(subject(&Provider::new(), &good).await, "alice", "{algorithm}");

        let (message, signature) = good.rsplit_once('.').unwrap();
        let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        signature[7] ^= 1;
        let says = refusal(&with_signature(message, signature)).await;
        assert!(says.contains("signature"), "{algorithm}: {says}");

        let (header, _) = message.split_once('.').unwrap();
        let claims = URL_SAFE_NO_PAD.encode(with(&good_claims(), &json!({ "sub": "mallory" })).to_string());
        let says = refusal(&format!("{header}.{claims}.{}", good.rsplit('.').next().unwrap())).await;
        assert!(says.contains("signature"), "{algorithm}: {says}");
    }
}

#[tokio::test(start_paused = true)]
async fn rfc9864_ed25519_is_the_other_name_of_eddsa() {
    let message = message(&json!({ "alg": "Ed25519", "kid": "ed" }), &good_claims());
    let signer = (aws_lc::DEFAULT_PROVIDER.signer_factory)(&Algorithm::EdDSA, &Pair::Ed25519.key()).unwrap();
    let token = with_signature(&message, signer.try_sign(message.as_bytes()).unwrap());
    for alg in ["EdDSA", "Ed25519"] {
        let provider = Provider::with_keys(&[with(&Pair::Ed25519.jwk("ed"), &json!({ "alg": alg }))]);
        assert_eq!(subject(&provider, &token).await, "alice");
    }
}

#[tokio::test(start_paused = true)]
async fn rfc8725_3_1_what_is_not_signed_is_refused_under_every_spelling() {
    for none in ["none", "None", "NONE", "nOnE", ""] {
        for signature in ["", "c2ln"] {
            let message = message(&json!({ "alg": none, "kid": "one" }), &good_claims());
            let says = refusal(&format!("{message}.{signature}")).await;
            assert!(says.contains("(alg"), "{says}");
        }
    }
    let says = refusal(&with_signature(&message(&json!({ "kid": "one" }), &good_claims()), "")).await;
    assert!(says.contains("(alg"), "{says}");
    // The right header and no signature.
    let says = refusal(&format!("{}.", message(&es256(), &good_claims()))).await;
    assert!(says.contains("signature"), "{says}");
}

#[tokio::test(start_paused = true)]
async fn rfc8725_2_1_a_public_key_is_no_secret_to_verify_by() {
    let jwk = Pair::Rsa.jwk("rsa");
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    for (algorithm, name) in [(Algorithm::HS256, "HS256"), (Algorithm::HS384, "HS384"), (Algorithm::HS512, "HS512")] {
        for secret in [modulus.clone(), jwk.to_string().into_bytes(), Vec::new()] {
            let message = message(&json!({ "alg": name, "kid": "rsa" }), &good_claims());
            let key = EncodingKey::from_secret(&secret);
            let signer = (aws_lc::DEFAULT_PROVIDER.signer_factory)(&algorithm, &key).unwrap();
            let token = with_signature(&message, signer.try_sign(message.as_bytes()).unwrap());
            // Not even where the provider lists the secret.
            let oct = json!({ "kty": "oct", "kid": "rsa", "k": URL_SAFE_NO_PAD.encode(&secret) });
            for provider in [Provider::new(), Provider::with_keys(&[oct])] {
                let says = refused(verified(&Keys::new(), &provider, &token).await);
                assert!(says.contains("(alg"), "{says}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rfc8725_3_1_a_key_serves_only_its_own_kind_of_algorithm() {
    // By the right key, whose id the header gives to one of another kind.
    let says = refusal(&sign(Pair::P256, &json!({ "alg": "ES256", "kid": "rsa" }), &good_claims())).await;
    assert!(says.contains("kid"), "{says}");
    // The document says what the key is for.
    let only = Provider::with_keys(&[with(&Pair::Rsa.jwk("rsa"), &json!({ "alg": "PS256" }))]);
    let header = |alg: &str| json!({ "alg": alg, "kid": "rsa" });
    assert_eq!(subject(&only, &sign(Pair::Rsa, &header("PS256"), &good_claims())).await, "alice");
    let says = refused(verified(&Keys::new(), &only, &sign(Pair::Rsa, &header("RS256"), &good_claims())).await);
    assert!(says.contains("kid"), "{says}");
}

#[tokio::test(start_paused = true)]
async fn rfc7517_4_2_a_key_for_something_else_does_not_verify() {
    let token = id_token(&json!({}));
    for (changes, verifies) in [
        (json!({ "use": "sig" }), true),
        (json!({ "key_ops": ["verify"] }), true),
        (json!({ "use": "enc" }), false),
        (json!({ "use": 7 }), false),
        (json!({ "key_ops": ["encrypt"] }), false),
        (json!({ "alg": "ECDH-ES" }), false),
        (json!({ "alg": "HS256" }), false),
        (json!({ "crv": "P-521" }), false),
        (json!({ "kty": "oct" }), false),
        (json!({ "kty": "AKP" }), false),
        (json!({ "x": "AA" }), false),
        (json!({ "kid": 1 }), false),
    ] {
        let provider = Provider::with_keys(&[with(&Pair::P256.jwk("one"), &changes)]);
        let result = verified(&Keys::new(), &provider, &token).await;
        assert_eq!(result.is_ok(), verifies, "{changes}");
    }
    let mut nulls = Pair::P256.jwk("one");
    for name in ["use", "alg", "key_ops"] {
        nulls[name] = Value::Null;
    }
    assert_eq!(subject(&Provider::with_keys(&[nulls]), &token).await, "alice");
}

#[tokio::test(start_paused = true)]
async fn rfc7515_4_1_3_no_key_comes_out_of_the_token() {
    // Signed well, by a key that the token itself brings or tells where to find.
    let jwk = Pair::AnotherP256.jwk("mine");
    for changes in [
        json!({ "jwk": jwk }),
        json!({ "jku": "https://evil.example/keys" }),
        json!({ "x5u": "https://evil.example/cert", "x5c": ["AA=="] }),
        json!({ "kid": "mine", "jwk": jwk, "jku": "https://evil.example/keys" }),
    ] {
        let token = sign(Pair::AnotherP256, &with(&es256(), &changes), &good_claims());
        refusal(&token).await;
    }
    // And who brings them beside a good signature is not disturbed.
    let token = sign(Pair::P256, &with(&es256(), &json!({ "jwk": jwk, "x5t": "AA" })), &good_claims());
    assert_eq!(subject(&Provider::new(), &token).await, "alice");
}

#[tokio::test(start_paused = true)]
async fn rfc7515_4_1_11_what_demands_to_be_understood_is_refused() {
    for crit in [json!(["exp"]), json!([]), json!("b64"), json!(null)] {
        let mut header = es256();
        header["crit"] = crit;
        let says = refusal(&sign(Pair::P256, &header, &good_claims())).await;
        assert!(says.contains("crit"), "{says}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_encrypted_token_is_refused_by_name() {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
    let says = refusal(&format!("{header}.AA.AA.AA.AA")).await;
    assert!(says.contains("encrypted ID tokens are not supported"), "{says}");
    let says = refused(logout(&format!("{header}.AA.AA.AA.AA")).await);
    assert!(says.contains("encrypted logout tokens are not supported"), "{says}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_token_asks_the_provider_nothing() {
    let good = id_token(&json!({}));
    let padded = good.replacen('.', "=.", 1);
    let number = sign(Pair::P256, &with(&es256(), &json!({ "kid": 1 })), &good_claims());
    for bad in ["", ".", "..", "...", "a.b.c", "e30.e30", "e30.e30.", &format!("{good}.x"), &padded, &number] {
        let provider = Provider::new();
        refused(verified(&Keys::new(), &provider, bad).await);
        assert_eq!(provider.asked(), 0, "{bad}");
    }
    // Signed, and no claims.
    let claims = sign(Pair::P256, &es256(), &json!(["sub"]));
    assert!(refusal(&claims).await.contains("claims"));
}

#[tokio::test(start_paused = true)]
async fn oidc_1_without_a_key_id_every_key_that_fits_is_tried_up_to_a_limit() {
    let token = sign(Pair::P256, &json!({ "alg": "ES256" }), &good_claims());
    assert_eq!(subject(&Provider::new(), &token).await, "alice");

    let among = |others: usize| {
        let mut keys: Vec<_> = (0..others).map(|n| Pair::AnotherP256.jwk(&n.to_string())).collect();
        keys.push(Pair::P256.jwk("last"));
        Provider::with_keys(&keys)
    };
    assert_eq!(subject(&among(7), &token).await, "alice");
    let says = refused(verified(&Keys::new(), &among(8), &token).await);
    assert!(says.contains("signature"), "{says}");
}

#[tokio::test(start_paused = true)]
async fn of_keys_with_one_id_each_is_tried() {
    let provider = Provider::with_keys(&[Pair::Rsa.jwk("one"), Pair::AnotherP256.jwk("one"), Pair::P256.jwk("one")]);
    assert_eq!(subject(&provider, &id_token(&json!({}))).await, "alice");
}

#[tokio::test(start_paused = true)]
async fn a_modulus_with_a_sign_byte_and_padding_is_understood() {
    let mut jwk = Pair::Rsa.jwk("rsa");
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    jwk["n"] = base64::engine::general_purpose::URL_SAFE.encode([&[0], &modulus[..]].concat()).into();
    assert!(jwk["n"].as_str().unwrap().ends_with('='));
    let token = sign(Pair::Rsa, &json!({ "alg": "RS256", "kid": "rsa" }), &good_claims());
    assert_eq!(subject(&Provider::with_keys(&[jwk]), &token).await, "alice");
}
