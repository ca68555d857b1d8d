//! A PostgreSQL cluster that lives as long as one test run.
//!
//! The cluster belongs to a keeper, a small shell script in a process group of its own that waits for its standard input
//! to end. We hold the other end of that pipe, and the kernel closes it however we go: normally, by Ctrl-C, by `kill -9`.
//! So nothing stays behind, without a signal handler here.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::setup::{is_root, postgres_programs};

/// Each test has its own pool, and tests run in parallel.
const CONNECTIONS_MAX: &str = "200";

/// How often a port that somebody else took between our look and the start is replaced by another one.
const START_ATTEMPTS_MAX: u32 = 3;

/// The account that Debian's package creates: PostgreSQL refuses to run as root.
const POSTGRES_ACCOUNT: &str = "postgres";

/// What the keeper prints when connections are accepted.
const READY: &str = "ready";

/// Arguments: directory of the server programs, port, most connections.
///
/// Nothing here outlives the run, so nothing is flushed to disk (fsync and its kin are off). `immediate` stops without a
/// checkpoint for the same reason.
const KEEPER: &str = r#"
set -eu
programs=$1 port=$2 connections=$3
dir=$(mktemp -d -t wanryo-postgres.XXXXXXXX)
data=$dir/data log=$dir/log
stop() {
  [ ! -e "$data/postmaster.pid" ] || "$programs/pg_ctl" stop --pgdata="$data" --mode=immediate --silent || true
  rm -rf "$dir"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM
# We may be gone before `ready` is read; a signal would end the shell without the trap above.
trap '' PIPE
"$programs/initdb" --pgdata="$data" --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$log" 2>&1 || {
  cat "$log" >&2
  exit 1
}
"$programs/pg_ctl" start --pgdata="$data" --log="$log" --wait --timeout=60 --silent --options="-p $port \
  -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=$connections \
  -c fsync=off -c synchronous_commit=off -c full_page_writes=off" || {
  cat "$log" >&2
  exit 1
}
echo ready
cat >/dev/null
"#;

/// A running cluster; dropping it stops the server and removes its files.
pub(crate) struct Cluster {
    keeper: Child,
    port: u16,
}

impl Cluster {
    /// Creates a cluster in a fresh temporary directory and starts it on a free port of 127.0.0.1.
    pub(crate) fn start() -> Result<Self> {
        let programs =
            postgres_programs().context("no PostgreSQL server programs on this machine")?;
        for _ in 1..START_ATTEMPTS_MAX {
            if let Ok(cluster) = Self::try_start(&programs) {
                return Ok(cluster);
            }
        }
        Self::try_start(&programs)
    }

    fn try_start(programs: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = if is_root()? {
            let mut command = Command::new("setpriv");
            command
                .arg(format!("--reuid={POSTGRES_ACCOUNT}"))
                .arg(format!("--regid={POSTGRES_ACCOUNT}"))
                .args(["--init-groups", "sh"])
                // Root's may be closed to others.
                .env_remove("TMPDIR");
            command
        } else {
            Command::new("sh")
        };
        let mut keeper = command
            .args(["-c", KEEPER, "postgres-keeper"])
            .arg(programs)
            .args([&port.to_string(), CONNECTIONS_MAX])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C goes to our whole process group; the keeper must survive it to clean up.
            .process_group(0)
            .spawn()
            .context("starting the keeper of the temporary PostgreSQL")?;
        let mut first_line = String::new();
        let stdout = keeper
            .stdout
            .take()
            .context("the keeper's output is a pipe")?;
        // Ends by itself: pg_ctl waits for a limited time, and a keeper that gives up closes the pipe.
        BufReader::new(stdout).read_line(&mut first_line)?;
        let cluster = Self { keeper, port };
        if first_line.trim_end() != READY {
            bail!("the temporary PostgreSQL did not start");
        }
        Ok(cluster)
    }

    /// Where the tests connect: a superuser without password, who may create databases.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        if let Err(error) = self.keeper.wait() {
            eprintln!("xtask: waiting for the temporary PostgreSQL to stop: {error}");
        }
    }
}

/// A port that was free a moment ago: the listener that found it is closed on return.
fn free_port() -> Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}
