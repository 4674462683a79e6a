//! The watch on OUT: slices that are there already, and what others do to them.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use edge_core::object::Kind;
use edge_core::publisher::Seen;
use tokio::time::Instant;

use super::files::Lock;
use super::layout::Layout;
use super::pending::{Changes, Pending};
use super::slices::{Sight, Slices};
use super::tree::{Concern, Found, Tree};
use super::watched::{Step, Watched};
use super::{OUTGOING, OpenError};
use crate::scheduler::backend::{Input, Observed};

const KIND: Kind = Kind::SinglePlacementSlice;
/// So many files are looked at before what was seen is handed on.
const CHUNK: usize = 500;

pub(super) struct Outgoing {
    slices: Arc<Slices>,
    pending: Arc<Pending>,
    /// To whom it matters what happens to a status.
    statuses: Arc<Pending>,
    tree: Option<Tree>,
    files: VecDeque<PathBuf>,
    begun: bool,
    reported: Option<String>,
    /// Keeps other schedulers away.
    lock: Lock,
}

impl Outgoing {
    pub(super) fn new(slices: Arc<Slices>, pending: Arc<Pending>, statuses: Arc<Pending>, lock: Lock) -> Self {
        Self { slices, pending, statuses, tree: None, files: VecDeque::new(), begun: false, reported: None, lock }
    }

    fn scan(&mut self, inputs: &mut Vec<Input>) -> Found {
        let root = self.slices.layout.root();
        let (tree, mut found) = Tree::scan(root, &self.pending);
        if self.tree.as_ref().is_some_and(|before| before.has_lost(&tree)) {
            // Statuses may have gone with a folder.
            self.statuses.add([root.to_path_buf()]);
        }
        self.tree = Some(tree);
        if found.absent {
            tracing::warn!(folder = %root.display(), "the output folder is gone: making it again");
            match make(root) {
                Ok(lock) => self.lock = lock,
                Err(reason) => drop(found.unreadable.insert(root.to_path_buf(), reason)),
            }
            // What happens in it from now on is an event again.
            self.tree = Some(Tree::scan(root, &self.pending).0);
        }
        let reason = found.unreadable.values().next().cloned();
        self.report(reason.or_else(|| found.unwatched.clone()), inputs);
        found
    }

    fn report(&mut self, reason: Option<String>, inputs: &mut Vec<Input>) {
        if self.reported == reason {
            return;
        }
        inputs.push(match &reason {
            Some(reason) => {
                tracing::warn!("{reason}");
                Input::Failing { source: OUTGOING, kind: KIND, reason: reason.clone() }
            }
            None => Input::Watching { source: OUTGOING, kind: KIND },
        });
        self.reported = reason;
    }

    fn outdated(&mut self, inputs: &mut Vec<Input>) -> Vec<PathBuf> {
        let found = self.scan(inputs);
        let mut paths = self.slices.outdated(&found);
        // What cannot be looked at stays as it was.
        paths.retain(|path| !path.ancestors().any(|folder| found.unreadable.contains_key(folder)));
        paths
    }

    fn changed(&mut self, changes: Changes, inputs: &mut Vec<Input>) -> Vec<PathBuf> {
        if let Some(tree) = &self.tree {
            let statuses = changes.paths.iter().filter(|path| Layout::is_status(path));
            let statuses: Vec<PathBuf> = statuses.filter_map(|path| tree.known_as(path)).collect();
            if !statuses.is_empty() {
                self.statuses.add(statuses);
            }
        }
        let concerns: Vec<Concern> = match &self.tree {
            Some(tree) if !changes.everything => changes.paths.iter().map(|path| tree.concern(path)).collect(),
            _ => vec![Concern::Everything],
        };
        if concerns.contains(&Concern::Everything) {
            return self.outdated(inputs);
        }
        let file = |concern| match concern {
            Concern::File(path) => Some(path),
            _ => None,
        };
        concerns.into_iter().filter_map(file).collect()
    }

    fn observe(&mut self, inputs: &mut Vec<Input>) {
        for _ in 0..CHUNK {
            let Some(path) = self.files.pop_front() else { return };
            let mut more = Vec::new();
            inputs.extend(self.slices.observe(&path, &mut more).map(input));
            self.files.extend(more);
        }
    }
}

/// The folder anew, with a lock: the former went with the former folder.
fn make(root: &Path) -> Result<Lock, String> {
    let explain = |error| format!("{}: cannot be made: {error}", root.display());
    fs::create_dir_all(root).map_err(explain)?;
    Lock::take(root).map_err(explain)?.ok_or_else(|| OpenError::Taken(root.into()).to_string())
}

impl Watched for Outgoing {
    fn step(&mut self, changes: Changes) -> Step {
        let mut inputs = Vec::new();
        if !self.begun {
            self.begun = true;
            inputs.push(Input::Listing { source: OUTGOING, kind: KIND, began: Instant::now() });
            self.files = self.outdated(&mut inputs).into();
        } else if self.files.is_empty() {
            self.files = self.changed(changes, &mut inputs).into();
        }
        self.observe(&mut inputs);
        let more = !self.files.is_empty();
        if !more && !self.slices.is_listed() {
            self.slices.set_listed();
            inputs.push(Input::Listed { source: OUTGOING, kind: KIND });
        }
        Step { inputs, more, unwatched: self.tree.as_ref().is_some_and(|tree| tree.unwatched().is_some()) }
    }
}

/// How the engine is told of what was seen.
pub(super) fn input((key, seen): Sight) -> Input {
    match seen {
        Seen::Gone(uid) => Input::Gone { source: OUTGOING, kind: KIND, key, uid },
        seen => Input::Object { source: OUTGOING, object: Observed::Slice(key, seen) },
    }
}
