use std::{future::poll_fn, pin::Pin, task::Poll};

use gatepass_native::{Loopback, Outcome};
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::browser::{is_ours, listening, visit};

async fn poll_once<F: Future>(future: &mut Pin<Box<F>>) -> Option<F::Output> {
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[tokio::test]
async fn rfc8252_8_3_a_dropped_future_leaves_the_port_free() {
    for runs in [0, 20] {
        let (listener, authority) = listening().await;
        let mut tab = TcpStream::connect(&authority).await.unwrap();
        let mut waiting = Box::pin(listener.callback(is_ours));
        for _ in 0..runs {
            assert!(poll_once(&mut waiting).await.is_none());
            tokio::task::yield_now().await;
        }
        drop(waiting);

        // At once: the server's task has not run since.
        let port = authority.rsplit(':').next().unwrap().parse().unwrap();
        let again = Loopback::port(port).listen().await.expect("the port is free");
        drop(again);
        assert_eq!(tab.read_to_end(&mut Vec::new()).await.unwrap_or(0), 0, "the connection closes too");
    }
}

#[tokio::test]
async fn a_dropped_listener_leaves_the_port_free() {
    let (listener, authority) = listening().await;
    drop(listener);
    std::net::TcpListener::bind(&authority).expect("the port is free");
}

#[tokio::test]
async fn an_answer_given_up_on_is_sent_all_the_same() {
    let (listener, authority) = listening().await;
    let page = visit(&authority, "/callback?state=ours");
    let callback = listener.callback(is_ours).await;
    let mut answering = Box::pin(callback.answer(Outcome::Succeeded));
    assert!(poll_once(&mut answering).await.is_none());
    drop(answering);
    assert!(page.await.unwrap().contains("You are signed in"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_sign_in_after_another_on_the_same_port() {
    let (listener, authority) = listening().await;
    let port = authority.rsplit(':').next().unwrap().parse().unwrap();
    drop(listener);
    for _ in 0..20 {
        let listener = Loopback::port(port).listen().await.unwrap();
        let page = visit(&authority, "/callback?state=ours");
        listener.callback(is_ours).await.answer(Outcome::Succeeded).await;
        assert!(page.await.unwrap().contains("You are signed in"));
    }
}
