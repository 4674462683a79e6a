//! A tiny API server for SinglePlacementSlices: identities, versions, preconditions, and what it must never be asked.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::act::{STRANGER, key_of};
use crate::object::{Destination, ObjectKey, ObjectMeta, OwnerReference, SinglePlacementSlice};
use crate::publisher::{Failure, Outcome};
use crate::selector::validate_name;
use crate::slices::{Published, SOURCE_PLACEMENT, Verb, Write};

/// The slices on the server, as the scheduler sees them, and what it does not see.
#[derive(Debug, Default)]
pub struct Server {
    published: Published,
    /// Those that cannot be read.
    garbled: BTreeMap<ObjectKey, SinglePlacementSlice>,
    /// Names that were ever in use.
    names: BTreeSet<ObjectKey>,
    versions: usize,
    /// Names whose slices changed since [`Server::take_touched`].
    touched: BTreeSet<ObjectKey>,
}

/// What is on the server under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Live {
    Slice(SinglePlacementSlice),
    /// Its destinations cannot be read.
    Garbled(ObjectMeta),
}

impl Live {
    pub(super) fn metadata(&self) -> ObjectMeta {
        match self {
            Self::Slice(slice) => slice.metadata.clone(),
            Self::Garbled(metadata) => metadata.clone(),
        }
    }

    /// The EdgePlacement that it belongs to, and the destinations that it has for it.
    pub(super) fn rows(&self) -> Option<(ObjectKey, &[Destination])> {
        let Self::Slice(slice) = self else { return None };
        let owner = ObjectKey::new(slice.metadata.cluster().unwrap_or_default(), owner_of(slice)?);
        Some((owner, &slice.destinations))
    }
}

impl Server {
    /// What is there under a name.
    pub(super) fn live(&self, key: &ObjectKey) -> Option<Live> {
        let garbled = self.garbled.get(key).map(|slice| Live::Garbled(slice.metadata.clone()));
        garbled.or_else(|| self.published.get(key).cloned().map(Live::Slice))
    }

    /// Names whose slices changed since the last time.
    pub(super) fn take_touched(&mut self) -> BTreeSet<ObjectKey> {
        core::mem::take(&mut self.touched)
    }

    /// What a GET says.
    pub(super) fn read(&self, key: &ObjectKey) -> Outcome {
        if let Some(slice) = self.garbled.get(key) {
            return Outcome::Unreadable(slice.metadata.clone());
        }
        let slice = self.published.get(key).cloned();
        slice.map_or(Outcome::Failed(Failure::NotFound), Outcome::Slice)
    }

    /// What the scheduler sees.
    #[must_use]
    pub fn published(&self) -> &Published {
        &self.published
    }

    pub(super) fn garbled(&self) -> impl Iterator<Item = &ObjectKey> {
        self.garbled.keys()
    }

    pub(super) fn exists(&self, key: &ObjectKey) -> bool {
        self.published.get(key).is_some() || self.garbled.contains_key(key)
    }

    /// Names that were in use once, or that an EdgePlacement has, and that no slice has now.
    pub fn free_names(&self) -> impl Iterator<Item = ObjectKey> {
        self.names.iter().filter(|key| !self.exists(key)).cloned().collect::<Vec<_>>().into_iter()
    }

    /// A name that may be squatted.
    pub(super) fn mention(&mut self, key: &ObjectKey) {
        self.names.insert(key.clone());
    }

    pub(super) fn put(&mut self, mut slice: SinglePlacementSlice) {
        self.versions += 1;
        if slice.metadata.uid.is_empty() || self.published.get(&key_of(&slice)).is_none() {
            slice.metadata.uid = format!("uid-{}", self.versions);
        }
        slice.metadata.resource_version = format!("{}", self.versions);
        slice.metadata.generation += 1;
        slice.metadata.creation_timestamp = Some("2024-01-01T00:00:00Z".into());
        self.names.insert(key_of(&slice));
        self.touched.insert(key_of(&slice));
        self.published.insert(slice);
    }

    pub(super) fn delete(&mut self, key: &ObjectKey) {
        self.published.remove(key);
        self.garbled.remove(key);
        self.touched.insert(key.clone());
    }

    pub(super) fn garble(&mut self, mut slice: SinglePlacementSlice) {
        self.versions += 1;
        slice.metadata.resource_version = format!("{}", self.versions);
        self.published.insert_unreadable(key_of(&slice));
        self.touched.insert(key_of(&slice));
        self.garbled.insert(key_of(&slice), slice);
    }

