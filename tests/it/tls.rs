//! YouTube behind TLS and HTTP/2, as the real one is: a front of the tests' own before the sandbox's plain server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use dn_sandbox::Service;
use dn_tests::{Rehearsal, assets_to_set, run};
use h2::Reason;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";

/// What the front does to its streams.
#[derive(Debug, Clone, Copy, Default)]
struct Temper {
    /// Every so-manyth stream is refused before anything was done.
    refuse_every: Option<u64>,
    /// A connection says GOAWAY after so many streams.
    go_away_after: Option<u64>,
}

struct Front {
    address: SocketAddr,
    /// The certificate, as a file for `SSL_CERT_FILE`.
    certificate: tempfile::NamedTempFile,
    connections: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

impl Front {
    /// Serves `https://127.0.0.1:…` and hands every request to `behind`.
    async fn before(behind: String, temper: Temper) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        #[expect(clippy::disallowed_methods, reason = "a front of the tests' own needs a client of its own")]
        let client = reqwest::Client::new();
        let (connections_too, refused_too) = (Arc::clone(&connections), Arc::clone(&refused));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, behind, client) = (acceptor.clone(), behind.clone(), client.clone());
                let (connections, refused) = (Arc::clone(&connections_too), Arc::clone(&refused_too));
                tokio::spawn(async move {
                    // A client that does not trust the certificate leaves during the handshake.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        connections.fetch_add(1, Ordering::Relaxed);
                        serve(stream, &behind, &client, temper, &refused).await;
                    }
                });
            }
        });
        Self { address, certificate, connections, refused }
    }
}

async fn serve(
    stream: tokio_rustls::server::TlsStream<TcpStream>,
    behind: &str,
    client: &reqwest::Client,
    temper: Temper,
    refused: &AtomicU64,
) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let mut streams = 0;
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        streams += 1;
        if temper.refuse_every.is_some_and(|every| streams % every == 0) {
            refused.fetch_add(1, Ordering::Relaxed);
            respond.send_reset(Reason::REFUSED_STREAM);
            continue;
        }
        if temper.go_away_after.is_some_and(|after| streams == after) {
            connection.graceful_shutdown();
        }
        let (client, behind) = (client.clone(), behind.to_owned());
        tokio::spawn(async move {
            let Some((status, headers, body)) = forward(request, &behind, &client).await else {
                respond.send_reset(Reason::INTERNAL_ERROR);
                return;
            };
            let mut response = http::Response::new(());
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            if let Ok(mut stream) = respond.send_response(response, false) {
                // A client that has gone does not want the rest.
                let _gone = stream.send_data(body, true);
            }
        });
    }
}

async fn forward(
    request: http::Request<h2::RecvStream>,
    behind: &str,
    client: &reqwest::Client,
) -> Option<(http::StatusCode, http::HeaderMap, Bytes)> {
    let (parts, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(part) = stream.data().await {
        let part = part.ok()?;
        stream.flow_control().release_capacity(part.len()).ok()?;
        body.extend_from_slice(&part);
    }
    let url = format!("{behind}{}", parts.uri.path_and_query()?);
    let mut headers = parts.headers;
    // The sandbox packs for whoever asks; the front passes plain bytes on.
    headers.remove(http::header::ACCEPT_ENCODING);
    let answer = client.request(parts.method, url).headers(headers).body(body).send().await.ok()?;
    let status = answer.status();
    let mut headers = answer.headers().clone();
    for hop in ["connection", "transfer-encoding", "content-encoding", "content-length"] {
        headers.remove(hop);
    }
    Some((status, headers, answer.bytes().await.ok()?))
}

/// The environment with YouTube behind the front.
async fn fronted(rehearsal: &Rehearsal, temper: Temper) -> (BTreeMap<String, String>, Front) {
    let mut environment = rehearsal.environment();
    let plain = &environment["YOUTUBE_API_BASE_URL"];
    let behind = plain.trim_end_matches("/youtube/partner/v1").to_owned();
    let front = Front::before(behind, temper).await;
    let address = format!("https://{}/youtube/partner/v1", front.address);
    environment.insert("YOUTUBE_API_BASE_URL".to_owned(), address);
    (environment, front)
}

#[tokio::test(flavor = "multi_thread")]
async fn a26_a_certificate_that_is_not_trusted_ends_the_run_at_once() {
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 3)).await.unwrap();
    let (environment, front) = fronted(&rehearsal, Temper::default()).await;
    let refused = run("cms-customid-cleanup", &environment, &["--json"]).await.unwrap();
    assert_eq!(refused.code, Some(7), "{refused:?}");
    assert!(refused.stderr.contains("certificate"), "{}", refused.stderr);
    assert_eq!(rehearsal.sandbox.journal().count(Service::YouTube, "*"), 0);
    assert_eq!(front.connections.load(Ordering::Relaxed), 0, "no handshake came to its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a27_streams_refused_and_connections_that_go_away_are_met_by_sending_again() {
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 300)).await.unwrap();
    let temper = Temper { refuse_every: Some(17), go_away_after: Some(60) };
    let (mut environment, front) = fronted(&rehearsal, temper).await;
    let certificate = front.certificate.path().to_string_lossy().into_owned();
    environment.insert("SSL_CERT_FILE".to_owned(), certificate);
    let run = run("cms-customid-cleanup", &environment, &["--json"]).await.unwrap();
    let summary = run.summary().unwrap();
    assert_eq!((run.code, &summary["updatedCount"]), (Some(0), &json!(300)), "{run:?}");
    assert!(
        front.connections.load(Ordering::Relaxed) > 1,
        "a connection that goes away is followed by another"
    );
    assert!(front.refused.load(Ordering::Relaxed) > 5);
    assert!(rehearsal.sandbox.journal().patches_per_asset().values().all(|count| *count == 1));
}
