//! What strangers do to published slices.

use alloc::format;
use alloc::vec::Vec;

use super::bytes::Bytes;
use super::server::Server;
use crate::object::{Destination, ObjectKey, OwnerReference, SinglePlacementSlice};
use crate::slices::{FENCE_ANNOTATION, SOURCE_PLACEMENT};

/// What strangers put on slices has names of theirs.
pub(super) const STRANGER: &str = "example.com/stranger";

/// What is taken off a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Its owner references.
    Owner,
    /// Our label.
    Label,
    /// Both: it is no longer ours.
    Both,
    /// The annotation that tells its range.
    Fence,
    /// That annotation, for one of an unknown version.
    Version,
    /// The UID of its owner, for another one.
    Uid,
}

/// A stranger's act. `nth` picks among what there is at that moment; without anything nothing happens.
#[derive(Debug, Clone)]
pub enum Act {
    /// A slice loses destinations, gets those of another one, and one that does not exist.
    Edit {
        /// Slice.
        nth: u8,
        /// How many it keeps.
        keep: u8,
        /// Whose it gets.
        from: u8,
    },
    /// A slice and the next one change their destinations.
    Swap {
        /// The first of both.
        nth: u8,
    },
    /// A slice gets another EdgePlacement of its cluster for its owner.
    Give {
        /// Slice.
        nth: u8,
        /// The slice whose owner it gets.
        like: u8,
    },
    /// A slice loses a mark.
    Strip {
        /// Slice.
        nth: u8,
        /// Which.
        mark: Mark,
    },
    /// A slice gets a label, an annotation, a finalizer and an owner of strangers.
    Decorate {
        /// Slice.
        nth: u8,
    },
    /// A slice goes.
    Delete {
        /// Slice.
        nth: u8,
    },
    /// Something that is not ours takes a name that was once in use, or that an EdgePlacement has.
    Squat {
        /// Name.
        nth: u8,
    },
    /// What is not ours goes.
    Release {
        /// Object.
        nth: u8,
    },
    /// A slice is copied to a name that was once in use.
    Copy {
        /// Slice.
        nth: u8,
        /// Name.
        to: u8,
    },
    /// A slice appears for an EdgePlacement, which may not even exist.
    Forge {
        /// Its EdgePlacement.
        placement: ObjectKey,
        /// Whose destinations it has.
        from: u8,
    },
    /// A slice cannot be read any more.
    Garble {
        /// Slice.
        nth: u8,
    },
    /// A slice can be read again.
    Repair {
        /// Slice.
        nth: u8,
    },
}

impl Act {
    /// One act out of some five bytes.
    pub fn decode(bytes: &mut Bytes<'_>) -> Self {
        let nth = bytes.byte();
        match bytes.weighted(&[20, 20, 10, 15, 15, 10, 8, 8, 5, 5, 24, 12]) {
            0 => Self::Edit { nth, keep: bytes.byte(), from: bytes.byte() },
            1 => Self::Strip {
                nth,
                mark: bytes.pick(&[Mark::Owner, Mark::Label, Mark::Both, Mark::Fence, Mark::Version, Mark::Uid]),
            },
            2 => Self::Decorate { nth },
            3 => Self::Delete { nth },
            4 => Self::Squat { nth },
            5 => Self::Release { nth },
            6 => Self::Copy { nth, to: bytes.byte() },
            7 => Self::Forge { placement: super::op::placement_key(bytes), from: nth },
            8 => Self::Garble { nth },
            9 => Self::Repair { nth },
            10 => Self::Swap { nth },
            _ => Self::Give { nth, like: bytes.byte() },
        }
    }

