//! The order of the writes of one EdgePlacement.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use hashbrown::HashMap;

use super::content::{DestinationKey, destination_key};
use super::name::helper_name;
use super::plan::{Target, Write};
use crate::object::{Destination, ObjectKey, SinglePlacementSlice};

/// Creates, then replaces in an order that drops nothing wanted, then deletes.
///
/// `is_free` tells whether a helper may have a name. Cost: `O(D log D)` in the destinations of slices that change, nothing
/// for those that do not.
pub(super) fn sequence(target: Target<'_>, max: usize, is_free: impl Fn(&ObjectKey) -> bool) -> Vec<Write> {
    let Target { placement, before, after } = target;
    let key = |name: &str| ObjectKey::new(placement.cluster.as_str(), name);
    let changed: BTreeMap<&str, &SinglePlacementSlice> =
        after.iter().filter_map(|(name, slice)| Some((name.as_str(), slice.as_ref()?))).collect();
    let (replaced, created): (Vec<_>, Vec<_>) =
        changed.iter().map(|(&name, &slice)| (name, slice)).partition(|(name, _)| before.contains_key(name));
    let mut writes: Vec<Write> =
        created.into_iter().map(|(name, slice)| Write::create(key(name), slice.clone())).collect();
    let names = (0..).map(|number| key(&helper_name(&placement.cluster, &placement.name, number)));
    let mut helpers = Helpers { names: &mut names.filter(is_free), made: Vec::new() };
    if !replaced.is_empty() {
        let unchanged = |name: &str| after.get(name).is_some_and(Option::is_none);
        let moving = before.iter().filter(|(name, _)| !unchanged(name)).map(|(&name, &slice)| (name, slice)).collect();
        let mut presence = Presence::new(&moving, &changed);
        replace_all(&placement, &before, &replaced, max, &mut presence, &mut writes, &mut helpers);
    }
    for (name, slice) in before.iter().filter(|(name, _)| !after.contains_key(**name)) {
        writes.push(Write::delete(key(name), slice));
    }
    writes.extend(helpers.made.into_iter().map(|helper| Write::delete(helper, &SinglePlacementSlice::default())));
    writes
}

/// Slices that hold for the time being what would be nowhere.
struct Helpers<'a> {
    names: &'a mut dyn Iterator<Item = ObjectKey>,
    made: Vec<ObjectKey>,
}

/// How many slices have a wanted destination at the moment.
struct Presence<'a> {
    ids: HashMap<DestinationKey<'a>, usize>,
    wanted: Vec<&'a Destination>,
    slices: Vec<usize>,
}

impl<'a> Presence<'a> {
    /// What unchanged slices hold needs no counting: nothing takes it away.
    fn new(before: &BTreeMap<&str, &SinglePlacementSlice>, changed: &BTreeMap<&str, &'a SinglePlacementSlice>) -> Self {
        let mut presence = Self { ids: HashMap::new(), wanted: Vec::new(), slices: Vec::new() };
        for destination in changed.values().flat_map(|slice| &slice.destinations) {
            let next = presence.wanted.len();
            if *presence.ids.entry(destination_key(destination)).or_insert(next) == next {
                presence.wanted.push(destination);
            }
        }
        presence.slices.resize(presence.wanted.len(), 0);
        for slice in before.values() {
            presence.gain(&presence.wanted_of(slice));
        }
        // What is created comes before everything else.
        for (_, slice) in changed.iter().filter(|(name, _)| !before.contains_key(**name)) {
            presence.gain(&presence.wanted_of(slice));
        }
        presence
    }

    /// The wanted destinations that a slice has, as numbers.
    fn wanted_of(&self, slice: &SinglePlacementSlice) -> BTreeSet<usize> {
        slice
            .destinations
            .iter()
            .filter_map(|destination| self.ids.get(&destination_key(destination)).copied())
            .collect()
    }

    fn gain(&mut self, destinations: &BTreeSet<usize>) {
        for &destination in destinations {
            self.slices[destination] += 1;
        }
    }

    fn lose(&mut self, destinations: &BTreeSet<usize>) {
        for &destination in destinations {
            self.slices[destination] -= 1;
        }
    }
}

