//! Reads and writes of slices, as an API server answers them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use edge_core::object::{ObjectKey, ObjectMeta, SinglePlacementSlice};
use edge_core::publisher::{Failure, Outcome};
use edge_core::slices::{Verb, Write};

use super::super::content::{Content, Stamp, hash};
use super::super::files::{self, Draft};
use super::{Entry, Sight, Slices, State, text};

/// What was noticed on the way: to be told to whoever listens.
pub(in super::super) type Noticed = Vec<Sight>;

impl Slices {
    pub(in super::super) fn read(&self, key: &ObjectKey, noticed: &mut Noticed) -> Outcome {
        self.try_read(key, noticed).unwrap_or_else(Outcome::Failed)
    }

    pub(in super::super) fn write(&self, write: Write, noticed: &mut Noticed) -> Outcome {
        let done = match (write.verb, write.object) {
            (Verb::Create, Some(object)) => self.create(&write.key, object, noticed),
            (Verb::Replace, Some(object)) => {
                self.replace(&write.key, object, (write.uid.as_deref(), write.resource_version.as_deref()), noticed)
            }
            (Verb::Delete, _) => {
                self.delete(&write.key, (write.uid.as_deref(), write.resource_version.as_deref()), noticed)
            }
            (_, None) => Err(Failure::Rejected(format!("{}: there is no object to write", write.key))),
        };
        done.unwrap_or_else(Outcome::Failed)
    }

    fn path(&self, key: &ObjectKey) -> Result<PathBuf, Failure> {
        self.layout.slice(key).map_err(Failure::Rejected)
    }

    fn try_read(&self, key: &ObjectKey, noticed: &mut Noticed) -> Result<Outcome, Failure> {
        let path = self.path(key)?;
        let mut state = self.lock();
        let (entry, slice) = self.current(&mut state, key, &path, noticed)?;
        match slice {
            Some(slice) => Ok(Outcome::Slice(slice)),
            None => Err(Failure::Rejected(format!("{}: holds no slice that can be read", entry.path.display()))),
        }
    }

    /// What the slice is at this moment; the file is read.
    fn current(
        &self,
        state: &mut State,
        key: &ObjectKey,
        path: &Path,
        noticed: &mut Noticed,
    ) -> Result<(Entry, Option<SinglePlacementSlice>), Failure> {
        let content = match Content::read(path) {
            Ok(content) => Some(content),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => None,
            Err(error) => return Err(failure(path, &error)),
        };
        let known = state.entries.get(key).map(|entry| entry.hash);
        if known != content.as_ref().map(|content| content.hash) {
            // Files that come out of a split are noticed by the watch.
            noticed.extend(self.observe_locked(state, path, &mut Vec::new()));
        }
        let entry = state.entries.get(key).cloned().ok_or(Failure::NotFound)?;
        let mut slice = None;
        if let Some(content) = content.filter(|content| entry.readable && content.hash == entry.hash) {
            let mut loaded = self.parse(path, content.bytes).map_err(Failure::NotDone)?;
            slice = self.only_slice(&mut loaded).map(|(_, slice)| with_identity(slice, &entry.metadata));
        }
        Ok((entry, slice))
    }

    fn create(
        &self,
        key: &ObjectKey,
        mut object: SinglePlacementSlice,
        noticed: &mut Noticed,
    ) -> Result<Outcome, Failure> {
        let path = self.path(key)?;
        let version = self.lock().next_version();
        let metadata = &mut object.metadata;
        metadata.uid = files::new_uid();
        metadata.resource_version = version.to_string();
        metadata.generation = 1;
        let content = text(&object).map_err(|error| failure(&path, &error))?;
        let draft = Draft::write(&path, &content).map_err(|error| failure(&path, &error))?;
        let mut state = self.lock();
        if let Err(error) = draft.create(&path) {
            noticed.extend(self.observe_locked(&mut state, &path, &mut Vec::new()));
            return Err(match error.kind() {
                io::ErrorKind::AlreadyExists => Failure::AlreadyExists,
                _ => failure(&path, &error),
            });
        }
        if let Some(former) = state.entries.get(key) {
            // Somebody deleted it a moment ago, and nobody has noticed yet.
            let uid = former.metadata.uid.clone();
            noticed.push((key.clone(), edge_core::publisher::Seen::Gone(Some(uid))));
        }
        written(&mut state, key, &path, &content, version, &object.metadata)?;
        drop(state);
        files::sync_folder(&path).map_err(|error| Failure::Unknown(explain(&path, &error)))?;
        Ok(Outcome::Slice(object))
    }

