//! The browser code: compiled, bound, optimised, and laid where `build.rs` picks it up.
//!
//! Files in `target/site/pkg` are written only when their content changes, for the server is rebuilt whenever they do.
//! wasm-bindgen runs as a library: its version is then held by Cargo.lock, next to the one it must match, and nothing has
//! to be installed. wasm-opt and the minifier come from npm, where they need no compiling. Compression is node's for the
//! same reason: a brotli crate would be compiled without optimisation, and take longer for this than for being built.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use wasm_bindgen_cli_support::Bindgen;

use crate::process;
use crate::progress::{self, Step};
use crate::setup::{self, WASM_TARGET};
use crate::workspace::Workspace;

/// What a buyer's phone downloads for the islands, at most. Raise it only with a reason that a buyer would accept.
const WASM_BROTLI_BYTES_MAX: u64 = 90_000;

/// Where wasm-opt and the minifier are pinned.
const NPM_DIR: &str = "crates/xtask/npm";

const GLUE: &str = "wanryo.js";
const WASM: &str = "wanryo_bg.wasm";

/// What the optimiser may use: everything that rustc itself emits for this target today.
const WASM_OPT_FLAGS: [&str; 9] = [
    "-Oz",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
    "--strip-debug",
    "--strip-producers",
];

const TERSER_FLAGS: [&str; 3] = ["--module", "--compress", "--mangle"];

/// Compresses the file named by the first argument into the second. Node's default is the highest quality, 11.
const COMPRESS: &str = r#"
const { readFileSync, writeFileSync } = require("node:fs");
const [from, to] = process.argv.slice(1);
writeFileSync(to, require("node:zlib").brotliCompressSync(readFileSync(from)));
"#;

/// `cargo xtask wasm`.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    progress::run(steps(workspace))
}

/// `cargo xtask build`: the browser code, then a release server with it inside.
pub(crate) fn run_with_server(workspace: &Workspace) -> Result<()> {
    let mut steps = steps(workspace);
    steps.push(Step::new("building the server for release", || {
        process::run(&mut workspace.cargo(&[
            "build",
            "--release",
            "--package",
            "wanryo",
            "--bin",
            "wanryo",
        ]))
    }));
    progress::run(steps)?;

    let program = workspace.target("release/wanryo");
    let bytes = file_bytes(&program)?;
    println!("{}  {:.1} MB", program.display(), bytes as f64 / 1e6);
    Ok(())
}

/// Everything it takes to have the browser code in `target/site/pkg`, from a fresh clone on.
pub(crate) fn steps(workspace: &Workspace) -> Vec<Step<'_>> {
    vec![
        Step::new("setup: wasm target", || setup::wasm_target(workspace)),
        Step::new("setup: wasm tools from npm", || {
            setup::npm_packages(workspace, NPM_DIR)
        }),
        Step::new("compiling the browser code", || compile(workspace)),
        Step::new("optimising the browser code", || optimise(workspace)),
    ]
}

fn compile(workspace: &Workspace) -> Result<()> {
    process::run(
        workspace
            .cargo(&["build", "--lib", "--package", "wanryo"])
            .args(["--no-default-features", "--features", "hydrate"])
            .args(["--profile", "wasm-release", "--target", WASM_TARGET]),
    )
}

fn optimise(workspace: &Workspace) -> Result<()> {
    let compiled = workspace.target(&format!("{WASM_TARGET}/wasm-release/wanryo.wasm"));
    let site = workspace.site();
    let pkg = site.join("pkg");
    let stamp_path = site.join("wasm.stamp");
    let source = source_stamp(workspace, &compiled)?;

    let is_current = match (fs::read_to_string(&stamp_path), outputs_stamp(&pkg)) {
        (Ok(last), Ok(outputs)) => last == source.clone() + &outputs,
        _ => false,
    };
    if is_current {
        eprintln!("the browser code is as it was");
    } else {
        let work = workspace.target("xtask-wasm");
        bind(&compiled, &work)?;
        shrink(workspace, &work)?;
        for name in [GLUE, WASM] {
            compress(&work, name)?;
        }
        let outputs = outputs_stamp(&work)?;
        fs::create_dir_all(&pkg).with_context(|| format!("creating {}", pkg.display()))?;
        if outputs_stamp(&pkg).ok().as_ref() != Some(&outputs) {
            for name in output_names() {
                let (from, to) = (work.join(&name), pkg.join(&name));
                fs::write(&to, read(&from)?)
                    .with_context(|| format!("writing {}", to.display()))?;
            }
        }
        fs::write(&stamp_path, source + &outputs)
            .with_context(|| format!("writing {}", stamp_path.display()))?;
    }
    check_sizes(&pkg)
}

