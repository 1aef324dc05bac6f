use std::time::Duration;

use gatepass_native::Outcome;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use crate::browser::{get, is_ours, listening, status, visit};

#[tokio::test]
async fn two_hundred_silent_connections_do_not_keep_the_callback_out() {
    let (listener, authority) = listening().await;
    let callback = tokio::spawn(listener.callback(is_ours));
    let mut crowd = Vec::new();
    for at in 0..200 {
        let mut stream = TcpStream::connect(&authority).await.unwrap();
        if at % 2 == 0 {
            // Slowly: the rest never comes.
            stream.write_all(b"GET /callback?state=ours HTTP/1.1\r\nHost: ").await.unwrap();
        }
        crowd.push(stream);
    }
    // The oldest go, to make room, long before their time is up.
    let begun = Instant::now();
    assert_eq!(crowd.remove(0).read(&mut [0]).await.unwrap_or(0), 0);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());

    let page = visit(&authority, "/callback?state=ours");
    callback.await.unwrap().answer(Outcome::Succeeded).await;
    assert_eq!(status(&page.await.unwrap()), 200);
    std::net::TcpListener::bind(&authority).expect("the port is free");
    // The others went with the port.
    for mut stream in crowd {
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
    }
}

#[tokio::test]
async fn two_hundred_requests_at_once_all_get_their_page() {
    let (listener, authority) = listening().await;
    let crowd: Vec<_> = (0..200).map(|_| visit(&authority, "/callback?state=theirs")).collect();
    let callback = tokio::spawn(listener.callback(is_ours));
    for page in crowd {
        assert_eq!(status(&page.await.unwrap()), 400);
    }
    let page = visit(&authority, "/callback?state=ours");
    callback.await.unwrap().answer(Outcome::Succeeded).await;
    assert_eq!(status(&page.await.unwrap()), 200);
}

#[tokio::test]
async fn who_never_sends_the_rest_does_not_delay_the_end() {
    let (listener, authority) = listening().await;
    let mut stuck = TcpStream::connect(&authority).await.unwrap();
    stuck.write_all(b"GET /callback?state=ours HTTP/1.1\r\nHost: ").await.unwrap();
    let page = visit(&authority, "/callback?state=ours");
    let callback = listener.callback(is_ours).await;

    let begun = Instant::now();
    callback.answer(Outcome::Succeeded).await;
    assert!(begun.elapsed() < Duration::from_millis(1800), "{:?}", begun.elapsed());
    assert_eq!(stuck.read(&mut [0]).await.unwrap_or(0), 0);
    assert_eq!(status(&page.await.unwrap()), 200);
}

#[tokio::test]
async fn who_never_closes_delays_the_end_a_little() {
    let (listener, authority) = listening().await;
    let mut page = TcpStream::connect(&authority).await.unwrap();
    page.write_all(get(&authority, "/callback?state=ours").as_bytes()).await.unwrap();
    let callback = listener.callback(is_ours).await;

    let begun = Instant::now();
    callback.answer(Outcome::Succeeded).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let mut answer = String::new();
    page.read_to_string(&mut answer).await.unwrap();
    assert_eq!(status(&answer), 200);
}