    fn replace(
        &self,
        key: &ObjectKey,
        mut object: SinglePlacementSlice,
        preconditions: (Option<&str>, Option<&str>),
        noticed: &mut Noticed,
    ) -> Result<Outcome, Failure> {
        let path = self.path(key)?;
        let mut state = self.lock();
        let (entry, present) = self.current(&mut state, key, &path, noticed)?;
        check(&entry, preconditions)?;
        object = with_identity(object, &entry.metadata);
        object.metadata.creation_timestamp.clone_from(&entry.metadata.creation_timestamp);
        object.metadata.deletion_timestamp.clone_from(&entry.metadata.deletion_timestamp);
        if present.as_ref() == Some(&object) {
            return Ok(Outcome::Slice(object));
        }
        let version = state.next_version();
        drop(state);
        object.metadata.resource_version = version.to_string();
        object.metadata.generation = entry.metadata.generation.saturating_add(1);
        let content = text(&object).map_err(|error| failure(&path, &error))?;
        let draft = Draft::write(&path, &content).map_err(|error| failure(&path, &error))?;
        let mut state = self.lock();
        if self.unchanged(&mut state, key, &path, noticed)?.version != entry.version {
            return Err(Failure::Conflict);
        }
        draft.replace(&path).map_err(|error| failure(&path, &error))?;
        written(&mut state, key, &path, &content, version, &object.metadata)?;
        drop(state);
        files::sync_folder(&path).map_err(|error| Failure::Unknown(explain(&path, &error)))?;
        Ok(Outcome::Slice(object))
    }

    fn delete(
        &self,
        key: &ObjectKey,
        preconditions: (Option<&str>, Option<&str>),
        noticed: &mut Noticed,
    ) -> Result<Outcome, Failure> {
        let path = self.path(key)?;
        let mut state = self.lock();
        let entry = self.unchanged(&mut state, key, &path, noticed)?;
        check(&entry, preconditions)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failure(&path, &error)),
            _ => {}
        }
        state.entries.remove(key);
        state.keys.remove(&path);
        drop(state);
        files::sync_folder(&path).map_err(|error| Failure::Unknown(explain(&path, &error)))?;
        files::remove_empty_folder(self.layout.root(), &path);
        Ok(Outcome::Deleted)
    }

    /// What is known of the slice, after a look at whether its file is still the same.
    fn unchanged(
        &self,
        state: &mut State,
        key: &ObjectKey,
        path: &Path,
        noticed: &mut Noticed,
    ) -> Result<Entry, Failure> {
        noticed.extend(self.observe_locked(state, path, &mut Vec::new()));
        state.entries.get(key).cloned().ok_or(Failure::NotFound)
    }
}

/// An API server compares them, and so do we.
fn check(entry: &Entry, (uid, version): (Option<&str>, Option<&str>)) -> Result<(), Failure> {
    let metadata = &entry.metadata;
    let same = uid.is_none_or(|uid| uid == metadata.uid) && version.is_none_or(|v| v == metadata.resource_version);
    if same { Ok(()) } else { Err(Failure::Conflict) }
}

/// The slice with the UID, version and generation that count.
fn with_identity(mut slice: SinglePlacementSlice, from: &ObjectMeta) -> SinglePlacementSlice {
    slice.metadata.uid.clone_from(&from.uid);
    slice.metadata.resource_version.clone_from(&from.resource_version);
    slice.metadata.generation = from.generation;
    slice
}

/// Remembers what we have just put there.
fn written(
    state: &mut State,
    key: &ObjectKey,
    path: &Path,
    content: &[u8],
    version: u64,
    metadata: &ObjectMeta,
) -> Result<(), Failure> {
    let stamp = fs::metadata(path).map_err(|error| Failure::Unknown(explain(path, &error)))?;
    let entry = Entry {
        path: path.to_path_buf(),
        stamp: Stamp::of(&stamp),
        hash: hash(content),
        version,
        metadata: metadata.clone(),
        readable: true,
    };
    state.insert(key.clone(), entry);
    Ok(())
}

fn explain(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// Before anything took effect.
fn failure(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Failure::Forbidden(explain(path, error)),
        _ => Failure::NotDone(explain(path, error)),
    }
}
