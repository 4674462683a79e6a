//! Which selectors match an item, and which items a selector matches, within a scope.
//!
//! It serves both levels: Locations' `instanceSelector`s against SyncTargets (a scope is a logical cluster) and
//! EdgePlacements' `locationSelectors` against Locations (one scope). Equal selectors of a scope are one entry.
//!
//! A selector is found through one *anchor*: of its positive requirements the one that the fewest items met when it was
//! added. Those without (purely negative ones, and `{}`) are candidates for every item of the scope. Items are found
//! through the labels' lists ([`Postings`]).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hash};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::anchors::{Anchored, Anchors};
use super::postings::{ItemLabel, Postings};
use super::rules::{IdRule, Op, Plan, Rules, key_bit, signature};
use crate::id::{Id, KeyId, LabelId, SelectorId, ShapeId, SideTable, Table, grow};
use crate::intern::{Keys, shrink};
use crate::selector::{Labels, Selector};
use crate::warm::warm;

/// Selectors see only the items of their own scope.
pub(super) type Scope = u32;

#[derive(Debug)]
pub(super) struct Item {
    /// Where it stands in the list of its scope.
    at: u32,
    /// Its keys.
    pub(super) shape: ShapeId,
    signature: u64,
    /// One for each key of the shape.
    pub(super) labels: Box<[ItemLabel]>,
}

impl Item {
    /// The labels with their keys, by key.
    fn labels<'a>(&'a self, keys: &'a Keys) -> impl Iterator<Item = (KeyId, ItemLabel)> + 'a {
        keys.of_shape(self.shape).iter().copied().zip(self.labels.iter().copied())
    }

    /// For each label, by key, the one that another item has under the same key.
    fn beside<'a>(
        &'a self,
        other: Option<&'a Self>,
        keys: &'a Keys,
    ) -> impl Iterator<Item = (KeyId, ItemLabel, Option<ItemLabel>)> + 'a {
        self.labels(keys)
            .enumerate()
            .map(move |(place, (key, label))| (key, label, other_label(other, self.shape, place, key, keys)))
    }
}

/// The label that an item, if there is one, has under a key which stands at `place` in `shape`.
fn other_label(other: Option<&Item>, shape: ShapeId, place: usize, key: KeyId, keys: &Keys) -> Option<ItemLabel> {
    let other = other?;
    let place = if other.shape == shape { place } else { keys.place(other.shape, key)? };
    Some(other.labels[place])
}

#[derive(Debug)]
struct Entry<T> {
    scope: Scope,
    rules: Rules,
    signature: u64,
    /// A bit for each key that the rules are about.
    keys: u64,
    /// Where it is found.
    anchors: Anchors,
    payload: T,
}

impl<T> Entry<T> {
    fn matches(&self, item: &Item, keys: &Keys) -> bool {
        self.signature & !item.signature == 0 && self.rules.match_item(item, keys)
    }
}

/// What an item's change did to the selectors; each list is sorted and has no duplicates.
#[derive(Debug, Default)]
pub(super) struct Moves {
    pub(super) joined: Vec<SelectorId>,
    pub(super) left: Vec<SelectorId>,
}

#[derive(Debug)]
pub(super) struct Matcher<I, T> {
    hasher: DefaultHashBuilder,
    keys: Keys,
    postings: Postings<I>,
    items: SideTable<I, Item>,
    everything: HashMap<Scope, Vec<I>>,
    selectors: Table<SelectorId, Entry<T>>,
    ids: HashTable<SelectorId>,
    anchored: Anchored,
}

impl<I, T> Default for Matcher<I, T> {
    fn default() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            keys: Keys::default(),
            postings: Postings::default(),
            items: SideTable::default(),
            everything: HashMap::new(),
            selectors: Table::default(),
            ids: HashTable::new(),
            anchored: Anchored::default(),
        }
    }
}

// === Items ===

impl<I: Id, T> Matcher<I, T> {
    /// Whether the item is known with just these labels.
    pub(super) fn has_labels(&self, item: I, labels: &Labels) -> bool {
        self.items.get(item).is_some_and(|item| {
            let values = || item.labels.iter().map(|label| self.postings.value(label.label));
            warm(values().map(str::len));
            self.keys.has_shape(item.shape, labels) && values().eq(labels.iter().map(|(_, value)| value))
        })
    }

    /// Makes room for so many items.
    pub(super) fn reserve_items(&mut self, count: usize) {
        self.items.reserve(count);
    }

