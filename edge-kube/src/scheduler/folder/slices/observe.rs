//! From files to what is known of slices.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use edge_core::object::{ObjectKey, SinglePlacementSlice};
use edge_core::publisher::Seen;

use super::super::content::{Content, Stamp};
use super::super::files::{self, Draft};
use super::super::tree::Found;
use super::{Entry, Sight, Slices, State, bare, is_slices, key_of, text};
use crate::input::Loaded;

/// The extension of a file whose slices now have files of their own.
const ADOPTED: &str = "adopted";

impl Slices {
    /// All files have been looked at once.
    pub(in super::super) fn set_listed(&self) {
        self.lock().listed = true;
    }

    pub(in super::super) fn is_listed(&self) -> bool {
        self.lock().listed
    }

    /// Which of the files that there are, or were, have to be looked at.
    pub(in super::super) fn outdated(&self, found: &Found) -> Vec<PathBuf> {
        let state = self.lock();
        let current = |path: &Path, stamp: &Stamp| match state.keys.get(path).and_then(|key| state.entries.get(key)) {
            Some(entry) => entry.stamp == *stamp,
            None => state.strays.get(path) == Some(stamp),
        };
        let changed = found.files.iter().filter(|(path, stamp)| !current(path, stamp)).map(|(path, _)| path);
        let known = state.keys.keys().chain(state.strays.keys());
        changed.chain(known.filter(|path| !found.files.contains_key(*path))).cloned().collect()
    }

    /// Looks at a file: what is new about its slice. Adds to `more` files that have to be looked at because of that.
    pub(in super::super) fn observe(&self, path: &Path, more: &mut Vec<PathBuf>) -> Option<Sight> {
        let mut state = self.lock();
        self.observe_locked(&mut state, path, more)
    }

    /// The same, with the lock held: between reading and comparing nothing of ours is written.
    pub(super) fn observe_locked(&self, state: &mut State, path: &Path, more: &mut Vec<PathBuf>) -> Option<Sight> {
        let known = state.keys.get(path).cloned();
        if let Some(entry) = known.as_ref().and_then(|key| state.entries.get(key))
            && fs::metadata(path).is_ok_and(|metadata| Stamp::of(&metadata) == entry.stamp)
        {
            return None;
        }
        let content = match Content::read(path) {
            Ok(content) => content,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return gone(state, path, known);
            }
            Err(error) => {
                tracing::warn!(file = %path.display(), "{error}: what it held before stays in force");
                return None;
            }
        };
        if let Some(entry) = known.as_ref().and_then(|key| state.entries.get_mut(key))
            && entry.hash == content.hash
        {
            entry.stamp = content.stamp;
            return None;
        }
        let Content { bytes, stamp, hash } = content;
        let home = known.or_else(|| self.layout.key(path));
        let reason = match self.parse(path, bytes) {
            Ok(mut loaded) => {
                if let Some((key, slice)) = self.only_slice(&mut loaded) {
                    if self.layout.slice(&key).is_ok_and(|own| own == path) {
                        return Some(seen(state, path, (stamp, hash), key, slice));
                    }
                    loaded.slices.push(slice);
                }
                if is_slices(&loaded) {
                    match self.split(path, &loaded, more) {
                        Ok(()) => return gone(state, path, home),
                        Err(error) => format!("cannot be split into one file for each slice: {error}"),
                    }
                } else {
                    what_is_wrong(&loaded)
                }
            }
            Err(reason) => reason,
        };
        let Some(key) = home else {
            tracing::warn!(file = %path.display(), "{reason}: the file is ignored");
            state.strays.insert(path.to_path_buf(), stamp);
            return None;
        };
        tracing::warn!(file = %path.display(), "{reason}: the slice {key} cannot be read");
        Some(unreadable(state, path, (stamp, hash), key))
    }

    /// Gives each slice of a file a file of its own. A slice that has one already stays as it is.
    fn split(&self, path: &Path, loaded: &Loaded, more: &mut Vec<PathBuf>) -> io::Result<()> {
        for slice in &loaded.slices {
            let own = self.layout.slice(&key_of(slice)).map_err(io::Error::other)?;
            if own == path {
                continue;
            }
            match Draft::write(&own, &text(slice)?)?.create(&own) {
                Ok(()) => more.push(own),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    tracing::warn!(file = %path.display(), "{} is in {} already, which counts", key_of(slice), own.display());
                }
                Err(error) => return Err(error),
            }
        }
        let aside = (0..u32::MAX)
            .map(|i| match i {
                0 => format!("{}.{ADOPTED}", path.display()),
                _ => format!("{}.{ADOPTED}.{i}", path.display()),
            })
            .map(PathBuf::from)
            .find(|aside| fs::symlink_metadata(aside).is_err())
            .ok_or(io::ErrorKind::AlreadyExists)?;
        match loaded.slices.iter().find(|slice| self.layout.slice(&key_of(slice)).is_ok_and(|own| own == path)) {
            Some(slice) => {
                fs::copy(path, &aside)?;
                Draft::write(path, &text(slice)?)?.replace(path)?;
                more.push(path.to_path_buf());
            }
            None => fs::rename(path, &aside)?,
        }
        files::sync_folder(path)?;
        tracing::info!(
            file = %path.display(),
            kept_as = %aside.display(),
            "adopted {} slices: each has a file of its own now", loaded.slices.len()
        );
        Ok(())
    }
}

