//! `cargo xtask mutants`: changes every expression of `src/domain` and of what the client verifies and reads of webhooks and
//! redirects in turn, and wants a test of it to fail each time.
//!
//! The whole app takes a minute to build, so its domain is mutated as a package of its own, made here: `src/domain` and the crates
//! that it needs, at the versions of Cargo.lock. That it builds at all shows that the domain needs nothing else of ours.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, bail};

use crate::process::run_if;
use crate::tools::{self, Tool};
use crate::workspace::Workspace;

/// <https://mutants.rs>
const CARGO_MUTANTS: Tool = Tool {
    name: "cargo-mutants",
    version: "27.1.0",
};
/// How long the tests may take with one mutant, in seconds; a healthy run takes two or three.
const TEST_SECONDS_MAX: &str = "60";
/// What it ends with when the tests of some mutants came to no end, and all others were caught. Who walks through windows of time
/// that do not move on any more walks for ever: that is seen, too. <https://mutants.rs/exit-codes.html>
const HANGS: i32 = 3;
/// Mutants that are built and tested at the same time.
const JOBS: &str = "2";

/// What the domain needs to run.
const DEPENDENCIES: [&str; 13] = [
    "hmac",
    "ipnet",
    "iso_currency",
    "jiff",
    "percent-encoding",
    "rust_decimal",
    "secrecy",
    "serde",
    "serde_json",
    "sha1",
    "sha2",
    "thiserror",
    "url",
];
/// What its tests need beside.
const DEV_DEPENDENCIES: [&str; 1] = ["proptest"];

/// The client's files whose every expression counts: what a stranger sends is read and verified there.
const CLIENT_FILES: [&str; 3] = [
    "crates/portone/src/redirect.rs",
    "crates/portone/src/webhook.rs",
    "crates/portone/src/webhook/**",
];

/// Mutates the domain, as a package made for it, and the client. Anything but "every mutant was caught" is an error.
pub(crate) fn run_all(workspace: &Workspace) -> Result<()> {
    let program = tools::install(workspace, CARGO_MUTANTS)?;
    let package = workspace.target("mutants/domain");
    make_package(workspace, &package)?;
    let mut domain = mutants(&program, &package, &workspace.target("mutants"));
    run_if(&mut domain, all_caught)
        .context("a mutant of src/domain was not caught; mutants.out/missed.txt names it")?;
    let mut client = mutants(
        &program,
        workspace.root(),
        &workspace.target("mutants/portone"),
    );
    for file in CLIENT_FILES {
        client.args(["--file", file]);
    }
    client.args(["--package", "portone", "--test-package", "portone"]);
    run_if(&mut client, all_caught)
        .context("a mutant of the client was not caught; mutants.out/missed.txt names it")
}

fn all_caught(status: ExitStatus) -> bool {
    status.success() || status.code() == Some(HANGS)
}

fn mutants(program: &Path, dir: &Path, output: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .arg("mutants")
        .arg("--dir")
        .arg(dir)
        .arg("--output")
        .arg(output)
        .args(["--jobs", JOBS, "--timeout", TEST_SECONDS_MAX])
        .args(["--no-shuffle", "--colors", "never"])
        // What is mutated has a warm directory of its own; xtask's would be in the way.
        .env_remove("CARGO_TARGET_DIR");
    command
}

fn make_package(workspace: &Workspace, package: &Path) -> Result<()> {
    let source = package.join("src");
    match fs::remove_dir_all(&source) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("emptying {}", source.display()));
        }
        _ => {}
    }
    let root = workspace.root();
    copy_tree(&root.join("src/domain"), &source.join("domain"))?;
    copy(&root.join("src/domain.rs"), &source.join("domain.rs"))?;
    write(
        &source.join("lib.rs"),
        "//! wanryo's domain alone.\n\npub mod domain;\n",
    )?;
    // A test holds colours of the pages beside what the domain works out.
    copy_tree(&root.join("style"), &package.join("style"))?;
    copy(&root.join("Cargo.lock"), &package.join("Cargo.lock"))?;
    let manifest = root.join("Cargo.toml");
    let manifest =
        fs::read_to_string(&manifest).with_context(|| format!("reading {}", manifest.display()))?;
    write(&package.join("Cargo.toml"), &package_manifest(&manifest)?)
}

/// The manifest of the package, with the versions and features that the app asks for.
fn package_manifest(app: &str) -> Result<String> {
    let mut text = String::from(
        "[package]\nname = \"wanryo-domain\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n[workspace]\n\n[dependencies]\n",
    );
    for name in DEPENDENCIES {
        text += &requirement(app, name)?;
    }
    text += "\n[dev-dependencies]\n";
    for name in DEV_DEPENDENCIES {
        text += &requirement(app, name)?;
    }
    // A mutant is built once and its tests run once: debug information would only be written.
    text += "\n[profile.dev]\ndebug = false\n";
    Ok(text)
}

/// The line that asks for a crate. The workspace's own line stands above those that refer to it.
fn requirement(app: &str, name: &str) -> Result<String> {
    let line = app.lines().find(|line| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(" = "))
    });
    match line {
        Some(line) => Ok(line.replace(", optional = true", "") + "\n"),
        None => bail!("Cargo.toml asks for no crate {name}"),
    }
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry.with_context(|| format!("reading {}", from.display()))?;
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &to)?;
        } else {
            copy(&entry.path(), &to)?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("copying {} to {}", from.display(), to.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{DEPENDENCIES, DEV_DEPENDENCIES, package_manifest};

    #[test]
    fn the_package_asks_for_what_the_app_asks_for() {
        let app = include_str!("../../../Cargo.toml");

        let manifest = package_manifest(app).unwrap();

        assert!(manifest.contains("\njiff = { version ="), "{manifest}");
        assert!(manifest.contains("\nproptest = { version ="), "{manifest}");
        assert!(!manifest.contains("optional"), "{manifest}");
        assert!(!manifest.contains("workspace = true"), "{manifest}");
    }

    /// `cargo xtask mutants` runs for long, and so not at every push. That its package can still be built is seen here.
    #[test]
    fn the_package_has_every_crate_that_the_domain_uses() {
        let domain = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src/domain");
        let (mut folders, mut uses) = (vec![domain], 0);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                for used in text
                    .lines()
                    .filter_map(|line| line.trim().strip_prefix("use "))
                {
                    let name = used.split("::").next().unwrap_or_default();
                    if ["crate", "super", "self", "std"].contains(&name)
                        || !name.starts_with(char::is_lowercase)
                    {
                        continue;
                    }
                    let mut known = DEPENDENCIES.iter().chain(&DEV_DEPENDENCIES);
                    assert!(
                        known.any(|known| known.replace('-', "_") == name),
                        "{name}, of {}",
                        path.display()
                    );
                    uses += 1;
                }
            }
        }
        assert!(uses > 20, "{uses}");
    }

    #[test]
    fn a_crate_that_the_app_does_not_ask_for_is_an_error() {
        assert!(package_manifest("jiff = \"0.2\"\n").is_err());
    }
}
