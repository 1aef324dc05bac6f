//! Takes the callback from a person who pastes its URL, when the browser runs on another machine.

use crate::loopback::MOST_QUERY;

/// The query in what was pasted: the whole URL that the browser ended at, or what follows its `?`.
///
/// # Errors
/// A line that says what to paste instead. It repeats nothing of what was pasted.
pub(crate) fn query_of(pasted: &str, redirect_uri: &str) -> Result<String, String> {
    let pasted = pasted.trim().trim_matches(['"', '\'', '<', '>', '`']).trim();
    let whole = format!("paste the whole address that the browser ended at, which begins with {redirect_uri}?");
    if pasted.is_empty() {
        return Err(whole);
    }
    if pasted.len() > MOST_QUERY + redirect_uri.len() + 2 {
        return Err(format!("that is too long: {whole}"));
    }
    if pasted.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(format!("that has spaces or line breaks in it: {whole}"));
    }
    let (before, query) = match after(pasted, redirect_uri) {
        Some(rest) => rest.split_once('?').ok_or_else(|| format!("that has no answer in it: {whole}"))?,
        None if is_query(pasted) => ("", pasted),
        None => pasted.split_once('?').unwrap_or((pasted, "")),
    };
    // Browsers write the slash of an empty path.
    let has_path = redirect_uri.splitn(4, '/').nth(3).is_some();
    let is_ours = before.is_empty() || (before == "/" && !has_path);
    if !is_ours {
        return Err(if before.contains(['/', ':']) {
            format!("that is another address, perhaps of an earlier attempt, or the one to open: {whole}")
        } else {
            whole
        });
    }
    // A server adds it for itself, or a browser keeps it from the page before.
    let query = query.split('#').next().unwrap_or_default();
    if !query.contains('=') {
        return Err(format!("that has no answer in it: {whole}"));
    }
    Ok(query.to_owned())
}

/// Whether this begins with the name of a parameter.
fn is_query(pasted: &str) -> bool {
    pasted.split_once('=').is_some_and(|(name, _)| !name.contains(['/', ':', '?', '#']))
}

/// What follows the redirect URI, with or without its scheme, which some browsers do not copy.
fn after<'a>(pasted: &'a str, redirect_uri: &str) -> Option<&'a str> {
    let bare = redirect_uri.split_once("://").map_or(redirect_uri, |(_, bare)| bare);
    pasted.strip_prefix(redirect_uri).or_else(|| pasted.strip_prefix(bare))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const URI: &str = "http://127.0.0.1:43121/callback";

    #[test]
    fn a_callback_is_taken_in_any_form_that_people_paste() {
        let query = "code=a%20b+c/d&state=x_-.~";
        for pasted in [
            format!("{URI}?{query}"),
            format!("  {URI}?{query}\r\n"),
            format!("127.0.0.1:43121/callback?{query}"),
            format!("\"{URI}?{query}\""),
            format!("<{URI}?{query}>"),
            format!("{URI}?{query}#_=_"),
            format!("?{query}"),
            query.to_owned(),
        ] {
            assert_eq!(query_of(&pasted, URI).as_deref(), Ok(query), "{pasted}");
        }
        for pasted in ["http://localhost:4000/?code=a&state=b", "http://localhost:4000?code=a&state=b"] {
            assert_eq!(query_of(pasted, "http://localhost:4000").as_deref(), Ok("code=a&state=b"));
        }
        // A query may contain question marks and addresses.
        for query in ["code=a?b", "iss=https://auth.example.com?x&code=a"] {
            assert_eq!(query_of(&format!("{URI}?{query}"), URI).as_deref(), Ok(query));
            assert_eq!(query_of(query, URI).as_deref(), Ok(query));
        }
    }

    #[test]
    fn rfc8252_8_10_what_belongs_to_another_redirect_uri_is_refused() {
        for (pasted, hint) in [
            ("http://127.0.0.1:43122/callback?code=hunter2&state=b", "another address"),
            ("http://127.0.0.1:4312/callback?code=hunter2&state=b", "another address"),
            ("http://127.0.0.1:43121/callback/?code=hunter2&state=b", "another address"),
            ("http://127.0.0.1:43121/callback2?code=hunter2", "paste the whole address"),
            ("http://127.0.0.1:43121/?code=hunter2", "another address"),
            ("https://127.0.0.1:43121/callback?code=hunter2", "another address"),
            ("http://u@127.0.0.1:43121/callback?code=hunter2", "another address"),
            (
                "https://auth.example.com/authorize?state=hunter2&redirect_uri=http://127.0.0.1:43121/callback?",
                "another",
            ),
            ("http://127.0.0.1:43121/callback#code=hunter2", "no answer"),
            ("http://127.0.0.1:43121/callback", "no answer"),
            ("http://127.0.0.1:43121/callback?", "no answer"),
            ("https://evil.example/code=hunter2", "another address"),
            ("hunter2", "paste the whole address"),
            ("", "paste the whole"),
            ("code=hunter2 state=b", "spaces"),
            ("code=hunter2\u{1b}[31m", "spaces"),
        ] {
            let error = query_of(pasted, URI).unwrap_err();
            assert!(error.contains(hint) && error.contains(URI), "{pasted}: {error}");
            assert!(!error.contains("hunter2") && !error.contains('\n'), "{error}");
        }
        assert!(query_of(&"a=".repeat(MOST_QUERY), URI).unwrap_err().contains("too long"));
    }

    proptest! {
        #[test]
        fn the_query_arrives_as_it_was(query in "[!$-.0-9=?@A-Z_a-z~&%]{1,200}=[a-z]{0,9}[a-z]", port in 1..=u16::MAX) {
            let uri = format!("http://127.0.0.1:{port}/callback");
            prop_assert_eq!(query_of(&format!("{uri}?{query}"), &uri), Ok(query));
        }

        #[test]
        fn another_port_never_passes(query in "[a-z]=[a-z]{0,9}", one in 1..=u16::MAX, other in 1..=u16::MAX) {
            prop_assume!(one != other);
            let (one, other) = (format!("http://127.0.0.1:{one}/"), format!("http://127.0.0.1:{other}/"));
            let pasted = format!("{one}?{query}");
            prop_assert!(query_of(&pasted, &other).is_err());
        }

        #[test]
        fn anything_may_be_pasted(pasted in any::<String>(), after in any::<String>()) {
            for pasted in [pasted.clone(), format!("{URI}{pasted}"), format!("{URI}?{pasted}#{after}")] {
                if let Ok(query) = query_of(&pasted, URI) {
                    prop_assert!(query.contains('=') && !query.contains(char::is_control));
                }
            }
        }
    }
}
