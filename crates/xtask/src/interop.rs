//! `cargo xtask test interop`: the sandbox judged by programs that others wrote, and by PortOne's API descriptions; our own API by
//! Schemathesis.

use std::path::PathBuf;
use std::process::Command;

use crate::process;
use crate::progress::Step;
use crate::setup;
use crate::workspace::Workspace;

/// The tests, and the lock files of the programs that they run.
const INTEROP_DIR: &str = "interop";

pub(crate) fn setup_steps(workspace: &Workspace) -> [Step<'_>; 4] {
    [
        Step::new("setup: npm packages of the interop tests", || {
            setup::npm_packages(workspace, INTEROP_DIR)
        }),
        Step::new("setup: Python", setup::python),
        Step::new("setup: Python packages of the interop tests", || {
            let requirements = workspace.root().join(INTEROP_DIR).join("requirements.txt");
            setup::python_packages(&requirements, &python_packages(workspace))
        }),
        // Apart from the others, which ask for older versions of the same packages.
        Step::new("setup: Schemathesis", || {
            let requirements = workspace.root().join(INTEROP_DIR).join("schemathesis.txt");
            setup::python_packages(&requirements, &schemathesis(workspace))
        }),
    ]
}

/// Needs the programs and examples of the workspace, as cargo builds them for debugging.
pub(crate) fn step(workspace: &Workspace) -> Step<'_> {
    Step::new("interop tests", || {
        process::run(
            Command::new("npm")
                .current_dir(workspace.root().join(INTEROP_DIR))
                .args(["test", "--silent"])
                .env("WANRYO_BIN_DIR", workspace.target("debug"))
                .env("WANRYO_PYTHON_PACKAGES", python_packages(workspace))
                .env("WANRYO_SCHEMATHESIS", schemathesis(workspace)),
        )
    })
}

fn python_packages(workspace: &Workspace) -> PathBuf {
    workspace.target("interop/python")
}

fn schemathesis(workspace: &Workspace) -> PathBuf {
    workspace.target("interop/schemathesis")
}
