//! What the manifests of IN say, file by file.
//!
//! Of each object only its identity and a hash are kept: enough to tell what has changed. Of several files that define one
//! object the first by path counts.

use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use edge_core::event::Event;
use edge_core::object::{Kind, ObjectKey};

use super::content::Stamp;

/// An object's identity.
type Id = Arc<(Kind, ObjectKey)>;
type FilePath = Arc<Path>;

#[derive(Debug, Default)]
pub(super) struct Manifests {
    files: BTreeMap<FilePath, Manifest>,
    /// Which files define an object, by path.
    objects: HashMap<Id, Vec<FilePath>>,
    /// The UIDs of EdgePlacements.
    uids: HashMap<ObjectKey, String>,
    broken: BTreeMap<PathBuf, Broken>,
}

#[derive(Debug, Default)]
struct Manifest {
    stamp: Option<Stamp>,
    hash: u64,
    objects: HashMap<Id, u64>,
}

/// A file that cannot be read, and whether its former content is known and in force.
#[derive(Debug, Clone)]
struct Broken {
    reason: String,
    unknown: bool,
    /// Of the broken content: it need not be read again.
    stamp: Option<Stamp>,
}

/// What a look at a file gave.
#[derive(Debug)]
pub(super) enum Look {
    /// It is not there any more.
    Gone,
    /// It cannot be read; the text says where and why.
    Broken { reason: String, stamp: Option<Stamp> },
    /// It holds what it held before.
    Same { stamp: Stamp },
    /// It holds these objects.
    Objects { stamp: Stamp, hash: u64, events: Vec<Event> },
}

/// What has changed.
#[derive(Debug, Default)]
pub(super) struct Delta {
    /// Objects that are new or different.
    pub(super) objects: Vec<Event>,
    /// Objects that no file defines any more.
    pub(super) gone: Vec<(Kind, ObjectKey)>,
    /// Objects that several files define, with these files. The first one counts.
    pub(super) doubles: Vec<(Kind, ObjectKey, Vec<FilePath>)>,
    /// Files whose definition of an object counts from now on: they have to be read for it.
    pub(super) revealed: HashMap<FilePath, HashSet<Id>>,
}

impl Manifests {
    /// Whether the file is as it was when it was read.
    pub(super) fn is_current(&self, path: &Path, stamp: &Stamp) -> bool {
        match self.broken.get(path) {
            Some(broken) => broken.stamp.as_ref() == Some(stamp),
            None => self.files.get(path).is_some_and(|file| file.stamp.as_ref() == Some(stamp)),
        }
    }

    /// Whether the file was read with this content, and nothing is wrong with it.
    pub(super) fn has(&self, path: &Path, hash: u64) -> bool {
        self.files.get(path).is_some_and(|file| file.hash == hash)
    }

    /// Whether objects of this file are in force.
    pub(super) fn holds_objects(&self, path: &Path) -> bool {
        self.files.get(path).is_some_and(|file| !file.objects.is_empty())
    }

