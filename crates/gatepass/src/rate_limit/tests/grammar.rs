//! Structured fields (RFC 9651).

use crate::rate_limit::members::{Number, Value, members};

fn values(line: &str) -> Option<Vec<Value>> {
    Some(members(line)?.into_iter().map(|member| member.value).collect())
}

#[test]
fn items_of_every_type_are_read_or_passed_over() {
    let line = r#" 1 , 2.5,tok-en/*:x,"a\\\"b" ,	:aGk=:, ?0, @1659578233, -7, %"f%c3%bc" "#;
    let values = values(line).unwrap();
    let [one, half, token, string, bytes, rest @ ..] = values.as_slice() else { panic!("{values:?}") };
    assert_eq!(one.number(), Some(Number { whole: 1, nanos: 0 }));
    assert_eq!(half.number(), Some(Number { whole: 2, nanos: 500_000_000 }));
    assert!(matches!(token, Value::Text(text) if text == "tok-en/*:x"));
    assert!(matches!(string, Value::Text(text) if text == r#"a\"b"#));
    assert!(matches!(bytes, Value::Bytes(bytes) if bytes == b"hi"));
    assert!(rest.len() == 4 && rest.iter().all(|value| matches!(value, Value::Other)));
}

#[test]
fn numbers_of_any_length() {
    for (digits, whole, nanos) in [
        ("007", 7, 0),
        ("1.0000000019", 1, 1),
        ("0.123456789", 0, 123_456_789),
        ("18446744073709551615", u64::MAX, 0),
        ("18446744073709551616", u64::MAX, 0),
    ] {
        assert_eq!(values(digits).unwrap()[0].number(), Some(Number { whole, nanos }), "{digits}");
    }
}

#[test]
fn members_have_keys_in_a_dictionary() {
    let members = members("limit=10;w=1, flag, a*.-_9=tok").unwrap();
    let keys: Vec<_> = members.iter().map(|member| member.key).collect();
    assert_eq!(keys, [Some("limit"), None, Some("a*.-_9")]);
    assert_eq!(members[0].number("w"), Some(Number { whole: 1, nanos: 0 }));
}

#[test]
fn what_is_malformed_is_no_member() {
    #[rustfmt::skip]
    let malformed = [
        ",", ",1", "1,,2", "1 2", "1;", "1;=", "1;A", "1;a=", "1;a=;b", "1.", ".1", "1..2", "-", "--1", "@", "@x", "?", "?2",
        "\"", "\"a", "\"a\\", "\"a\\b\"", "\"\t\"", ":", ":a", ":a:", ":*:", "%", "%a", "%\"", "(1)", "=1", "a=", "a==1",
        "Limit=1", "a:b=1", "{", "1\u{e9}",
    ];
    for line in malformed {
        assert!(members(line).is_none(), "{line:?}");
    }
    for line in ["", " ", "\t"] {
        assert!(members(line).unwrap().is_empty(), "{line:?}");
    }
}
