//! Which selectors match an item, and which items a selector matches, within a scope.
//!
//! It serves both levels: Locations' `instanceSelector`s against SyncTargets (a scope is a logical cluster) and
//! EdgePlacements' `locationSelectors` against Locations (one scope). Equal selectors of a scope are one entry.
//!
//! A selector is found through one *anchor*: of its positive requirements the one that the fewest items met when it was
//! added. Those without (purely negative ones, and `{}`) are candidates for every item of the scope. Items are found
//! through posting lists, one for each label of the scope.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hash};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::rules::{ItemLabel, Op, Rules, signature};
use crate::id::{Id, KeyId, LabelId, SelectorId, Table};
use crate::intern::{Interner, shrink};
use crate::selector::{Labels, Selector};
use crate::sorted;

/// Selectors see only the items of their own scope.
pub(super) type Scope = u32;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Anchor {
    Label(LabelId),
    Key(KeyId),
    Everything,
}

#[derive(Debug)]
struct Item {
    scope: Scope,
    /// Where it stands in the list of its scope.
    at: u32,
    signature: u64,
    /// Sorted by key.
    labels: Box<[ItemLabel]>,
}

#[derive(Debug)]
struct Entry<T> {
    scope: Scope,
    rules: Rules,
    signature: u64,
    /// Where it is found.
    anchors: Box<[Anchor]>,
    payload: T,
}

impl<T> Entry<T> {
    fn matches(&self, item: &Item) -> bool {
        self.signature & !item.signature == 0 && self.rules.match_labels(&item.labels)
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
    items: HashMap<usize, Item>,
    everything: HashMap<Scope, Vec<I>>,
    postings: HashMap<(Scope, LabelId), Vec<I>>,
    selectors: Table<SelectorId, Entry<T>>,
    ids: HashTable<SelectorId>,
    anchored: HashMap<(Scope, Anchor), Vec<SelectorId>>,
}

impl<I, T> Default for Matcher<I, T> {
    fn default() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            items: HashMap::new(),
            everything: HashMap::new(),
            postings: HashMap::new(),
            selectors: Table::default(),
            ids: HashTable::new(),
            anchored: HashMap::new(),
        }
    }
}

// === Items ===

impl<I: Id, T> Matcher<I, T> {
    /// Whether the item is known with just these labels.
    pub(super) fn has_labels(&self, item: I, labels: &Labels, interner: &Interner) -> bool {
        // Both sides have one label a key; equal size and all of one in the other is equality.
        self.items.get(&item.index()).is_some_and(|have| {
            have.labels.len() == labels.len()
                && have.labels.iter().all(|label| {
                    let (key, value) = interner.label_text(label.label);
                    labels.get(key) == Some(value)
                })
        })
    }

    /// How many items there are.
    pub(super) fn items(&self) -> usize {
        self.items.len()
    }

    pub(super) fn contains(&self, item: I) -> bool {
        self.items.contains_key(&item.index())
    }

