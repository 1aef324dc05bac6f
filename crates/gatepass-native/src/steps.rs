//! What a person has to see while signing in.

use std::{fmt, time::Duration};

/// Something to show. See [`ShowSteps`].
///
/// The texts come from the authorization server, some of them: they may contain anything, escape sequences included.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The person signs in at this address, in a browser.
    #[non_exhaustive]
    Open {
        /// The authorization request.
        url: String,
        /// Whether the browser was opened; if not, why, as the rest of a sentence: "there is no display".
        browser: Result<(), String>,
        /// Whether the URL of the callback may be pasted into standard input. A terminal takes lines of up to 4095
        /// bytes, on macOS 1023.
        paste: bool,
    },
    /// The person signs in at this address, on any device, and enters the code there.
    #[non_exhaustive]
    Device {
        /// Where to go: short, to be typed.
        verification_uri: String,
        /// The same with the code in it: for a QR code or a link. Show the code all the same, to be compared (8628-6).
        verification_uri_complete: Option<String>,
        /// The code to enter.
        user_code: String,
        /// How long the code is valid.
        expires_in: Duration,
    },
    /// The person is still at it. Comes again and again, about once a second.
    #[non_exhaustive]
    Waiting {
        /// Since the wait began.
        elapsed: Duration,
        /// Until it is given up, where that is known.
        left: Option<Duration>,
    },
    /// What was pasted is not the callback.
    #[non_exhaustive]
    NotTheCallback {
        /// What to paste instead.
        hint: String,
    },
    /// Somebody has signed in, and the store cannot keep it: it is good for as long as the program runs.
    #[non_exhaustive]
    NotKept {
        /// Why not.
        why: String,
    },
    /// There is a token, or there will be none: what went wrong, the error says.
    #[non_exhaustive]
    Ended {
        /// Whether somebody is signed in now.
        succeeded: bool,
    },
}

/// Shows a sign-in to a person: a [`Terminal`](crate::Terminal), or a closure that tells your own windows.
///
/// ```
/// use gatepass_native::{ShowSteps, Step};
///
/// # let show_link = |url: String| drop(url);
/// let show = move |step| match step {
///     Step::Open { url, browser: Err(_), .. } => show_link(url),
///     _ => {}
/// };
/// # fn check(_: impl ShowSteps) {}
/// # check(show);
/// ```
pub trait ShowSteps {
    /// Shows it, without waiting for anyone.
    fn show(&mut self, step: Step);
}

impl<F: FnMut(Step)> ShowSteps for F {
    fn show(&mut self, step: Step) {
        self(step);
    }
}

/// Without addresses and codes, which let others take part.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { browser, paste, .. } => {
                f.debug_struct("Open").field("browser", browser).field("paste", paste).finish_non_exhaustive()
            }
            Self::Device { expires_in, .. } => {
                f.debug_struct("Device").field("expires_in", expires_in).finish_non_exhaustive()
            }
            Self::Waiting { elapsed, left } => {
                f.debug_struct("Waiting").field("elapsed", elapsed).field("left", left).finish()
            }
            Self::NotTheCallback { hint } => f.debug_struct("NotTheCallback").field("hint", hint).finish(),
            Self::NotKept { why } => f.debug_struct("NotKept").field("why", why).finish(),
            Self::Ended { succeeded } => f.debug_struct("Ended").field("succeeded", succeeded).finish(),
        }
    }
}
