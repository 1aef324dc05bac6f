//! Cookies in heads (RFC 6265), by the letter.
//!
//! A browser keeps `__Host-session` from the siblings of a domain, and not `%5F%5FHost-session`, nor the name behind a
//! space of another script. Whoever decodes or trims names before comparing them takes these for the same. And a cookie
//! of somebody else that is no text must not spoil the others in its line.

use http::{
    HeaderMap, HeaderValue,
    header::{COOKIE, Entry, SET_COOKIE},
};
use tower_sessions::cookie::Cookie;

/// Names and values, as they came.
pub(crate) fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let cookies = headers.get_all(COOKIE).into_iter().flat_map(split);
    cookies.filter_map(|cookie| std::str::from_utf8(cookie).ok()?.split_once('='))
}

/// Leaves to who reads cookies less strictly only those of this name that have it to the letter, and no line that is not
/// text as a whole.
pub(crate) fn without_impostors(headers: &mut HeaderMap, name: &str) {
    let is_text = |cookie: &[u8]| std::str::from_utf8(cookie).is_ok();
    let is_good = |cookie: &[u8]| std::str::from_utf8(cookie).is_ok_and(|cookie| !is_impostor(cookie, name));
    if headers.get_all(COOKIE).into_iter().flat_map(split).all(is_good) {
        return;
    }
    let line = |cookies: Vec<&[u8]>| HeaderValue::from_bytes(&cookies.join(&b"; "[..])).ok();
    let all = || headers.get_all(COOKIE).into_iter().flat_map(split);
    let (good, odd) = (line(all().filter(|it| is_good(it)).collect()), line(all().filter(|it| !is_text(it)).collect()));
    headers.remove(COOKIE);
    for line in [good, odd].into_iter().flatten().filter(|line| !line.is_empty()) {
        headers.append(COOKIE, line);
    }
}

/// Browsers let a cookie whose name begins with `__Host-` be taken away only in the way it may be set.
pub(crate) fn secure_removal(headers: &mut HeaderMap, name: &str) {
    let Entry::Occupied(mut set) = headers.entry(SET_COOKIE) else { return };
    for cookie in set.iter_mut() {
        let Ok(text) = cookie.to_str() else { continue };
        let is_removal = text.strip_prefix(name).is_some_and(|rest| rest.starts_with("=;"));
        if is_removal && !text.contains("; Secure") {
            *cookie =
                HeaderValue::try_from(format!("{text}; HttpOnly; SameSite=Lax; Secure")).unwrap_or(cookie.clone());
        }
    }
}

fn split(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    line.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii)
}

/// Read as tower-cookies reads it.
fn is_impostor(cookie: &str, name: &str) -> bool {
    let is_to_the_letter = cookie.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
    !is_to_the_letter && Cookie::parse_encoded(cookie).is_ok_and(|read| read.name() == name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "__Host-session";

    fn headers(lines: &[&[u8]]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_bytes(line).unwrap())).collect()
    }

    fn left(lines: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut headers = headers(lines);
        without_impostors(&mut headers, NAME);
        headers.get_all(COOKIE).iter().map(|line| line.as_bytes().to_vec()).collect()
    }

    #[test]
    fn rfc10017_2_a_name_is_itself_to_the_letter() {
        for good in
            [&b"__Host-session=1; a=%5F"[..], b"a=b", b"", b";;=;", b"%5F%5FHost-sessions=1", b"a=__Host-session=1"]
        {
            assert_eq!(left(&[good]), [good]);
        }
        let impostors =
            b"a=1; %5F%5FHost-session=2;__Host-session%20 =2; \xe2\x80\x80__Host-session=2; __Host-session =2";
        assert_eq!(left(&[impostors, b"__Host-session=3"])[0], b"a=1; __Host-session%20 =2; __Host-session=3");
    }

    #[test]
    fn what_is_no_text_is_in_a_line_of_its_own() {
        assert_eq!(left(&[b"a=\xff; b=1", b"c=2; \xfe"]), [&b"b=1; c=2"[..], b"a=\xff; \xfe"]);
        let headers = headers(&[b"a=\xff; b=1;c=2=3; d"]);
        assert_eq!(pairs(&headers).collect::<Vec<_>>(), [("b", "1"), ("c", "2=3")]);
    }

    proptest! {
        #[test]
        fn whatever_comes_nothing_but_the_name_is_read_as_the_name(
            text in "([_;= %aFst\u{2000}\u{85}]|%5[fF]|__Host-session|\u{b5}){0,12}"
        ) {
            for line in left(&[text.as_bytes()]) {
                for cookie in std::str::from_utf8(&line).unwrap().split(';') {
                    let read = Cookie::parse_encoded(cookie).is_ok_and(|read| read.name() == NAME);
                    prop_assert!(!read || cookie.trim_matches(' ').starts_with("__Host-session="), "{cookie:?}");
                }
            }
        }
    }
}
