//! Where things are, and how to call cargo from within `cargo run`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The clone this program was started in.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
    cargo: OsString,
    /// Variables that `cargo run` set about xtask itself, see [`Workspace::cargo`].
    about_xtask: Vec<OsString>,
}

impl Workspace {
    /// Finds the workspace from what cargo tells the programs it runs.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the task runner reads its environment"
    )]
    pub(crate) fn find() -> Result<Self> {
        let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")
            .map(PathBuf::from)
            .context("xtask runs under cargo: `cargo xtask …`")?;
        let root = manifest_dir
            .ancestors()
            .nth(2)
            .context("crates/xtask is two levels below the workspace's root")?
            .to_path_buf();
        // The program lies in TARGET/debug/xtask, wherever CARGO_TARGET_DIR or a config file put TARGET.
        let target = std::env::current_exe()
            .context("finding the path of xtask itself")?
            .ancestors()
            .nth(2)
            .context("xtask lies two levels below the target directory")?
            .to_path_buf();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let about_xtask = std::env::vars_os()
            .map(|(name, _)| name)
            .filter(|name| {
                let name = name.to_string_lossy();
                name.starts_with("CARGO_PKG_")
                    || name.starts_with("CARGO_MANIFEST_")
                    || name == "CARGO_BIN_NAME"
                    || name == "CARGO_CRATE_NAME"
            })
            .collect();
        Ok(Self {
            root,
            target,
            cargo,
            about_xtask,
        })
    }

    /// The directory of the workspace's Cargo.toml.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path below cargo's target directory.
    pub(crate) fn target(&self, path: &str) -> PathBuf {
        self.target.join(path)
    }

    /// Where the browser code goes: `build.rs` reads it from here, so it does not move with CARGO_TARGET_DIR.
    pub(crate) fn site(&self) -> PathBuf {
        self.root.join("target/site")
    }

    /// A cargo command in the workspace's root.
    ///
    /// `cargo run` tells xtask about itself in `CARGO_PKG_*` and `CARGO_MANIFEST_*`. Build scripts that watch those
    /// (ring's does) would run again, and everything above them, whenever `cargo xtask` and plain `cargo` take turns.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.cargo);
        command.current_dir(&self.root).args(args);
        for name in &self.about_xtask {
            command.env_remove(name);
        }
        command
    }
}
