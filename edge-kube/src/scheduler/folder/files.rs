//! Files that are there as a whole or not at all, also after a crash.

use std::collections::hash_map::RandomState;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::input::is_hidden;

/// Hidden, so that nobody takes it for a manifest.
const PREFIX: &str = ".edge-kube-";
const SUFFIX: &str = ".tmp";
const LOCK: &str = ".edge-kube-lock";
/// A folder that somebody removes as it becomes empty is made again so often.
const TRIES: usize = 10;

/// A new file that nobody sees yet, on the disk. Removed when it is dropped.
pub(super) struct Draft(PathBuf);

impl Draft {
    /// Writes the content of what will be `path`, in the same folder, which is made if need be.
    pub(super) fn write(path: &Path, content: &[u8]) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let draft = Self(folder.join(format!("{PREFIX}{}-{count}{SUFFIX}", std::process::id())));
        let mut tries = 0;
        let mut file = loop {
            tries += 1;
            fs::create_dir_all(folder)?;
            match OpenOptions::new().write(true).create_new(true).open(&draft.0) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES => {}
                other => break other?,
            }
        };
        file.write_all(content)?;
        file.sync_all()?;
        Ok(draft)
    }

    /// Puts it in place of what is there.
    pub(super) fn replace(&self, path: &Path) -> io::Result<()> {
        fs::rename(&self.0, path)
    }

    /// Puts it where nothing is; else the error is `AlreadyExists`.
    pub(super) fn create(&self, path: &Path) -> io::Result<()> {
        match fs::hard_link(&self.0, path) {
            Ok(()) => fs::remove_file(&self.0),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            // A file system without hard links.
            Err(_) if fs::symlink_metadata(path).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => self.replace(path),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It is there only if something went wrong; the next start cleans up what cannot be removed now.
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes sure that what was done in the file's folder survives a crash.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent().map(File::open) {
        Some(Ok(folder)) => folder.sync_all(),
        // Somebody removed it, as it was empty.
        Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Some(Err(error)) => Err(error),
        None => Ok(()),
    }
}

/// Removes the folder of a file if nothing is left in it, but never `root`.
pub(super) fn remove_empty_folder(root: &Path, path: &Path) {
    if let Some(folder) = path.parent().filter(|folder| *folder != root) {
        // A folder with something in it cannot be removed.
        let _ = fs::remove_dir(folder);
    }
}

/// Keeps other processes from writing to the folder, as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    /// Closing it gives the lock back.
    _file: File,
}

impl Lock {
    /// `None` if another process has it.
    pub(super) fn take(folder: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(LOCK))?;
        match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            // A file system without locks.
            Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(Some(Self { _file: file })),
        }
    }
}

/// Removes what a crash left behind in `root` and in the folders in it.
pub(super) fn clean(root: &Path) -> io::Result<()> {
    let drafts = |folder: &Path| -> io::Result<Vec<PathBuf>> {
        let mut folders = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
                fs::remove_file(entry.path())?;
            } else if entry.file_type()?.is_dir() && !is_hidden(name.as_ref().as_ref()) {
                folders.push(entry.path());
            }
        }
        Ok(folders)
    };
    for folder in drafts(root)? {
        drafts(&folder)?;
    }
    Ok(())
}

/// An identity that nothing had before, in the form of a random UUID.
pub(super) fn new_uid() -> String {
    // Each state has keys of its own, from the system's source of randomness.
    let random = || {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        hasher.finish()
    };
    let (high, low) = (random(), random());
    let time = |shift: u32| (high >> shift) & 0xffff;
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        time(16),
        time(0) & 0xfff,
        (low >> 48) & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}
