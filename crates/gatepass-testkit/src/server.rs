//! The accept loop that both servers share.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinHandle, JoinSet},
};

use crate::{
    body::{Body, Dropped},
    lock::lock,
};

/// Answers requests, or drops the connection.
pub(crate) trait Answers: Send + Sync + 'static {
    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, Dropped>> + Send;
}

/// A listening server. It stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    accepting: Mutex<Option<JoinHandle<()>>>,
    connections: Arc<Connections>,
}

#[derive(Debug, Default)]
struct Connections {
    tasks: Mutex<JoinSet<()>>,
    gauge: Arc<Gauge>,
}

impl Server {
    pub(crate) fn start(listener: TcpListener, service: Arc<impl Answers>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let connections = Arc::<Connections>::default();
        let accepting = tokio::spawn(accept(listener, service, Arc::clone(&connections)));
        Ok(Self { address, accepting: Mutex::new(Some(accepting)), connections })
    }

    /// Closes the port and every connection; both are gone when this returns.
    pub(crate) async fn stop(&self) {
        let accepting = lock(&self.accepting).take();
        if let Some(accepting) = accepting {
            accepting.abort();
            let _ = accepting.await;
        }
        let mut tasks = std::mem::take(&mut *lock(&self.connections.tasks));
        tasks.shutdown().await;
    }

    /// Listens again, on the same port.
    pub(crate) fn restart(&self, service: Arc<impl Answers>) -> io::Result<()> {
        let mut accepting = lock(&self.accepting);
        if accepting.is_none() {
            let listener = listen(self.address)?;
            let connections = Arc::clone(&self.connections);
            *accepting = Some(tokio::spawn(accept(listener, service, connections)));
        }
        Ok(())
    }

    pub(crate) fn connections(&self) -> &Gauge {
        &self.connections.gauge
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(accepting) = lock(&self.accepting).take() {
            accepting.abort();
        }
        lock(&self.connections.tasks).abort_all();
    }
}

pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // On Windows the option means something else: two programs could share the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    // A thousand clients that connect at once overflow the usual 128, and each then waits a second to try again.
    socket.listen(4096)
}

async fn accept(listener: TcpListener, service: Arc<impl Answers>, connections: Arc<Connections>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let open = connections.gauge.enter();
                let service = Arc::clone(&service);
                let mut tasks = lock(&connections.tasks);
                while tasks.try_join_next().is_some() {}
                tasks.spawn(async move {
                    let _open = open;
                    serve(stream, service).await;
                });
            }
            // Out of file descriptors, most likely: some close soon.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve(stream: TcpStream, service: Arc<impl Answers>) {
    let _ = stream.set_nodelay(true);
    // The answers bring their own Date, which may be wrong on command.
    let _ = http1::Builder::new()
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service_fn(move |request| Arc::clone(&service).answer(request)))
        .await;
}

/// How many are inside now, how many were at most, how many ever.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
    ever: AtomicUsize,
}

#[derive(Debug)]
pub(crate) struct Entered(Arc<Gauge>);

impl Gauge {
    pub(crate) fn enter(self: &Arc<Self>) -> Entered {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        self.ever.fetch_add(1, Ordering::Relaxed);
        Entered(Arc::clone(self))
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    pub(crate) fn ever(&self) -> usize {
        self.ever.load(Ordering::Relaxed)
    }

    /// Counts from here; those inside now still count as inside.
    pub(crate) fn reset(&self) {
        self.most.store(self.now.load(Ordering::Relaxed), Ordering::Relaxed);
        self.ever.store(0, Ordering::Relaxed);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}
