//! Ids as newtypes over `u32`, and tables keyed by them. An `Option` of an id is as small as the id.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroU32;
use core::ops::{Index, IndexMut};
use slab::Slab;

/// A dense number that stands for an object of one sort.
pub(crate) trait Id: Copy + Eq + fmt::Debug {
    fn from_index(index: usize) -> Self;
    fn index(self) -> usize;
    /// The id as 32 bits, for lists of ids that say something else beside.
    fn bits(self) -> NonZeroU32;
    fn from_bits(bits: NonZeroU32) -> Self;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(NonZeroU32);

        impl Id for $name {
            fn from_index(index: usize) -> Self {
                // 2^32 objects of a sort do not fit into memory: each costs tens of bytes.
                Self(NonZeroU32::MIN.saturating_add(u32::try_from(index).unwrap_or(u32::MAX)))
            }
            fn index(self) -> usize {
                self.0.get() as usize - 1
            }
            fn bits(self) -> NonZeroU32 {
                self.0
            }
            fn from_bits(bits: NonZeroU32) -> Self {
                Self(bits)
            }
        }
    )*};
}

ids! {
    /// A label key that some object or selector uses.
    KeyId
    /// A label (key and value) that some object or selector of a scope uses.
    LabelId
    /// The items of a label that several have.
    HoldersId
    /// A logical cluster that some object lives in.
    ClusterId
    SyncTargetId
    LocationId
    PlacementId
    /// A selector, shared by all that say the same in the same scope.
    SelectorId
    /// A set of label keys that some object has.
    ShapeId
    /// A set of SyncTargets that one or more Locations hold.
    GroupId
    SliceId
    /// The slices of a Location that fences cut, for one EdgePlacement.
    RunId
    /// A fence with names of its own.
    FenceId
}

/// Nothing, an id of one sort, or an id of another, in four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EitherId<A, B> {
    bits: u32,
    ids: PhantomData<(A, B)>,
}

/// What an [`EitherId`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Either<A, B> {
    First(A),
    Second(B),
}

impl<A, B> EitherId<A, B> {
    pub(crate) const NONE: Self = Self { bits: 0, ids: PhantomData };

    pub(crate) fn is_none(&self) -> bool {
        self.bits == 0
    }
}

impl<A: Id, B: Id> EitherId<A, B> {
    /// Tells the second sort from the first: 2^31 of either do not fit into memory.
    const SECOND: u32 = 1 << 31;

    pub(crate) fn first(id: A) -> Self {
        Self { bits: id.bits().get(), ids: PhantomData }
    }

    pub(crate) fn second(id: B) -> Self {
        Self { bits: Self::SECOND | id.bits().get(), ids: PhantomData }
    }

    pub(crate) fn get(&self) -> Option<Either<A, B>> {
        let bits = NonZeroU32::new(self.bits & !Self::SECOND)?;
        Some(match self.bits & Self::SECOND {
            0 => Either::First(A::from_bits(bits)),
            _ => Either::Second(B::from_bits(bits)),
        })
    }
}

/// Values by id. Freed ids are given out again, so that memory stays proportional to what exists.
#[derive(Debug)]
pub(crate) struct Table<I, T> {
    rows: Slab<T>,
    id: PhantomData<I>,
}

impl<I, T> Default for Table<I, T> {
    fn default() -> Self {
        Self { rows: Slab::new(), id: PhantomData }
    }
}

impl<I: Id, T> Table<I, T> {
    pub(crate) fn insert(&mut self, value: T) -> I {
        if self.rows.len() == self.rows.capacity() {
            self.rows.reserve_exact((self.rows.len() / 8).max(4));
        }
        I::from_index(self.rows.insert(value))
    }

    pub(crate) fn reserve(&mut self, count: usize) {
        self.rows.reserve_exact(count);
    }

    pub(crate) fn remove(&mut self, id: I) -> T {
        let value = self.rows.remove(id.index());
        // A burst of objects that came and went must not hold its memory for ever.
        if self.rows.capacity() > 64 && self.rows.len() < self.rows.capacity() / 4 {
            self.rows.shrink_to_fit();
        }
        value
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        self.rows.iter().map(|(index, value)| (I::from_index(index), value))
    }

