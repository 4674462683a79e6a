//! The slices in OUT, as an API server would hold them: each with a UID and a version, both of them preconditions.
//!
//! The UID, the version and the generation are stored in the slice's own metadata. A version is a decimal counter. What a
//! stranger writes gets the next version as soon as it is noticed, which is before anything is written over it: a write
//! looks at the file first.

mod observe;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use edge_core::object::{CLUSTER_ANNOTATION, ObjectKey, ObjectMeta, SinglePlacementSlice};
use edge_core::publisher::Seen;

use super::content::Stamp;
use super::layout::Layout;
use crate::input::{self, Loaded};
use crate::yaml;

pub(super) use write::Noticed;

/// What was seen of a slice: `Seen::Object`, `Seen::Unreadable` or `Seen::Gone`.
pub(super) type Sight = (ObjectKey, Seen);

/// The files of OUT and what is known of them.
#[derive(Debug)]
pub(super) struct Slices {
    pub(super) layout: Layout,
    default_cluster: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<ObjectKey, Entry>,
    keys: HashMap<PathBuf, ObjectKey>,
    /// Files that are no slices of ours.
    strays: BTreeMap<PathBuf, Stamp>,
    /// The last version that was given out.
    version: u64,
    /// All files have been looked at: what is new from now on was not there before.
    listed: bool,
}

#[derive(Debug, Clone)]
struct Entry {
    path: PathBuf,
    stamp: Stamp,
    hash: u64,
    version: u64,
    /// As last read, with the UID, version and generation that count. Kept when the file becomes unreadable.
    metadata: ObjectMeta,
    readable: bool,
}

impl State {
    fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    fn insert(&mut self, key: ObjectKey, entry: Entry) {
        self.keys.insert(entry.path.clone(), key.clone());
        self.entries.insert(key, entry);
    }
}

impl Slices {
    pub(super) fn new(layout: Layout, default_cluster: &str) -> Self {
        Self { layout, default_cluster: default_cluster.into(), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parse(&self, path: &Path, bytes: Vec<u8>) -> Result<Loaded, String> {
        let options = input::Options { default_cluster: self.default_cluster.clone() };
        input::parse(&path.to_string_lossy(), bytes, &options).map_err(|error| super::first_line(&error))
    }

    /// The slice that a file consists of.
    fn only_slice(&self, loaded: &mut Loaded) -> Option<(ObjectKey, SinglePlacementSlice)> {
        if loaded.slices.len() != 1 || !is_slices(loaded) {
            return None;
        }
        let slice = loaded.slices.pop()?;
        Some((key_of(&slice), slice))
    }
}

/// Whether there is nothing but slices, each of them readable.
fn is_slices(loaded: &Loaded) -> bool {
    let Loaded { events, slices, undecodable_slices, invalid, skipped } = loaded;
    !slices.is_empty() && events.is_empty() && undecodable_slices.is_empty() && invalid.is_empty() && skipped.is_empty()
}

fn key_of(slice: &SinglePlacementSlice) -> ObjectKey {
    ObjectKey::new(slice.metadata.cluster().unwrap_or_default(), slice.metadata.name.as_str())
}

/// The metadata of a slice of which no more than the name is known.
fn bare(key: &ObjectKey) -> ObjectMeta {
    ObjectMeta {
        name: key.name.clone(),
        annotations: [(CLUSTER_ANNOTATION.to_owned(), key.cluster.clone())].into(),
        ..ObjectMeta::default()
    }
}

/// As `edge-kube resolve` prints it.
fn text(slice: &SinglePlacementSlice) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    yaml::write(&serde_json::to_value(slice)?, &mut out)?;
    Ok(out)
}