    pub(super) fn repair(&mut self, key: &ObjectKey) {
        self.published.remove(key);
        self.touched.insert(key.clone());
        if let Some(mut slice) = self.garbled.remove(key) {
            self.versions += 1;
            slice.metadata.resource_version = format!("{}", self.versions);
            self.published.insert(slice);
        }
    }

    /// Carries out a write of a plan in which the slices of `written` have been written before.
    pub(super) fn write(&mut self, write: &Write, written: &mut BTreeSet<ObjectKey>) {
        let key = &write.key;
        assert!(!self.published.is_foreign(key), "{key} is not ours");
        let before = self.published.get(key).cloned();
        assert_eq!(before.is_none(), write.verb == Verb::Create, "{:?} of {key}", write.verb);
        assert_eq!(write.object.is_none(), write.verb == Verb::Delete);
        if let Some(before) = &before {
            assert!(owner_of(before).is_some(), "{key} is not ours");
            let versions =
                [(&write.uid, &before.metadata.uid), (&write.resource_version, &before.metadata.resource_version)];
            for (precondition, current) in versions {
                assert!(precondition.is_some() || written.contains(key), "{key} without precondition");
                assert!(precondition.as_ref().is_none_or(|version| version == current), "conflict on {key}");
            }
        }
        if let Some(object) = &write.object {
            assert_eq!(key_of(object), *key);
            assert_eq!(object.metadata.uid, write.uid.clone().unwrap_or_default());
            assert_eq!(object.metadata.resource_version, write.resource_version.clone().unwrap_or_default());
            assert_eq!(validate_name(&key.name), Ok(()));
            Self::check_content(key, object, before.as_ref());
        }
        written.insert(key.clone());
        match &write.object {
            None => self.delete(key),
            Some(object) => {
                let mut object = object.clone();
                object.metadata.uid = before.map(|before| before.metadata.uid).unwrap_or_default();
                self.published.apply(write);
                assert!(self.published.get(key).is_some());
                self.put(object);
            }
        }
    }

    fn check_content(key: &ObjectKey, object: &SinglePlacementSlice, before: Option<&SinglePlacementSlice>) {
        let Some(before) = before else { return };
        let content = |slice: &SinglePlacementSlice| {
            let metadata = slice.metadata.clone();
            (metadata.annotations, metadata.labels, metadata.owner_references, slice.destinations.clone())
        };
        assert_ne!(content(object), content(before), "{key} is written for nothing");
        assert_eq!(stranger_marks(object), stranger_marks(before), "what others put on {key} stays");
    }

    /// The slices of an EdgePlacement, by name.
    pub(super) fn slices_of(&self, placement: &ObjectKey) -> Vec<&SinglePlacementSlice> {
        let own = |(key, slice): &(&ObjectKey, &SinglePlacementSlice)| {
            key.cluster == placement.cluster && owner_of(slice) == Some(placement.name.as_str())
        };
        self.published.iter().filter(own).map(|(_, slice)| slice).collect()
    }

    /// The destinations that the slices of an EdgePlacement name.
    pub(super) fn rows_of(&self, placement: &ObjectKey) -> Vec<Destination> {
        self.slices_of(placement).into_iter().flat_map(|slice| slice.destinations.iter().cloned()).collect()
    }
}

/// What strangers put on a slice.
pub(super) fn stranger_marks(slice: &SinglePlacementSlice) -> impl PartialEq + core::fmt::Debug + '_ {
    let metadata = &slice.metadata;
    let owners = metadata.owner_references.iter().filter(|owner| owner.kind == "Stranger");
    let (label, annotation) = (metadata.labels.get(STRANGER), metadata.annotations.get(STRANGER));
    (label, annotation, &metadata.finalizers, owners.collect::<Vec<_>>())
}

/// Whether an owner is an EdgePlacement: others may have a kind of this name in groups of their own.
pub(super) fn is_placement(owner: &OwnerReference) -> bool {
    owner.kind == "EdgePlacement" && owner.api_version.starts_with("edge.kcp.io/")
}

/// The name of the EdgePlacement that a slice belongs to; `None` if it is not ours, or not any more: it is being deleted.
pub(super) fn owner_of(slice: &SinglePlacementSlice) -> Option<&str> {
    let metadata = &slice.metadata;
    if metadata.deletion_timestamp.is_some() {
        return None;
    }
    let owner = metadata.owner_references.iter().find(|owner| is_placement(owner));
    let label = metadata.labels.get(SOURCE_PLACEMENT);
    let marked = owner.is_some() || label.is_some();
    let name = owner.map(|owner| &owner.name).or(metadata.annotations.get(SOURCE_PLACEMENT)).or(label);
    name.filter(|_| marked).map(String::as_str)
}
