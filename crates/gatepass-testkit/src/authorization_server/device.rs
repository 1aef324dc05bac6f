//! Sign-in on a device that has no browser (RFC 8628). No I/O.

use std::{
    iter::repeat_with,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use super::{
    clients::Client,
    consent::Consent,
    form::{Form, Posted, Refusal},
    grants::Book,
    issue::{Issued, random_token},
    pages,
};

pub(super) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What a poller gets that knows no interval (RFC 8628, 3.2).
const USUAL_INTERVAL: u64 = 5;
/// For how long after its end a device code is known as expired rather than unknown.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// A sign-in on a device.
#[derive(Debug)]
pub(super) struct Device {
    client: String,
    scope: Option<String>,
    user_code: String,
    expires: Option<Instant>,
    state: Consent,
    interval: Duration,
    last_poll: Option<Instant>,
}

impl Book {
    /// RFC 8628, 3.1.
    pub(super) fn start_device(&mut self, posted: Posted<'_>) -> Result<Value, Refusal> {
        let client = self.client(posted)?;
        if let Some(name) = posted.form.repeated() {
            return Err(Refusal::invalid_request(format!("{name} came more than once")));
        }
        let (device_code, user_code) = (random_token("dc", self.settings.token_length), random_user_code());
        let settings = &self.settings.sign_in;
        let lifetime = settings.device_code_lifetime;
        let uri = self.address.url("/device");
        let mut answer = json!({
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": uri,
            "expires_in": lifetime.as_secs(),
        });
        if !settings.omit_verification_uri_complete {
            answer["verification_uri_complete"] = format!("{uri}?user_code={user_code}").into();
        }
        if let Some(interval) = settings.device_interval {
            answer["interval"] = interval.into();
        }
        let device = Device {
            client: client.id,
            scope: posted.form.get("scope").map(str::to_owned),
            user_code,
            expires: self.span(lifetime).1,
            state: settings.device_consent.clone(),
            interval: Duration::from_secs(settings.device_interval.unwrap_or(USUAL_INTERVAL)),
            last_poll: None,
        };
        let remembered = self.span(lifetime.saturating_add(REMEMBERED));
        self.devices.insert(device_code, device, remembered);
        Ok(answer)
    }

    /// RFC 8628, 3.4 and 3.5.
    pub(super) fn poll(&mut self, client: &Client, form: &Form) -> Result<Issued, Refusal> {
        let code = form.required("device_code")?;
        let now = self.now();
        let refused = |error: &str, why: &str| Err(Refusal::bad_request(error.to_owned(), why));
        let device = self.devices.get_mut(code, now).filter(|device| device.client == client.id);
        let Some(device) = device else {
            return refused("invalid_grant", "the device code is unknown, used or another client's");
        };
        if device.has_expired(now) {
            return refused("expired_token", "the device code has expired");
        }
        let settings = &mut self.settings.sign_in;
        let is_early = device.last_poll.is_some_and(|last| now.saturating_duration_since(last) < device.interval);
        device.last_poll = Some(now);
        let error = settings.next_poll().or((settings.enforce_interval && is_early).then_some("slow_down"));
        if let Some(error) = error {
            if error == "slow_down" {
                device.interval = device.interval.saturating_add(Duration::from_secs(5));
            }
            return refused(error, "come back later");
        }
        match &device.state {
            Consent::Approve => {}
            Consent::Ask => return refused("authorization_pending", "nobody has decided yet"),
            Consent::Deny => return refused("access_denied", "denied"),
            Consent::Error(error) => return refused(error, "refused on command"),
        }
        let scope = device.scope.take();
        self.devices.take(code, now);
        let scope = self.granted(scope.as_deref());
        Ok(self.sign_in(&client.id, scope, self.sign_in_of(None), None).1)
    }

    /// The page, for whoever opens the verification URI.
    pub(super) fn device_page(&mut self, query: &Form) -> Response<Bytes> {
        let code = query.get("user_code").unwrap_or_default().to_owned();
        let device = self.waiting_device(&code);
        pages::device(&code, device.map(|device| (device.client.as_str(), device.scope.as_deref())))
    }

    /// What a person decided on it.
    pub(super) fn device_decision(&mut self, form: &Form) -> Response<Bytes> {
        let (code, decision) = (form.get("user_code").unwrap_or_default(), form.get("decision"));
        let state = if decision == Some("approve") { Consent::Approve } else { Consent::Deny };
        let told = if state == Consent::Approve { "Approved." } else { "Denied." };
        match self.decide_device(code, state) {
            true => pages::told(&format!("{told} You may close this page.")),
            false => pages::refused("No device waits with this code. It may be mistyped, used or expired."),
        }
    }

    /// Whether a device was waiting with this code.
    pub(super) fn decide_device(&mut self, user_code: &str, state: Consent) -> bool {
        self.waiting_device(user_code).map(|device| device.state = state).is_some()
    }

    /// The codes that wait for a person.
    pub(super) fn waiting_user_codes(&mut self) -> Vec<String> {
        let now = self.now();
        self.devices.values_mut().filter(|device| device.waits(now)).map(|device| device.user_code.clone()).collect()
    }

    pub(super) fn expire_devices(&mut self) {
        let now = self.now();
        for device in self.devices.values_mut() {
            device.expires = Some(now);
        }
    }

    fn waiting_device(&mut self, user_code: &str) -> Option<&mut Device> {
        let now = self.now();
        let wanted = plain(user_code);
        self.devices.values_mut().find(|device| device.waits(now) && plain(&device.user_code) == wanted)
    }
}

impl Device {
    fn has_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn waits(&self, now: Instant) -> bool {
        self.state == Consent::Ask && !self.has_expired(now)
    }
}

/// Eight letters, no vowels, so that they form no word (RFC 8628, 6.1).
fn random_user_code() -> String {
    let letters = b"BCDFGHJKLMNPQRSTVWXZ";
    let mut code: String = repeat_with(|| char::from(letters[fastrand::usize(..letters.len())])).take(8).collect();
    code.insert(4, '-');
    code
}

/// A code as a person means it: neither case nor dashes matter.
fn plain(user_code: &str) -> String {
    user_code.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8628_6_1_a_user_code_is_recognised_however_it_is_typed() {
        let code = random_user_code();
        assert_eq!((code.len(), code.find('-')), (9, Some(4)));
        assert_eq!(plain(&code), plain(&code.to_lowercase().replace('-', " ")));
    }
}