    /// The item's labels as text, sorted by key.
    pub(super) fn labels_of<'a>(&self, item: I, interner: &'a Interner) -> Vec<(&'a str, &'a str)> {
        let labels = self.items.get(&item.index()).map_or(&[][..], |item| &item.labels);
        let mut labels: Vec<_> = labels.iter().map(|label| interner.label_text(label.label)).collect();
        labels.sort_unstable();
        labels
    }

    /// Sets the labels of an item; `None` takes the item out. Tells which selectors it joined and left.
    ///
    /// Cost: a probe for each label and key, and an evaluation of each selector anchored at one of them.
    pub(super) fn set_labels(
        &mut self,
        item: I,
        scope: Scope,
        labels: Option<&Labels>,
        interner: &mut Interner,
        moves: &mut Moves,
    ) {
        moves.joined.clear();
        moves.left.clear();
        let old = self.items.remove(&item.index());
        let new = labels.map(|labels| self.place(item, scope, labels, old.as_ref(), interner));
        self.find_moves(old.as_ref(), new.as_ref(), moves);
        if let Some(old) = old {
            self.displace(old, new.as_ref(), interner);
        }
        if let Some(new) = new {
            self.items.insert(item.index(), new);
        } else if self.items.capacity() > 64 && self.items.len() < self.items.capacity() / 4 {
            self.items.shrink_to_fit();
        }
    }

    /// Enters the item into the posting lists of its new labels. Those that it keeps stay where they are.
    fn place(&mut self, id: I, scope: Scope, labels: &Labels, old: Option<&Item>, interner: &mut Interner) -> Item {
        let mut placed: Vec<ItemLabel> = Vec::with_capacity(labels.len());
        for (key, value) in labels.iter() {
            let label = interner.acquire(key, value);
            let key = interner.key_of(label);
            let kept = old.and_then(|old| find(&old.labels, key)).filter(|kept| kept.label == label);
            let at = kept.map_or_else(|| push(self.postings.entry((scope, label)).or_default(), id), |kept| kept.at);
            placed.push(ItemLabel { key, label, at });
        }
        placed.sort_unstable_by_key(|label| label.key);
        let at = match old {
            Some(old) => old.at,
            None => push(self.everything.entry(scope).or_default(), id),
        };
        Item { scope, at, signature: signature(&placed), labels: placed.into() }
    }

    /// Takes the item out of the posting lists of the labels that it no longer has.
    fn displace(&mut self, old: Item, new: Option<&Item>, interner: &mut Interner) {
        for label in &old.labels {
            let kept = new.and_then(|new| find(&new.labels, label.key));
            if kept.is_none_or(|kept| kept.label != label.label) {
                let moved = take(&mut self.postings, (old.scope, label.label), label.at);
                if let Some(moved) = moved.and_then(|id| self.items.get_mut(&id.index()))
                    && let Ok(slot) = moved.labels.binary_search_by_key(&label.key, |have| have.key)
                {
                    moved.labels[slot].at = label.at;
                }
            }
            interner.release(label.label);
        }
        if new.is_none() {
            let moved = take(&mut self.everything, old.scope, old.at);
            if let Some(moved) = moved.and_then(|id| self.items.get_mut(&id.index())) {
                moved.at = old.at;
            }
        }
    }

    /// The selectors that match the item, sorted.
    pub(super) fn selectors_of(&self, item: I) -> Vec<SelectorId> {
        let mut moves = Moves::default();
        self.find_moves(None, self.items.get(&item.index()), &mut moves);
        moves.joined
    }

    fn find_moves(&self, old: Option<&Item>, new: Option<&Item>, moves: &mut Moves) {
        let mut consider = |scope: Scope, anchor: Anchor| {
            for &id in self.anchored.get(&(scope, anchor)).map_or(&[][..], Vec::as_slice) {
                let selector = &self.selectors[id];
                match (old.is_some_and(|item| selector.matches(item)), new.is_some_and(|item| selector.matches(item))) {
                    (false, true) => moves.joined.push(id),
                    (true, false) => moves.left.push(id),
                    _ => {}
                }
            }
        };
        if let Some(item) = new.or(old) {
            consider(item.scope, Anchor::Everything);
        }
        if let Some(new) = new {
            for label in &new.labels {
                consider(new.scope, Anchor::Label(label.label));
                consider(new.scope, Anchor::Key(label.key));
            }
        }
        if let Some(old) = old {
            for label in &old.labels {
                let now = new.and_then(|new| find(&new.labels, label.key)).map(|now| now.label);
                if now != Some(label.label) {
                    consider(old.scope, Anchor::Label(label.label));
                }
                if now.is_none() {
                    consider(old.scope, Anchor::Key(label.key));
                }
            }
        }
        // A selector with several values for one key is anchored at each of them, so a change of value meets it twice.
        for list in [&mut moves.joined, &mut moves.left] {
            list.sort_unstable();
            list.dedup();
        }
    }
}

/// The label with a key, of labels sorted by key.
fn find(labels: &[ItemLabel], key: KeyId) -> Option<&ItemLabel> {
    labels.binary_search_by_key(&key, |label| label.key).ok().map(|at| &labels[at])
}

