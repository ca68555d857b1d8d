//! A PortOne that cannot be reached: nobody listens, nobody has its name, or who answers cannot show that it is PortOne.
//!
//! Nothing is known then, and nothing is said: every page says "checking", nothing is told to whoever answers instead, and what
//! was paid is found when PortOne is back. No setting trusts a server that cannot prove its name.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use reqwest::StatusCode;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use url::Url;
use wanryo::domain::order::Portone;
use wanryo::service::sweep::Step;

use super::{A_DAY, Asker, Bench};
use crate::app::TestApp;
use crate::program::{self, Program};
use crate::support::{ClosedPort, TestDatabase, with_sqlite};

/// Longer than the app waits for PortOne in these tests: how long a listener keeps a connection that it does not answer.
const SILENCE: Duration = Duration::from_secs(2);

/// Why PortOne cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    /// Nobody listens at its port.
    Refused,
    /// Its name belongs to nobody. <https://www.rfc-editor.org/rfc/rfc6761#section-6.4>
    NoSuchHost,
    /// Its certificate is its own word.
    SelfSigned,
    /// The connection ends in the middle of the handshake.
    CutOff,
    /// The handshake never goes on.
    Silent,
    /// It answers without a handshake.
    Unencrypted,
}

impl Obstacle {
    const ALL: [Self; 6] = [
        Self::Refused,
        Self::NoSuchHost,
        Self::SelfSigned,
        Self::CutOff,
        Self::Silent,
        Self::Unencrypted,
    ];
}

/// What stands where PortOne should.
struct Impostor {
    url: Url,
    /// Connections that were made to it.
    met: Arc<AtomicUsize>,
    /// Connections on which it was told something that it could read: a request.
    told: Arc<AtomicUsize>,
    /// Keeps the port from others while nobody listens at it.
    _port: Option<ClosedPort>,
}

impl Impostor {
    fn stand(obstacle: Obstacle) -> Self {
        let (met, told) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let (url, port) = match obstacle {
            Obstacle::Refused => {
                let port = ClosedPort::keep();
                (port.url(), Some(port))
            }
            Obstacle::NoSuchHost => ("http://portone.invalid/".to_owned(), None),
            Obstacle::SelfSigned | Obstacle::CutOff | Obstacle::Silent | Obstacle::Unencrypted => {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let addr = listener.local_addr().unwrap();
                let (met, told) = (Arc::clone(&met), Arc::clone(&told));
                // Ends with the process: nobody waits for it.
                thread::spawn(move || {
                    for stream in listener.incoming().map_while(Result::ok) {
                        met.fetch_add(1, Ordering::SeqCst);
                        let told = Arc::clone(&told);
                        thread::spawn(move || receive(obstacle, stream, &told));
                    }
                });
                (format!("https://localhost:{}/", addr.port()), None)
            }
        };
        Self {
            url: Url::parse(&url).unwrap(),
            met,
            told,
            _port: port,
        }
    }
}

/// What becomes of one connection. Whatever fails in it is what the obstacle is about.
fn receive(obstacle: Obstacle, mut stream: TcpStream, told: &AtomicUsize) {
    let mut bytes = [0; 4096];
    match obstacle {
        Obstacle::Refused | Obstacle::NoSuchHost => {}
        Obstacle::SelfSigned => {
            let mut secured = StreamOwned::new(handshake("self_signed"), stream);
            if secured.read(&mut bytes).is_ok_and(|read| read > 0) {
                told.fetch_add(1, Ordering::SeqCst);
            }
        }
        Obstacle::CutOff => {
            let _hello = stream.read(&mut bytes);
            // The beginning of an answer that goes on for longer than the connection lasts.
            let _sent = stream.write_all(&[0x16, 3, 3, 2, 0, 2]);
        }
        Obstacle::Silent => {
            let _hello = stream.read(&mut bytes);
            let _unanswered = stream.set_read_timeout(Some(SILENCE));
            let _left = stream.read(&mut bytes);
        }
        Obstacle::Unencrypted => {
            let read = stream.read(&mut bytes).unwrap_or_default();
            if bytes[..read].windows(4).any(|text| text == b"HTTP") {
                told.fetch_add(1, Ordering::SeqCst);
            }
            let _sent = stream.write_all(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
            );
        }
    }
}

