use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

use super::{
    admission::Admission,
    page::Pages,
    server::{Asked, Desk, Server, Verdict},
};

/// An open port that waits for the callback. It closes when it is dropped. See the [module docs](crate::loopback).
#[derive(Debug)]
pub struct Listener {
    redirect_uri: String,
    asked: mpsc::Receiver<Asked>,
    server: Server,
}

/// The callback; the browser still waits for its page. Dropping it shows the page of a failed sign-in. See the
/// [module docs](crate::loopback).
pub struct Callback {
    query: String,
    reply: Option<oneshot::Sender<Verdict>>,
    server: Server,
}

/// What became of the sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// There is a token.
    Succeeded,
    /// There is none.
    Failed {
        /// Whether a person, or whoever decides for them, said no.
        denied: bool,
        /// What the page says, as text. It may come from the network: it is escaped, and cut after 300 characters.
        message: &'a str,
    },
}

impl Listener {
    pub(super) fn start(sockets: Vec<TcpListener>, authority: String, path: &str, pages: Pages) -> Self {
        let redirect_uri = format!("http://{authority}{path}");
        let (desk, asked) = Desk::new(Admission::new(authority, path), pages);
        Self { redirect_uri, asked, server: Server::start(sockets, desk) }
    }

    /// What the authorization request and the token request have to contain, letter by letter: for instance
    /// `http://127.0.0.1:43121/callback`.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Waits for the callback for which `is_answer` says yes. It gets the query as it came and has to compare `state`.
    /// Others get a page that says that nobody waits for them.
    ///
    /// It waits for as long as it takes: put your deadline around it.
    ///
    /// # Cancel safety
    /// Dropping the future closes the port.
    pub async fn callback(mut self, is_answer: impl Fn(&str) -> bool) -> Callback {
        loop {
            let Some(Asked { query, reply }) = self.asked.recv().await else {
                // The runtime is going down.
                std::future::pending().await
            };
            if is_answer(&query) {
                return Callback { query, reply: Some(reply), server: self.server };
            }
            let _ = reply.send(Verdict::Foreign);
        }
    }
}

impl Callback {
    /// What follows the `?`, as it came.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Shows the page and closes the port and all connections. It returns when the browser has the page, after two
    /// seconds in any case.
    ///
    /// # Cancel safety
    /// The page is sent all the same, as long as the runtime runs.
    pub async fn answer(mut self, outcome: Outcome<'_>) {
        self.reply(outcome);
        self.server.finish().await;
    }

    fn reply(&mut self, outcome: Outcome<'_>) {
        let verdict = match outcome {
            Outcome::Succeeded => Verdict::Succeeded,
            Outcome::Failed { denied, message } => Verdict::Failed { denied, message: message.to_owned() },
        };
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(verdict);
        }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        self.reply(Outcome::Failed { denied: false, message: "The program stopped before the sign-in was complete." });
    }
}

/// Without the query, which has the code.
impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callback").finish_non_exhaustive()
    }
}
