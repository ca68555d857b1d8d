//! `verification.md`: a line for each proof, with the commit that it was counted on.
//!
//! It is read back as it was written: what is not run anew stays as it stands.

use anyhow::Error;

/// What came of one proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It held.
    Held,
    /// A promise was broken, or the proof broke off.
    Broken,
}

/// One proof that was run.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) outcome: Outcome,
    /// What was counted, or how it broke off.
    pub(super) counted: String,
    /// The command that runs it again.
    pub(super) again: String,
    /// Failures and notes.
    pub(super) details: Vec<String>,
}

impl Line {
    /// A proof that came to no result.
    pub(super) fn broken_off(error: &Error, again: String) -> Self {
        Self {
            outcome: Outcome::Broken,
            counted: format!("{error:#}"),
            again,
            details: Vec::new(),
        }
    }
}

/// The head of the table.
const COLUMNS: &str = "| proof | result | counted | on | again |\n|---|---|---|---|---|\n";
/// Before what a proof says beyond its line.
const SECTION: &str = "\n## ";

/// What the file says of one proof.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    title: String,
    /// The other cells of its line.
    cells: String,
    /// Its section below the table.
    section: Option<String>,
}

/// The file.
#[derive(Debug)]
pub(super) struct Record {
    machine: String,
    /// What is put here was counted on this commit.
    counted_on: String,
    entries: Vec<Entry>,
    /// Titles of what was broken in this run.
    broken: Vec<String>,
}

impl Record {
    /// Goes on from the file as it was.
    pub(super) fn after(before: &str, machine: String, counted_on: String) -> Self {
        let (_, table) = before.split_once(COLUMNS).unwrap_or_default();
        let mut parts = table.split(SECTION);
        let rows = parts.next().unwrap_or_default();
        let sections: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('\n')).collect();
        let entries = rows.lines().filter_map(|row| {
            let (title, cells) = row.strip_prefix("| ")?.split_once(" | ")?;
            let of_title = sections.iter().find(|(head, _)| *head == title);
            Some(Entry {
                title: title.to_owned(),
                cells: cells.to_owned(),
                section: of_title.map(|(_, text)| (*text).to_owned()),
            })
        });
        Self {
            machine,
            counted_on,
            entries: entries.collect(),
            broken: Vec::new(),
        }
    }

    /// Writes down what came of a proof, in the place of what was there.
    pub(super) fn put(&mut self, title: &str, line: Line) {
        let outcome = match line.outcome {
            Outcome::Held => "held",
            Outcome::Broken => {
                self.broken.push(title.to_owned());
                "**broken**"
            }
        };
        let counted = line.counted.replace('\n', " ").replace('|', "\\|");
        let cells = format!(
            "{outcome} | {counted} | {} | {} |",
            self.counted_on, line.again
        );
        // A line of it must not look like the next section's head.
        let details = format!("\n{}\n", line.details.join("\n")).replace(SECTION, "\n ## ");
        let section = (!line.details.is_empty()).then(|| format!("\n```text{details}```\n"));
        let entry = Entry {
            title: title.to_owned(),
            cells,
            section,
        };
        match self.entries.iter_mut().find(|one| one.title == title) {
            Some(before) => *before = entry,
            None => self.entries.push(entry),
        }
    }

    /// Says why a proof was not run, when nothing is said of it yet.
    pub(super) fn not_run(&mut self, title: &str, why: &str) {
        if self.entries.iter().all(|one| one.title != title) {
            self.entries.push(Entry {
                title: title.to_owned(),
                cells: format!("not run | {why} | – | – |"),
                section: None,
            });
        }
    }

    /// What was broken in this run.
    pub(super) fn broken(&self) -> &[String] {
        &self.broken
    }

    /// The file's text.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "# Verification\n\nWritten by `cargo xtask verify`. Every number was counted on the commit beside it.\n\n\
            The newest of them: {}.\n\n{COLUMNS}",
            self.machine
        );
        for Entry { title, cells, .. } in &self.entries {
            text += &format!("| {title} | {cells}\n");
        }
        for Entry { title, section, .. } in &self.entries {
            if let Some(section) = section {
                text += &format!("{SECTION}{title}\n{section}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(outcome: Outcome, counted: &str, details: &[&str]) -> Line {
        Line {
            outcome,
            counted: counted.to_owned(),
            again: "`again`".to_owned(),
            details: details.iter().map(|&one| one.to_owned()).collect(),
        }
    }

    fn after(before: &str, commit: &str) -> Record {
        Record::after(before, "2 cores".to_owned(), commit.to_owned())
    }

    #[test]
    fn what_is_not_run_anew_stays_as_it_was() {
        let mut first = after("", "aaa");
        first.put(
            "model (m)",
            line(Outcome::Held, "5 states", &["a: 3", "b: 2"]),
        );
        first.not_run("kill (k)", "the time was over");
        first.put("race (r)", line(Outcome::Held, "1 | 2", &["## not a head"]));
        let text = first.text();

        assert_eq!(after(&text, "bbb").text(), text);
        let mut second = after(&text, "bbb");
        second.not_run("model (m)", "others were named");
        second.put("kill (k)", line(Outcome::Held, "7 kills", &[]));
        second.put("race (r)", line(Outcome::Broken, "3", &["seed 9"]));

        assert_eq!(second.broken(), ["race (r)"]);
        let text = second.text();
        for (row, times) in [
            ("| model (m) | held | 5 states | aaa | `again` |\n", 1),
            ("| kill (k) | held | 7 kills | bbb | `again` |\n", 1),
            ("| race (r) | **broken** | 3 | bbb | `again` |\n", 1),
            ("## model (m)\n\n```text\na: 3\nb: 2\n```\n", 1),
            ("## race (r)\n\n```text\nseed 9\n```\n", 1),
            ("not a head", 0),
        ] {
            assert_eq!(text.matches(row).count(), times, "{row}: {text}");
        }
    }
}
