//! Which tests may run on a server at the same time.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::env::Flavor;

/// What other tests may see of a test.
pub(crate) enum Sharing {
    /// Its Locations have a label of its own, and its EdgePlacements select by that: others may run on the server.
    Labelled,
    /// It selects all Locations that there are.
    Alone,
}

/// A test's turn on a server; it ends when dropped.
pub(crate) enum Turn {
    Shared { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

impl Turn {
    pub(crate) fn take(flavor: Flavor, sharing: &Sharing) -> Self {
        static TURNS: [RwLock<()>; 3] = [const { RwLock::new(()) }; 3];
        let turn = match flavor {
            Flavor::Kcp011 => &TURNS[0],
            Flavor::Kcp022 => &TURNS[1],
            Flavor::Kubernetes => &TURNS[2],
        };
        // On Kubernetes all schedulers would write the same slices.
        if matches!(sharing, Sharing::Alone) || flavor == Flavor::Kubernetes {
            Self::Alone { _guard: turn.write().unwrap_or_else(PoisonError::into_inner) }
        } else {
            Self::Shared { _guard: turn.read().unwrap_or_else(PoisonError::into_inner) }
        }
    }
}