    /// How many items there are.
    pub(super) fn items(&self) -> usize {
        self.items.len()
    }

    /// How many labels there are, those that only selectors name included.
    pub(super) fn labels(&self) -> usize {
        self.postings.len()
    }

    pub(super) fn contains(&self, item: I) -> bool {
        self.items.get(item).is_some()
    }

    /// The item's labels as text, sorted by key.
    pub(super) fn labels_of(&self, item: I) -> Vec<(&str, &str)> {
        let text = |(key, label): (KeyId, ItemLabel)| (self.keys.text(key), self.postings.value(label.label));
        self.items.get(item).into_iter().flat_map(|item| item.labels(&self.keys)).map(text).collect()
    }

    /// Sets the labels of an item; `None` takes the item out. Tells which selectors it joined and left.
    ///
    /// Cost: a probe for each label and key, and an evaluation of each selector anchored at one of them that asks about a
    /// key whose label changes.
    pub(super) fn set_labels(&mut self, item: I, scope: Scope, labels: Option<&Labels>, moves: &mut Moves) {
        moves.joined.clear();
        moves.left.clear();
        let old = self.items.take(item);
        let new = labels.map(|labels| self.place(item, scope, labels, old.as_ref()));
        self.find_moves(scope, old.as_ref(), new.as_ref(), moves);
        if let Some(old) = old {
            self.displace(scope, old, new.as_ref());
        }
        match new {
            Some(new) => self.items.insert(item, new),
            None => self.items.trim(),
        }
    }

    /// Enters the item into the lists of its new labels. Where it keeps a label it stays where it is.
    fn place(&mut self, id: I, scope: Scope, labels: &Labels, old: Option<&Item>) -> Item {
        let shape = self.keys.acquire_shape(labels, old.map(|old| old.shape));
        let keys = self.keys.of_shape(shape);
        let mut placed: Vec<ItemLabel> = Vec::with_capacity(keys.len());
        for (place, (&key, (_, value))) in keys.iter().zip(labels.iter()).enumerate() {
            let kept = other_label(old, shape, place, key, &self.keys);
            let kept = kept.filter(|kept| self.postings.value(kept.label) == value);
            placed.push(kept.unwrap_or_else(|| self.postings.add(scope, key, value, id)));
        }
        let signature = signature(keys.iter().copied().zip(placed.iter().map(|label| label.label)));
        let at = match old {
            Some(old) => old.at,
            None => push(self.everything.entry(scope).or_default(), id),
        };
        Item { at, shape, signature, labels: placed.into() }
    }

    /// Takes the item out of the lists of the labels that it no longer has.
    fn displace(&mut self, scope: Scope, old: Item, new: Option<&Item>) {
        for (key, label, kept) in old.beside(new, &self.keys) {
            if kept.is_some_and(|kept| kept.label == label.label) {
                continue;
            }
            if let Some((moved, to)) = self.postings.remove(label)
                && let Some(moved) = self.items.get_mut(moved)
                && let Some(place) = self.keys.place(moved.shape, key)
            {
                moved.labels[place] = to;
            }
        }
        if new.is_none() {
            let moved = take(&mut self.everything, scope, old.at);
            if let Some(moved) = moved.and_then(|id| self.items.get_mut(id)) {
                moved.at = old.at;
            }
        }
        self.keys.release_shape(old.shape);
    }

    /// The selectors that match the item, which is in this scope; sorted.
    pub(super) fn selectors_of(&self, item: I, scope: Scope) -> Vec<SelectorId> {
        let mut moves = Moves::default();
        self.find_moves(scope, None, self.items.get(item), &mut moves);
        moves.joined
    }

