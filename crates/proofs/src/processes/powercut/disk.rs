//! The disk as it could look after the power went: bytes that were synced are there, everything later is there, torn or gone.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::rngs::StdRng;

use super::trace::{Change, Recording, Role, What};

/// What a disk writes whole or not at all.
const SECTOR: u64 = 512;

/// What became of one change that nobody had waited for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Fate {
    Whole,
    Gone,
    /// Which of its sectors were written.
    Torn(Vec<bool>),
}

/// The recorded disk at one moment, as files in a directory. Moments come in order.
pub(super) struct Disk<'r> {
    recording: &'r Recording,
    path: PathBuf,
    /// What is certainly in each file by now.
    certain: Vec<Vec<u8>>,
    /// Changes that have begun and are not certain, in order.
    open: Vec<&'r Change>,
    /// The first change that has not begun.
    next: usize,
    /// The moment: nothing that begins at this line or later has happened.
    now: usize,
    /// Counts the changes that have become certain, to tell two moments apart.
    version: usize,
    shown: [Option<Shown>; 3],
}

struct Shown {
    file: usize,
    handle: File,
}

/// Puts the certain bytes back after an image was looked at.
pub(super) struct Image {
    /// The same image has the same number.
    pub(super) number: u64,
    touched: Vec<(usize, u64, u64)>,
    /// Whether there is a rollback journal, which only a connection that may write can play back.
    pub(super) journal: bool,
}

impl<'r> Disk<'r> {
    /// An empty disk, shown as `path` and its companions.
    pub(super) fn new(recording: &'r Recording, path: PathBuf) -> Self {
        Self {
            recording,
            path,
            certain: vec![Vec::new(); recording.files],
            open: Vec::new(),
            next: 0,
            now: 0,
            version: 0,
            shown: [None, None, None],
        }
    }

    /// Where the database file is shown.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Goes on to a later moment.
    pub(super) fn advance(&mut self, now: usize) -> anyhow::Result<()> {
        self.now = now;
        while let Some(change) = self
            .recording
            .changes
            .get(self.next)
            .filter(|change| change.begin < now)
        {
            self.open.push(change);
            self.next += 1;
        }
        for change in std::mem::take(&mut self.open) {
            if change.durable < now {
                apply(&mut self.certain[change.file], change, &Fate::Whole);
                self.version += 1;
                self.restore(change.file, start(change), end(change))?;
            } else {
                self.open.push(change);
            }
        }
        Ok(())
    }

    /// Draws what became of everything that is not certain, and shows it.
    pub(super) fn draw(&mut self, rng: &mut StdRng) -> anyhow::Result<Image> {
        let names = self.names(rng);
        let fates: Vec<Fate> = self.open.iter().map(|change| fate(change, rng)).collect();
        let mut hasher = DefaultHasher::new();
        (self.version, &names, &fates).hash(&mut hasher);
        for (slot, role) in Role::ALL.into_iter().enumerate() {
            self.show(slot, role, names[slot])?;
        }
        let mut touched = Vec::new();
        for (change, fate) in self.open.iter().zip(&fates) {
            if *fate == Fate::Gone {
                continue;
            }
            touched.push((change.file, start(change), end(change)));
            for shown in self
                .shown
                .iter()
                .flatten()
                .filter(|shown| shown.file == change.file)
            {
                show_change(&shown.handle, change, fate)?;
            }
        }
        Ok(Image {
            number: hasher.finish(),
            touched,
            journal: names[2].is_some(),
        })
    }

