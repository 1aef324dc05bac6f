use std::{io::IsTerminal, pin::pin, sync::atomic::Ordering, time::Duration};

use gatepass::{
    Error, TokenCell, TokenSet,
    endpoint::HttpService,
    grant::{DeviceAuthorization, PendingAuthorization},
};
use tokio::{
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use crate::{App, Callback, Listener, Outcome, Step, app::Way, browser, pasted, stdin::Lines};

impl<S: HttpService> App<S> {
    /// A cell that has a token: what was kept from an earlier sign-in if that is good still, else the person is asked.
    /// Calls at once, of clones of one `App`, ask once and share what comes of it.
    ///
    /// Where the store fails only when the person has signed in, the tokens are used all the same, and
    /// [`Step::NotKept`] says that the next start will ask again.
    ///
    /// # Errors
    /// [Denied](Error::is_denied), when the person said no. Reauthentication required, when nobody finished the sign-in
    /// in time, or it came to nothing. Misconfigured, when a setting is wrong, here or at the server, or the store
    /// cannot be written to; that is found out before anybody is asked. Transient, when the server does not answer.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and timers.
    ///
    /// # Cancel safety
    /// Dropping the future closes the port and asks no more. Once the callback has come, what it brings is kept all the
    /// same. A code for another device that was approved that very moment may be spent.
    pub async fn sign_in(&self) -> Result<TokenCell, Error> {
        let cell = self.cell()?;
        match cell.get().await {
            Ok(_) => Ok(cell),
            Err(error) if error.is_reauth_required() => self.sign_in_again().await,
            Err(error) => Err(error),
        }
    }

    /// The same, and the person is asked in any case: to sign in as somebody else, or for more scopes.
    ///
    /// # Errors
    /// As for [`sign_in`](Self::sign_in). What was kept stays, unless the sign-in succeeds.
    ///
    /// # Panics
    /// As for [`sign_in`](Self::sign_in).
    ///
    /// # Cancel safety
    /// As for [`sign_in`](Self::sign_in).
    pub async fn sign_in_again(&self) -> Result<TokenCell, Error> {
        let cell = self.cell()?;
        let answers = self.answers();
        let mut turn = self.account.turn.lock().await;
        if self.answers() != answers {
            // Somebody was asked meanwhile.
            return turn.clone().map(|()| cell);
        }
        let result = self.ask(&cell).await;
        turn.clone_from(&result);
        self.account.answers.fetch_add(1, Ordering::SeqCst);
        result.map(|()| cell)
    }

    async fn ask(&self, cell: &TokenCell) -> Result<(), Error> {
        self.check_store().await?;
        let sign_in = SignIn { app: self.clone(), departures: self.departures(), cell: cell.clone() };
        let result = match self.way {
            Way::Browser | Way::Shown => self.by_browser(sign_in).await,
            Way::Device => self.by_device(sign_in).await,
        };
        self.show(Step::Ended { succeeded: result.is_ok() });
        result
    }

    async fn by_browser(&self, sign_in: SignIn<S>) -> Result<(), Error> {
        let listener = self.loopback.clone().named(&self.name).listen().await?;
        let request = self.request.clone().redirect_uri(listener.redirect_uri());
        let pending = self.client.authorize(&request).await?;
        let (query, callback) = self.until_answered(listener, &pending).await?;
        // In a task of its own: who drops this future has the code spent, and would lose what it brought.
        finished(tokio::spawn(async move {
            let result = sign_in.redeem(pending, &query).await;
            if let Some(callback) = callback {
                let message = result.as_ref().err().map(Error::to_string);
                callback
                    .answer(match (&result, &message) {
                        (Err(error), Some(message)) => Outcome::Failed { denied: error.is_denied(), message },
                        _ => Outcome::Succeeded,
                    })
                    .await;
            }
            result
        }))
        .await
    }

    /// The query of the callback, and the browser that waits for its page, if it came by one.
    async fn until_answered(
        &self,
        listener: Listener,
        pending: &PendingAuthorization,
    ) -> Result<(String, Option<Callback>), Error> {
        let opened = match self.way {
            Way::Browser => browser::open(pending.url()).await,
            Way::Shown | Way::Device => Err("none was asked for".to_owned()),
        };
        let takes_pasted = self.takes_pasted.unwrap_or_else(|| opened.is_err() && std::io::stdin().is_terminal());
        self.show(Step::Open { url: pending.url().to_owned(), browser: opened, paste: takes_pasted });
        let mut lines = takes_pasted.then(Lines::from_stdin);
        let redirect_uri = listener.redirect_uri().to_owned();
        let mut callback = pin!(listener.callback(|query| pending.is_answered_by(query)));
        let (began, ends) = (Instant::now(), Instant::now() + self.deadline);
        let mut tick = ticks();
        loop {
            tokio::select! {
                callback = &mut callback => return Ok((callback.query().to_owned(), Some(callback))),
                line = next(&mut lines) => match pasted::query_of(&line, &redirect_uri) {
                    Ok(query) if pending.is_answered_by(&query) => return Ok((query, None)),
                    Ok(_) => self.show(Step::NotTheCallback { hint: "that address belongs to another sign-in: paste the one that \
                        the browser ended at after this one".to_owned() }),
                    Err(hint) => self.show(Step::NotTheCallback { hint }),
                },
                _ = tick.tick() => self.show(waiting(began, ends)),
                () = sleep_until(ends) => {
                    return Err(Error::reauth_required(format!(
                        "nobody finished the sign-in within {}: run it again",
                        in_words(self.deadline)
                    )));
                }
            }
        }
    }

    async fn by_device(&self, sign_in: SignIn<S>) -> Result<(), Error> {
        let code = self.client.authorize_device(&DeviceAuthorization::from(&self.request)).await?;
        self.show(Step::Device {
            user_code: code.user_code().to_owned(),
            verification_uri: code.verification_uri().to_owned(),
            verification_uri_complete: code.verification_uri_complete().map(str::to_owned),
            expires_in: code.expires_in(),
        });
        let (began, ends) = (Instant::now(), Instant::now() + code.expires_in());
        let mut polling = pin!(self.client.poll(&code));
        let mut tick = ticks();
        let set: TokenSet = loop {
            tokio::select! {
                set = &mut polling => break set?,
                _ = tick.tick() => self.show(waiting(began, ends)),
            }
        };
        finished(tokio::spawn(async move { sign_in.keep(set).await })).await
    }

    fn answers(&self) -> usize {
        self.account.answers.load(Ordering::SeqCst)
    }

    fn departures(&self) -> usize {
        self.account.departures.load(Ordering::SeqCst)
    }
}

/// A sign-in under way, as it goes on when nobody waits for it any more.
struct SignIn<S> {
    app: App<S>,
    cell: TokenCell,
    /// As many as when it began.
    departures: usize,
}

impl<S: HttpService> SignIn<S> {
    async fn redeem(&self, pending: PendingAuthorization, query: &str) -> Result<(), Error> {
        let grant = pending.answer(query)?;
        self.keep(self.app.client.exchange(&grant, None).await?).await
    }

    /// Keeps what it brought; a sign-out since it began comes before it (S10).
    async fn keep(&self, set: TokenSet) -> Result<(), Error> {
        if !self.is_over() {
            let kept = self.cell.put(set.clone()).await;
            // A sign-out counts itself first and then removes what there is, which now may be too early.
            if !self.is_over() {
                return self.in_use(kept);
            }
            self.cell.remove().await?;
        }
        self.app.revoke(&set).await;
        Err(Error::reauth_required("somebody signed out before the sign-in was complete: sign in again"))
    }

    /// C5: what could not be stored is in use all the same.
    fn in_use(&self, kept: Result<(), Error>) -> Result<(), Error> {
        match kept {
            Err(error) if self.cell.status().unsaved.is_some() => {
                self.app.show(Step::NotKept { why: error.to_string() });
                Ok(())
            }
            kept => kept,
        }
    }

    fn is_over(&self) -> bool {
        self.app.departures() != self.departures
    }
}

/// What became of a task that goes on by itself.
async fn finished(task: JoinHandle<Result<(), Error>>) -> Result<(), Error> {
    task.await.unwrap_or_else(|error| Err(Error::transient("the sign-in broke off: run it again").with_source(error)))
}

/// The next line that was pasted; when there are none to come, it waits for ever.
async fn next(lines: &mut Option<Lines>) -> String {
    let line = match lines {
        Some(lines) => lines.next().await,
        None => None,
    };
    match line {
        Some(line) => line,
        None => {
            *lines = None;
            std::future::pending().await
        }
    }
}

fn waiting(began: Instant, ends: Instant) -> Step {
    Step::Waiting { elapsed: began.elapsed(), left: Some(ends.saturating_duration_since(Instant::now())) }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn in_words(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{time:?}"),
        seconds @ 0..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}
