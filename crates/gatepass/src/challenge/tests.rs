use http::header::PROXY_AUTHENTICATE;
use proptest::prelude::*;

use super::parser::{MAX_CHALLENGES, MAX_PARAMS, is_tchar};
use super::*;

fn lines<const N: usize>(lines: [&[u8]; N]) -> Challenges {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(line).unwrap());
    }
    Challenges::parse(&headers)
}

fn line(line: &str) -> Challenges {
    lines([line.as_bytes()])
}

/// `Scheme(token68) name=value name=value | Scheme ...`, to compare with.
fn summary(challenges: &Challenges) -> String {
    let one = |challenge: &Challenge| {
        let mut out = challenge.scheme().to_owned();
        out.extend(challenge.token68().map(|blob| format!("({blob})")));
        out.extend(challenge.params().map(|(name, value)| format!(" {name}=<{value}>")));
        out
    };
    challenges.iter().map(one).collect::<Vec<_>>().join(" | ")
}

/// The same challenges as one line of the strict grammar.
fn render(challenges: &Challenges) -> Vec<u8> {
    let mut out = String::new();
    for challenge in challenges {
        out.push_str(challenge.scheme());
        out.extend(challenge.token68().map(|blob| format!(" {blob},")));
        for (name, value) in challenge.params() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            out += &format!(" {name}=\"{value}\",");
        }
        out.push(',');
    }
    out.into_bytes()
}