    /// Takes an image back, and what SQLite made of it.
    pub(super) fn put_back(&mut self, image: &Image) -> anyhow::Result<()> {
        for (file, start, end) in &image.touched {
            self.restore(*file, *start, *end)?;
        }
        for (shown, role) in self.shown.iter().zip(Role::ALL) {
            // Even a connection that only reads makes an empty log where there is none.
            let path = companion(&self.path, role);
            if shown.is_none() && path.exists() {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Copies what is shown to another directory, which is emptied first.
    pub(super) fn copy_to(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(directory) = path.parent() {
            for entry in fs::read_dir(directory)? {
                fs::remove_file(entry?.path())?;
            }
        }
        for role in Role::ALL {
            let from = companion(&self.path, role);
            if from.exists() {
                fs::copy(from, companion(path, role))?;
            }
        }
        Ok(())
    }

    /// Which file each name means. Names change in order: a later change is never there without the one before.
    fn names(&self, rng: &mut StdRng) -> [Option<usize>; 3] {
        let begun = self
            .recording
            .namings
            .iter()
            .take_while(|naming| naming.begin < self.now);
        let certain = begun
            .clone()
            .filter(|naming| naming.durable < self.now)
            .count();
        let count = rng.random_range(certain..=begun.count());
        let mut names = [None; 3];
        for naming in &self.recording.namings[..count] {
            for (slot, role) in Role::ALL.into_iter().enumerate() {
                if role == naming.role {
                    names[slot] = naming.file;
                }
            }
        }
        names
    }

    fn show(&mut self, slot: usize, role: Role, file: Option<usize>) -> anyhow::Result<()> {
        if self.shown[slot].as_ref().map(|shown| shown.file) == file {
            return Ok(());
        }
        let path = companion(&self.path, role);
        if self.shown[slot].take().is_some() {
            fs::remove_file(&path)?;
        }
        if let Some(file) = file {
            let handle = OpenOptions::new()
                .create_new(true)
                .write(true)
                .open(&path)?;
            handle.write_all_at(&self.certain[file], 0)?;
            self.shown[slot] = Some(Shown { file, handle });
        }
        Ok(())
    }

    /// Writes the certain bytes of a range, and the certain length.
    fn restore(&self, file: usize, start: u64, end: u64) -> anyhow::Result<()> {
        let certain = &self.certain[file];
        let length = certain.len() as u64;
        for shown in self
            .shown
            .iter()
            .flatten()
            .filter(|shown| shown.file == file)
        {
            let range = start.min(length) as usize..end.min(length) as usize;
            shown
                .handle
                .write_all_at(&certain[range.clone()], range.start as u64)?;
            shown.handle.set_len(length)?;
        }
        Ok(())
    }
}

/// The file beside the database that SQLite finds by its name.
pub(super) fn companion(path: &Path, role: Role) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(role.suffix());
    name.into()
}

fn start(change: &Change) -> u64 {
    match &change.what {
        What::Write { offset, .. } => *offset,
        What::Truncate { length } => *length,
    }
}

/// A truncation may take away everything behind it.
fn end(change: &Change) -> u64 {
    match &change.what {
        What::Write { offset, data } => offset + data.len() as u64,
        What::Truncate { .. } => u64::MAX,
    }
}

fn fate(change: &Change, rng: &mut StdRng) -> Fate {
    match (rng.random_range(0..4), &change.what) {
        (0, _) => Fate::Gone,
        (1, What::Write { offset, data }) if !data.is_empty() => {
            let sectors = (offset + data.len() as u64 - 1) / SECTOR - offset / SECTOR + 1;
            Fate::Torn((0..sectors).map(|_| rng.random()).collect())
        }
        _ => Fate::Whole,
    }
}

/// The parts of a write that reached the disk.
fn parts<'c>(offset: u64, data: &'c [u8], fate: &Fate) -> Vec<(u64, &'c [u8])> {
    match fate {
        Fate::Gone => Vec::new(),
        Fate::Whole => vec![(offset, data)],
        Fate::Torn(sectors) => {
            let first = offset / SECTOR;
            (first..)
                .zip(sectors)
                .filter(|(_, written)| **written)
                .map(|(sector, _)| {
                    let from = (sector * SECTOR).max(offset) - offset;
                    let to = ((sector + 1) * SECTOR - offset).min(data.len() as u64);
                    (offset + from, &data[from as usize..to as usize])
                })
                .collect()
        }
    }
}

fn apply(content: &mut Vec<u8>, change: &Change, fate: &Fate) {
    match &change.what {
        What::Truncate { length } => content.resize(*length as usize, 0),
        What::Write { offset, data } => {
            for (offset, part) in parts(*offset, data, fate) {
                let (from, to) = (offset as usize, offset as usize + part.len());
                if content.len() < to {
                    content.resize(to, 0);
                }
                content[from..to].copy_from_slice(part);
            }
        }
    }
}

fn show_change(handle: &File, change: &Change, fate: &Fate) -> std::io::Result<()> {
    match &change.what {
        What::Truncate { length } => handle.set_len(*length)?,
        What::Write { offset, data } => {
            for (offset, part) in parts(*offset, data, fate) {
                handle.write_all_at(part, offset)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_write_is_torn_where_the_disk_has_its_sectors() {
        let data = [7; 1_000];
        let torn = parts(500, &data, &Fate::Torn(vec![true, false, true]));

        let ranges: Vec<(u64, usize)> = torn
            .iter()
            .map(|(offset, part)| (*offset, part.len()))
            .collect();
        assert_eq!(ranges, [(500, 12), (1_024, 476)]);
    }
}
