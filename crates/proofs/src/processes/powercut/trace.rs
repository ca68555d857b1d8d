//! Reads what `strace` recorded: which bytes a program gave to the disk, when it waited for them, and what it had promised
//! by then.
//!
//! The recording is one line for each system call of each thread, in the order in which the kernel was seen to do them; a
//! call that others overtook has a line for its beginning and one for its end. Line numbers are the time here.
//! <https://man7.org/linux/man-pages/man1/strace.1.html>

use std::collections::HashMap;

use anyhow::{Context, bail};

/// The calls that are recorded. Those of the second line must not touch the database: no model of them is here.
pub(super) const CALLS: &str = "openat,pwrite64,write,writev,sendto,sendmsg,recvfrom,fsync,fdatasync,ftruncate,unlink,\
    pwritev,pwritev2,fallocate,copy_file_range,rename,renameat,renameat2,unlinkat,truncate,sync_file_range,link,linkat,symlink";
/// What a program without HTTP writes to acknowledge a webhook.
pub(super) const ACKNOWLEDGED: &str = "acknowledged ";

/// A file of the database. What SQLite keeps in shared memory (`-shm`) does not survive a power cut, and is not needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The database itself.
    Main,
    /// The write-ahead log.
    Log,
    /// The rollback journal, before the log is switched on.
    Journal,
}

impl Role {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Main, Self::Log, Self::Journal];

    /// What SQLite adds to the name of the database.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Log => "-wal",
            Self::Journal => "-journal",
        }
    }
}

/// A change of a file's content.
#[derive(Debug)]
pub(super) struct Change {
    /// Which file: a number for each time that one was made.
    pub(super) file: usize,
    /// From here on the disk may hold it.
    pub(super) begin: usize,
    /// From here on the disk must hold it.
    pub(super) durable: usize,
    pub(super) what: What,
}

/// What a change is.
#[derive(Debug)]
pub(super) enum What {
    Write { offset: u64, data: Vec<u8> },
    Truncate { length: u64 },
}

/// A name that came (`Some`) or went.
#[derive(Debug)]
pub(super) struct Naming {
    pub(super) begin: usize,
    /// As for [`Change`]; it is the directory that must be synced.
    pub(super) durable: usize,
    pub(super) role: Role,
    pub(super) file: Option<usize>,
}

/// What somebody outside was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Promise {
    /// A webhook about this transaction was answered 200.
    Webhook(String),
    /// This order was answered 201.
    Order(String),
    /// A page called this order paid.
    Paid(String),
}

/// A recording, understood.
#[derive(Debug, Default)]
pub(super) struct Recording {
    /// In the order of their beginnings.
    pub(super) changes: Vec<Change>,
    /// In the order of their beginnings.
    pub(super) namings: Vec<Naming>,
    /// With the time at which the answer began to leave, in order.
    pub(super) promises: Vec<(usize, Promise)>,
    /// How many files were made.
    pub(super) files: usize,
    /// Lines.
    pub(super) end: usize,
    /// How often content was synced.
    pub(super) syncs: usize,
}

impl Recording {
    /// Reads a recording of a program whose database is at `path`.
    pub(super) fn read(text: &str, path: &str) -> anyhow::Result<Self> {
        let mut reader = Reader {
            path,
            recording: Self::default(),
            ends: Vec::new(),
            names: HashMap::new(),
            heard: HashMap::new(),
        };
        let mut unfinished: HashMap<&str, (usize, String)> = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let Some((thread, call)) = line.split_once(' ') else {
                continue;
            };
            let call = call.trim_start();
            if let Some(begun) = call.strip_suffix(" <unfinished ...>") {
                unfinished.insert(thread, (number, begun.to_owned()));
            } else if let Some(rest) = call.strip_prefix("<... ") {
                let Some((begin, begun)) = unfinished.remove(thread) else {
                    continue;
                };
                let rest = rest.split_once("resumed>").map_or("", |(_, rest)| rest);
                reader.call(begin, number, &format!("{begun}{rest}"))?;
            } else {
                reader.call(number, number, call)?;
            }
            reader.recording.end = number + 1;
        }
        let mut recording = reader.recording;
        recording.changes.sort_by_key(|change| change.begin);
        recording.namings.sort_by_key(|naming| naming.begin);
        recording.promises.sort_by_key(|(at, _)| *at);
        Ok(recording)
    }
}

struct Reader<'t> {
    path: &'t str,
    recording: Recording,
    /// When each change had been handed over; a sync that begins later covers it.
    ends: Vec<usize>,
    /// The file that each name means now.
    names: HashMap<&'static str, usize>,
    /// What came in on each socket since the last answer.
    heard: HashMap<String, String>,
}

