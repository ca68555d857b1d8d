//! `cargo xtask demo`: from a fresh clone to a shop in the browser.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::progress::{self, Step};
use crate::wasm;
use crate::workspace::Workspace;

/// Builds what is needed and becomes `wanryo demo`.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    let mut steps = wasm::steps(workspace);
    steps.push(Step::new("building the server", || {
        process::run(&mut workspace.cargo(&["build", "--package", "wanryo", "--bin", "wanryo"]))
    }));
    progress::run(steps)?;

    // Replacing this process instead of waiting for a child: Ctrl-C and `kill` reach the server itself, and its exit
    // code is ours.
    let program = workspace.target("debug/wanryo");
    let error = Command::new(&program)
        .current_dir(workspace.root())
        .arg("demo")
        .args(args)
        .exec();
    Err(error).with_context(|| format!("starting {}", program.display()))
}
