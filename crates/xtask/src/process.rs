//! Running other programs. Their output goes straight to ours unless it is asked for.

use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

/// Runs a program to its end; anything but success is an error that names the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    run_if(command, |status| status.success())
}

/// The same, where `is_fine` says what is no failure.
pub(crate) fn run_if(
    command: &mut Command,
    is_fine: impl FnOnce(ExitStatus) -> bool,
) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("starting {}", line(command)))?;
    if !is_fine(status) {
        bail!("{} ended with {status}", line(command));
    }
    Ok(())
}

/// Runs a program and returns what it printed, without the line feed at its end.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("starting {}", line(command)))?;
    if !output.status.success() {
        bail!("{} ended with {}", line(command), output.status);
    }
    let text = String::from_utf8(output.stdout)
        .with_context(|| format!("reading the output of {}", line(command)))?;
    Ok(text.trim_end().to_owned())
}

/// Whether a program can be started and succeeds. Prints nothing.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The command as one would type it, near enough for an error message.
pub(crate) fn line(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy()));
    format!("`{}`", words.join(" "))
}
