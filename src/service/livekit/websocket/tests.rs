//! WebSockets to a server of a few lines.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::net::tls::{self, Trust};

async fn listener() -> (TcpListener, SocketAddress) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/livekit/", listener.local_addr().expect("an address"));
    (listener, SocketAddress { url, token: "a.b.c".to_owned(), resume: Some("PA_1".to_owned()) })
}

fn connect(address: SocketAddress) -> Socket {
    Socket::connect(address, tls::client(&Trust::System).expect("a client"))
}

/// Reads a request's head.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an octet"));
    }
    String::from_utf8(head).expect("text")
}

#[tokio::test]
async fn messages_go_both_ways_and_dropping_closes() {
    let (listener, address) = listener().await;
    let mut socket = connect(address);
    let (stream, _) = listener.accept().await.expect("a connection");
    let mut server = tokio_tungstenite::accept_async(stream).await.expect("a WebSocket");
    assert!(matches!(socket.next().await, SocketEvent::Opened));
    assert!(socket.send(vec![1]));
    assert_eq!(server.next().await.expect("a message").expect("a message"), Message::binary(vec![1]));
    server.send(Message::text("passed over")).await.expect("sent");
    server.send(Message::binary(vec![2, 3])).await.expect("sent");
    let SocketEvent::Frame(frame) = socket.next().await else { panic!("no frame") };
    assert_eq!(frame, [2, 3]);
    drop(socket);
    assert!(matches!(server.next().await, Some(Ok(Message::Close(_)))));
}

#[tokio::test]
async fn a_request_says_who_comes_back_and_a_refusal_why() {
    let (listener, address) = listener().await;
    let mut socket = connect(address);
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let head = head(&mut stream).await;
    let path = head.split(' ').nth(1).expect("a path");
    let wrapped = path.strip_prefix("/livekit/rtc/v1?join_request=").expect("the path of joining");
    let wrapped = WrappedJoinRequest::decode(BASE64.decode(wrapped).expect("base64").as_slice()).expect("a message");
    let join = JoinRequest::decode(wrapped.join_request.as_slice()).expect("a message");
    assert!(join.reconnect && join.participant_sid == "PA_1");
    assert!(head.to_ascii_lowercase().contains("authorization: bearer a.b.c\r\n"));
    stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 20\r\n\r\ninvalid token: a.b.c").await.expect("sent");
    let SocketEvent::Closed(end) = socket.next().await else { panic!("not refused") };
    assert_eq!(end.status(), Some(401));
    assert!(!end.to_string().contains("a.b.c"), "{end}");
}

#[tokio::test]
async fn a_join_that_nobody_waits_for_is_given_up() {
    let (listener, address) = listener().await;
    let socket = connect(address);
    let (mut stream, _) = listener.accept().await.expect("a connection");
    head(&mut stream).await;
    drop(socket);
    assert_eq!(stream.read(&mut [0; 16]).await.expect("its end"), 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_out_of_reach() {
    let (listener, address) = listener().await;
    drop(listener);
    let SocketEvent::Closed(end) = connect(address).next().await else { panic!("connected") };
    assert!(matches!(end, SocketEnd::Unreachable(_)) && end.status().is_none());
}