impl Reader<'_> {
    fn call(&mut self, begin: usize, end: usize, call: &str) -> anyhow::Result<()> {
        let Some((name, rest)) = call.split_once('(') else {
            return Ok(());
        };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else {
            return Ok(());
        };
        if result.starts_with('-') || result.starts_with('?') {
            return Ok(());
        }
        match name {
            "openat" => self.opened(begin, arguments),
            "pwrite64" => self.written(begin, end, arguments)?,
            "ftruncate" => self.truncated(begin, end, arguments)?,
            "fsync" | "fdatasync" => self.synced(begin, end, arguments),
            "unlink" => self.unlinked(begin, arguments),
            "recvfrom" => {
                let (socket, data) = (annotation(arguments), strings(arguments));
                let heard = self.heard.entry(socket).or_default();
                heard.push_str(&String::from_utf8_lossy(&data));
            }
            "sendto" | "sendmsg" | "write" | "writev" => self.sent(begin, arguments)?,
            // The rest is recorded to be sure that it is not used.
            other => {
                let touched = strings(arguments);
                let touches = |text: &str| text.starts_with(self.path);
                if touches(&annotation(arguments)) || touches(&String::from_utf8_lossy(&touched)) {
                    bail!(
                        "the database was changed by {other}, which this proof does not understand"
                    );
                }
            }
        }
        Ok(())
    }

    fn role(&self, path: &str) -> Option<Role> {
        let suffix = path.strip_prefix(self.path)?;
        Role::ALL.into_iter().find(|role| role.suffix() == suffix)
    }

    fn opened(&mut self, begin: usize, arguments: &str) {
        let path = first_string(arguments);
        let Some(role) = self.role(&path).filter(|_| arguments.contains("O_CREAT")) else {
            return;
        };
        if self.names.contains_key(role.suffix()) {
            return;
        }
        let file = self.recording.files;
        self.recording.files += 1;
        self.names.insert(role.suffix(), file);
        self.recording.namings.push(Naming {
            begin,
            durable: usize::MAX,
            role,
            file: Some(file),
        });
    }

    fn unlinked(&mut self, begin: usize, arguments: &str) {
        if let Some(role) = self.role(&first_string(arguments))
            && self.names.remove(role.suffix()).is_some()
        {
            self.recording.namings.push(Naming {
                begin,
                durable: usize::MAX,
                role,
                file: None,
            });
        }
    }

    /// The file that a descriptor stands for.
    fn file(&self, arguments: &str) -> Option<usize> {
        let role = self.role(&annotation(arguments))?;
        self.names.get(role.suffix()).copied()
    }

    fn written(&mut self, begin: usize, end: usize, arguments: &str) -> anyhow::Result<()> {
        let Some(file) = self.file(arguments) else {
            return Ok(());
        };
        let offset = last_number(arguments)?;
        let what = What::Write {
            offset,
            data: strings(arguments),
        };
        self.change(
            Change {
                file,
                begin,
                durable: usize::MAX,
                what,
            },
            end,
        );
        Ok(())
    }

    fn truncated(&mut self, begin: usize, end: usize, arguments: &str) -> anyhow::Result<()> {
        let Some(file) = self.file(arguments) else {
            return Ok(());
        };
        let what = What::Truncate {
            length: last_number(arguments)?,
        };
        self.change(
            Change {
                file,
                begin,
                durable: usize::MAX,
                what,
            },
            end,
        );
        Ok(())
    }

    fn change(&mut self, change: Change, end: usize) {
        self.recording.changes.push(change);
        self.ends.push(end);
    }

    /// Whatever had been handed over before the sync began is on disk once it has ended.
    fn synced(&mut self, begin: usize, end: usize, arguments: &str) {
        let directory = self
            .path
            .rsplit_once('/')
            .map_or("", |(directory, _)| directory);
        if annotation(arguments) == directory {
            for naming in &mut self.recording.namings {
                if naming.begin < begin {
                    naming.durable = naming.durable.min(end);
                }
            }
        } else if let Some(file) = self.file(arguments) {
            self.recording.syncs += 1;
            for (change, handed_over) in self.recording.changes.iter_mut().zip(&self.ends) {
                if change.file == file && *handed_over < begin {
                    change.durable = change.durable.min(end);
                }
            }
        }
    }

    fn sent(&mut self, begin: usize, arguments: &str) -> anyhow::Result<()> {
        let socket = annotation(arguments);
        if self.role(&socket).is_some() {
            bail!(
                "the database was changed by a write without an offset, which this proof does not understand"
            );
        }
        let said = strings(arguments);
        let said = String::from_utf8_lossy(&said);
        if let Some(id) = said.strip_prefix(ACKNOWLEDGED) {
            let promise = Promise::Webhook(id.trim().to_owned());
            self.recording.promises.push((begin, promise));
        }
        // What this program asks of others begins otherwise.
        let Some(answer) = said.strip_prefix("HTTP/1.1 ") else {
            return Ok(());
        };
        let heard = self.heard.remove(&socket).unwrap_or_default();
        let promise = match answer.get(..3) {
            Some("200") if heard.starts_with("POST /payments/webhook") => Promise::Webhook(
                value(&heard, "\"imp_uid\":\"", '"')
                    .or_else(|| value(&heard, "\"transactionId\":\"", '"'))
                    .context("a webhook names its transaction")?,
            ),
            Some("201") if heard.starts_with("POST /api/v1/orders ") => Promise::Order(
                value(&heard, "\"payment_id\":\"", '"').context("an order has a number")?,
            ),
            Some("200")
                if heard.starts_with("GET /payments/complete?")
                    && answer.contains("\"outcome\":\"paid\"") =>
            {
                Promise::Paid(
                    value(&heard, "merchant_uid=", '&')
                        .or_else(|| value(&heard, "paymentId=", '&'))
                        .context("a redirect names its order")?,
                )
            }
            _ => return Ok(()),
        };
        self.recording.promises.push((begin, promise));
        Ok(())
    }
}

