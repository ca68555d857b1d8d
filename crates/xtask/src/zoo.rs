//! `cargo xtask zoo`: plants bugs in a copy of the shipped code, one at a time, and wants the simulator to find each.
//!
//! A bug is a patch in `crates/proofs/zoo` whose wrong branch is guarded by `crate::planted("name")`, the name being the
//! patch's. All of them are applied to one copy and built once; a variable of the environment then says which one is there. The
//! sources that are shipped know nothing of it. What a database holds, the simulator's tables hold in its place: bugs of its
//! statements are planted there.
//!
//! A patch that no longer applies fails the run by its name, and so does a bug that nothing finds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process::{output, run};
use crate::workspace::Workspace;

/// Schedules within which a bug must be found: the rarest shows once in some 8,000.
const SCHEDULES_MAX: u64 = 50_000;
/// Schedules that the copy must pass with no bug planted, or finding one means nothing.
const SCHEDULES_WITHOUT: u64 = 2_000;
/// Says to the copy which bug is planted.
const VARIABLE: &str = "WANRYO_PLANTED";
/// What the patches call, added to the copy.
const PLANTED: &str = r#"//! Which bug is planted.

use std::sync::OnceLock;

#[expect(clippy::disallowed_methods, reason = "a copy of the sources that is never shipped")]
pub(crate) fn planted(name: &str) -> bool {
    static NAME: OnceLock<Option<String>> = OnceLock::new();
    NAME.get_or_init(|| std::env::var("WANRYO_PLANTED").ok()).as_deref() == Some(name)
}
"#;

/// What the simulator said of one bug.
struct Finding {
    /// Schedules that were run.
    schedules: u64,
    /// The broken promise; nothing when none was.
    broken: Option<String>,
}

/// Plants every bug. Anything but "each was found" is an error.
pub(crate) fn run_all(workspace: &Workspace) -> Result<()> {
    let patches = patches(workspace.root())?;
    let tree = workspace.target("zoo/tree");
    copy(workspace.root(), &tree)?;
    plant(&tree, &patches)?;
    // A directory of its own: what is built here must never be taken for the real thing.
    let target = workspace.target("zoo/target");
    run(workspace
        .cargo(&["build", "--package", "proofs"])
        .current_dir(&tree)
        .env("CARGO_TARGET_DIR", &target))?;
    let proofs = target.join("debug/proofs");

    let without = simulate(&proofs, None, SCHEDULES_WITHOUT)?;
    if let Some(broken) = without.broken {
        bail!("the simulator finds something with no bug planted: {broken}");
    }
    let mut missed = Vec::new();
    for patch in &patches {
        let name = name(patch)?;
        let finding = simulate(&proofs, Some(name), SCHEDULES_MAX)?;
        match finding.broken {
            Some(broken) => println!("{name}: after {} schedules: {broken}", finding.schedules),
            None => {
                println!("{name}: NOT FOUND in {} schedules", finding.schedules);
                missed.push(name);
            }
        }
    }
    if !missed.is_empty() {
        bail!("planted and not found: {}", missed.join(", "));
    }
    println!("{} bugs planted, {0} found", patches.len());
    Ok(())
}

fn patches(root: &Path) -> Result<Vec<PathBuf>> {
    let folder = root.join("crates/proofs/zoo");
    let mut patches = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "patch")
        {
            patches.push(path);
        }
    }
    patches.sort();
    Ok(patches)
}

fn name(patch: &Path) -> Result<&str> {
    patch
        .file_stem()
        .and_then(|stem| stem.to_str())
        .with_context(|| format!("{} has no name", patch.display()))
}

/// Copies what git knows, and what it would know after `git add`.
fn copy(root: &Path, tree: &Path) -> Result<()> {
    if tree.exists() {
        fs::remove_dir_all(tree).with_context(|| format!("removing {}", tree.display()))?;
    }
    let files = output(
        Command::new("git")
            .current_dir(root)
            .args(["-c", "core.quotePath=false", "ls-files"])
            .args(["--cached", "--others", "--exclude-standard"]),
    )?;
    for file in files.lines() {
        let (from, to) = (root.join(file), tree.join(file));
        // A file that is deleted and not committed yet.
        if !from.exists() {
            continue;
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        fs::copy(&from, &to).with_context(|| format!("copying {file}"))?;
    }
    Ok(())
}

fn plant(tree: &Path, patches: &[PathBuf]) -> Result<()> {
    for patch in patches {
        // One line around a change is enough: lines elsewhere in the file may come and go. The copy lies in a folder that git
        // ignores, and must not be taken for a part of the repository around it.
        run(Command::new("git")
            .current_dir(tree)
            .env("GIT_CEILING_DIRECTORIES", tree.parent().unwrap_or(tree))
            .args(["apply", "-C1"])
            .arg(patch))
        .with_context(|| format!("{} no longer applies", patch.display()))?;
        let (name, text) = (name(patch)?, fs::read_to_string(patch)?);
        if !text.contains(&format!("crate::planted(\"{name}\")")) {
            bail!("{} plants nothing of its name", patch.display());
        }
    }
    for sources in ["src", "crates/proofs/src"] {
        let sources = tree.join(sources);
        fs::write(sources.join("planted.rs"), PLANTED)?;
        let library = sources.join("lib.rs");
        let text = fs::read_to_string(&library)?;
        fs::write(
            &library,
            format!("{text}\nmod planted;\npub(crate) use planted::planted;\n"),
        )?;
    }
    Ok(())
}

fn simulate(proofs: &Path, planted: Option<&str>, schedules: u64) -> Result<Finding> {
    let mut command = Command::new(proofs);
    command
        .args(["simulate", "--stop-early", "--schedules"])
        .arg(schedules.to_string())
        .env_remove(VARIABLE)
        .stdin(Stdio::null())
        // A planted bug may make the code panic, over and over.
        .stderr(Stdio::null());
    if let Some(name) = planted {
        command.env(VARIABLE, name);
    }
    // It fails when it finds something, so its status says nothing that its report does not.
    let answer = command.output().context("starting the simulator")?;
    let report = String::from_utf8_lossy(&answer.stdout);
    // `simulate: 17 schedules in …`, then a line for each broken promise.
    let schedules = report
        .split_whitespace()
        .nth(1)
        .and_then(|count| count.parse().ok())
        .context("the simulator gave no report")?;
    let broken = report
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("schedule ") || line.starts_with("never came up"))
        .map(str::to_owned);
    Ok(Finding { schedules, broken })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cargo xtask zoo` runs for minutes, and so not at every push. That its bugs can still be planted is seen here.
    #[test]
    fn every_patch_applies_to_the_sources_as_they_are() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let tree = std::env::temp_dir().join(format!("xtask-zoo-{}", std::process::id()));
        let patches = patches(&root).unwrap();

        let planted = copy(&root, &tree).and_then(|()| plant(&tree, &patches));

        fs::remove_dir_all(&tree).unwrap();
        planted.unwrap();
        assert!(patches.len() >= 20, "{} bugs", patches.len());
    }
}
