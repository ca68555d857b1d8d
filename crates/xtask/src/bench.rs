//! `cargo xtask bench`: what a payment costs, measured on release builds.

use std::process::Command;

use anyhow::Result;

use crate::process;
use crate::progress::{self, Step};
use crate::wasm;
use crate::workspace::Workspace;

/// Builds what is shipped, and what it is measured with, then measures.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut steps = wasm::steps(workspace);
    steps.push(Step::new("building for release", || {
        process::run(&mut workspace.cargo(&[
            "build",
            "--release",
            "--bins",
            "--package",
            "wanryo",
            "--package",
            "portone-sandbox",
            "--package",
            "bench",
        ]))
    }));
    steps.push(Step::new("measuring", || {
        process::run(&mut Command::new(workspace.target("release/bench")))
    }));
    progress::run(steps)
}