/// A slice that waits to be replaced.
struct Pending<'a> {
    after: &'a SinglePlacementSlice,
    has: BTreeSet<usize>,
    gets: BTreeSet<usize>,
    /// It was replaced once already: the server's version of it is not known any more.
    rewritten: bool,
}

impl Pending<'_> {
    /// What it would drop although no other slice has it.
    fn barred<'s>(&'s self, presence: &'s Presence<'_>) -> impl Iterator<Item = usize> + 's {
        self.has.difference(&self.gets).copied().filter(|&destination| presence.slices[destination] == 1)
    }
}

fn replace_all<'a>(
    placement: &ObjectKey,
    before: &BTreeMap<&'a str, &'a SinglePlacementSlice>,
    replaced: &[(&'a str, &'a SinglePlacementSlice)],
    max: usize,
    presence: &mut Presence<'a>,
    writes: &mut Vec<Write>,
    helpers: &mut Helpers<'_>,
) {
    let mut pending: BTreeMap<&str, Pending<'_>> = BTreeMap::new();
    for &(name, after) in replaced {
        let has = before.get(name).map(|slice| presence.wanted_of(slice)).unwrap_or_default();
        pending.insert(name, Pending { after, has, gets: presence.wanted_of(after), rewritten: false });
    }
    let mut queue: VecDeque<&str> = pending.keys().copied().collect();
    // Slices by the destination that bars them.
    let mut waiting: HashMap<usize, Vec<&str>> = HashMap::new();
    loop {
        while let Some(name) = queue.pop_front() {
            let Some(slice) = pending.get(name) else { continue };
            if let Some(destination) = slice.barred(presence).next() {
                waiting.entry(destination).or_default().push(name);
                continue;
            }
            let (gained, lost) = (&slice.gets - &slice.has, &slice.has - &slice.gets);
            writes.push(replacement(placement, name, slice, slice.after.clone()));
            presence.gain(&gained);
            presence.lose(&lost);
            pending.remove(name);
            queue.extend(gained.iter().flat_map(|destination| waiting.remove(destination)).flatten());
        }
        let Some(name) = pick(&pending, presence, max) else { return };
        let Some(slice) = pending.get_mut(name) else { return };
        let barred: BTreeSet<usize> = slice.barred(presence).collect();
        if slice.gets.len() + barred.len() <= max {
            // It keeps for the time being what it would drop.
            let union = &slice.gets | &barred;
            let gained = &union - &slice.has;
            let lost = &slice.has - &union;
            let mut object = slice.after.clone();
            object.destinations = union.iter().map(|&destination| presence.wanted[destination].clone()).collect();
            object.destinations.sort_unstable();
            writes.push(replacement(placement, name, slice, object));
            slice.has = union;
            slice.rewritten = true;
            presence.gain(&gained);
            presence.lose(&lost);
            queue.extend(gained.iter().flat_map(|destination| waiting.remove(destination)).flatten());
        } else {
            let barred: Vec<usize> = barred.into_iter().collect();
            for part in barred.chunks(max) {
                let Some(name) = helpers.names.next() else { return };
                helpers.made.push(name.clone());
                writes.push(helper(name, slice.after, part, presence));
                presence.gain(&part.iter().copied().collect());
            }
        }
        queue.push_back(name);
    }
}

/// In a circle of slices that wait for each other: one that gains something, if possible without a helper.
///
/// There is one: what bars a slice is to come into another, and that one is barred as well.
fn pick<'a>(pending: &BTreeMap<&'a str, Pending<'a>>, presence: &Presence<'_>, max: usize) -> Option<&'a str> {
    let gains = pending.iter().filter(|(_, slice)| !slice.gets.is_subset(&slice.has));
    let fits = |slice: &Pending<'_>| slice.gets.len() + slice.barred(presence).count() <= max;
    gains.min_by_key(|(_, slice)| !fits(slice)).or_else(|| pending.iter().next()).map(|(&name, _)| name)
}

fn replacement(placement: &ObjectKey, name: &str, slice: &Pending<'_>, mut object: SinglePlacementSlice) -> Write {
    if slice.rewritten {
        object.metadata.resource_version.clear();
    }
    Write::replace(ObjectKey::new(placement.cluster.as_str(), name), object)
}

