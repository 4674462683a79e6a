//! One object: from its tree to what the scheduler takes, and what is wrong with it.

use std::collections::HashSet;
use std::sync::Arc;

use edge_core::event::{Event, Undecodable};
use edge_core::object::{
    CLUSTER_ANNOTATION, EdgePlacement, Kind, Location, Object, ObjectKey, SinglePlacementSlice, SyncTarget,
};
use edge_core::selector::{FieldError, Invalid, validate_cluster_name, validate_name};
use serde::Deserialize;

use super::decode::{Wrong, decode};
use super::error::InvalidObject;
use super::node::Node;

const NAME: &str = "metadata.name";
const CLUSTER: &str = "metadata.annotations[kcp.io/cluster]";

/// What an object of one of the four kinds is to the scheduler.
#[derive(Debug)]
pub(super) enum Read {
    Event(Event),
    Slice(Box<SinglePlacementSlice>),
    UndecodableSlice(ObjectKey),
    /// It cannot be identified, or no server could have it.
    Nothing,
}

/// Where an object stands and what applies to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'c> {
    pub(super) file: &'c Arc<str>,
    pub(super) default_cluster: &'c str,
}

impl Context<'_> {
    /// What `node`, an object of `kind`, is.
    pub(super) fn read(self, kind: Kind, node: &Node<'_>) -> (Read, Option<InvalidObject>) {
        match kind {
            Kind::SyncTarget => self.record::<SyncTarget>(node, Event::sync_target, |key, undecodable| {
                Event::SyncTarget(key, Some(undecodable.into()))
            }),
            Kind::Location => self
                .record::<Location>(node, location, |key, undecodable| Event::Location(key, Some(undecodable.into()))),
            Kind::EdgePlacement => self.record::<EdgePlacement>(node, Event::edge_placement, |key, undecodable| {
                Event::EdgePlacement(key, Some(undecodable.into()))
            }),
            Kind::SinglePlacementSlice => self.slice(node),
        }
    }

    fn record<T: Object + Default + for<'n> Deserialize<'n>>(
        self,
        node: &Node<'_>,
        decoded: fn(ObjectKey, T) -> Event,
        undecodable: fn(ObjectKey, Undecodable) -> Event,
    ) -> (Read, Option<InvalidObject>) {
        let (object, mut wrong) = decode::<T>(node);
        let key = object.key(self.default_cluster);
        if !identify(&key, node, &mut wrong) {
            return (Read::Nothing, self.invalid::<T>(&key, wrong).map(|(invalid, _)| invalid));
        }
        if wrong.is_empty() {
            let event = decoded(key.clone(), object);
            add_semantic(&event, node, &mut wrong);
            return (Read::Event(event), self.invalid::<T>(&key, wrong).map(|(invalid, _)| invalid));
        }
        let metadata = object.metadata().clone();
        let labels_known = !wrong.iter().any(|wrong| within(&wrong.path, "metadata.labels"));
        // A person fixes all that is wrong at once, so selectors are checked as far as they could be decoded.
        add_semantic(&decoded(key.clone(), object), node, &mut wrong);
        match self.invalid::<T>(&key, wrong) {
            Some((line, invalid)) => {
                (Read::Event(undecodable(key, Undecodable { metadata, labels_known, invalid })), Some(line))
            }
            None => (Read::Nothing, None),
        }
    }

    fn slice(self, node: &Node<'_>) -> (Read, Option<InvalidObject>) {
        let (mut slice, mut wrong) = decode::<SinglePlacementSlice>(node);
        let key = slice.key(self.default_cluster);
        let identified = identify(&key, node, &mut wrong);
        let invalid = self.invalid::<SinglePlacementSlice>(&key, wrong).map(|(invalid, _)| invalid);
        let read = match (identified, &invalid) {
            (false, _) => Read::Nothing,
            (true, Some(_)) => Read::UndecodableSlice(key),
            (true, None) => {
                slice.metadata.annotations.insert(CLUSTER_ANNOTATION.into(), key.cluster);
                Read::Slice(Box::new(slice))
            }
        };
        (read, invalid)
    }

    /// The report on an object, if something is wrong with it.
    fn invalid<T: Object>(self, key: &ObjectKey, mut wrong: Vec<Wrong>) -> Option<(InvalidObject, Invalid)> {
        wrong.sort();
        wrong.dedup();
        let place = wrong.first()?.at.of(self.file);
        // Where the annotation is of a wrong type, the key has the default cluster, which nobody asked for.
        let cluster_wrong =
            wrong.iter().any(|wrong| hides(&wrong.path, CLUSTER)) && key.cluster == self.default_cluster;
        let cluster = (!cluster_wrong).then(|| key.cluster.clone());
        let name = (!key.name.is_empty()).then(|| key.name.clone());
        let errors = wrong.into_iter().map(|Wrong { path, reason, .. }| FieldError { path, reason }).collect();
        let invalid = Invalid::from_errors(errors)?;
        Some((InvalidObject { place, kind: T::KIND, cluster, name, invalid: invalid.clone() }, invalid))
    }
}

/// The API server's default, which the CRD gives for an absent or null selector.
fn location(key: ObjectKey, mut object: Location) -> Event {
    object.spec.instance_selector.get_or_insert_default();
    Event::location(key, object)
}

/// Whether the object can be told from others by a name and a logical cluster that a server would accept.
fn identify(key: &ObjectKey, node: &Node<'_>, wrong: &mut Vec<Wrong>) -> bool {
    let mut identified = true;
    for (path, valid) in [(NAME, validate_name(&key.name)), (CLUSTER, validate_cluster_name(&key.cluster))] {
        if wrong.iter().any(|wrong| hides(&wrong.path, path)) {
            identified = false;
        } else if let Err(reason) = valid {
            wrong.push(Wrong { at: node.locate(path), path: path.into(), reason });
            identified = false;
        }
    }
    identified
}

/// So many errors of one object get a place of their own. Each costs a walk through the object, which may be huge.
const PLACED: usize = 256;

/// Adds what is wrong with the values, though not where it only follows from a wrong type.
fn add_semantic(event: &Event, node: &Node<'_>, wrong: &mut Vec<Wrong>) {
    let Some(invalid) = event.invalid() else { return };
    let types: HashSet<String> = wrong.iter().map(|wrong| wrong.path.clone()).collect();
    let mut at = node.at;
    for (i, FieldError { path, reason }) in invalid.errors().iter().enumerate() {
        if outer_paths(path).any(|outer| types.contains(outer)) {
            continue;
        }
        if i < PLACED {
            at = node.locate(path);
        }
        wrong.push(Wrong { at, path: path.clone(), reason: reason.clone() });
    }
}

/// `path` itself and what it is in. The fields of our kinds are nested far less deeply than this looks.
fn outer_paths(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices(['.', '[']).map(|(end, _)| end).take(16);
    ends.filter_map(|end| path.get(..end)).chain([path])
}

/// Whether nothing can be said of `path` when the field at `wrong` has a wrong type.
fn hides(wrong: &str, path: &str) -> bool {
    wrong.is_empty() || within(path, wrong)
}

/// Whether `path` is `outer` or in it.
fn within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