    /// Does it.
    pub(super) fn act(&self, server: &mut Server) {
        let slice = |server: &Server, nth: u8| nth_of(server.published().iter().map(|(_, slice)| slice.clone()), nth);
        match self {
            Self::Edit { nth, keep, from } => {
                let (Some(mut edited), Some(from)) = (slice(server, *nth), slice(server, *from)) else { return };
                edited.destinations.truncate(usize::from(*keep) % (edited.destinations.len() + 1));
                edited.destinations.extend(from.destinations);
                edited.destinations.push(Destination {
                    cluster: "k1".into(),
                    location_name: "nowhere".into(),
                    ..Destination::default()
                });
                edited.destinations.reverse();
                server.put(edited);
            }
            Self::Swap { nth } => {
                let (Some(mut a), Some(mut b)) = (slice(server, *nth), slice(server, nth.wrapping_add(1))) else {
                    return;
                };
                if key_of(&a) != key_of(&b) {
                    core::mem::swap(&mut a.destinations, &mut b.destinations);
                    server.put(a);
                    server.put(b);
                }
            }
            Self::Give { nth, like } => {
                let (Some(mut slice), Some(like)) = (slice(server, *nth), slice(server, *like)) else { return };
                if slice.metadata.cluster() == like.metadata.cluster() {
                    slice.metadata.labels = like.metadata.labels;
                    slice.metadata.owner_references = like.metadata.owner_references;
                    slice.metadata.annotations = like.metadata.annotations;
                    server.put(slice);
                }
            }
            Self::Strip { nth, mark } => {
                let Some(mut slice) = slice(server, *nth) else { return };
                strip(&mut slice, *mark);
                server.put(slice);
            }
            Self::Decorate { nth } => {
                let Some(mut slice) = slice(server, *nth) else { return };
                let metadata = &mut slice.metadata;
                metadata.labels.insert(STRANGER.into(), "x".into());
                metadata.annotations.insert(STRANGER.into(), "x".into());
                metadata.finalizers = [STRANGER.into()].into();
                if !metadata.owner_references.iter().any(|owner| owner.kind == "Stranger") {
                    let owner = OwnerReference {
                        api_version: "example.com/v1".into(),
                        kind: "Stranger".into(),
                        ..Default::default()
                    };
                    metadata.owner_references.insert(usize::from(*nth) % (metadata.owner_references.len() + 1), owner);
                }
                server.put(slice);
            }
            Self::Delete { nth } => {
                if let Some(slice) = slice(server, *nth) {
                    server.delete(&key_of(&slice));
                }
            }
            Self::Squat { nth } => {
                if let Some(key) = nth_of(server.free_names(), *nth) {
                    server.put(mk_slice(&key));
                }
            }
            Self::Release { nth } => {
                let foreign: Vec<ObjectKey> = server.published().foreign().cloned().collect();
                if let Some(key) = nth_of(foreign.into_iter(), *nth) {
                    server.delete(&key);
                }
            }
            Self::Copy { nth, to } => {
                let (Some(mut slice), Some(to)) = (slice(server, *nth), nth_of(server.free_names(), *to)) else {
                    return;
                };
                slice.metadata.name.clone_from(&to.name);
                slice.metadata.annotations.extend(mk_slice(&to).metadata.annotations);
                server.put(slice);
            }
            Self::Forge { placement, from } => {
                let key = ObjectKey::new(placement.cluster.as_str(), format!("forged-{from}"));
                if server.exists(&key) {
                    return;
                }
                let mut forged = mk_slice(&key);
                forged.destinations = slice(server, *from).map(|slice| slice.destinations).unwrap_or_default();
                let (api_version, kind) = ("edge.kcp.io/v1alpha1".into(), "EdgePlacement".into());
                let owner = OwnerReference {
                    api_version,
                    kind,
                    name: placement.name.clone(),
                    uid: "?".into(),
                    ..Default::default()
                };
                forged.metadata.owner_references.push(owner);
                server.put(forged);
            }
            Self::Garble { nth } => {
                if let Some(slice) = slice(server, *nth) {
                    server.garble(slice);
                }
            }
            Self::Repair { nth } => {
                if let Some(key) = nth_of(server.garbled().cloned(), *nth) {
                    server.repair(&key);
                }
            }
        }
    }
}

fn strip(slice: &mut SinglePlacementSlice, mark: Mark) {
    let metadata = &mut slice.metadata;
    if matches!(mark, Mark::Owner | Mark::Both) {
        metadata.owner_references.retain(|owner| owner.kind != "EdgePlacement");
    }
    if matches!(mark, Mark::Label | Mark::Both) {
        metadata.labels.remove(SOURCE_PLACEMENT);
    }
    match mark {
        Mark::Fence => drop(metadata.annotations.remove(FENCE_ANNOTATION)),
        Mark::Version => drop(metadata.annotations.insert(FENCE_ANNOTATION.into(), "v0/0/k1/a/".into())),
        Mark::Uid => metadata.owner_references.iter_mut().for_each(|owner| owner.uid = "?".into()),
        Mark::Owner | Mark::Label | Mark::Both => {}
    }
}

/// An object that nobody owns.
fn mk_slice(key: &ObjectKey) -> SinglePlacementSlice {
    let mut slice = SinglePlacementSlice::default();
    slice.metadata.name.clone_from(&key.name);
    slice.metadata.annotations.insert(crate::object::CLUSTER_ANNOTATION.into(), key.cluster.clone());
    slice
}

pub(super) fn key_of(slice: &SinglePlacementSlice) -> ObjectKey {
    ObjectKey::new(slice.metadata.cluster().unwrap_or_default(), slice.metadata.name.as_str())
}

/// The `nth` of a list that goes round.
pub(super) fn nth_of<T>(list: impl Iterator<Item = T>, nth: u8) -> Option<T> {
    let mut list: Vec<T> = list.collect();
    (!list.is_empty()).then(|| list.swap_remove(usize::from(nth) % list.len()))
}
