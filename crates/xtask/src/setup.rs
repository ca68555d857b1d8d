//! What a fresh machine lacks: the wasm target, npm packages, Python packages, Debian packages.
//!
//! Every function looks first and does nothing when the thing is there, so a second run costs milliseconds.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{output, run, succeeds};
use crate::workspace::Workspace;

/// What the browser code is compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// What Playwright and the wasm tools ask for.
const NODE_MAJOR_MIN: u32 = 20;

/// Debian's Chromium: Playwright's own browsers come from a vendor's server, Debian's from the Debian registry.
const CHROMIUM: &str = "/usr/bin/chromium-headless-shell";

/// The other engines that the pages are tested in, Debian's for the same reason.
const FIREFOX: &str = "/usr/bin/firefox-esr";

/// Drives WebKitGTK; its little browser comes with it.
const WEBKIT_DRIVER: &str = "/usr/bin/WebKitWebDriver";

/// A display for WebKitGTK, which has no mode without one.
const XVFB: &str = "/usr/bin/Xvfb";

/// Where Debian keeps the server programs of each PostgreSQL version.
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";

/// Hangul in Chromium's screenshots; without it every page shows boxes.
const KOREAN_FONT: &str = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc";

/// Records what a server gives to its disk, for the proof of the power cut.
const STRACE: &str = "/usr/bin/strace";

/// npm's name for the file that pins every package.
const NPM_LOCK: &str = "package-lock.json";

/// A copy of the lock file that `node_modules` was installed from. Equal means up to date.
const NPM_STAMP: &str = "node_modules/.installed-from";

/// A copy of the `requirements.txt` that a directory of Python packages was installed from.
const PYTHON_STAMP: &str = ".installed-from";

/// Adds the wasm target. `rust-toolchain.toml` lists it, but rustup installs nothing by itself where
/// `RUSTUP_AUTO_INSTALL=0` is set.
pub(crate) fn wasm_target(workspace: &Workspace) -> Result<()> {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(workspace.root());
    let library_dir = output(rustc.args(["--print", "target-libdir", "--target", WASM_TARGET]))?;
    if Path::new(&library_dir).is_dir() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.current_dir(workspace.root());
    run(rustup.args(["target", "add", WASM_TARGET]))
        .context("the browser code needs rustc's wasm32-unknown-unknown target")
}

/// Adds rustfmt and clippy, which rustup's minimal profile leaves out.
pub(crate) fn lint_tools(workspace: &Workspace) -> Result<()> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !succeeds(&mut workspace.cargo(&[subcommand, "--version"])) {
            let mut rustup = Command::new("rustup");
            rustup.current_dir(workspace.root());
            run(rustup.args(["component", "add", component]))?;
        }
    }
    Ok(())
}

/// Installs what the directory's `package-lock.json` names, without running any package's scripts.
pub(crate) fn npm_packages(workspace: &Workspace, dir: &str) -> Result<()> {
    check_node()?;
    let dir = workspace.root().join(dir);
    let lock_path = dir.join(NPM_LOCK);
    let lock = fs::read(&lock_path).with_context(|| format!("reading {}", lock_path.display()))?;
    let stamp = dir.join(NPM_STAMP);
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    run(Command::new("npm")
        .current_dir(&dir)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"))?;
    fs::write(&stamp, lock).with_context(|| format!("writing {}", stamp.display()))
}

/// Installs what a `requirements.txt` with hashes names into a directory of its own, for `PYTHONPATH`.
pub(crate) fn python_packages(requirements_path: &Path, packages: &Path) -> Result<()> {
    let requirements = fs::read(requirements_path)
        .with_context(|| format!("reading {}", requirements_path.display()))?;
    let stamp = packages.join(PYTHON_STAMP);
    if fs::read(&stamp).is_ok_and(|installed| installed == requirements) {
        return Ok(());
    }
    match fs::remove_dir_all(packages) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("emptying {}", packages.display()));
        }
        _ => {}
    }
    run(Command::new("python3")
        .args(["-m", "pip", "install", "--quiet"])
        .arg("--disable-pip-version-check")
        .args(["--root-user-action", "ignore"])
        // Wheels alone: building a package would run its scripts.
        .args(["--no-deps", "--only-binary", ":all:", "--require-hashes"])
        .arg("--target")
        .arg(packages)
        .arg("--requirement")
        .arg(requirements_path))?;
    fs::write(&stamp, requirements).with_context(|| format!("writing {}", stamp.display()))
}

