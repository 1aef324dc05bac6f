//! What a test tells the server about signing in: browsers, devices, redirect URIs.

use std::time::Duration;

use super::{
    consent::{Consent, Iss},
    handle::AuthorizationServer,
    settings::SignInSettings,
};

/// Sign-in with a browser, at `/authorize`.
impl AuthorizationServer {
    /// What becomes of the sign-ins that begin from then on; by default they are approved at once.
    pub fn consent(&self, consent: Consent) -> &Self {
        self.set_sign_in(|settings| settings.consent = consent)
    }

    /// Whether a page asks a person ([`Consent::Ask`]), or sign-ins are approved at once.
    pub fn ask(&self, ask: bool) -> &Self {
        self.consent(if ask { Consent::Ask } else { Consent::Approve })
    }

    /// The `iss` that comes back with the code or the error.
    pub fn iss(&self, iss: Iss) -> &Self {
        self.set_sign_in(|settings| settings.iss = iss)
    }

    /// Registers a redirect URI of a client: from then on only those are accepted of it, compared byte by byte.
    ///
    /// By default every `http` URI on 127.0.0.1, `[::1]` or `localhost` is, whatever the port and path.
    pub fn register_redirect_uri(&self, client: &str, uri: &str) -> &Self {
        self.set_sign_in(|settings| {
            settings.redirect_uris.entry(client.to_owned()).or_default().push(uri.to_owned());
        })
    }

    /// Whether requests have to be pushed first, to `/par`; the metadata say so too.
    pub fn require_pushed(&self, require: bool) -> &Self {
        self.set_sign_in(|settings| settings.require_pushed = require)
    }

    /// `token_type` of what a token exchange answers; by default `Bearer`. `N_A` is what is no access token.
    pub fn exchanged_token_type(&self, token_type: &str) -> &Self {
        self.set_sign_in(|settings| token_type.clone_into(&mut settings.exchanged_token_type))
    }
}

/// Sign-in on devices, at `/device_authorization`.
impl AuthorizationServer {
    /// What becomes of the devices that begin from then on; by default they wait for a person or the test to decide.
    pub fn device_consent(&self, consent: Consent) -> &Self {
        self.set_sign_in(|settings| settings.device_consent = consent)
    }

    /// Approves the device that shows this code. Whether one was waiting with it; how it is typed does not matter.
    pub fn approve(&self, user_code: &str) -> bool {
        self.state().book().decide_device(user_code, Consent::Approve)
    }

    /// Denies the device that shows this code. Whether one was waiting with it.
    pub fn deny(&self, user_code: &str) -> bool {
        self.state().book().decide_device(user_code, Consent::Deny)
    }

    /// The codes of the devices that wait for somebody to decide, in no order.
    pub fn waiting_user_codes(&self) -> Vec<String> {
        self.state().book().waiting_user_codes()
    }

    /// The next polls are answered with `slow_down`, whatever was decided. Orders queue up with
    /// [`pending`](Self::pending).
    pub fn slow_down(&self, times: usize) -> &Self {
        self.fail_polls(times, "slow_down")
    }

    /// The next polls are answered with `authorization_pending`, whatever was decided.
    pub fn pending(&self, times: usize) -> &Self {
        self.fail_polls(times, "authorization_pending")
    }

    /// `interval`, in seconds; by default 1. `None` leaves it out, which means 5.
    pub fn device_interval(&self, seconds: Option<u64>) -> &Self {
        self.set_sign_in(|settings| settings.device_interval = seconds)
    }

    /// Whether who polls before the interval has passed is told to slow down, and the interval then grows by 5 s; by
    /// default nobody is.
    pub fn enforce_interval(&self, enforce: bool) -> &Self {
        self.set_sign_in(|settings| settings.enforce_interval = enforce)
    }

    /// Whether `verification_uri_complete` is left out.
    pub fn omit_verification_uri_complete(&self, omit: bool) -> &Self {
        self.set_sign_in(|settings| settings.omit_verification_uri_complete = omit)
    }

    /// How long the codes live that are given out from then on; by default ten minutes.
    pub fn device_code_lifetime(&self, lifetime: Duration) -> &Self {
        self.set_sign_in(|settings| settings.device_code_lifetime = lifetime)
    }

    /// Every device code given out so far has expired, at once.
    pub fn expire_device_codes(&self) -> &Self {
        self.state().book().expire_devices();
        self
    }

    fn fail_polls(&self, times: usize, error: &'static str) -> &Self {
        self.set_sign_in(|settings| settings.next_polls.extend((times > 0).then_some((times, error))))
    }

    fn set_sign_in(&self, change: impl FnOnce(&mut SignInSettings)) -> &Self {
        change(&mut self.state().book().settings.sign_in);
        self
    }
}
