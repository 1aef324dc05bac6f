//! The grammar: the members of a list or dictionary (RFC 9651), as far as limits need it.

use std::time::Duration;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use crate::retry_after::RetryAfter;

/// RFC 9651 §4.2.7: a parser should not mind missing padding, nor bits that are left over.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A member of a list, or of a dictionary where it has a key.
#[derive(Debug)]
pub(super) struct Member<'a> {
    pub(super) key: Option<&'a str>,
    pub(super) value: Value,
    params: Vec<(&'a str, Value)>,
}

#[derive(Debug)]
pub(super) enum Value {
    Number(Number),
    /// A string or a token.
    Text(String),
    Bytes(Vec<u8>),
    /// Well-formed, but nothing that says anything of a limit, such as a negative number.
    Other,
}

/// Not negative. More digits than fit are a very large number, not garbage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number {
    pub(super) whole: u64,
    pub(super) nanos: u32,
}

impl Number {
    /// As seconds.
    pub(super) fn time(self) -> Duration {
        Duration::new(self.whole, self.nanos).min(RetryAfter::MAX)
    }
}

impl Value {
    pub(super) fn number(&self) -> Option<Number> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }
}

impl Member<'_> {
    /// One that came twice counts with its last value (RFC 9651 §4.2.3.2).
    pub(super) fn param(&self, name: &str) -> Option<&Value> {
        let mut latest_first = self.params.iter().rev();
        latest_first.find_map(|(given, value)| (*given == name).then_some(value))
    }

    pub(super) fn number(&self, name: &str) -> Option<Number> {
        self.param(name)?.number()
    }
}

/// The members of one line, `None` when it is malformed.
///
/// Wider than RFC 9651 in that numbers may have any number of digits, and that space before a `;` and a comma at the end
/// are accepted.
pub(super) fn members(line: &str) -> Option<Vec<Member<'_>>> {
    let mut rest = Cursor(line);
    let mut members = Vec::new();
    rest.space();
    while !rest.0.is_empty() {
        members.push(rest.member()?);
        if !rest.0.is_empty() && !rest.eat(',') {
            return None;
        }
        rest.space();
    }
    Some(members)
}

/// What is left of a line.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !wanted(c)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    /// Up to this character, which is taken as well.
    fn take_to(&mut self, end: char) -> Option<&'a str> {
        let (taken, rest) = self.0.split_once(end)?;
        self.0 = rest;
        Some(taken)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let rest = self.0.strip_prefix(wanted);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn space(&mut self) {
        self.take_while(|c| matches!(c, ' ' | '\t'));
    }

    /// With the space after it.
    fn member(&mut self) -> Option<Member<'a>> {
        let start = self.0;
        let mut member = Member { key: None, value: self.item()?, params: Vec::new() };
        if self.0.starts_with('=') {
            *self = Cursor(start);
            member.key = Some(self.key()?);
            member.value = if self.eat('=') { self.item()? } else { return None };
        }
        loop {
            self.space();
            if !self.eat(';') {
                return Some(member);
            }
            self.space();
            let name = self.key()?;
            let value = if self.eat('=') { self.item()? } else { Value::Other };
            member.params.push((name, value));
        }
    }

    fn key(&mut self) -> Option<&'a str> {
        let starts = |c: char| c.is_ascii_lowercase() || c == '*';
        let goes_on = |c: char| starts(c) || c.is_ascii_digit() || matches!(c, '_' | '-' | '.');
        self.0.starts_with(starts).then(|| self.take_while(goes_on))
    }

    /// A bare item.
    fn item(&mut self) -> Option<Value> {
        match self.0.chars().next()? {
            '"' => self.string().map(Value::Text),
            ':' => {
                self.eat(':');
                LENIENT.decode(self.take_to(':')?).ok().map(Value::Bytes)
            }
            '0'..='9' => self.number().map(Value::Number),
            '-' | '@' => {
                self.0 = &self.0[1..];
                self.number().map(|_| Value::Other)
            }
            '?' => {
                self.eat('?');
                (self.eat('0') || self.eat('1')).then_some(Value::Other)
            }
            // A display string has its quotes percent-encoded.
            '%' => {
                self.0 = self.0.strip_prefix("%\"")?;
                self.take_to('"').map(|_| Value::Other)
            }
            c if c.is_ascii_alphabetic() || c == '*' => Some(Value::Text(self.take_while(is_of_token).to_owned())),
            _ => None,
        }
    }

    fn string(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.0.strip_prefix('"')?.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => text.push(chars.next().filter(|c| matches!(c, '"' | '\\'))?),
                c if c.is_ascii_control() => return None,
                c => text.push(c),
            }
        }
        self.0 = chars.as_str();
        Some(text)
    }

    fn number(&mut self) -> Option<Number> {
        let whole = self.digits()?;
        let fraction = if self.eat('.') { self.digits()? } else { "" };
        // Nine digits, the missing ones zero.
        let places = fraction.bytes().map(|digit| u32::from(digit - b'0')).chain(std::iter::repeat(0));
        let nanos = places.take(9).fold(0, |nanos, digit| nanos * 10 + digit);
        Some(Number { whole: whole.parse().unwrap_or(u64::MAX), nanos })
    }

    fn digits(&mut self) -> Option<&'a str> {
        let digits = self.take_while(|c| c.is_ascii_digit());
        (!digits.is_empty()).then_some(digits)
    }
}

fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(c)
}
