//! What the model server does with a write, and how things print.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Place;
use crate::object::{Destination, ObjectKey, ObjectMeta};
use crate::publisher::{Action, Failure, Outcome, Request};
use crate::slices::{Published, Verb, Write};
use crate::testing::act::key_of;
use crate::testing::server::{Live, Server};

pub(super) fn subject(request: &Request) -> Option<&ObjectKey> {
    match &request.action {
        Action::Write(write) => Some(&write.key),
        Action::ReadSlice(key) => Some(key),
        Action::ReadPlacement(_) | Action::Status(_) => None,
    }
}

pub(super) fn describe(request: &Request) -> String {
    match &request.action {
        Action::Write(write) => {
            let rows = write.object.iter().flat_map(|object| &object.destinations);
            let rows: Vec<String> =
                rows.map(|row| format!("{}/{}/{}", row.cluster, row.location_name, row.sync_target_name)).collect();
            format!("{:?} {} @{:?} {rows:?}", write.verb, write.key, write.resource_version)
        }
        other => format!("{other:?}"),
    }
}

pub(super) fn short(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Slice(slice) => format!("ok @{}", slice.metadata.resource_version),
        Outcome::ThinSlice(metadata, _) => format!("ok @{}", metadata.resource_version),
        other => format!("{other:?}"),
    }
}

pub(super) fn place(placement: &ObjectKey, row: &Destination) -> Place {
    (placement.clone(), row.cluster.clone(), row.location_name.clone(), row.sync_target_name.clone())
}

impl Live {
    pub(super) fn places(&self) -> Vec<Place> {
        let Self::Slice(slice) = self else { return Vec::new() };
        let key = key_of(slice);
        let Some(owner) = Published::placement_name(slice) else { return Vec::new() };
        let owner = ObjectKey::new(key.cluster, owner);
        slice.destinations.iter().map(|row| place(&owner, row)).collect()
    }

    pub(super) fn metadata(&self) -> ObjectMeta {
        match self {
            Self::Slice(slice) => slice.metadata.clone(),
            Self::Garbled(metadata) => metadata.clone(),
            Self::Gone(uid) => ObjectMeta { uid: uid.clone(), ..ObjectMeta::default() },
        }
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Self::Slice(slice) => format!("@{} {} rows", slice.metadata.resource_version, slice.destinations.len()),
            Self::Garbled(metadata) => format!("garbled @{}", metadata.resource_version),
            Self::Gone(uid) => format!("gone {uid}"),
        }
    }
}

impl Server {
    /// Carries out a write as an API server does.
    pub(super) fn execute(&mut self, write: &Write, max: usize) -> Outcome {
        let key = &write.key;
        let current = self.snapshot().remove(key);
        let metadata = current.as_ref().map(Live::metadata);
        if let (Verb::Replace | Verb::Delete, Some(metadata)) = (write.verb, &metadata) {
            assert!(write.uid.is_some() && write.resource_version.is_some(), "{key} without preconditions");
            if write.uid.as_ref() != Some(&metadata.uid)
                || write.resource_version.as_ref() != Some(&metadata.resource_version)
            {
                return Outcome::Failed(Failure::Conflict);
            }
            let ours = matches!(&current, Some(Live::Slice(slice)) if Published::placement_name(slice).is_some());
            assert!(ours, "{key} is not ours");
        }
        match (write.verb, metadata) {
            (Verb::Create, Some(_)) => Outcome::Failed(Failure::AlreadyExists),
            (Verb::Replace | Verb::Delete, None) => Outcome::Failed(Failure::NotFound),
            (Verb::Delete, Some(_)) => {
                self.delete(key);
                Outcome::Deleted
            }
            (Verb::Create | Verb::Replace, before) => {
                let mut object = write.object.clone().unwrap();
                assert!(object.destinations.len() <= max || before.is_some(), "{key} is written with too many");
                assert_eq!(key_of(&object), *key);
                if let Some(before) = before {
                    object.metadata.uid = before.uid;
                    object.metadata.generation = before.generation;
                }
                self.put(object);
                self.read(key)
            }
        }
    }
}