    fn find_moves(&self, scope: Scope, old: Option<&Item>, new: Option<&Item>, moves: &mut Moves) {
        let changed = self.changed_keys(old, new);
        let matches =
            |selector: &Entry<T>, item: Option<&Item>| item.is_some_and(|item| selector.matches(item, &self.keys));
        let mut consider = |found: &[SelectorId]| {
            for &id in found {
                let selector = &self.selectors[id];
                // `{}` asks about no key, and yet every new item joins it.
                if changed.is_some_and(|changed| selector.keys & changed == 0) {
                    continue;
                }
                match (matches(selector, old), matches(selector, new)) {
                    (false, true) => moves.joined.push(id),
                    (true, false) => moves.left.push(id),
                    _ => {}
                }
            }
        };
        let Some(item) = new.or(old) else { return };
        consider(self.anchored.at_everything(scope));
        for (key, label) in item.labels(&self.keys) {
            consider(self.anchored.at_label(label.label));
            consider(self.anchored.at_key(scope, key));
        }
        if let (Some(old), Some(new)) = (old, new) {
            for (key, label, now) in old.beside(Some(new), &self.keys) {
                if now.is_none_or(|now| now.label != label.label) {
                    consider(self.anchored.at_label(label.label));
                }
                if now.is_none() {
                    consider(self.anchored.at_key(scope, key));
                }
            }
        }
        // A selector with several values for one key is anchored at each of them, so a change of value meets it twice.
        for list in [&mut moves.joined, &mut moves.left] {
            list.sort_unstable();
            list.dedup();
        }
    }

    /// A bit for each key whose label changes; `None` if the item comes or goes.
    fn changed_keys(&self, old: Option<&Item>, new: Option<&Item>) -> Option<u64> {
        let (old, new) = (old?, new?);
        let lost = |from: &Item, to: &Item| {
            from.beside(Some(to), &self.keys).fold(0, |bits, (key, label, other)| match other {
                Some(other) if other.label == label.label => bits,
                _ => bits | key_bit(key),
            })
        };
        let gained = if old.shape == new.shape { 0 } else { lost(new, old) };
        Some(lost(old, new) | gained)
    }
}

/// Appends and tells the position.
fn push<I>(list: &mut Vec<I>, id: I) -> u32 {
    grow(list);
    list.push(id);
    u32::try_from(list.len() - 1).unwrap_or(u32::MAX)
}

/// Takes one id out of a list; tells which one took its place.
fn take<K: Eq + Hash + Copy, I: Copy>(lists: &mut HashMap<K, Vec<I>>, key: K, at: u32) -> Option<I> {
    let list = lists.get_mut(&key)?;
    list.swap_remove(at as usize);
    let moved = list.get(at as usize).copied();
    trim(lists, key);
    moved
}

/// Gives memory back: an empty list goes, a mostly empty one shrinks, and so does the map of lists.
pub(super) fn trim<K: Eq + Hash + Copy, V>(lists: &mut HashMap<K, Vec<V>>, key: K) {
    let Some(list) = lists.get_mut(&key) else { return };
    if list.is_empty() {
        lists.remove(&key);
        if lists.capacity() > 64 && lists.len() < lists.capacity() / 4 {
            lists.shrink_to_fit();
        }
    } else if list.capacity() > 64 && list.len() < list.capacity() / 4 {
        list.shrink_to_fit();
    }
}

// === Selectors ===

impl<I: Id, T: Default> Matcher<I, T> {
    /// The entry for a selector of a scope; whether it is new. A new one has to be kept alive by its payload: whoever
    /// finds it unused calls [`Self::remove_selector`].
    pub(super) fn selector(&mut self, selector: &Selector, scope: Scope) -> (SelectorId, bool) {
        let rules = Rules::acquire(selector, scope, &mut self.keys, &mut self.postings);
        let hash = self.hasher.hash_one((scope, &rules));
        let found = self.ids.find(hash, |&id| self.selectors[id].scope == scope && self.selectors[id].rules == rules);
        if let Some(&id) = found {
            rules.release(&mut self.keys, &mut self.postings);
            return (id, false);
        }
        let anchors = self.anchors(scope, &rules);
        let (signature, keys) = (rules.signature(), rules.key_bits());
        let id = self.selectors.insert(Entry { scope, rules, signature, keys, anchors, payload: T::default() });
        self.anchored.insert(&self.selectors[id].anchors, id);
        let (hasher, selectors) = (&self.hasher, &self.selectors);
        self.ids.insert_unique(hash, id, |&id| hasher.hash_one((selectors[id].scope, &selectors[id].rules)));
        (id, true)
    }

    pub(super) fn remove_selector(&mut self, id: SelectorId) {
        let entry = &self.selectors[id];
        let hash = self.hasher.hash_one((entry.scope, &entry.rules));
        if let Ok(found) = self.ids.find_entry(hash, |&have| have == id) {
            found.remove();
        }
        let Entry { rules, anchors, .. } = self.selectors.remove(id);
        self.anchored.remove(&anchors, id);
        rules.release(&mut self.keys, &mut self.postings);
        shrink(&mut self.ids, |&id| self.hasher.hash_one((self.selectors[id].scope, &self.selectors[id].rules)));
    }

