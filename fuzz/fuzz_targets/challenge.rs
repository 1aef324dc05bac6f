#![no_main]

use gatepass::challenge::{Challenge, Challenges};
use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    check(&Challenges::parse_value(data), data.len());

    let mut headers = HeaderMap::new();
    let lines = data.split(|&byte| byte == b'\n').take(64);
    for line in lines.flat_map(HeaderValue::from_bytes) {
        headers.append(WWW_AUTHENTICATE, line);
    }
    check(&Challenges::parse(&headers), data.len());
});

fn check(challenges: &Challenges, sent: usize) {
    assert!(challenges.len() <= 32);
    assert!(challenges.iter().flat_map(Challenge::params).count() <= 64);
    // A byte that is read as ISO-8859-1 takes two.
    assert!(challenges.iter().map(size).sum::<usize>() <= 2 * sent);

    for challenge in challenges {
        assert!(challenges.find(challenge.scheme()).is_some());
        let _ = (challenge.max_age(), challenge.algs().count());
        let _ = challenges.refuses_token(challenge.scheme());
    }
    assert_eq!(challenges.refuses_token(""), challenges.is_empty());
    assert_eq!(&Challenges::parse_value(&render(challenges)), challenges);
}

fn size(challenge: &Challenge) -> usize {
    let params = challenge
        .params()
        .map(|(name, value)| name.len() + value.len());
    challenge.scheme().len() + challenge.token68().map_or(0, str::len) + params.sum::<usize>()
}

/// The same challenges as one line of the strict grammar.
fn render(challenges: &Challenges) -> Vec<u8> {
    let mut out = String::new();
    for challenge in challenges {
        out += challenge.scheme();
        out.extend(challenge.token68().map(|blob| format!(" {blob},")));
        for (name, value) in challenge.params() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            out += &format!(" {name}=\"{value}\",");
        }
        out.push(',');
    }
    out.into_bytes()
}
