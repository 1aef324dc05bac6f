//! Where a request goes: one destination and nothing beside it (RFC 10017-5). Pure.

use gatepass::{Error, Origins};
use http::{
    Uri,
    uri::{Authority, PathAndQuery, Scheme},
};

/// `/api`, and `https://api.example.com/v1` in its place.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    prefix: Box<str>,
    scheme: Scheme,
    authority: Authority,
    /// `/v1`; empty when it is the whole origin.
    base: Box<str>,
    origins: Origins,
}

/// Why a path goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Astray {
    /// It is not below the prefix.
    NotOurs,
    /// It has parts that servers understand differently.
    Ambiguous,
}

impl Destination {
    /// # Errors
    /// Misconfigured: what is wrong with the prefix or the URL.
    pub(super) fn new(prefix: &str, to: &str, plain_http: bool) -> Result<Self, Error> {
        let wrong = |why: &str| {
            // What stands before an @ may be a password.
            let shown: String = to.rsplit('@').next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
            Error::misconfigured(format!("`{shown}` cannot be forwarded to: {why}"))
        };
        if prefix.len() < 2 || !prefix.starts_with('/') || prefix.ends_with('/') || !is_plain(prefix) {
            return Err(Error::misconfigured(
                "the prefix that is forwarded has to be a path of plain segments, like `/api`",
            ));
        }
        let uri: Uri = to.parse().map_err(|_| wrong("write a URL like https://api.example.com/v1"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(wrong("write the scheme too, like https://api.example.com/v1"));
        };
        if uri.query().is_some() || to.contains('#') {
            return Err(wrong("leave out query and fragment"));
        }
        if !is_unambiguous(uri.path()) || uri.path().contains("//") {
            return Err(wrong("its path has to be one that all servers understand alike"));
        }
        let origin = [format!("{scheme}://{authority}")];
        let origins = if plain_http { Origins::dangerous_with_plain_http(origin)? } else { Origins::new(origin)? };
        Ok(Self {
            prefix: prefix.into(),
            base: uri.path().trim_end_matches('/').into(),
            scheme: scheme.clone(),
            authority: authority.clone(),
            origins,
        })
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether a path is the prefix or below it.
    pub(super) fn is_prefix_of(&self, path: &str) -> bool {
        path.strip_prefix(&*self.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The destination's, and no other.
    pub(super) fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Where a request for `asked` goes.
    pub(super) fn of(&self, asked: &Uri) -> Result<Uri, Astray> {
        let rest = asked.path().strip_prefix(&*self.prefix).ok_or(Astray::NotOurs)?;
        if !rest.is_empty() && !rest.starts_with('/') {
            return Err(Astray::NotOurs);
        }
        if rest.starts_with("//") || !is_unambiguous(rest) {
            return Err(Astray::Ambiguous);
        }
        let Self { base, .. } = self;
        let path = if base.is_empty() && rest.is_empty() { "/".to_owned() } else { format!("{base}{rest}") };
        let path = match asked.query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        let path: PathAndQuery = path.parse().map_err(|_| Astray::Ambiguous)?;
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
            .map_err(|_| Astray::Ambiguous)
    }

    /// What a `Location` of the destination is called here; `None` for one that is elsewhere, or relative and so right
    /// as it is.
    pub(super) fn back(&self, location: &str) -> Option<String> {
        let path = match location.strip_prefix('/') {
            Some(rest) => (!rest.starts_with('/')).then_some(location)?,
            None => {
                let uri: Uri = location.parse().ok()?;
                let has_user = uri.authority()?.as_str().contains('@');
                if has_user || !self.origins.contains(&uri) {
                    return None;
                }
                let (_, after) = location.split_once("://")?;
                after.find(['/', '?', '#']).map_or("", |end| &after[end..])
            }
        };
        let rest = path.strip_prefix(&*self.base)?;
        let is_below = rest.is_empty() || rest.starts_with(['/', '?', '#']);
        let end = rest.find(['?', '#']).unwrap_or(rest.len());
        let is_sound = !rest.starts_with("//") && is_unambiguous(&rest[..end]);
        (is_below && is_sound).then(|| format!("{}{rest}", self.prefix))
    }
}

/// Whether no escape is needed to write it and nothing in it has a meaning of its own.
fn is_plain(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    path.bytes().all(plain) && !path.contains("//") && is_unambiguous(path)
}

/// Whether every server finds the same segments in a path. Refused are dot segments in any spelling, `..;x` as Tomcat
/// reads it, slashes that are escaped or lean backwards, all of these escaped twice, control characters, and escapes
/// that are none or no UTF-8, where overlong spellings hide.
fn is_unambiguous(path: &str) -> bool {
    path.split('/').all(|segment| {
        unescaped(segment).is_some_and(|once| {
            let escaped = [("%2e", "."), ("%2f", "/"), ("%5c", "\\"), ("%3b", ";")];
            let twice = escaped.iter().fold(once.to_ascii_lowercase(), |text, (from, to)| text.replace(from, to));
            is_name(&once) && is_name(&twice)
        })
    })
}

fn is_name(segment: &str) -> bool {
    let name = segment.split(';').next().unwrap_or_default();
    !matches!(name, "." | "..") && !segment.contains(['/', '\\']) && !segment.chars().any(char::is_control)
}

/// A segment as servers read it; `None` when they would not agree.
fn unescaped(segment: &str) -> Option<String> {
    let mut bytes = segment.bytes();
    let mut read = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        read.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                (digit(bytes.next())? * 16 + digit(bytes.next())?) as u8
            }
            b'!'..=b'~' => byte,
            _ => return None,
        });
    }
    String::from_utf8(read).ok()
}

#[cfg(test)]
#[path = "destination/tests.rs"]
mod tests;