fn value(text: &str, before: &str, after: char) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(value, _)| value.to_owned())
}

/// What strace says that a descriptor stands for: `9<\x2f\x74…>`.
fn annotation(arguments: &str) -> String {
    let inside = arguments
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map_or("", |(inside, _)| inside);
    String::from_utf8_lossy(&unescaped(inside)).into_owned()
}

/// All quoted bytes, one after the other: a vector of buffers is one message.
fn strings(arguments: &str) -> Vec<u8> {
    arguments
        .split('"')
        .skip(1)
        .step_by(2)
        .flat_map(unescaped)
        .collect()
}

fn first_string(arguments: &str) -> String {
    let bytes = arguments
        .split('"')
        .nth(1)
        .map(unescaped)
        .unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `-xx` writes every byte as `\x2f`.
fn unescaped(text: &str) -> Vec<u8> {
    text.split("\\x")
        .skip(1)
        .filter_map(|digits| u8::from_str_radix(digits.get(..2)?, 16).ok())
        .collect()
}

fn last_number(arguments: &str) -> anyhow::Result<u64> {
    arguments
        .rsplit(", ")
        .next()
        .and_then(|text| text.trim().trim_end_matches(')').parse().ok())
        .context("a call's last argument is no number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> String {
        text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()
    }

    #[test]
    fn a_change_is_durable_after_the_sync_that_began_later() {
        let (db, log, socket) = (hex("/d/w.db"), hex("/d/w.db-wal"), hex("socket:[7]"));
        let request = hex("POST /payments/webhook HTTP/1.1\r\n\r\n{\"imp_uid\":\"imp_1\"}");
        let text = [
            format!("1 openat(AT_FDCWD<{db}>, \"{db}\", O_RDWR|O_CREAT, 0600) = 9<{db}>"),
            format!("1 openat(AT_FDCWD<{db}>, \"{log}\", O_RDWR|O_CREAT, 0600) = 11<{log}>"),
            format!("2 recvfrom(8<{socket}>,  <unfinished ...>"),
            format!("1 pwrite64(11<{log}>, \"{}\", 3, 32) = 3", hex("abc")),
            format!("2 <... recvfrom resumed>\"{request}\", 8192, 0, NULL, NULL) = 60"),
            format!("1 fsync(11<{log}> <unfinished ...>"),
            format!(
                "2 pwrite64(11<{log}>, \"{}\", 3, 64 <unfinished ...>",
                hex("def")
            ),
            "2 <... pwrite64 resumed>)          = 3".to_owned(),
            "1 <... fsync resumed>)              = 0".to_owned(),
            format!(
                "2 writev(8<{socket}>, [{{iov_base=\"{}\", iov_len=17}}], 1) = 17",
                hex("HTTP/1.1 200 OK\r\n")
            ),
            format!("1 fsync(7<{}>) = 0", hex("/d")),
        ]
        .join("\n");

        let recording = Recording::read(&text, "/d/w.db").unwrap();

        let durable: Vec<usize> = recording
            .changes
            .iter()
            .map(|change| change.durable)
            .collect();
        assert_eq!(durable, [8, usize::MAX]);
        assert_eq!(
            recording.promises,
            [(9, Promise::Webhook("imp_1".to_owned()))]
        );
        let named: Vec<usize> = recording
            .namings
            .iter()
            .map(|naming| naming.durable)
            .collect();
        assert_eq!(named, [10, 10]);
    }

    #[test]
    fn a_call_without_a_model_is_refused_when_it_touches_the_database() {
        let refused = |call: &str| Recording::read(&format!("1 {call}"), "/d/w.db").is_err();
        let (log, other) = (hex("/d/w.db-wal"), hex("/d/other"));

        assert!(refused(&format!("pwritev(9<{log}>, [], 1, 0) = 1")));
        assert!(refused(&format!("rename(\"{log}\", \"{other}\") = 0")));
        assert!(refused(&format!("write(9<{log}>, \"\\x00\", 1) = 1")));
        assert!(!refused(&format!("rename(\"{other}\", \"{other}\") = 0")));
    }
}
