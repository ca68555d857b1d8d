//! A wire to PostgreSQL that can be cut at the worst moment.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How the wire is cut when the next COMMIT passes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cut {
    /// The server never gets it.
    BeforeTheServer,
    /// The server carries it out, and its answer is lost.
    BeforeTheAnswer,
    /// The server has it and is still at it.
    WhileTheServerCommits,
}

/// In PostgreSQL's protocol, both the statement and the answer to it end like this.
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html>
const COMMIT: &[u8] = b"COMMIT\0";

/// Passes everything on, until it is told to cut.
pub(crate) struct Proxy {
    /// The database's address, through the proxy.
    pub(crate) url: String,
    next: Arc<Mutex<Option<Cut>>>,
}

impl Proxy {
    pub(crate) async fn start(database: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut url = url::Url::parse(database).unwrap();
        let server = (
            url.host_str().unwrap().to_owned(),
            url.port().unwrap_or(5432),
        );
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port()))
            .unwrap();
        // What is encrypted cannot be watched.
        url.set_query(Some("sslmode=disable"));
        let next = Arc::new(Mutex::new(None));
        let cuts = Arc::clone(&next);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect((server.0.as_str(), server.1))
                    .await
                    .unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&cuts)));
            }
        });
        Self {
            url: url.into(),
            next,
        }
    }

    /// Cuts the connection on which the next COMMIT passes.
    pub(crate) fn cut(&self, cut: Cut) {
        *self.next.lock().unwrap() = Some(cut);
    }

    /// Whether the last cut was made.
    pub(crate) fn has_cut(&self) -> bool {
        self.next.lock().unwrap().is_none()
    }
}

/// Returns, and so closes both ends, when either end closes or the wire is cut.
async fn pass(mut client: TcpStream, mut server: TcpStream, cuts: Arc<Mutex<Option<Cut>>>) {
    let (mut asked, mut answered) = ([0; 16 * 1024], [0; 16 * 1024]);
    let mut hides_answer = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let asked = &asked[..length];
                if asked.ends_with(COMMIT) {
                    let cut = cuts.lock().unwrap().take();
                    match cut {
                        Some(Cut::BeforeTheServer) => return,
                        Some(Cut::BeforeTheAnswer) => hides_answer = true,
                        Some(Cut::WhileTheServerCommits) => {
                            server.write_all(asked).await.unwrap();
                            drop(client);
                            let _answer = server.read(&mut answered).await;
                            return;
                        }
                        None => {}
                    }
                }
                if server.write_all(asked).await.is_err() { return }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                let answered = &answered[..length];
                if hides_answer {
                    assert!(answered.windows(COMMIT.len()).any(|bytes| bytes == COMMIT), "the server refused");
                    return;
                }
                if client.write_all(answered).await.is_err() { return }
            }
        }
    }
}
