//! The program under test as a process.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use parking_lot::Mutex;
use portone_sandbox::Sandbox;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use url::Url;

/// How long a start may take before it counts as failed.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Lines of a server's log that are kept, for the case that it ends by itself.
const LOG_LINES_MAX: usize = 20;
/// What the program logs when it takes requests.
const READY: &str = "listening on ";

/// How the program is started, again and again.
#[derive(Debug, Clone)]
pub struct Program {
    /// The binary.
    pub path: PathBuf,
    /// Its database.
    pub database_url: String,
    /// Its PortOne.
    pub sandbox: Url,
}

impl Program {
    /// Its settings, as variables.
    ///
    /// # Errors
    /// When the sandbox's address cannot be extended.
    pub fn settings(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let join = |path| self.sandbox.join(path).map(String::from);
        Ok(vec![
            ("DATABASE_URL", self.database_url.clone()),
            ("WANRYO_ADDR", "127.0.0.1:0".to_owned()),
            ("PORTONE_V1_API_URL", self.sandbox.to_string()),
            ("PORTONE_V1_SDK_URL", join("v1/iamport.js")?),
            ("PORTONE_V1_MERCHANT_CODE", "imp00000000".to_owned()),
            ("PORTONE_V1_API_KEY", "imp_apikey".to_owned()),
            ("PORTONE_V1_API_SECRET", "sandbox-secret".to_owned()),
            ("PORTONE_V2_API_URL", join("v2")?),
            ("PORTONE_V2_SDK_URL", join("v2/browser-sdk.js")?),
            ("PORTONE_V2_STORE_ID", Sandbox::V2_STORE_ID.to_owned()),
            ("PORTONE_V2_API_SECRET", Sandbox::V2_API_SECRET.to_owned()),
            (
                "PORTONE_V2_WEBHOOK_SECRETS",
                Sandbox::V2_WEBHOOK_SECRET.to_owned(),
            ),
            ("RUST_LOG", "error,wanryo::compose=info".to_owned()),
        ])
    }

    fn command(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(&self.path);
        command
            .env_clear()
            .envs(self.settings()?)
            .kill_on_drop(true)
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Makes an API key, as an operator does. Brings the database up to date on the way.
    ///
    /// # Errors
    /// What the command said.
    pub async fn make_key(&self) -> anyhow::Result<String> {
        let output = self
            .command()?
            .args(["key", "create", "--name", "proof"])
            .output()
            .await
            .with_context(|| format!("starting {}", self.path.display()))?;
        if !output.status.success() {
            bail!(
                "`wanryo key create` failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Adds a person to the back office, as an operator does.
    ///
    /// # Errors
    /// What the command said.
    pub async fn add_user(&self, email: &str, password: &str) -> anyhow::Result<()> {
        let mut process = self
            .command()?
            .args(["user", "add", email, "--password-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", self.path.display()))?;
        let mut stdin = process.stdin.take().context("the command's input")?;
        stdin.write_all(password.as_bytes()).await?;
        drop(stdin);
        let output = process.wait_with_output().await?;
        if !output.status.success() {
            bail!(
                "`wanryo user add` failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(())
    }

    /// Starts the server and waits until it takes requests.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start(&self) -> anyhow::Result<Server> {
        let mut command = self.command()?;
        command.arg("serve");
        Server::start(command).await
    }
}

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens, without a slash at the end.
    pub base: String,
    /// From the start of the process to the line that says it listens.
    pub started_in: Duration,
    log: Arc<Mutex<VecDeque<String>>>,
}

impl Server {
    /// Runs a command that becomes, or wraps, the server.
    ///
    /// # Errors
    /// What it logged, when it ended or took too long.
    pub async fn start(mut command: Command) -> anyhow::Result<Self> {
        let began = Instant::now();
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting the server")?;
        let stderr = child.stderr.take().context("the server's log")?;
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let (tell_base, base) = tokio::sync::oneshot::channel();
        tokio::spawn(read_log(stderr, Arc::clone(&log), tell_base));
        let base = match tokio::time::timeout(READY_WITHIN, base).await {
            Ok(Ok(base)) => base,
            Ok(Err(_)) => bail!("the server ended before it took requests: {}", tail(&log)),
            Err(_) => bail!(
                "the server took no requests within {} s: {}",
                READY_WITHIN.as_secs(),
                tail(&log)
            ),
        };
        Ok(Self {
            child,
            base,
            started_in: began.elapsed(),
            log,
        })
    }

    /// The process, or what wraps it; none once it has ended.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it had ended by itself before.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server ended by itself ({status}): {}", tail(&self.log));
        }
        self.child.start_kill()?;
        self.child.wait().await?;
        Ok(())
    }

    /// Waits until it has ended by another hand.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn ended(mut self) -> anyhow::Result<()> {
        self.child.wait().await?;
        Ok(())
    }
}

fn tail(log: &Mutex<VecDeque<String>>) -> String {
    let lines: Vec<String> = log.lock().iter().cloned().collect();
    lines.join("\n")
}

/// Reads to the end, so that the server never waits for its log to be read.
async fn read_log(
    stderr: ChildStderr,
    log: Arc<Mutex<VecDeque<String>>>,
    tell_base: tokio::sync::oneshot::Sender<String>,
) {
    let mut tell_base = Some(tell_base);
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let base = line
            .split_once(READY)
            .and_then(|(_, rest)| rest.split_whitespace().next());
        if let (Some(base), Some(tell)) = (base, tell_base.take_if(|_| base.is_some())) {
            // Nobody listens any more when the start was given up.
            let _nobody = tell.send(base.to_owned());
        }
        let mut log = log.lock();
        if log.len() == LOG_LINES_MAX {
            log.pop_front();
        }
        log.push_back(line);
    }
}
