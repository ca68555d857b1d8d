//! `cargo xtask lighthouse`: what Lighthouse says of every result page of the release build.

use anyhow::Result;

use crate::process;
use crate::progress::{self, Step};
use crate::setup;
use crate::test::{BROWSER_TESTS_DIR, npx};
use crate::wasm;
use crate::workspace::Workspace;

/// Builds what is shipped, then has its pages judged, one after the other, so that none slows another down.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut steps = vec![
        Step::new("setup: Debian packages", setup::debian_packages),
        Step::new("setup: npm packages of the browser tests", || {
            setup::npm_packages(workspace, BROWSER_TESTS_DIR)
        }),
    ];
    steps.extend(wasm::steps(workspace));
    steps.push(Step::new("building for release", || {
        process::run(&mut workspace.cargo(&["build", "--release", "--bins", "--package", "wanryo"]))
    }));
    steps.push(Step::new("Lighthouse", || {
        process::run(
            npx(workspace)
                .args(["playwright", "test"])
                .args(["--project", "lighthouse", "--workers", "1"])
                .env("WANRYO_LIGHTHOUSE", "all")
                .env("WANRYO_BIN_DIR", workspace.target("release")),
        )
    }));
    progress::run(steps)
}