/// A file beside this one. The authority of these certificates is trusted by nobody but who is told to, and its key is lost.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/faults/tls")
        .join(name)
}

/// A server with this certificate.
fn handshake(certificate: &str) -> ServerConnection {
    let chain = CertificateDer::from_pem_file(file(&format!("{certificate}.pem"))).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    ServerConnection::new(Arc::new(config)).unwrap()
}

/// One obstacle, for everybody who asks. Returns what is wrong with it.
async fn case(database: &TestDatabase, portone: Portone, obstacle: Obstacle) -> Result<(), String> {
    let impostor = Impostor::stand(obstacle);
    let bench = Bench::start_at(database, portone, Some(&impostor.url)).await;
    let mut paid = Vec::new();
    for asker in Asker::ALL {
        let id = format!("{asker:?}");
        bench.order(&id).await;
        paid.push((asker, bench.attempt(&id, "paid").await, id));
    }
    bench.attempt("ORPHAN", "paid").await;
    for (asker, transaction_id, id) in &paid {
        if let Some(said) = bench.ask(*asker, id, Some(transaction_id), "paid").await
            && said != "unconfirmed"
        {
            return Err(format!("{asker:?} was told {said}"));
        }
        let order = bench.app.read_order(id).await;
        if order["status"] != "open" {
            return Err(format!("{asker:?}: the order is {}", order["status"]));
        }
        let history = bench.app.history(id).await;
        let is_noted = history.iter().any(|entry| {
            entry["kind"] == "check_failed" && entry["data"]["error"] == "unavailable"
        });
        if !is_noted {
            return Err(format!("{asker:?}: the history tells nothing: {history:?}"));
        }
    }
    let (_, transaction_id, id) = &paid[0];
    let page = match portone {
        Portone::V1 => format!("merchant_uid={id}&imp_uid={transaction_id}&imp_success=false"),
        Portone::V2 => format!("paymentId={id}&txId={transaction_id}&code=FAILURE_TYPE_PG"),
    };
    let page = bench.app.page(&format!("/payments/complete?{page}")).await;
    if (page.status, page.page_outcome()) != (StatusCode::ACCEPTED, Some("unconfirmed")) {
        return Err(format!("a page says {:?}", page.page_outcome()));
    }
    bench.clock.push(A_DAY);
    // One for a generation that is not configured, one for the other: then it rests.
    let mut steps = Vec::new();
    while steps.len() < 3 && steps.last() != Some(&Step::Idle) {
        steps.push(bench.sweep_step().await);
    }
    if steps.first() != Some(&Step::Going) || steps.last() != Some(&Step::Idle) {
        return Err(format!("the sweep does not rest: {steps:?}"));
    }
    let met = impostor.met.load(Ordering::SeqCst);
    let is_met = met > 0;
    let is_there = !matches!(obstacle, Obstacle::Refused | Obstacle::NoSuchHost);
    if is_met != is_there || impostor.told.load(Ordering::SeqCst) > 0 {
        return Err(format!("{met} connections, and one of them told something"));
    }

    let bench = bench.reach_portone().await;
    bench.look_later().await;
    if !bench.finish_sweep().await? {
        return Err("the sweep left something out".to_owned());
    }
    if !bench.orphans().await.contains("ORPHAN") {
        return Err("the sweep did not find what is there".to_owned());
    }
    for (asker, transaction_id, id) in &paid {
        let ended = bench.is_paid_once(id, transaction_id).await;
        ended.map_err(|why| format!("{asker:?}: {why}"))?;
    }
    Ok(())
}

