//! One request, one answer, and a close that lets the answer arrive.

use std::{
    convert::Infallible,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::server::Desk;

/// A request's head: the query and all cookies that the browser has for this host, whichever port they came from. A
/// head up to twice as long passes if it comes all at once.
const MOST_HEAD: usize = 64 * 1024;

/// What is still read of a request that was refused, and for how long.
const MOST_REST: u64 = 4 * 1024 * 1024;
const REST_TIME: Duration = Duration::from_millis(500);

/// Serves one request. Its head may take `head_time`; `asked` is set when it has come.
pub(super) async fn serve(stream: TcpStream, desk: Arc<Desk>, asked: Arc<AtomicBool>, head_time: Duration) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let desk = Arc::clone(&desk);
        Box::pin(async move { Ok::<_, Infallible>(desk.answer(request).await) })
    });
    let mut connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(MOST_HEAD)
        .timer(TokioTimer::new())
        .header_read_timeout(head_time)
        .serve_connection(TokioIo::new(stream), service);

    let _ = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    linger(connection.into_parts().io.into_inner()).await;
}

/// Reads what the other side still sends. A socket closed with unread bytes is reset, and the page is lost (RFC 9112
/// section 9.6).
async fn linger(mut stream: TcpStream) {
    if stream.shutdown().await.is_ok() {
        let rest = async { tokio::io::copy(&mut stream.take(MOST_REST), &mut tokio::io::sink()).await };
        let _ = timeout(REST_TIME, rest).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::loopback::{admission::Admission, page::Pages};

    #[tokio::test]
    async fn who_sends_the_head_too_slowly_is_cut_off() {
        for begun in ["", "GET /callback?code=a HTTP/1.1\r\nHost: 127"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut slow = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            slow.write_all(begun.as_bytes()).await.unwrap();

            let (stream, _) = listener.accept().await.unwrap();
            let (desk, _asked) = Desk::new(Admission::new("127.0.0.1:1".to_owned(), "/callback"), Pages::default());
            let serving = serve(stream, Arc::new(desk), Arc::default(), Duration::from_millis(50));
            let client = async move { slow.read_to_end(&mut Vec::new()).await };
            let (served, _) = tokio::join!(timeout(Duration::from_secs(5), serving), client);
            served.expect("is cut off");
        }
    }
}
