//! What the file says.

use std::time::{Duration, SystemTime};

use super::{super::document::*, *};

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn parse(text: &str, now: SystemTime) -> Result<Document<'_>, Error> {
    Document::parse(Path::new("/etc/store"), text, now)
}

fn millis(count: u64) -> SystemTime {
    NOW + Duration::from_millis(count)
}

#[tokio::test]
async fn the_file_can_be_read_by_people() {
    let directory = Directory::new();
    let store = directory.store();
    let version = keep(&store, r#"{"any": "object"}"#).await.0;
    let written = std::fs::read_to_string(store.path()).unwrap();
    let next = version + 1;
    assert_eq!(
        written,
        format!(
            r#"{{
  "gatepass-store": 1,
  "next": {next},
  "records": {{
    "https%3A%2F%2Fauth.example.com/client/alice": {{
      "version": {version},
      "value": {{"any": "object"}}
    }}
  }}
}}
"#
        )
    );
}

#[test]
fn a_tombstone_goes_when_its_time_has_come() {
    let text = r#"{"gatepass-store":1,"next":6,"records":{"a":{"version":5,"forget_at":1000}}}"#;
    let a = Key::new(["a"]);
    assert_eq!(parse(text, millis(999)).unwrap().version(&a), Some(Version(5)));
    assert_eq!(parse(text, millis(1000)).unwrap().version(&a), None);
    let rendered = parse(text, millis(1000)).unwrap().render();
    assert!(!str::from_utf8(&rendered).unwrap().contains("forget_at"), "the next change leaves it out");
}

#[test]
fn versions_go_on_from_the_counter_the_records_and_the_clock() {
    let path = Path::new("/etc/store");
    let a = Key::new(["a"]);
    let put = |text: &str, now| parse(text, now).unwrap().put(path, &a, "{}", now).unwrap().0;
    assert_eq!(put(r#"{"gatepass-store":1,"next":6,"records":{}}"#, NOW), 6);
    assert_eq!(put(r#"{"gatepass-store":1,"next":6,"records":{"a":{"version":9,"value":1}}}"#, NOW), 10);
    assert_eq!(put(r#"{"gatepass-store":1,"next":6,"records":{}}"#, millis(1)), 1000);
    assert_eq!(Document::new().put(path, &a, "{}", millis(2)).unwrap(), Version(2000));
    let last = r#"{"gatepass-store":1,"next":18446744073709551615,"records":{}}"#;
    assert!(parse(last, NOW).unwrap().put(path, &a, "{}", NOW).unwrap_err().is_misconfigured());
}

#[test]
fn what_is_rendered_is_read() {
    let path = Path::new("/etc/store");
    let (a, b) = (Key::new(["a"]), Key::new(["b"]));
    let encoded = encode("no JSON");
    let mut document = Document::new();
    document.put(path, &a, &encoded, NOW).unwrap();
    document.bury(path, &b, NOW, Duration::from_secs(1)).unwrap();
    let rendered = document.render();
    let text = str::from_utf8(&rendered).unwrap();
    let read = parse(text, NOW).unwrap();
    assert_eq!(read.get(path, &a).unwrap().unwrap().value, Some("no JSON".into()));
    assert_eq!(read.get(path, &b).unwrap().unwrap().value, None);
    assert_eq!(*read.render(), *rendered);
}

proptest::proptest! {
    #[test]
    fn any_text_comes_back_as_it_was(value: String) {
        let path = Path::new("/etc/store");
        let key = Key::new(["a"]);
        for value in [value.clone(), format!("{{{value}}}"), format!("{value:?}")] {
            let encoded = encode(&value);
            let mut document = Document::new();
            document.put(path, &key, &encoded, NOW).unwrap();
            let rendered = document.render();
            let read = parse(str::from_utf8(&rendered).unwrap(), NOW).unwrap();
            proptest::prop_assert_eq!(read.get(path, &key).unwrap().unwrap().value, Some(value.into()));
        }
    }

    #[test]
    fn any_other_file_is_refused(text: String) {
        if let Err(error) = parse(&text, NOW) {
            proptest::prop_assert!(error.is_misconfigured());
        }
    }
}
