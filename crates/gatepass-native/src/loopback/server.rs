//! Accepts connections while a sign-in is under way, and closes them all with it.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot, watch},
    task::{AbortHandle, JoinHandle, JoinSet},
    time::{Instant, sleep, timeout},
};

use super::{
    admission::{Admission, Refusal},
    connection,
    page::{Page, Pages},
};

/// Connections at once. A browser opens a handful.
const MOST_CONNECTIONS: usize = 32;

/// The time to send a request. It is a browser on the same machine; but one opens connections ahead of need.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// The time a connection has even if others wait for its place: a browser sends its request at once.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long pages may take to be sent once all is over.
const FAREWELL: Duration = Duration::from_secs(2);

/// A request that may be the callback.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) query: String,
    pub(super) reply: oneshot::Sender<Verdict>,
}

/// What the program says to it.
#[derive(Debug)]
pub(super) enum Verdict {
    Foreign,
    Succeeded,
    Failed { denied: bool, message: String },
}

/// Answers requests.
#[derive(Debug)]
pub(super) struct Desk {
    admission: Admission,
    pages: Pages,
    asking: mpsc::Sender<Asked>,
}

impl Desk {
    pub(super) fn new(admission: Admission, pages: Pages) -> (Self, mpsc::Receiver<Asked>) {
        let (asking, asked) = mpsc::channel(MOST_CONNECTIONS);
        (Self { admission, pages, asking }, asked)
    }

    pub(super) async fn answer<B>(&self, request: Request<B>) -> Response<Page> {
        match self.verdict(&request).await {
            Ok(Verdict::Succeeded) => self.pages.succeeded(),
            Ok(Verdict::Failed { denied, message }) => self.pages.failed(denied, &message),
            Ok(Verdict::Foreign) => self.pages.refused(Refusal::Foreign),
            Err(refusal) => self.pages.refused(refusal),
        }
    }

    async fn verdict<B>(&self, request: &Request<B>) -> Result<Verdict, Refusal> {
        let query = self.admission.admit(request.method(), request.uri(), request.headers())?;
        let (reply, verdict) = oneshot::channel();
        self.asking.send(Asked { query, reply }).await.map_err(|_| Refusal::Over)?;
        verdict.await.map_err(|_| Refusal::Over)
    }
}

/// The task that accepts, and the way to end it.
#[derive(Debug)]
pub(super) struct Server {
    sockets: Arc<Sockets>,
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Server {
    pub(super) fn start(sockets: Vec<TcpListener>, desk: Desk) -> Self {
        let sockets = Arc::new(Sockets(Mutex::new(sockets)));
        let (closing, closed) = watch::channel(false);
        let task = tokio::spawn(accept(Arc::clone(&sockets), Arc::new(desk), closed));
        Self { sockets, closing, task }
    }

    /// Closes the port, then waits until what is being answered has been sent.
    pub(super) async fn finish(&mut self) {
        self.close();
        // Ends by itself after the farewell.
        let _ = (&mut self.task).await;
    }

    /// The port is free when this returns; connections end on their own.
    fn close(&self) {
        self.sockets.lock().clear();
        self.closing.send_replace(true);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

/// Shared, so that closing does not have to wait until the task is run: who gives up and tries again needs the port at
/// once. Empty is closed.
#[derive(Debug)]
struct Sockets(Mutex<Vec<TcpListener>>);

impl Sockets {
    fn lock(&self) -> MutexGuard<'_, Vec<TcpListener>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        for socket in self.lock().iter() {
            if let Poll::Ready(accepted) = socket.poll_accept(context) {
                return Poll::Ready(accepted.map(|(stream, _)| stream));
            }
        }
        Poll::Pending
    }
}

async fn accept(sockets: Arc<Sockets>, desk: Arc<Desk>, mut closed: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    let mut open = Open::default();
    'accepting: loop {
        let accepted = tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => break,
            accepted = std::future::poll_fn(|context| sockets.poll_accept(context)) => accepted,
        };
        while tasks.try_join_next().is_some() {}
        match accepted {
            Ok(stream) => {
                while let Err(wait) = open.make_room() {
                    tokio::select! {
                        biased;
                        _ = closed.wait_for(|closed| *closed) => break 'accepting,
                        _ = tasks.join_next() => {}
                        () = sleep(wait) => {}
                    }
                }
                let asked = Arc::<AtomicBool>::default();
                let serving = connection::serve(stream, Arc::clone(&desk), Arc::clone(&asked), HEAD_TIME);
                open.0.push(Connection { task: tasks.spawn(serving), asked, since: Instant::now() });
            }
            // Out of file descriptors, most likely: some close soon.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
    open.close_silent();
    let _ = timeout(FAREWELL, async { while tasks.join_next().await.is_some() {} }).await;
}

/// The open connections, the oldest first.
#[derive(Default)]
struct Open(Vec<Connection>);

struct Connection {
    task: AbortHandle,
    /// Whether its request has come.
    asked: Arc<AtomicBool>,
    since: Instant,
}

impl Connection {
    fn is_silent(&self) -> bool {
        !self.asked.load(Ordering::Relaxed)
    }
}

impl Open {
    /// Closes the oldest connection that has sent no request, if there are too many.
    ///
    /// # Errors
    /// When to try again: all are being answered, or new.
    fn make_room(&mut self) -> Result<(), Duration> {
        self.0.retain(|connection| !connection.task.is_finished());
        if self.0.len() < MOST_CONNECTIONS {
            return Ok(());
        }
        let silent = self.0.iter().position(Connection::is_silent);
        let Some(silent) = silent else { return Err(HEAD_TIME) };
        match PATIENCE.checked_sub(self.0[silent].since.elapsed()) {
            Some(left) if !left.is_zero() => Err(left),
            _ => {
                self.0.remove(silent).task.abort();
                Ok(())
            }
        }
    }

    fn close_silent(&self) {
        self.0.iter().filter(|connection| connection.is_silent()).for_each(|connection| connection.task.abort());
    }
}