/// One line that changes whenever what [`bind`] and [`shrink`] make may change.
fn source_stamp(workspace: &Workspace, compiled: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    hasher.write(&read(compiled)?);
    for file in [
        "Cargo.lock",
        "crates/xtask/npm/package-lock.json",
        "crates/xtask/src/wasm.rs",
    ] {
        hasher.write(&read(&workspace.root().join(file))?);
    }
    Ok(format!("made from {:016x}\n", hasher.finish()))
}

/// One line that changes when somebody else (cargo-leptos, say) put other files in place of ours.
fn outputs_stamp(dir: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for name in output_names() {
        hasher.write(&read(&dir.join(name))?);
    }
    Ok(format!("outputs {:016x}\n", hasher.finish()))
}

/// wasm-bindgen: the module without its bindings, and the script that makes them.
fn bind(compiled: &Path, work: &Path) -> Result<()> {
    match fs::remove_dir_all(work) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("emptying {}", work.display()));
        }
        _ => {}
    }
    Bindgen::new()
        .input_path(compiled)
        .out_name("wanryo")
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        // Pages always say which module to load: it is served under a name with a hash, which this script cannot know.
        .omit_default_module_path(true)
        .generate(work)
        .context("running wasm-bindgen")?;
    // Only the two files are served. A crate with inline JavaScript would add a third, and fail in the browser alone.
    ensure!(
        !work.join("snippets").exists(),
        "a dependency of the browser code brings inline JavaScript (wasm-bindgen \"snippets\"), which is not served"
    );
    Ok(())
}

/// wasm-opt for the module, terser for the script, both in place.
fn shrink(workspace: &Workspace, work: &Path) -> Result<()> {
    let modules = workspace.root().join(NPM_DIR).join("node_modules");
    process::run(
        Command::new("node")
            .current_dir(work)
            .arg(modules.join("binaryen/bin/wasm-opt"))
            .args(WASM_OPT_FLAGS)
            .args([WASM, "--output", WASM]),
    )?;
    process::run(
        Command::new("node")
            .current_dir(work)
            .arg(modules.join("terser/bin/terser"))
            .args(TERSER_FLAGS)
            .args(["--output", GLUE, "--", GLUE]),
    )
}

fn compress(work: &Path, name: &str) -> Result<()> {
    process::run(
        Command::new("node")
            .current_dir(work)
            .args(["--eval", COMPRESS, name])
            .arg(brotli_name(name)),
    )
}

/// The files that `build.rs` looks for. The compressed ones come last: it passes over one that is older than its source.
fn output_names() -> impl Iterator<Item = String> {
    [GLUE, WASM]
        .map(str::to_owned)
        .into_iter()
        .chain([GLUE, WASM].map(brotli_name))
}

fn brotli_name(name: &str) -> String {
    format!("{name}.br")
}

fn check_sizes(pkg: &Path) -> Result<()> {
    for name in [GLUE, WASM] {
        let bytes = file_bytes(&pkg.join(name))?;
        let brotli_bytes = file_bytes(&pkg.join(brotli_name(name)))?;
        eprintln!(
            "{name}: {:.1} kB, {:.1} kB with brotli",
            bytes as f64 / 1e3,
            brotli_bytes as f64 / 1e3
        );
        if name == WASM && brotli_bytes > WASM_BROTLI_BYTES_MAX {
            bail!(
                "the browser code is over its budget of {WASM_BROTLI_BYTES_MAX} bytes with brotli"
            );
        }
    }
    Ok(())
}

fn file_bytes(path: &Path) -> Result<u64> {
    let metadata = fs::metadata(path).with_context(|| format!("looking for {}", path.display()))?;
    Ok(metadata.len())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
        let (_, after) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
        after.split('"').next()
    }

    /// They speak a format that has no version of its own: any difference is refused when the browser code is bound.
    #[test]
    fn wasm_bindgen_and_its_tool_are_of_one_version() {
        let lock = include_str!("../../../Cargo.lock");

        let library = locked_version(lock, "wasm-bindgen");
        let tool = locked_version(lock, "wasm-bindgen-cli-support");

        assert!(library.is_some());
        assert_eq!(library, tool);
    }
}