    /// Where the selector is found: under each value of its rarest positive requirement.
    fn anchors(&self, scope: Scope, rules: &Rules) -> Anchors {
        if let Some(rule) = self.rarest(rules) {
            return Anchors::Labels(rule.labels.clone());
        }
        let key = rules.iter().find(|rule| matches!(rule.op, Op::Exists | Op::ExistsNotIn)).map(|rule| rule.key);
        key.map_or(Anchors::Everything(scope), |key| Anchors::Key(scope, key))
    }

    /// Of the rules that ask for some values the one that the fewest items meet.
    fn rarest<'r>(&self, rules: &'r Rules) -> Option<&'r IdRule> {
        let frequency = |rule: &IdRule| rule.labels.iter().map(|&label| self.postings.frequency(label)).sum::<usize>();
        // Most selectors have one such rule, or ask for a value that nobody has.
        rules.iter().filter(|rule| rule.op == Op::In).min_by_key(|rule| frequency(rule))
    }

    /// The items that a selector matches, in no particular order.
    ///
    /// Cost: the items that meet its rarest positive requirement; all of the scope for one without `In` requirement.
    pub(super) fn items_matching(&self, id: SelectorId) -> impl Iterator<Item = I> {
        let entry = &self.selectors[id];
        let rarest = self.rarest(&entry.rules);
        let all = if rarest.is_none() { self.everything.get(&entry.scope) } else { None };
        let labels = rarest.map_or(&[][..], |rule| &rule.labels);
        let having = labels.iter().flat_map(|&label| self.postings.items(label));
        let candidates = having.chain(all.into_iter().flatten().copied());
        let mut plan = Plan::new(&entry.rules);
        candidates.filter(move |&item| {
            let item = self.items.get(item).filter(|item| entry.signature & !item.signature == 0);
            item.is_some_and(|item| plan.matches(item, &self.keys))
        })
    }
}

impl<I: Id, T> Matcher<I, T> {
    pub(super) fn payload(&self, id: SelectorId) -> &T {
        &self.selectors[id].payload
    }

    pub(super) fn payload_mut(&mut self, id: SelectorId) -> &mut T {
        &mut self.selectors[id].payload
    }

    pub(super) fn rules(&self, id: SelectorId) -> &Rules {
        &self.selectors[id].rules
    }

    /// Whether the item is known and selected.
    pub(super) fn matches(&self, id: SelectorId, item: I) -> bool {
        self.items.get(item).is_some_and(|item| self.selectors[id].matches(item, &self.keys))
    }

    pub(super) fn key(&self, key: KeyId) -> &str {
        self.keys.text(key)
    }

    pub(super) fn value(&self, label: LabelId) -> &str {
        self.postings.value(label)
    }

    /// Panics if an item or a selector is not where it says it is, or if something is counted wrongly.
    pub(super) fn internal_validate(&self) {
        let scopes = self.everything.iter();
        for (&scope, at, &id) in scopes.flat_map(|(scope, list)| (0..).zip(list).map(move |(at, id)| (scope, at, id))) {
            let item = self.items.get(id);
            assert!(item.is_some(), "what is in the list of a scope exists");
            let Some(item) = item else { continue };
            assert_eq!(item.labels.len(), self.keys.of_shape(item.shape).len(), "a label for each key");
            assert_eq!(item.at, at, "place in the list of the scope");
            item.labels(&self.keys).for_each(|(key, label)| self.postings.validate_item(scope, key, label, id));
        }
        assert_eq!(self.everything.values().map(Vec::len).sum::<usize>(), self.items.len(), "items of all scopes");
        self.keys.validate_shapes(self.items.iter().map(|(_, item)| item.shape));
        let rules = || self.selectors.iter().flat_map(|(_, entry)| entry.rules.iter());
        let of_items = self.items.iter().map(|(_, item)| item.labels.len()).sum();
        self.postings.validate_counts(of_items, rules().flat_map(|rule| &rule.labels).copied());
        self.selectors.iter().for_each(|(id, entry)| self.anchored.validate(&entry.anchors, id));
    }

    /// Whether nothing is left: for the proof that deletes free everything.
    pub(super) fn is_empty(&self) -> bool {
        self.items.len() == 0
            && self.everything.is_empty()
            && self.postings.is_empty()
            && self.keys.is_empty()
            && self.selectors.len() == 0
            && self.ids.is_empty()
            && self.anchored.is_empty()
    }
}