fn what_is_wrong(loaded: &Loaded) -> String {
    match loaded.invalid.first() {
        Some(invalid) => invalid.to_string(),
        None => "expected SinglePlacementSlices, each in <cluster>/<name>.yaml, and nothing else".to_owned(),
    }
}

fn gone(state: &mut State, path: &Path, key: Option<ObjectKey>) -> Option<Sight> {
    state.strays.remove(path);
    state.keys.remove(path);
    let key = key?;
    let entry = state.entries.remove(&key)?;
    Some((key, Seen::Gone(Some(entry.metadata.uid))))
}

/// A file holds a slice that nobody here has written.
fn seen(
    state: &mut State,
    path: &Path,
    (stamp, hash): (Stamp, u64),
    key: ObjectKey,
    mut slice: SinglePlacementSlice,
) -> Sight {
    let metadata = &mut slice.metadata;
    let version = match state.entries.get(&key) {
        Some(former) => {
            metadata.uid.clone_from(&former.metadata.uid);
            metadata.generation = former.metadata.generation.saturating_add(1);
            state.next_version()
        }
        None if state.listed => {
            // It was not there a moment ago. What it says of its identity may be that of one that was deleted.
            metadata.uid = files::new_uid();
            state.next_version()
        }
        None => {
            if metadata.uid.is_empty() {
                metadata.uid = files::new_uid();
            }
            let stored =
                metadata.resource_version.parse().ok().filter(|version| *version > 0 && *version < u64::MAX >> 1);
            stored.unwrap_or_else(|| state.next_version())
        }
    };
    state.version = state.version.max(version);
    metadata.generation = metadata.generation.max(1);
    metadata.resource_version = version.to_string();
    let metadata = metadata.clone();
    let entry = Entry { path: path.to_path_buf(), stamp, hash, version, metadata, readable: true };
    state.insert(key.clone(), entry);
    state.strays.remove(path);
    (key, Seen::Object(slice))
}

/// The file of a slice holds something else.
fn unreadable(state: &mut State, path: &Path, (stamp, hash): (Stamp, u64), key: ObjectKey) -> Sight {
    let version = state.next_version();
    let mut metadata = match state.entries.get(&key) {
        Some(former) => former.metadata.clone(),
        None => edge_core::object::ObjectMeta { uid: files::new_uid(), ..bare(&key) },
    };
    metadata.resource_version = version.to_string();
    let entry = Entry { path: path.to_path_buf(), stamp, hash, version, metadata: metadata.clone(), readable: false };
    state.insert(key.clone(), entry);
    (key, Seen::Unreadable(metadata))
}
