//! The server itself: its limits and its TLS (U-2).

use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::*;
use crate::net::tls::TlsFiles;

#[tokio::test]
async fn one_address_cannot_hold_all_connections() {
    let mut setup = Setup::new().await;
    setup.settings.connections_per_address = 3;
    let world = World::with(setup).await;
    let held: Vec<Page> = [
        world.open("demo", &[]).await.expect("opens"),
        world.open("demo", &[]).await.expect("opens"),
        world.open("demo", &[]).await.expect("opens"),
    ]
    .into();
    assert_eq!(world.get("/healthz").await.status, 0, "closed without an answer; an upgraded connection still counts");
    drop(held);
    // The server learns of the three ends one by one; each try is an event of its own.
    while world.get("/healthz").await.status != 200 {
        tokio::task::yield_now().await;
    }
}

/// Connections of one byte each bar nobody, however many there are.
#[tokio::test]
async fn x2_connections_of_one_byte_bar_nobody() {
    let mut setup = Setup::new().await;
    (setup.settings.connections_per_address, setup.settings.connections) = (8, 16);
    let world = World::with(setup).await;
    let mut silent = Vec::new();
    for _ in 0..24 {
        let mut stream = world.tcp().await;
        let _ = stream.write_all(b"G").await;
        silent.push(stream);
    }
    for _ in 0..4 {
        assert_eq!(world.get("/healthz").await.status, 200);
    }
}

/// Hostile requests get an error or nothing and the server lives on.
#[tokio::test]
async fn hostile_requests_get_an_error_or_nothing_and_the_server() {
    let world = World::new().await;
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(1000));
    let hostile: [&[u8]; 8] = [
        b"\r\n\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /enter HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        long.as_bytes(),
        many.as_bytes(),
    ];
    for bytes in hostile {
        let mut stream = world.tcp().await;
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || !answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(world.get("/healthz").await.status, 200);
}

/// Behind a trusted proxy limits count its clients and cookies are secure.
#[tokio::test]
async fn behind_a_trusted_proxy_limits_count_its_clients_and_cookies() {
    let mut setup = Setup::new().await;
    setup.handles.web =
        watch::channel(Arc::new(WebSettings { trusted_proxies: vec!["127.0.0.0/8".parse().expect("a range")], ..web() })).1;
    let world = World::with(setup).await;
    let wrong = |client: &'static str| [("Authorization", "Bearer wrong"), ("X-Forwarded-For", client)];
    for _ in 0..10 {
        world.fetch("GET", "/api/v1/meetings", &wrong("198.51.100.1"), "").await;
    }
    assert_eq!(world.fetch("GET", "/api/v1/meetings", &wrong("198.51.100.1"), "").await.status, 429);
    assert_eq!(world.fetch("GET", "/api/v1/meetings", &wrong("198.51.100.2"), "").await.status, 401);
    let form = [("Content-Type", "application/x-www-form-urlencoded"), ("X-Forwarded-Proto", "https")];
    let entered = world.fetch("POST", "/enter", &form, &format!("token={}", world.link("demo", false).await)).await;
    assert!(
        entered
            .header("set-cookie")
            .is_some_and(|cookie| cookie.starts_with("__Host-roomgate-demo=") && cookie.ends_with("; Secure"))
    );
}

async fn tls_world() -> (World, tokio_rustls::TlsConnector, std::path::PathBuf) {
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let directory = std::env::temp_dir().join(format!("roomgate-https-{}-{:?}", std::process::id(), std::thread::current().id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let files = TlsFiles { certificate: directory.join("cert.pem"), key: directory.join("key.pem") };
    std::fs::write(&files.certificate, issued.cert.pem()).expect("writes");
    std::fs::write(&files.key, issued.signing_key.serialize_pem()).expect("writes");
    let mut setup = Setup::new().await;
    setup.settings.tls = Some(files);
    let world = World::with(setup).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(issued.cert.der().clone()).expect("a root");
    let client = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (world, tokio_rustls::TlsConnector::from(Arc::new(client)), directory)
}

/// Https serves the same with secure cookies while others stall in the handshake.
#[tokio::test]
async fn https_serves_the_same_with_secure_cookies_while_others_stall() {
    let (world, connector, directory) = tls_world().await;
    let mut stalled = Vec::new();
    for _ in 0..20 {
        stalled.push(world.tcp().await);
    }
    let localhost = || "localhost".try_into().expect("a name");
    let stream = connector.connect(localhost(), world.tcp().await).await.expect("a handshake");
    let body = format!("token={}", world.link("demo", true).await);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let entered = fetch_on(stream, world.addr, "POST", "/enter", &form, &body).await;
    assert_eq!(entered.status, 303);
    assert!(
        entered
            .header("set-cookie")
            .is_some_and(|cookie| cookie.starts_with("__Host-roomgate-demo=") && cookie.ends_with("; Secure"))
    );

    let stream = connector.connect(localhost(), world.tcp().await).await.expect("a handshake");
    let request = format!("wss://localhost:{}/m/demo/ws", world.addr.port()).into_client_request().expect("a request");
    let (mut page, _) = client_async(request, stream).await.expect("opens");
    page.send(Message::text(hello("Ada").to_string())).await.expect("sends");
    let welcome = page.next().await.expect("open").expect("a frame");
    assert!(welcome.to_text().expect("text").contains("\"welcome\""));
    assert_eq!(world.get("/healthz").await.status, 0, "plain HTTP is not understood here");
    std::fs::remove_dir_all(directory).expect("removes");
}

/// Metrics are for this machine and not for whom a proxy on it asks.
#[tokio::test]
async fn metrics_are_for_this_machine_and_not_for_whom_a_proxy() {
    let world = World::new().await;
    assert_eq!(world.get("/metrics").await.status, 200);
    for header in ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"] {
        assert_eq!(world.fetch("GET", "/metrics", &[(header, "127.0.0.1")], "").await.status, 401, "{header}");
    }
    let bearer = format!("Bearer {TOKEN}");
    let forwarded = [("X-Forwarded-For", "198.51.100.1"), ("Authorization", bearer.as_str())];
    assert_eq!(world.fetch("GET", "/metrics", &forwarded, "").await.status, 200);
}
