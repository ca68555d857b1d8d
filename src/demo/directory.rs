//! A directory that is there as long as the demo runs.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::adapters::system::SystemEntropy;
use crate::ports::entropy::draw;

/// A fresh directory that only this user can open. Removed with all that is in it when it is dropped.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn create() -> anyhow::Result<Self> {
        let name: [u8; 8] = draw(&SystemEntropy);
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = std::env::temp_dir().join(format!("wanryo-demo-{name}"));
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("the directory {} cannot be made", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the directory {} could not be removed",
                self.0.display()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_it_stays() {
        let directory = Directory::create().unwrap();
        let path = directory.path().to_owned();
        std::fs::write(path.join("wanryo.db"), "x").unwrap();

        drop(directory);

        assert!(!path.exists());
    }
}