#[test]
fn corpus() {
    #[rustfmt::skip]
    let corpus: &[(&str, &str)] = &[
        // As RFC 6750, 7235, 9449, 9470 and 9728 write it.
        (r#"Bearer realm="example""#, "Bearer realm=<example>"),
        (r#"Bearer realm="example", error="invalid_token", error_description="The access token expired""#,
            "Bearer realm=<example> error=<invalid_token> error_description=<The access token expired>"),
        (r#"Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple""#,
            r#"Newauth realm=<apps> type=<1> title=<Login to "apps"> | Basic realm=<simple>"#),
        (r#"Bearer, DPoP algs="ES256 PS256""#, "Bearer | DPoP algs=<ES256 PS256>"),
        (r#"Bearer error="insufficient_user_authentication", max_age="5""#,
            "Bearer error=<insufficient_user_authentication> max_age=<5>"),
        (r#"Bearer resource_metadata="https://r.example/.well-known/oauth-protected-resource""#,
            "Bearer resource_metadata=<https://r.example/.well-known/oauth-protected-resource>"),
        // Schemes alone, and token68.
        ("", ""),
        ("Bearer", "Bearer"),
        ("Bearer,", "Bearer"),
        ("Negotiate, NTLM", "Negotiate | NTLM"),
        ("Negotiate YII=", "Negotiate(YII=)"),
        ("Negotiate YII==, Bearer", "Negotiate(YII==) | Bearer"),
        ("NTLM a-._~+/9 ,Basic realm=x", "NTLM(a-._~+/9) | Basic realm=<x>"),
        ("X-Y_z!~ a=b", "X-Y_z!~ a=<b>"),
        ("Bearer error=", "Bearer(error=)"),
        // Commas, quotes and escapes.
        (r#"Bearer realm="a, Basic realm=b", error="x=y""#, "Bearer realm=<a, Basic realm=b> error=<x=y>"),
        (r#"Bearer realm="\a\\\"", scope="""#, r#"Bearer realm=<a\"> scope=<>"#),
        (r#"Bearer realm="x",error="invalid_token",scope="a b""#, "Bearer realm=<x> error=<invalid_token> scope=<a b>"),
        (r#",, ,Bearer ,, realm="x",, error=y,, , Basic,,"#, "Bearer realm=<x> error=<y> | Basic"),
        ("Bearer\trealm = \"x\" ,\terror\t=\ty", "Bearer realm=<x> error=<y>"),
        ("Bearer realm=\"a\tb\"", "Bearer realm=<a\tb>"),
        ("Bearer a=b, c=d, Basic e=f", "Bearer a=<b> c=<d> | Basic e=<f>"),
        ("Bearer a=b, Basic realm = f", "Bearer a=<b> | Basic realm=<f>"),
        // Wrong, and understood.
        (r#"Bearer realm="x" error="invalid_token""#, "Bearer realm=<x> error=<invalid_token>"),
        (r#"Bearer realm="x"; error=invalid_token; scope="a""#, "Bearer realm=<x> error=<invalid_token> scope=<a>"),
        (r#"Bearer: error="invalid_token""#, "Bearer error=<invalid_token>"),
        ("Bearer realm=My API, error=invalid_token", "Bearer realm=<My API> error=<invalid_token>"),
        ("Bearer realm=My API error=invalid_token", "Bearer realm=<My API> error=<invalid_token>"),
        (r#"Bearer realm=My "API", error=invalid_token"#, "Bearer realm=<My> error=<invalid_token>"),
        ("Bearer link=https://x.example/?a=b&c=d, e=f", "Bearer link=<https://x.example/?a=b&c=d> e=<f>"),
        (r#"Bearer error="invalid_token", error_description="The to"#,
            "Bearer error=<invalid_token> error_description=<The to>"),
        (r#"Bearer realm="x\"#, "Bearer realm=<x>"),
        (r#"Bearer realm="x" junk, error="y""#, "Bearer realm=<x> error=<y>"),
        ("Bearer one two, error=y", "Bearer error=<y>"),
        ("Bearer/one, error=y", "Bearer error=<y>"),
        (r#"Bearer "one, Basic realm=x", error=y"#, "Bearer error=<y>"),
        ("Bearer realm=, error=y", "Bearer(realm=) error=<y>"),
        ("Bearer realm=x, error=, scope=y", "Bearer realm=<x> error=<> scope=<y>"),
        // Twice: the first counts, whatever the case.
        ("Bearer error=a, ERROR=b, error=c", "Bearer error=<a>"),
        ("Bearer error=a, Bearer error=b", "Bearer error=<a> | Bearer error=<b>"),
        // Nothing to understand.
        (r#"error="invalid_token""#, ""),
        (r#""Bearer realm=x""#, ""),
        ("= Bearer", ""),
        ("\"", ""),
        (", ;;; ,", ""),
        ("<html>no</html>", ""),
    ];
    for (input, expected) in corpus {
        assert_eq!(summary(&line(input)), *expected, "{input}");
    }
}

#[test]
fn lines_add_up_and_a_torn_one_harms_no_other() {
    let challenges = lines([b"Basic realm=\"open", b"Bearer", b"DPoP algs=\"ES256\""]);
    assert_eq!(summary(&challenges), "Basic realm=<open> | Bearer | DPoP algs=<ES256>");
}

#[test]
fn a_challenge_may_continue_on_the_next_line() {
    let challenges = lines([b"Bearer realm=\"x\"", b"error=\"invalid_token\", Basic"]);
    assert_eq!(summary(&challenges), "Bearer realm=<x> error=<invalid_token> | Basic");
}

#[test]
fn a_proxys_challenge_is_not_ours() {
    let mut headers = HeaderMap::new();
    headers.append(PROXY_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    assert!(Challenges::parse(&headers).is_empty());
}

#[test]
fn opaque_bytes_stay_readable() {
    let challenges = lines([b"Bearer realm=\"Caf\xe9\", error=caf\xc3\xa9, \xff\xfe, scope=\xe9"]);
    assert_eq!(summary(&challenges), "Bearer realm=<Café> error=<café> scope=<é>");
}

#[test]
fn names_are_compared_without_case_and_shown_as_sent() {
    let challenges = line("bEARER Error=x");
    let bearer = challenges.find("Bearer").unwrap();
    assert!(bearer.is_scheme("BEARER") && !bearer.is_scheme("Bear"));
    assert_eq!(bearer.scheme(), "bEARER");
    assert_eq!(bearer.param("eRROR"), Some("x"));
    assert_eq!(bearer.params().next(), Some(("Error", "x")));
}

#[test]
fn a_step_up_can_be_read() {
    let challenges = line(
        r#"Bearer error="insufficient_user_authentication", error_description="Sign in again",
        acr_values="gold silver", max_age="300", scope="pay", realm="bank""#
            .replace('\n', " ")
            .as_str(),
    );
    let bearer = challenges.find("Bearer").unwrap();
    assert_eq!(bearer.error(), Some("insufficient_user_authentication"));
    assert_eq!(bearer.error_description(), Some("Sign in again"));
    assert_eq!(bearer.acr_values(), Some("gold silver"));
    assert_eq!(bearer.max_age(), Some(Duration::from_secs(300)));
    assert_eq!(bearer.scope(), Some("pay"));
    assert_eq!(bearer.realm(), Some("bank"));
    assert_eq!(bearer.resource_metadata(), None);
    assert_eq!(bearer.algs().count(), 0);
}

#[test]
fn a_max_age_that_is_no_number_is_none() {
    for (input, expected) in [
        ("0", Some(0)),
        ("5", Some(5)),
        ("", None),
        ("-1", None),
        ("+5", None),
        ("1.5", None),
        ("5s", None),
        ("4294967295", Some(u32::MAX.into())),
        ("4294967296", None),
        ("99999999999999999999999", None),
    ] {
        let challenges = line(&format!("Bearer max_age=\"{input}\""));
        let max_age = challenges.find("Bearer").unwrap().max_age();
        assert_eq!(max_age, expected.map(Duration::from_secs), "{input}");
    }
}

#[test]
fn resource_metadata_counts_in_any_scheme() {
    let challenges = line(r#"Bearer, DPoP resource_metadata="https://r.example/m""#);
    assert_eq!(challenges.resource_metadata(), Some("https://r.example/m"));
    assert_eq!(line("Bearer").resource_metadata(), None);
}

#[test]
fn only_a_refused_token_is_worth_another() {
    for (input, expected) in [
        ("", true),
        ("Bearer", true),
        ("bearer realm=x", true),
        (r#"Bearer error="invalid_token""#, true),
        (r#"Bearer error="Invalid_Token""#, true),
        (r#"Bearer realm="x", error="""#, true),
        (r#"Basic realm="x", Bearer error="invalid_token""#, true),
        ("Bearer, DPoP error=use_dpop_nonce", true),
        ("Basic realm=x", false),
        ("DPoP error=invalid_token", false),
        (r#"Bearer error="insufficient_scope", scope="a""#, false),
        (r#"Bearer error="insufficient_user_authentication""#, false),
        (r#"Bearer error="insufficient_something_new""#, false),
        (r#"Bearer error="invalid_request""#, false),
        (r#"Bearer error="anything""#, false),
        // Several for our scheme.
        ("Bearer, Bearer error=invalid_token", true),
        ("Bearer error=other, Bearer error=invalid_token", true),
        ("Bearer error=invalid_token, Bearer error=insufficient_scope", false),
        ("Bearer error=insufficient_scope, Bearer error=invalid_token", false),
        ("Bearer error=other, Bearer", false),
    ] {
        assert_eq!(line(input).refuses_token("Bearer"), expected, "{input}");
    }
    assert!(line("Bearer, DPoP error=invalid_token").refuses_token("DPoP"));
    assert!(!line("Bearer, DPoP error=use_dpop_nonce").refuses_token("DPoP"));
}

#[test]
fn what_is_kept_is_bounded() {
    let many = line(&"Bearer,".repeat(1_000));
    assert_eq!(many.len(), MAX_CHALLENGES);

    let params = (0..1_000).map(|n| format!("p{n}=x,")).collect::<String>();
    let wide = lines([format!("Bearer {params}").as_bytes(), b"Basic"]);
    assert_eq!((wide.len(), wide.iter().next().unwrap().params().count()), (1, MAX_PARAMS));

    // Nothing after the cap may end up in the last challenge before it.
    let schemes = "Bearer,".repeat(MAX_CHALLENGES + 1);
    let cut = lines([schemes.as_bytes(), b"error=insufficient_scope"]);
    assert!(cut.iter().all(|challenge| challenge.error().is_none()));
}

#[test]
fn any_long_line_is_read_in_one_pass() {
    // Going over the rest of the line for each piece would take hours here.
    for piece in ["a", ",", " ", "\"", "\\", "=", "(", ";", "a=", "a ", "a=b ", "a=b,", "\"a\"", "a\" ", "a; "] {
        for start in ["", "Bearer ", "Bearer a=", "Bearer a=\"", "Bearer a b"] {
            let input = start.to_owned() + &piece.repeat(200_000 / piece.len());
            assert!(Challenges::parse_value(input.as_bytes()).len() <= MAX_CHALLENGES);
        }
    }
}

/// Bytes that mean something to the parser, more often than others.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        3 => proptest::sample::select(b"\"\\,=; \tab".to_vec()),
        1 => any::<u8>(),
    ];
    proptest::collection::vec(byte, 0..200)
}

prop_compose! {
    /// A well-formed challenge as it is written, and what it says.
    fn well_formed()(
        scheme in "[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]{0,9}",
        blob in proptest::option::weighted(0.2, "[A-Za-z0-9._~+/-]{1,20}={0,2}"),
        params in proptest::collection::vec(
            ("[A-Za-z*_-]{1,8}", prop_oneof!["[A-Za-z0-9!#$%&'*+.^_`|~-]{1,8}", "\\PC{0,12}"], any::<bool>()),
            0..5,
        ),
        equals in proptest::sample::select(vec!["=", " = ", "\t="]),
        comma in proptest::sample::select(vec![",", ", ", " , ", ",,", ", ,\t"]),
    ) -> (String, Challenge) {
        let mut said = Challenge { scheme, token68: blob, params: Vec::new() };
        let mut written = vec![];
        for (name, value, bare) in params {
            if said.token68.is_some() || said.param(&name).is_some() {
                continue;
            }
            let bare = bare && !value.is_empty() && value.bytes().all(is_tchar);
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            written.push(if bare { format!("{name}{equals}{value}") } else { format!("{name}{equals}\"{escaped}\"") });
            said.params.push((name, value));
        }
        let rest = said.token68.clone().unwrap_or(written.join(comma));
        let space = if rest.is_empty() { "" } else { " " };
        (format!("{}{space}{rest}", said.scheme), said)
    }
}

proptest! {
    #[test]
    fn whatever_is_well_formed_is_read_as_written(
        challenges in proptest::collection::vec(well_formed(), 0..8),
        comma in proptest::sample::select(vec![",", ", ", " ,\t,"]),
    ) {
        let (written, said): (Vec<_>, Vec<_>) = challenges.into_iter().unzip();
        let expected = Challenges { list: said };
        let joined = written.join(comma);
        prop_assert_eq!(&Challenges::parse_value(joined.as_bytes()), &expected, "{}", joined);

        let mut headers = HeaderMap::new();
        for line in written {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        prop_assert_eq!(Challenges::parse(&headers), expected);
    }

    #[test]
    fn noise_neither_panics_nor_grows(noise in noise()) {
        let challenges = Challenges::parse_value(&noise);
        let params: Vec<_> = challenges.iter().flat_map(Challenge::params).collect();
        let text = challenges.iter().map(|c| c.scheme().len() + c.token68().map_or(0, str::len)).sum::<usize>()
            + params.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        prop_assert!(challenges.len() <= MAX_CHALLENGES);
        prop_assert!(params.len() <= MAX_PARAMS);
        // ISO-8859-1 as UTF-8 takes two bytes at most.
        prop_assert!(text <= 2 * noise.len());
        let _ = challenges.refuses_token("a");
    }

    #[test]
    fn what_was_understood_can_be_said_properly(noise in noise()) {
        let challenges = Challenges::parse_value(&noise);
        prop_assert_eq!(Challenges::parse_value(&render(&challenges)), challenges);
    }
}
