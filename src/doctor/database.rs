//! What can be known of the database without opening it as a server does.

use super::Findings;
use crate::adapters::store::{Inspection, Kind, Tables, inspect};
use crate::config::Settings;
use crate::domain::audit::{BrokenAt, End};
use crate::ports::audit::Chain;

/// Less free space than this is soon used up.
const FREE_BYTES_MIN: u64 = 1024 * 1024 * 1024;
/// With less than this SQLite cannot fold its write-ahead log back, and payments are refused.
const FREE_BYTES_NEEDED: u64 = 128 * 1024 * 1024;
/// One server takes ten connections, and a database has other visitors.
const CONNECTIONS_MIN: u32 = 20;

const ABOUT: &str = "DATABASE_URL";
const AUDIT: &str = "audit log";

pub(super) async fn look(settings: &Settings, findings: &mut Findings) {
    let found = match inspect(&settings.database_url).await {
        Ok(found) => found,
        Err(error) => {
            let error = anyhow::Error::new(error);
            findings.error(
                ABOUT,
                format!("the database cannot be used: {error:#}"),
                "Check that the folder exists and belongs to the server's user (sqlite://), or that host, name, user and password are right (postgres://).",
            );
            return;
        }
    };
    let before = findings.0.len();
    kind(&found, findings);
    match found.tables {
        None => findings.warning(
            ABOUT,
            "there are no tables yet",
            "Start the server, or run wanryo migrate: both make them.",
        ),
        Some(tables) => contents(tables, findings),
    }
    if findings.0.len() == before {
        findings.good(ABOUT, "the database is there and up to date");
    }
    if let Some(chain) = found.tables.and_then(|tables| tables.audit) {
        audit(chain, findings);
    }
}

/// The digest is said, so that it can be written down where nobody who can write to the database can write.
fn audit(chain: Chain, findings: &mut Findings) {
    let End { id, digest } = chain.end;
    match chain.broken_at {
        None => {
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let found = format!("{id} entries, each as it was written; digest of the last {digest}");
            findings.good(AUDIT, found);
        }
        Some(BrokenAt(id)) => findings.error(
            AUDIT,
            format!("the log of who did what is broken from entry {id} on: an entry was changed, taken out or put in behind the server's back"),
            "Find out who can write to the database, and compare the entries with those of an older backup.",
        ),
    }
}

fn kind(found: &Inspection, findings: &mut Findings) {
    match &found.kind {
        Kind::Sqlite {
            path,
            free_bytes,
            is_open_to_others,
            journal_mode,
        } => {
            let mebibytes = free_bytes / (1024 * 1024);
            if *free_bytes < FREE_BYTES_NEEDED {
                findings.error(
                    ABOUT,
                    format!("its disk has {mebibytes} MiB left"),
                    "Make room: without it no payment can be written down.",
                );
            } else if *free_bytes < FREE_BYTES_MIN {
                findings.warning(
                    ABOUT,
                    format!("its disk has {mebibytes} MiB left"),
                    "Make room before it is needed.",
                );
            }
            if *is_open_to_others {
                findings.error(
                    ABOUT,
                    "others on this machine may read the file, with buyers' names and telephone numbers in it",
                    format!("chmod 600 {}", path.display()),
                );
            }
            // The server sets it at start; somebody else may have set it back.
            if found.tables.is_some() && journal_mode.as_deref() != Some("wal") {
                findings.error(
                    ABOUT,
                    format!(
                        "SQLite's journal_mode is {} where wal is needed",
                        journal_mode.as_deref().unwrap_or("unknown")
                    ),
                    "Stop what else uses the file, and start the server anew: it sets the mode. If it does not stay, the file lies on a network's disk; move it to a local one.",
                );
            }
        }
        Kind::Postgres { settings } => {
            for (name, value) in settings {
                postgres(name, value, findings);
            }
        }
    }
}

fn postgres(name: &str, value: &str, findings: &mut Findings) {
    match (name, value) {
        ("fsync" | "full_page_writes", "off") => findings.error(
            ABOUT,
            format!("PostgreSQL runs with {name} = off: after a power cut, payments are gone"),
            format!("Set {name} = on in postgresql.conf and reload."),
        ),
        ("transaction_read_only", "on") => findings.error(
            ABOUT,
            "the database takes no changes: it is a standby, or set to be read alone",
            "Name the primary server, or ALTER DATABASE … SET default_transaction_read_only = off.",
        ),
        ("server_encoding", encoding) if encoding != "UTF8" => findings.error(
            ABOUT,
            format!("its encoding is {encoding}, which cannot keep every name"),
            "Make the database with ENCODING 'UTF8'.",
        ),
        ("max_connections", count)
            if count
                .parse()
                .is_ok_and(|count: u32| count < CONNECTIONS_MIN) =>
        {
            findings.warning(
                ABOUT,
                format!("PostgreSQL takes {count} connections, and each server uses up to ten"),
                "Raise max_connections in postgresql.conf.",
            );
        }
        _ => {}
    }
}

fn contents(tables: Tables, findings: &mut Findings) {
    if tables.unknown > 0 {
        findings.error(
            ABOUT,
            "a newer version of wanryo has used the database, and this one does not start on it",
            "Run the newer version, or restore the copy that was made before it was first started.",
        );
    }
    if tables.pending > 0 {
        findings.warning(
            ABOUT,
            format!("{} migrations are not made yet", tables.pending),
            "The server makes them when it is started anew; wanryo migrate does so alone.",
        );
    }
    if tables.users == 0 {
        findings.warning(
            "wanryo user add",
            "nobody may sign in to the back office",
            "wanryo user add you@example.com",
        );
    }
    if tables.keys == 0 {
        findings.warning(
            "wanryo key create",
            "no shop has a key, so no order can be made",
            "wanryo key create --name shop",
        );
    }
}