/// Appends and tells the position.
fn push<I>(list: &mut Vec<I>, id: I) -> u32 {
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
fn trim<K: Eq + Hash + Copy, V>(lists: &mut HashMap<K, Vec<V>>, key: K) {
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
    pub(super) fn selector(
        &mut self,
        selector: &Selector,
        scope: Scope,
        interner: &mut Interner,
    ) -> (SelectorId, bool) {
        let rules = Rules::acquire(selector, interner);
        let hash = self.hasher.hash_one((scope, &rules));
        let found = self.ids.find(hash, |&id| self.selectors[id].scope == scope && self.selectors[id].rules == rules);
        if let Some(&id) = found {
            rules.release(interner);
            return (id, false);
        }
        let anchors = self.anchors(scope, &rules);
        let signature = rules.signature();
        let id = self.selectors.insert(Entry { scope, rules, signature, anchors, payload: T::default() });
        for &anchor in &self.selectors[id].anchors {
            sorted::insert(self.anchored.entry((scope, anchor)).or_default(), id);
        }
        let (hasher, selectors) = (&self.hasher, &self.selectors);
        self.ids.insert_unique(hash, id, |&id| hasher.hash_one((selectors[id].scope, &selectors[id].rules)));
        (id, true)
    }

    pub(super) fn remove_selector(&mut self, id: SelectorId, interner: &mut Interner) {
        let entry = &self.selectors[id];
        let hash = self.hasher.hash_one((entry.scope, &entry.rules));
        if let Ok(found) = self.ids.find_entry(hash, |&have| have == id) {
            found.remove();
        }
        let Entry { scope, rules, anchors, .. } = self.selectors.remove(id);
        for anchor in anchors {
            if let Some(list) = self.anchored.get_mut(&(scope, anchor)) {
                sorted::remove(list, &id);
                trim(&mut self.anchored, (scope, anchor));
            }
        }
        rules.release(interner);
        shrink(&mut self.ids, |&id| self.hasher.hash_one((self.selectors[id].scope, &self.selectors[id].rules)));
    }

    /// Where the selector is found: under each value of its rarest positive requirement.
    fn anchors(&self, scope: Scope, rules: &Rules) -> Box<[Anchor]> {
        let frequency = |labels: &[LabelId]| -> usize {
            labels.iter().map(|&label| self.postings.get(&(scope, label)).map_or(0, Vec::len)).sum()
        };
        let rarest = rules.iter().filter(|rule| rule.op == Op::In).min_by_key(|rule| frequency(&rule.labels));
        if let Some(rule) = rarest {
            return rule.labels.iter().map(|&label| Anchor::Label(label)).collect();
        }
        let key = rules.iter().find(|rule| matches!(rule.op, Op::Exists | Op::ExistsNotIn)).map(|rule| rule.key);
        Box::new([key.map_or(Anchor::Everything, Anchor::Key)])
    }

    /// The items that a selector matches, in no particular order.
    ///
    /// Cost: the items that meet its rarest positive requirement; all of the scope for one without `In` requirement.
    pub(super) fn items_matching(&self, id: SelectorId) -> impl Iterator<Item = I> {
        let entry = &self.selectors[id];
        let postings = |label: &LabelId| self.postings.get(&(entry.scope, *label)).map_or(&[][..], Vec::as_slice);
        let rarest = entry
            .rules
            .iter()
            .filter(|rule| rule.op == Op::In)
            .min_by_key(|rule| rule.labels.iter().map(|label| postings(label).len()).sum::<usize>());
        let lists: Vec<&[I]> = match rarest {
            Some(rule) => rule.labels.iter().map(postings).collect(),
            None => self.everything.get(&entry.scope).map(Vec::as_slice).into_iter().collect(),
        };
        lists.into_iter().flatten().copied().filter(move |item| self.matches(id, *item))
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
        self.items.get(&item.index()).is_some_and(|item| self.selectors[id].matches(item))
    }

    /// Whether nothing is left: for the proof that deletes free everything.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
            && self.everything.is_empty()
            && self.postings.is_empty()
            && self.selectors.len() == 0
            && self.ids.is_empty()
            && self.anchored.is_empty()
    }
}