    /// One more than the highest index in use.
    fn end(&self) -> usize {
        self.rows.iter().next_back().map_or(0, |(index, _)| index + 1)
    }
}

/// One more value for each row of a [`Table`], apart from the rows and dense: what is looked at of many rows, one here and
/// one there, had better be in the cache.
#[derive(Debug)]
pub(crate) struct Column<I, T> {
    values: Vec<T>,
    id: PhantomData<I>,
}

impl<I, T> Default for Column<I, T> {
    fn default() -> Self {
        Self { values: Vec::new(), id: PhantomData }
    }
}

impl<I: Id, T: Copy> Column<I, T> {
    pub(crate) fn reserve(&mut self, count: usize) {
        self.values.reserve_exact(count);
    }

    /// The value of a row that is new.
    pub(crate) fn set(&mut self, id: I, value: T) {
        while self.values.len() <= id.index() {
            grow(&mut self.values);
            self.values.push(value);
        }
        self.values[id.index()] = value;
    }

    /// Gives back what rows took that the table has no more.
    pub(crate) fn trim<R>(&mut self, table: &Table<I, R>) {
        if table.len() == 0 {
            self.values = Vec::new();
        } else if self.values.len() > 64 && table.len() < self.values.len() / 4 {
            self.values.truncate(table.end());
            if self.values.len() < self.values.capacity() / 4 {
                self.values.shrink_to_fit();
            }
        }
    }
}

impl<I: Id, T> Index<I> for Column<I, T> {
    type Output = T;
    fn index(&self, id: I) -> &T {
        &self.values[id.index()]
    }
}

impl<I: Id, T> IndexMut<I> for Column<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.values[id.index()]
    }
}

/// Values for some of the ids that a [`Table`] of something else gave out.
#[derive(Debug)]
pub(crate) struct SideTable<I, T> {
    rows: Vec<Option<T>>,
    len: usize,
    id: PhantomData<I>,
}

impl<I, T> Default for SideTable<I, T> {
    fn default() -> Self {
        Self { rows: Vec::new(), len: 0, id: PhantomData }
    }
}

impl<I: Id, T> SideTable<I, T> {
    pub(crate) fn get(&self, id: I) -> Option<&T> {
        self.rows.get(id.index())?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: I) -> Option<&mut T> {
        self.rows.get_mut(id.index())?.as_mut()
    }

    pub(crate) fn reserve(&mut self, count: usize) {
        self.rows.reserve_exact(count);
    }

    /// Where there was none.
    pub(crate) fn insert(&mut self, id: I, value: T) {
        while self.rows.len() <= id.index() {
            grow(&mut self.rows);
            self.rows.push(None);
        }
        self.rows[id.index()] = Some(value);
        self.len += 1;
    }

    /// What was there. Its room is kept until [`Self::trim`].
    pub(crate) fn take(&mut self, id: I) -> Option<T> {
        let value = self.rows.get_mut(id.index())?.take()?;
        self.len -= 1;
        Some(value)
    }

    /// Gives back the room behind the last value.
    pub(crate) fn trim(&mut self) {
        while let Some(None) = self.rows.last() {
            self.rows.pop();
        }
        if self.rows.capacity() > 64 && self.rows.len() < self.rows.capacity() / 4 {
            self.rows.shrink_to_fit();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        let rows = self.rows.iter().enumerate();
        rows.filter_map(|(index, value)| Some((I::from_index(index), value.as_ref()?)))
    }
}

/// Makes room by an eighth, not by twice as much: tables of a hundred thousand rows are most of what there is in memory.
pub(crate) fn grow<T>(rows: &mut Vec<T>) {
    if rows.len() == rows.capacity() {
        rows.reserve_exact((rows.len() / 8).max(4));
    }
}

impl<I: Id, T> Index<I> for Table<I, T> {
    type Output = T;
    fn index(&self, id: I) -> &T {
        &self.rows[id.index()]
    }
}

impl<I: Id, T> IndexMut<I> for Table<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.rows[id.index()]
    }
}