/// Python with pip: from Debian, if this machine has none.
pub(crate) fn python() -> Result<()> {
    let has_pip = || succeeds(Command::new("python3").args(["-m", "pip", "--version"]));
    if has_pip() {
        return Ok(());
    }
    install_debian(&["python3-pip"])?;
    if !has_pip() {
        bail!("`python3 -m pip` does not work: the python3 that PATH names first has no pip");
    }
    Ok(())
}

fn check_node() -> Result<()> {
    let version = output(Command::new("node").arg("--version"))
        .with_context(|| format!("node {NODE_MAJOR_MIN} or newer is needed"))?;
    match node_major(&version) {
        Some(major) if major >= NODE_MAJOR_MIN => Ok(()),
        _ => bail!("node {NODE_MAJOR_MIN} or newer is needed, this is {version}"),
    }
}

fn node_major(version: &str) -> Option<u32> {
    let (major, _) = version.strip_prefix('v')?.split_once('.')?;
    major.parse().ok()
}

/// Installs the browsers, PostgreSQL, Korean fonts, strace, curl and Python from Debian. Only root can; for others the command is
/// in the error.
pub(crate) fn debian_packages() -> Result<()> {
    let missing: Vec<&str> = [
        ("chromium-headless-shell", Path::new(CHROMIUM).exists()),
        ("firefox-esr", Path::new(FIREFOX).exists()),
        ("webkit2gtk-driver", Path::new(WEBKIT_DRIVER).exists()),
        ("xvfb", Path::new(XVFB).exists()),
        ("postgresql", postgres_programs().is_some()),
        ("fonts-noto-cjk", Path::new(KOREAN_FONT).exists()),
        ("strace", Path::new(STRACE).exists()),
        ("curl", succeeds(Command::new("curl").arg("--version"))),
        (
            "python3",
            succeeds(Command::new("python3").arg("--version")),
        ),
    ]
    .into_iter()
    .filter_map(|(package, is_there)| (!is_there).then_some(package))
    .collect();
    if missing.is_empty() {
        return Ok(());
    }
    install_debian(&missing)
}

fn install_debian(missing: &[&str]) -> Result<()> {
    if !is_root()? {
        bail!(
            "Debian packages are missing, and installing them takes root. Run this, then try again:\n\n    \
             sudo apt-get update && sudo apt-get install -y --no-install-recommends {}\n",
            missing.join(" ")
        );
    }
    run(apt_get().arg("update"))?;
    run(apt_get()
        .args(["install", "-y", "--no-install-recommends"])
        .args(missing))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Another apt-get (unattended upgrades, say) may hold the lock for a moment.
        .args(["-o", "DPkg::Lock::Timeout=120"]);
    command
}

/// The directory of `initdb` and `pg_ctl` of the newest PostgreSQL here; Debian does not put them on PATH.
pub(crate) fn postgres_programs() -> Option<PathBuf> {
    fs::read_dir(POSTGRES_VERSIONS)
        .ok()?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
            let programs = path.join("bin");
            programs
                .join("initdb")
                .exists()
                .then_some((version, programs))
        })
        .max()
        .map(|(_, programs)| programs)
}

/// Whether this process runs as root: the owner of its own entry in /proc is its effective user.
pub(crate) fn is_root() -> Result<bool> {
    let metadata = fs::metadata("/proc/self").context("asking /proc who runs this")?;
    Ok(metadata.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::node_major;

    #[test]
    fn node_says_its_major_version_first() {
        assert_eq!(node_major("v20.20.2"), Some(20));
        assert_eq!(node_major("v8.1.0"), Some(8));
        assert_eq!(node_major("20"), None);
    }
}