/// Makes a slice that has no range of its own: whoever finds it later deletes it when all others are as they should be.
fn helper(key: ObjectKey, sibling: &SinglePlacementSlice, destinations: &[usize], presence: &Presence<'_>) -> Write {
    let mut object = SinglePlacementSlice::default();
    object.metadata.name.clone_from(&key.name);
    object.metadata.labels.clone_from(&sibling.metadata.labels);
    object.metadata.owner_references.clone_from(&sibling.metadata.owner_references);
    object.metadata.annotations.clone_from(&sibling.metadata.annotations);
    object.metadata.annotations.remove(super::FENCE_ANNOTATION);
    object.destinations = destinations.iter().map(|&destination| presence.wanted[destination].clone()).collect();
    object.destinations.sort_unstable();
    Write::create(key, object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slices::Verb;
    use alloc::string::{String, ToString};

    /// A slice; its destinations are called by letters.
    fn slice(letters: &str) -> SinglePlacementSlice {
        let destination = |letter: char| Destination { sync_target_name: letter.to_string(), ..Destination::default() };
        SinglePlacementSlice { destinations: letters.chars().map(destination).collect(), ..Default::default() }
    }

    /// Which slice gets which destinations, write by write. None that is wanted is missing meanwhile.
    fn written(slices: &[(&str, &str, &str)], max: usize) -> Vec<(String, String)> {
        let found: BTreeMap<&str, SinglePlacementSlice> =
            slices.iter().map(|(name, before, _)| (*name, slice(before))).collect();
        let target = Target {
            placement: ObjectKey::new("ws", "p"),
            before: found.iter().map(|(name, slice)| (*name, slice)).collect(),
            after: slices.iter().map(|(name, _, after)| (name.to_string(), Some(slice(after)))).collect(),
        };
        let mut have: BTreeMap<String, String> =
            slices.iter().map(|(name, before, _)| (name.to_string(), before.to_string())).collect();
        let mut written = Vec::new();
        for write in sequence(target, max, |_| true) {
            let rows = write.object.iter().flat_map(|object| &object.destinations);
            let letters: String = rows.map(|row| row.sync_target_name.as_str()).collect();
            assert_eq!(have.contains_key(&write.key.name), write.verb != Verb::Create, "{write:?}");
            have.insert(write.key.name.clone(), letters.clone());
            written.push((write.key.name, letters));
            for letter in slices.iter().flat_map(|(_, _, after)| after.chars()) {
                let was_there = slices.iter().any(|(_, before, _)| before.contains(letter));
                assert!(!was_there || have.values().any(|letters| letters.contains(letter)), "{letter}: {written:?}");
            }
        }
        written
    }

    fn strings(writes: &[(&str, &str)]) -> Vec<(String, String)> {
        writes.iter().map(|(name, letters)| (name.to_string(), letters.to_string())).collect()
    }

    #[test]
    fn the_last_slice_that_has_a_destination_waits_for_the_one_that_is_to_have_it() {
        let slices = [("a", "x", "y"), ("b", "x", ""), ("c", "y", "x")];
        assert_eq!(written(&slices, 4), strings(&[("a", "y"), ("c", "x"), ("b", "")]));
    }

    #[test]
    fn in_a_circle_the_slice_that_has_room_keeps_what_it_would_drop() {
        let slices = [("a", "x", "uvy"), ("b", "y", "x")];
        assert_eq!(written(&slices, 3), strings(&[("b", "xy"), ("a", "uvy"), ("b", "x")]));
        let slices = [("a", "y", "x"), ("b", "x", "uvy")];
        assert_eq!(written(&slices, 3), strings(&[("a", "xy"), ("b", "uvy"), ("a", "x")]));
    }

    #[test]
    fn in_a_circle_without_room_a_helper_has_what_the_first_one_drops() {
        let writes = written(&[("a", "xy", "uv"), ("b", "uv", "xy")], 2);
        let helper = writes[0].0.as_str();
        assert_eq!(writes, strings(&[(helper, "xy"), ("a", "uv"), ("b", "xy"), (helper, "")]));
    }
}
