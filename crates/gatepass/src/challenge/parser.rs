//! The grammar of `WWW-Authenticate`, and what is made of what does not follow it.

use super::{Challenge, Challenges};

pub(super) const MAX_CHALLENGES: usize = 32;
pub(super) const MAX_PARAMS: usize = 64;

pub(super) fn read<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Challenges {
    let mut parser = Parser { list: Vec::new(), params: 0 };
    // `None` says that a cap was reached; what came before it is kept.
    let _ = lines.into_iter().try_for_each(|line| parser.line(Cursor(line)));
    Challenges { list: parser.list }
}

/// Collects challenges from lines, and stops at the caps.
struct Parser {
    list: Vec<Challenge>,
    params: usize,
}

impl Parser {
    fn line(&mut self, mut line: Cursor<'_>) -> Option<()> {
        let mut scheme_may_come = true;
        loop {
            scheme_may_come |= line.separators();
            if line.0.is_empty() {
                return Some(());
            }
            if let Some(name) = line.param_name() {
                self.param(name, line.value())?;
            } else {
                let word = line.take_while(is_tchar);
                if word.is_empty() {
                    line.skip_garbage();
                } else if scheme_may_come {
                    self.challenge(word, line.token68())?;
                }
            }
            scheme_may_come = false;
        }
    }

    fn challenge(&mut self, scheme: &[u8], token68: Option<&[u8]>) -> Option<()> {
        if self.list.len() == MAX_CHALLENGES {
            return None;
        }
        self.list.push(Challenge {
            scheme: text(scheme.to_vec()),
            token68: token68.map(|blob| text(blob.to_vec())),
            params: Vec::new(),
        });
        Some(())
    }

    fn param(&mut self, name: &[u8], value: Vec<u8>) -> Option<()> {
        let Some(challenge) = self.list.last_mut() else {
            return Some(());
        };
        let name = text(name.to_vec());
        if challenge.param(&name).is_some() {
            return Some(());
        }
        if self.params == MAX_PARAMS {
            return None;
        }
        self.params += 1;
        challenge.params.push((name, text(value)));
        Some(())
    }
}

/// What is left of a line. Copied to look ahead; no look goes further than one word and the space around it.
#[derive(Clone, Copy)]
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|&b| !wanted(b)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn starts_with(&self, byte: u8) -> bool {
        self.0.first() == Some(&byte)
    }

    /// At the end of a list element.
    fn at_end(&self) -> bool {
        self.0.is_empty() || self.starts_with(b',')
    }

    /// Skips white space and commas; whether there was a comma.
    fn separators(&mut self) -> bool {
        self.take_while(|b| is_space(b) || b == b',').contains(&b',')
    }

    /// A name and the `=` after it; stays where it is when something else comes.
    fn param_name(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let name = ahead.take_while(is_tchar);
        ahead.take_while(is_space);
        if name.is_empty() || !ahead.starts_with(b'=') {
            return None;
        }
        *self = Cursor(&ahead.0[1..]);
        Some(name)
    }

    /// The blob after a scheme; stays where it is when something else comes.
    fn token68(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let space = ahead.take_while(is_space);
        let start = ahead.0;
        let blob = ahead.take_while(is_token68);
        let padding = ahead.take_while(|b| b == b'=');
        ahead.take_while(is_space);
        if space.is_empty() || blob.is_empty() || !ahead.at_end() {
            return None;
        }
        *self = ahead;
        Some(&start[..blob.len() + padding.len()])
    }

    fn value(&mut self) -> Vec<u8> {
        self.take_while(is_space);
        if self.starts_with(b'"') { self.quoted() } else { self.unquoted().to_vec() }
    }

    fn quoted(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        let mut bytes = self.0[1..].iter();
        while let Some(&byte) = bytes.next() {
            match byte {
                b'"' => break,
                b'\\' => value.extend(bytes.next()),
                _ => value.push(byte),
            }
        }
        self.0 = bytes.as_slice();
        value
    }

    /// Words up to a comma, or up to the next `name=` or quoted string where the comma was forgotten.
    fn unquoted(&mut self) -> &'a [u8] {
        let start = self.0;
        self.take_while(is_word);
        let mut end = start.len() - self.0.len();
        loop {
            self.take_while(is_space);
            let mut ahead = *self;
            let ends = ahead.at_end() || ahead.starts_with(b'"') || ahead.param_name().is_some();
            if ends || ahead.take_while(is_word).is_empty() {
                return &start[..end];
            }
            *self = ahead;
            end = start.len() - self.0.len();
        }
    }

    fn skip_garbage(&mut self) {
        if self.starts_with(b'"') {
            self.quoted();
        } else {
            self.0 = &self.0[1..];
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|err| err.as_bytes().iter().copied().map(char::from).collect())
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A byte of a value without quotes. Wider than a token, for links; `;` is what some servers separate parameters with.
fn is_word(byte: u8) -> bool {
    !is_space(byte) && !matches!(byte, b',' | b';')
}

/// RFC 9110 §5.6.2.
pub(super) fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 9110 §11.2, without the padding.
fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)
}
