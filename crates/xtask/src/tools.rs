//! Programs from crates.io, below the target directory: nothing is put into a developer's home.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::process::run;
use crate::workspace::Workspace;

/// A program with the version that was tried here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    /// Of the package and of its program.
    pub(crate) name: &'static str,
    /// Exactly this one.
    pub(crate) version: &'static str,
}

/// Compiles the program unless it is there, and says where it lies.
pub(crate) fn install(workspace: &Workspace, tool: Tool) -> Result<PathBuf> {
    let tools = workspace.target("tools");
    let program = tools.join("bin").join(tool.name);
    let wanted = format!("\"{} {} ", tool.name, tool.version);
    let is_listed =
        fs::read_to_string(tools.join(".crates.toml")).is_ok_and(|list| list.contains(&wanted));
    if !is_listed || !program.is_file() {
        run(workspace
            .cargo(&["install", tool.name, "--locked", "--version", tool.version])
            .arg("--root")
            .arg(&tools))?;
    }
    Ok(program)
}
