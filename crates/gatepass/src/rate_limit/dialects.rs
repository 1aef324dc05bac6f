//! Which fields there are, what is read from each, and how limits find their policies.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName};

use super::{
    RateLimit,
    members::{Member, Number, Value, members},
    reset,
};
use crate::retry_after::{lines, sent};

/// Of limits, and of policies.
const MOST: usize = 16;

static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
static RESET_AFTER: HeaderName = HeaderName::from_static("x-ratelimit-reset-after");
static PARTITIONS: [HeaderName; 2] =
    [HeaderName::from_static("x-ratelimit-resource"), HeaderName::from_static("x-ratelimit-bucket")];
static OLDER: [Older; 3] = [
    Older::named("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"),
    Older::named("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
    Older::named("x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"),
];

/// Whether any field of any dialect may be there. A walk over all names costs a fraction of a dozen look-ups.
pub(super) fn are_there(headers: &HeaderMap) -> bool {
    let is_ours = |name: &str| name.starts_with("ratelimit") || name.starts_with("x-rate");
    headers.keys().any(|name| is_ours(name.as_str()))
}

/// The limits first, then the policies that belong to none of them.
pub(super) fn read(headers: &HeaderMap, now: SystemTime) -> Vec<RateLimit> {
    let mut policies = Vec::new();
    let mut limits = current(headers);
    if limits.is_empty() {
        limits.extend(OLDER.iter().find_map(|dialect| dialect.read(headers, now, &mut policies)));
    }
    policies.extend(all_members(headers, &POLICY).filter_map(|member| policy(&member)));
    limits.truncate(MOST);
    policies.truncate(MOST);
    merge(limits, policies)
}

/// `RateLimit`: a list, or the one dictionary of draft 07.
fn current(headers: &HeaderMap) -> Vec<RateLimit> {
    let mut limits = Vec::new();
    let mut unnamed = RateLimit::unknown();
    for member in all_members(headers, &RATE_LIMIT) {
        match member.key {
            None => limits.extend(named(&member)),
            Some("limit") => unnamed.quota = whole(member.value.number()).or(unnamed.quota),
            // More than one line: of proxies, say.
            Some("remaining") => {
                unnamed.remaining = [unnamed.remaining, whole(member.value.number())].into_iter().flatten().min();
            }
            Some("reset") => unnamed.reset = unnamed.reset.max(member.value.number().map(Number::time)),
            Some(_) => {}
        }
    }
    if unnamed.remaining.is_some() {
        limits.push(unnamed);
    }
    limits
}

/// `"name";r=50;t=30`
fn named(member: &Member<'_>) -> Option<RateLimit> {
    let Value::Text(name) = &member.value else { return None };
    Some(RateLimit {
        policy: Some(name.as_str().into()),
        remaining: Some(member.number("r")?.whole),
        reset: member.number("t").map(Number::time),
        partition: partition(member)?,
        ..RateLimit::unknown()
    })
}

/// `"name";q=100;w=60`, or in the older drafts `100;w=60`
fn policy(member: &Member<'_>) -> Option<RateLimit> {
    let (name, quota) = match &member.value {
        Value::Text(name) => (Some(name.as_str().into()), member.number("q")?),
        Value::Number(quota) => (None, *quota),
        Value::Bytes(_) | Value::Other => return None,
    };
    let counts_requests = match member.param("qu") {
        None => true,
        // Draft 08 had it in the singular.
        Some(Value::Text(unit)) => matches!(unit.as_str(), "requests" | "request"),
        Some(_) => false,
    };
    Some(RateLimit {
        policy: name,
        quota: Some(quota.whole),
        window: member.number("w").map(Number::time).filter(|window| !window.is_zero()),
        counts_requests,
        partition: partition(member)?,
        ..RateLimit::unknown()
    })
}

/// `None` when it is there and cannot be read: without it, one user's limit would count for all.
fn partition(member: &Member<'_>) -> Option<Option<Box<[u8]>>> {
    match member.param("pk") {
        None => Some(None),
        Some(Value::Bytes(key)) => Some(Some(key.as_slice().into())),
        Some(Value::Text(key)) => Some(Some(key.as_bytes().into())),
        Some(Value::Number(_) | Value::Other) => None,
    }
}

/// Three fields with one number each.
struct Older {
    limit: HeaderName,
    remaining: HeaderName,
    reset: HeaderName,
}

impl Older {
    const fn named(limit: &'static str, remaining: &'static str, reset: &'static str) -> Self {
        Self {
            limit: HeaderName::from_static(limit),
            remaining: HeaderName::from_static(remaining),
            reset: HeaderName::from_static(reset),
        }
    }

    /// `100, 100;w=60` is a limit of 100, and then the policies there are.
    fn read(&self, headers: &HeaderMap, now: SystemTime, policies: &mut Vec<RateLimit>) -> Option<RateLimit> {
        let mut in_limit = all_members(headers, &self.limit).filter_map(|member| policy(&member));
        let first = in_limit.next();
        policies.extend(in_limit.filter(|policy| policy.window.is_some()));

        let numbers = |name| all_members(headers, name).filter_map(|member| member.value.number());
        let sent = sent(headers, now);
        let mut limit = RateLimit {
            remaining: whole(numbers(&self.remaining).min()),
            reset: lines(headers, &self.reset).filter_map(|line| reset::wait(line, sent)).max(),
            ..first.unwrap_or(RateLimit::unknown())
        };
        if limit == RateLimit::unknown() {
            return None;
        }
        limit.reset = numbers(&RESET_AFTER).max().map(Number::time).or(limit.reset);
        let partition = PARTITIONS.iter().find_map(|name| headers.get(name));
        limit.partition = partition.map(|partition| partition.as_bytes().into());
        Some(limit)
    }
}

/// Gives each limit the quota, the window and the unit of its policy.
fn merge(mut limits: Vec<RateLimit>, policies: Vec<RateLimit>) -> Vec<RateLimit> {
    let mut others = Vec::new();
    for policy in policies {
        let mut is_other = true;
        for limit in limits.iter_mut().filter(|limit| belongs(limit, &policy)) {
            is_other = false;
            limit.quota = limit.quota.or(policy.quota);
            limit.window = limit.window.or(policy.window);
            limit.counts_requests &= policy.counts_requests;
            if limit.partition.is_none() {
                limit.partition.clone_from(&policy.partition);
            }
        }
        if is_other {
            others.push(policy);
        }
    }
    limits.extend(others);
    limits
}

/// By name; in the older drafts policies have none, and are known by their quota. A policy without a partition holds
/// for all.
fn belongs(limit: &RateLimit, policy: &RateLimit) -> bool {
    let same_key = match (&limit.policy, &policy.policy) {
        (None, None) => limit.quota == policy.quota,
        (name, other) => name == other,
    };
    let either = limit.partition.is_none() || policy.partition.is_none();
    same_key && (either || limit.partition == policy.partition)
}

/// The members of all lines that can be read.
fn all_members<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = Member<'a>> {
    lines(headers, name).filter_map(members).flatten()
}

fn whole(number: Option<Number>) -> Option<u64> {
    number.map(|number| number.whole)
}