async fn all(portone: Portone) {
    for obstacle in Obstacle::ALL {
        with_sqlite(async move |database| {
            if let Err(why) = case(&database, portone, obstacle).await {
                panic!("{obstacle:?}: {why}");
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_known_and_nothing_said_of_v1() {
    all(Portone::V1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_known_and_nothing_said_of_v2() {
    all(Portone::V2).await;
}

/// Lends the sandbox a certificate: what comes by TLS goes on to it in the clear. Says where, and how many requests came.
fn lend(certificate: &'static str, sandbox: &Url) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&requests);
    let behind = sandbox.socket_addrs(|| None).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (counted, behind) = (Arc::clone(&counted), behind.clone());
            thread::spawn(move || pass_on(certificate, stream, &behind, &counted));
        }
    });
    (port, requests)
}

/// One request, one answer, and the connection is over. `None` when the client did not like what it saw.
fn pass_on(
    certificate: &str,
    stream: TcpStream,
    behind: &[std::net::SocketAddr],
    requests: &AtomicUsize,
) -> Option<()> {
    let mut secured = StreamOwned::new(handshake(certificate), stream);
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    let whole = |request: &[u8]| {
        let text = String::from_utf8_lossy(request).to_lowercase();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        (body.len() >= length).then_some(())
    };
    while whole(&request).is_none() {
        let read = secured.read(&mut chunk).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&chunk[..read]);
    }
    requests.fetch_add(1, Ordering::SeqCst);
    let head = request.windows(2).position(|end| end == b"\r\n")?;
    let mut sandbox = TcpStream::connect(behind).ok()?;
    sandbox.write_all(&request[..head]).ok()?;
    sandbox.write_all(b"\r\nconnection: close").ok()?;
    sandbox.write_all(&request[head..]).ok()?;
    let mut answer = Vec::new();
    sandbox.read_to_end(&mut answer).ok()?;
    secured.write_all(&answer).ok()?;
    secured.conn.send_close_notify();
    secured.flush().ok()
}

/// The machine trusts an authority, and who answers has a certificate of that very authority: for another name, or for a time that
/// is over. With the right one PortOne is reached, so that it is the certificate that decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_a_trusted_authority_counts_for_its_name_and_its_time_alone() {
    with_sqlite(async |db| {
        let app = TestApp::start(&db).await;
        app.order("V1").await;
        app.order_v2("V2").await;
        let imp_uid = app.pay("V1", json!({}));
        let tx_id = app.pay_v2("V2", json!({})).await;
        let (client, sandbox) = (app.client, app.sandbox);
        app.running.stop().await;
        let visits = [
            format!("merchant_uid=V1&imp_uid={imp_uid}"),
            format!("paymentId=V2&txId={tx_id}"),
        ];
        for (certificate, outcome) in [
            ("wrong_name", "unconfirmed"),
            ("expired", "unconfirmed"),
            ("self_signed", "unconfirmed"),
            ("right", "paid"),
        ] {
            let (port, requests) = lend(certificate, sandbox.url());
            let mut command = program::command(&db, &sandbox);
            command
                .env("SSL_CERT_FILE", file("authority.pem"))
                .env("PORTONE_V1_API_URL", format!("https://localhost:{port}/"))
                .env("PORTONE_V2_API_URL", format!("https://localhost:{port}/v2"));
            let program = Program::spawn(command).await;
            for visit in &visits {
                let url = format!("{}/payments/complete?{visit}", program.url);
                let request = client.get(url).header("accept", "application/json");
                let (_, said) = program::text(request).await;

                let told = format!("\"outcome\":\"{outcome}\"");
                assert!(said.contains(&told), "{certificate}: {said}");
            }
            program.end().await;
            let is_told = requests.load(Ordering::SeqCst) > 0;
            assert_eq!(is_told, outcome == "paid", "{certificate}");
        }
    })
    .await;
}

/// What would make one of these servers trusted is a word in the sources.
#[test]
fn there_is_no_switch_that_trusts_everybody() {
    let words = ["danger_", "dangerous()", "ServerCertVerifier"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("crates/portone/src")];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for word in words {
                    assert!(!text.contains(word), "{}: {word}", path.display());
                }
                read += 1;
            }
        }
    }
    assert!(read > 100, "{read} files");
}
