use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(answer: &Value) -> Result<DeviceCode, Error> {
    DeviceAuthorization::new().scope("read").read(answer.as_object().unwrap())
}

#[test]
fn the_example_of_rfc8628_section_3_2_is_read() {
    let code = read(&json!({
        "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://example.com/device",
        "verification_uri_complete": "https://example.com/device?user_code=WDJB-MJHT",
        "expires_in": 1800,
        "interval": 5
    }))
    .unwrap();
    assert_eq!((code.user_code(), code.verification_uri()), ("WDJB-MJHT", "https://example.com/device"));
    assert_eq!(code.verification_uri_complete(), Some("https://example.com/device?user_code=WDJB-MJHT"));
    assert_eq!((code.expires_in(), code.interval()), (Duration::from_secs(1800), Duration::from_secs(5)));
    let shown = format!("{code:?}");
    assert!(!shown.contains("GmRh") && !shown.contains("WDJB"), "who sees the codes may take part (8628-6): {shown}");
    assert_eq!(
        code.form(None).unwrap().encode().expose(),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&\
         device_code=GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
        "(8628-7)"
    );
}

#[test]
fn rfc8628_1_without_an_interval_it_is_five_seconds() {
    let with = |interval: Value| {
        let answer =
            json!({"device_code": "d", "user_code": "u", "verification_uri": "https://a", "interval": interval});
        read(&answer).unwrap()
    };
    assert_eq!(with(Value::Null).interval(), Duration::from_secs(5));
    assert_eq!(with(json!("7")).interval(), Duration::from_secs(7));
    assert_eq!(with(json!(0)).interval(), Duration::from_secs(1), "never a hot loop");
    assert_eq!(with(json!(5000)).interval(), Duration::from_secs(60), "milliseconds, most likely");
    assert_eq!(with(Value::Null).expires_in(), Duration::from_secs(900));
}

#[test]
fn an_answer_with_something_missing_or_an_address_that_is_not_safe_is_an_error() {
    for missing in ["device_code", "user_code", "verification_uri"] {
        let mut answer = json!({"device_code": "d", "user_code": "u", "verification_uri": "https://a"});
        answer.as_object_mut().unwrap().remove(missing);
        assert!(read(&answer).unwrap_err().is_transient(), "{missing}");
    }
    for address in ["http://a.example/device", "javascript:alert(1)", "device", "file:///etc/passwd"] {
        let error = read(&json!({"device_code": "d", "user_code": "u", "verification_uri": address})).unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains("https"), "{address}: {error}");
    }
    let odd = json!({"device_code": "d", "user_code": "A\u{1b}[2JB\n", "verification_url": "https://a"});
    assert_eq!(read(&odd).unwrap().user_code(), "A[2JB");
}

#[test]
fn rfc8628_3_slow_down_adds_five_seconds_for_good() {
    let mut polling = Polling::every(Duration::from_secs(5));
    let said = |code: &str| Error::transient("").with_code(code);
    let waits: Vec<_> = ["authorization_pending", "slow_down", "authorization_pending", "slow_down"]
        .map(|code| polling.after(&said(code)).unwrap().as_secs())
        .into();
    assert_eq!(waits, [5, 10, 10, 15]);
}

#[test]
fn rfc8628_4_without_an_answer_the_waits_double_up_to_a_minute() {
    let mut polling = Polling::every(Duration::from_secs(5));
    let waits: Vec<_> = (0..6).map(|_| polling.after(&Error::transient("no answer")).unwrap().as_secs()).collect();
    assert_eq!(waits, [10, 20, 40, 60, 60, 60]);
    let asked = Error::transient("429").with_retry_after(Duration::from_secs(90));
    assert_eq!(polling.after(&asked), Some(Duration::from_secs(60)), "as far as a code lives (C8)");
    let mut polling = Polling::every(Duration::from_secs(5));
    let asked = Error::transient("429").with_retry_after(Duration::from_secs(45));
    assert_eq!(polling.after(&asked), Some(Duration::from_secs(45)));
}

#[test]
fn rfc8628_4_and_5_other_errors_end_it() {
    for last in [
        Error::denied("no").with_code("access_denied"),
        Error::reauth_required("over").with_code("expired_token"),
        Error::misconfigured("who?").with_code("invalid_client"),
    ] {
        assert_eq!(Polling::every(Duration::from_secs(5)).after(&last), None, "{last}");
    }
}

proptest! {
    #[test]
    fn any_interval_is_taken_without_panic(interval in any::<f64>(), lifetime in any::<f64>(), address in ".{0,40}") {
        let answer = json!({
            "device_code": "d", "user_code": "u", "verification_uri": address, "interval": interval, "expires_in": lifetime
        });
        if let Ok(code) = read(&answer) {
            let mut polling = Polling::every(code.interval());
            for code in ["slow_down", "", "slow_down"] {
                let _ = polling.after(&Error::transient("").with_code(code));
            }
        }
    }
}
