//! Slices as nobody should have written them, for a scheduler that starts and finds them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::hash::Hasher;

use siphasher::sip::SipHasher24;

use super::op::{CLUSTERS, LOCATIONS, MAXIMA, SYNC_TARGETS, placement_key};
use super::{Bytes, Change, SchedulerMachine};
use crate::object::{CLUSTER_ANNOTATION, Destination, ObjectKey, OwnerReference, SinglePlacementSlice};
use crate::slices::{FENCE_ANNOTATION, SOURCE_PLACEMENT};

/// A scheduler meets slices and objects that follow from `bytes`, and brings them in order as the oracle says.
///
/// # Panics
///
/// If it does not.
pub fn adopt(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let max = bytes.pick(&MAXIMA);
    let changes: Vec<Change> = (0..bytes.below(32)).map(|_| Change::decode(&mut bytes)).collect();
    let mut found = Vec::new();
    while !bytes.is_empty() && found.len() < 40 {
        let readable = !bytes.percent(5);
        found.push((slice(&mut bytes), readable));
    }
    SchedulerMachine::adopt(max, found, changes);
}

/// One slice out of some thirty bytes: its marks fit together, or do not.
fn slice(bytes: &mut Bytes<'_>) -> SinglePlacementSlice {
    let placement = placement_key(bytes);
    let fence = match bytes.weighted(&[30, 40, 20, 10]) {
        0 => None,
        1 => Some(format!("v1/{}/{}", bytes.byte() % 3, place(bytes).join("/"))),
        2 => Some(format!("v1/{}/{}/{}/", bytes.byte() % 3, bytes.pick(&CLUSTERS), bytes.pick(&LOCATIONS))),
        _ => Some(text(bytes)),
    };
    let mut slice = SinglePlacementSlice::default();
    let metadata = &mut slice.metadata;
    metadata.name = match (bytes.weighted(&[60, 25, 15]), &fence) {
        (0, Some(fence)) => further_name(&placement, fence),
        (2, _) => format!("s{}", bytes.byte()),
        _ => placement.name.clone(),
    };
    metadata.annotations.insert(CLUSTER_ANNOTATION.into(), placement.cluster.clone());
    metadata.annotations.extend(fence.map(|fence| (FENCE_ANNOTATION.to_string(), fence)));
    if bytes.percent(40) {
        metadata.annotations.insert(SOURCE_PLACEMENT.into(), placement_key(bytes).name);
    }
    if bytes.percent(60) {
        let label = if bytes.percent(20) { text(bytes) } else { placement.name.chars().take(63).collect() };
        metadata.labels.insert(SOURCE_PLACEMENT.into(), label);
    }
    for _ in 0..bytes.weighted(&[20, 70, 10]) {
        metadata.owner_references.push(owner(&placement, bytes));
    }
    if bytes.percent(5) {
        metadata.deletion_timestamp = Some("2024-01-01T00:00:00Z".into());
        metadata.finalizers.push("example.com/waits".into());
    }
    for _ in 0..bytes.below(14) {
        let [cluster, location_name, sync_target_name] = place(bytes).map(String::from);
        let sync_target_uid = format!("{cluster}-{sync_target_name}-{}", bytes.byte() % 3);
        slice.destinations.push(Destination { cluster, location_name, sync_target_name, sync_target_uid });
    }
    slice
}

fn owner(placement: &ObjectKey, bytes: &mut Bytes<'_>) -> OwnerReference {
    let api_version = bytes.pick(&["edge.kcp.io/v1alpha1", "edge.kcp.io/v9", "example.com/v1", ""]);
    let name = if bytes.percent(15) { placement_key(bytes).name } else { placement.name.clone() };
    let uid = format!("{}-{}-{}", placement.cluster, &name[..name.len().min(9)], bytes.byte() % 3);
    OwnerReference {
        api_version: api_version.into(),
        kind: bytes.pick(&["EdgePlacement", "EdgePlacement", "Location"]).into(),
        name,
        uid,
        ..OwnerReference::default()
    }
}

fn place<'a>(bytes: &mut Bytes<'_>) -> [&'a str; 3] {
    [bytes.pick(&CLUSTERS), bytes.pick(&LOCATIONS), bytes.pick(&SYNC_TARGETS)]
}

/// Up to seven characters, of any sort.
fn text(bytes: &mut Bytes<'_>) -> String {
    let letters = ['v', '1', '/', '/', '0', 'a', '-', ' ', 'ü', '\n', '\u{0}', 'k'];
    (0..bytes.below(8)).map(|_| bytes.pick(&letters)).collect()
}

/// The name of the slice that has this fence, as `slices` defines it.
fn further_name(placement: &ObjectKey, fence: &str) -> String {
    let mut hasher = SipHasher24::new_with_keys(0, 0);
    for part in [placement.cluster.as_str(), &placement.name, fence] {
        hasher.write(part.as_bytes());
        hasher.write_u8(0xff);
    }
    let prefix: String = placement.name.chars().take(236).collect();
    format!("{}-{:016x}", prefix.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()), hasher.finish())
}
