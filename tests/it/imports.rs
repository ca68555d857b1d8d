//! Imports point one way: the table of `ARCHITECTURE.md`, held.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each part of `src` may name of the others; `None` is everything. Read from the table.
fn may_use() -> BTreeMap<String, Option<BTreeSet<String>>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let page = fs::read_to_string(page).unwrap();
    let mut table = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| `src/")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        let [places, _, used] = cells[..] else {
            panic!("three cells: {line}");
        };
        let used = (used.trim() != "everything").then(|| quoted(used));
        for place in quoted(places) {
            let part = place.trim_start_matches("src/").trim_end_matches(".rs");
            table.insert(part.to_owned(), used.clone());
        }
    }
    table
}

/// What stands between backticks.
fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The part of `src` that a file belongs to.
fn part(file: &Path) -> String {
    let relative = file.strip_prefix(source()).unwrap();
    let first = relative
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_str()
        .unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The parts that a file names, as `crate::part`.
fn named(text: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut parts = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            // `use crate::{a, b::c}` names several.
            Some(group) => group
                .split_once("};")
                .map_or(group, |(inside, _)| inside)
                .split(',')
                .map(str::trim)
                .collect(),
            None => vec![rest],
        };
        for name in names {
            let name: String = name
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_' || c.is_ascii_digit())
                .collect();
            parts.insert(name);
        }
    }
    parts
}

#[test]
fn imports_point_one_way() {
    let table = may_use();
    let mut wrong = Vec::new();
    let mut parts = BTreeSet::new();
    for file in files(&source()) {
        let part = part(&file);
        let Some(used) = table.get(&part) else {
            panic!("{part} is missing in the table");
        };
        parts.insert(part.clone());
        let Some(allowed) = used else {
            continue;
        };
        for name in named(&fs::read_to_string(&file).unwrap()) {
            if table.contains_key(&name) && name != part && !allowed.contains(&name) {
                wrong.push(format!("{} uses {name}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(table.into_keys().collect::<BTreeSet<_>>(), parts);
}

#[test]
fn the_pure_core_knows_no_outside() {
    let outside = [
        "tokio::",
        "sqlx::",
        "reqwest::",
        "axum::",
        "leptos",
        "std::time::",
        "std::env",
        "std::fs",
        "rand::",
        "portone::",
        "Timestamp::now",
        "tracing::",
    ];
    for file in files(&source())
        .into_iter()
        .filter(|file| part(file) == "domain")
    {
        let text = fs::read_to_string(&file).unwrap();
        for word in outside {
            assert!(!text.contains(word), "{} names {word}", file.display());
        }
    }
}

#[test]
fn features_are_switched_in_one_file() {
    for file in files(&source()) {
        let text = fs::read_to_string(&file).unwrap();
        let is_lib = file.file_name().is_some_and(|name| name == "lib.rs");
        assert!(
            is_lib || !text.contains("cfg(feature"),
            "{}",
            file.display()
        );
    }
}

/// A browser is sent islands and what they need; everything else would be weight, or a leak.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test asks the cargo that runs it"
)]
fn the_browser_gets_no_server_code() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = std::process::Command::new(cargo)
        .args([
            "tree",
            "--offline",
            "--locked",
            "--package",
            "wanryo",
            "--no-default-features",
            "--features",
            "hydrate",
            "--target",
            "wasm32-unknown-unknown",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let list = String::from_utf8(tree.stdout).unwrap();
    assert!(
        list.contains("leptos v"),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    for server_only in [
        "sqlx",
        "axum",
        "hyper",
        "reqwest",
        "tokio",
        "argon2",
        "clap",
        "portone",
        "portone-sandbox",
        "rustls",
        "jiff",
    ] {
        assert!(
            !list
                .lines()
                .any(|line| line.starts_with(&format!("{server_only} v"))),
            "{server_only} would be sent to browsers"
        );
    }
}

/// Every setting is in the README's table, and the table has no other.
#[test]
fn the_readme_lists_every_setting() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = fs::read_to_string(root.join("src/config.rs")).unwrap();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let settings: BTreeSet<&str> = config
        .split("env = \"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"'))
        .map(|(name, _)| name)
        .collect();
    assert!(settings.len() > 15);
    let listed: BTreeSet<&str> = readme
        .lines()
        .filter(|line| line.starts_with("| `"))
        .flat_map(|line| line.split('|').nth(1).unwrap_or_default().split('`'))
        .filter(|name| {
            name.chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
                && name.contains('_')
        })
        .collect();
    assert_eq!(settings, listed);
}