    /// All files that are known, readable or not.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.keys().map(AsRef::as_ref).chain(self.broken.keys().map(PathBuf::as_path))
    }

    /// The UID of an EdgePlacement, empty if it is not known; `None` if there is no such EdgePlacement.
    pub(super) fn uid(&self, placement: &ObjectKey) -> Option<&str> {
        self.uids.get(placement).map(String::as_str)
    }

    pub(super) fn placements(&self) -> impl Iterator<Item = &ObjectKey> {
        self.uids.keys()
    }

    /// The first file that cannot be read, why, and how many more there are.
    pub(super) fn broken(&self) -> Option<String> {
        summary(self.broken.values())
    }

    /// As [`Self::broken`], of the files whose content was never known.
    pub(super) fn unknown(&self) -> Option<String> {
        summary(self.broken.values().filter(|broken| broken.unknown))
    }

    /// Takes in what was seen of some files. `listed` says that all files have been looked at once.
    pub(super) fn apply(&mut self, looks: Vec<(PathBuf, Look)>, listed: bool) -> Delta {
        let mut delta = Delta::default();
        let mut before: HashMap<Id, Option<(FilePath, u64)>> = HashMap::new();
        let mut said: HashMap<Id, HashMap<FilePath, Event>> = HashMap::new();
        for (path, look) in looks {
            if !matches!(look, Look::Broken { .. })
                && self.broken.remove(&path).is_some()
                && !matches!(look, Look::Gone)
            {
                tracing::info!(file = %path.display(), "the manifest can be read again");
            }
            match look {
                Look::Gone => {
                    self.remove(&path, &mut before);
                }
                Look::Broken { reason, stamp } => self.set_broken(path, reason, stamp, listed),
                Look::Same { stamp } => {
                    if let Some(file) = self.files.get_mut(path.as_path()) {
                        file.stamp = Some(stamp);
                    }
                }
                Look::Objects { stamp, hash, events } => {
                    let path = self.remove(&path, &mut before).unwrap_or_else(|| path.into());
                    let mut objects = HashMap::with_capacity(events.len());
                    for event in events {
                        let id = self.define(&path, &event, &mut before);
                        objects.insert(Arc::clone(&id), digest(&event));
                        said.entry(id).or_default().insert(Arc::clone(&path), event);
                    }
                    self.files.insert(path, Manifest { stamp: Some(stamp), hash, objects });
                }
            }
        }
        for (id, before) in before {
            self.settle(&id, before, said.remove(&id).unwrap_or_default(), &mut delta);
        }
        delta.objects.sort_by(|a, b| (a.kind(), a.key()).cmp(&(b.kind(), b.key())));
        delta.gone.sort();
        delta.doubles.sort();
        delta
    }

    fn set_broken(&mut self, path: PathBuf, reason: String, stamp: Option<Stamp>, listed: bool) {
        let known = self.files.contains_key(path.as_path());
        let former = self.broken.get(&path);
        let unknown = former.map_or(!known && !listed, |former| former.unknown);
        if former.is_none_or(|former| former.reason != reason) {
            let force = match (known, unknown) {
                (true, _) => "its former content stays in force",
                (false, true) => "nothing is taken away until it can be read, since what it held is not known",
                (false, false) => "it counts once it can be read",
            };
            tracing::warn!("{reason}: {force}");
        }
        self.broken.insert(path, Broken { reason, unknown, stamp });
    }

    /// Which file's definition of an object counts, and its hash.
    fn counting(&self, id: &Id) -> Option<(FilePath, u64)> {
        let path = self.objects.get(id)?.first()?;
        Some((Arc::clone(path), *self.files.get(path)?.objects.get(id)?))
    }

    fn remove(&mut self, path: &Path, before: &mut HashMap<Id, Option<(FilePath, u64)>>) -> Option<FilePath> {
        for id in self.files.get(path)?.objects.keys() {
            if !before.contains_key(id) {
                before.insert(Arc::clone(id), self.counting(id));
            }
        }
        let (path, file) = self.files.remove_entry(path)?;
        for id in file.objects.into_keys() {
            if let Entry::Occupied(mut definers) = self.objects.entry(id) {
                definers.get_mut().retain(|definer| *definer != path);
                if definers.get().is_empty() {
                    definers.remove();
                }
            }
        }
        Some(path)
    }

    fn define(&mut self, path: &FilePath, event: &Event, before: &mut HashMap<Id, Option<(FilePath, u64)>>) -> Id {
        let id = (event.kind(), event.key().clone());
        let id = self.objects.get_key_value(&id).map_or_else(|| Arc::new(id), |(id, _)| Arc::clone(id));
        if !before.contains_key(&id) {
            before.insert(Arc::clone(&id), self.counting(&id));
        }
        let definers = self.objects.entry(Arc::clone(&id)).or_default();
        let at = definers.partition_point(|definer| definer < path);
        definers.insert(at, Arc::clone(path));
        id
    }

    fn settle(
        &mut self,
        id: &Id,
        before: Option<(FilePath, u64)>,
        mut said: HashMap<FilePath, Event>,
        delta: &mut Delta,
    ) {
        let (kind, key) = (id.0, &id.1);
        let Some((path, hash)) = self.counting(id) else {
            if kind == Kind::EdgePlacement {
                self.uids.remove(key);
            }
            if before.is_some() {
                delta.gone.push((kind, key.clone()));
            }
            return;
        };
        if let Some(definers) = self.objects.get(id).filter(|definers| definers.len() > 1) {
            delta.doubles.push((kind, key.clone(), definers.clone()));
        }
        if before.is_some_and(|(_, before)| before == hash) {
            return;
        }
        match said.remove(&path) {
            Some(event) => {
                self.remember(&event);
                delta.objects.push(event);
            }
            None => {
                delta.revealed.entry(path).or_default().insert(Arc::clone(id));
            }
        }
    }

    /// An object of a file whose definition counts from now on. `None` if it says nothing new.
    pub(super) fn reveal(&mut self, wanted: &HashSet<Id>, event: Event) -> Option<Event> {
        let id = (event.kind(), event.key().clone());
        wanted.contains(&id).then(|| {
            self.remember(&event);
            event
        })
    }

    /// What the file says of these objects could not be read: whatever it says next is new.
    pub(super) fn forget(&mut self, path: &Path, ids: &HashSet<Id>) {
        if let Some(file) = self.files.get_mut(path) {
            file.hash = 0;
            file.stamp = None;
            file.objects.iter_mut().filter(|(id, _)| ids.contains(*id)).for_each(|(_, digest)| *digest = 0);
        }
    }

    fn remember(&mut self, event: &Event) {
        if let Event::EdgePlacement(key, Some(record)) = event {
            self.uids.insert(key.clone(), record.uid.clone());
        }
    }
}

fn summary<'b>(mut broken: impl Iterator<Item = &'b Broken>) -> Option<String> {
    let first = broken.next()?;
    Some(match broken.count() {
        0 => first.reason.clone(),
        more => format!("{} (and {more} more)", first.reason),
    })
}

/// A hash of all that an event says. The record has no hash of its own: what is printed of it is all of it.
fn digest(event: &Event) -> u64 {
    struct Digest(DefaultHasher);
    impl Write for Digest {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let mut digest = Digest(DefaultHasher::new());
    match event {
        // There may be very many of these.
        Event::SyncTarget(_, Some(record)) if record.invalid.is_none() => {
            (&record.uid, &record.labels).hash(&mut digest.0);
        }
        // The writer returns no error.
        _ => drop(write!(digest, "{event:?}")),
    }
    digest.0.finish()
}
