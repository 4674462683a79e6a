//! The watch on IN: from files that changed to what the engine is told.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use edge_core::event::Event;
use edge_core::object::{Kind, ObjectKey};
use tokio::time::Instant;

use super::content::Content;
use super::layout::Layout;
use super::manifests::{Delta, Look, Manifests};
use super::pending::{Changes, Pending};
use super::tree::{Concern, Found, Tree};
use super::watched::{Step, Watched};
use super::{INCOMING, first_line, status};
use crate::input;
use crate::scheduler::backend::{Input, Observed};

pub(super) const KINDS: [Kind; 3] = [Kind::SyncTarget, Kind::Location, Kind::EdgePlacement];
/// So many objects of the first list are handed on before more files are read.
const CHUNK: usize = 2000;
/// So many lines about one thing are enough.
const MAX_LINES: usize = 10;

/// IN and what is known of it.
pub(super) struct Incoming {
    root: PathBuf,
    options: input::Options,
    layout: Layout,
    pending: Arc<Pending>,
    tree: Option<Tree>,
    pub(super) manifests: Manifests,
    stage: Stage,
    /// What stands in the way, apart from files that cannot be read.
    trouble: Option<String>,
    unwatched: bool,
    reported: (Option<String>, Option<String>),
}

/// How far the first list is.
enum Stage {
    NotBegun,
    Files(VecDeque<PathBuf>),
    Listed,
}

impl Incoming {
    pub(super) fn new(root: PathBuf, options: input::Options, layout: Layout, pending: Arc<Pending>) -> Self {
        Self {
            root,
            options,
            layout,
            pending,
            tree: None,
            manifests: Manifests::default(),
            stage: Stage::NotBegun,
            trouble: None,
            unwatched: false,
            reported: (None, None),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// What stands in the way of saying that an object does not exist.
    pub(super) fn doubt(&self) -> Option<String> {
        match self.stage {
            Stage::Listed => self.manifests.unknown(),
            _ => Some(self.trouble.clone().unwrap_or_else(|| "not all manifests have been read yet".to_owned())),
        }
    }

    fn begin(&mut self, inputs: &mut Vec<Input>) -> Stage {
        let Some(found) = self.scan() else { return Stage::NotBegun };
        let began = Instant::now();
        inputs.extend(KINDS.map(|kind| Input::Listing { source: INCOMING, kind, began }));
        let unreadable = found.unreadable.into_iter();
        let looks = unreadable.map(|(path, reason)| (path, Look::Broken { reason, stamp: None })).collect();
        self.apply(looks, false, inputs);
        Stage::Files(found.files.into_keys().collect())
    }

    fn go_on(&mut self, mut files: VecDeque<PathBuf>, inputs: &mut Vec<Input>) -> Stage {
        while inputs.len() < CHUNK {
            let Some(path) = files.pop_front() else {
                self.end(inputs);
                return Stage::Listed;
            };
            let look = self.look(&path);
            self.apply(vec![(path, look)], false, inputs);
        }
        Stage::Files(files)
    }

    fn end(&mut self, inputs: &mut Vec<Input>) {
        let unknown = self.manifests.unknown();
        if unknown.is_none() {
            status::sweep(&self.layout, self.manifests.placements());
        }
        self.report_unknown(unknown, inputs);
        inputs.extend(KINDS.map(|kind| Input::Listed { source: INCOMING, kind }));
        tracing::info!(folder = %self.root.display(), "all manifests have been read");
    }

    /// Which manifests there are; `None` if that cannot be said.
    fn scan(&mut self) -> Option<Found> {
        let (tree, mut found) = Tree::scan(&self.root, &self.pending);
        self.tree = Some(tree);
        self.unwatched = found.unwatched.is_some();
        let root = self.root.display();
        let force = match self.stage {
            Stage::Listed => ": what was read from it stays in force",
            _ => "",
        };
        let reason = found.unreadable.remove(&self.root);
        self.trouble = match (found.absent, reason) {
            (true, _) => Some(format!("the folder {root} does not exist: waiting for it{force}")),
            (_, Some(reason)) => Some(format!("{reason}{force}")),
            _ => None,
        };
        if self.trouble.is_some() {
            return None;
        }
        self.trouble.clone_from(&found.unwatched);
        Some(found)
    }

    /// The files that have to be looked at.
    fn changed(&mut self, changes: Changes, inputs: &mut Vec<Input>) -> Vec<PathBuf> {
        let concerns: Vec<Concern> = match &self.tree {
            Some(tree) if !changes.everything => changes.paths.iter().map(|path| tree.concern(path)).collect(),
            _ => vec![Concern::Everything],
        };
        if !concerns.contains(&Concern::Everything) {
            let files = concerns.into_iter().filter_map(|concern| match concern {
                Concern::File(path) => Some(path),
                _ => None,
            });
            return files.collect();
        }
        let Some(mut found) = self.scan() else { return Vec::new() };
        for link in found.dangling {
            if self.manifests.paths().any(|path| path.starts_with(&link)) {
                let reason = format!("{}: the link leads to nothing", link.display());
                found.unreadable.insert(link, reason);
            }
        }
        let current = |path: &Path| found.files.get(path).map(|stamp| self.manifests.is_current(path, stamp));
        let changed = found.files.keys().filter(|path| current(path) == Some(false));
        // What is in a folder that cannot be read stays as it was.
        let hidden = |path: &Path| path.ancestors().any(|folder| found.unreadable.contains_key(folder));
        let left = self.manifests.paths().filter(|path| current(path).is_none() && !hidden(path));
        let paths = changed.cloned().chain(left.map(Path::to_path_buf)).collect();
        let unreadable = found.unreadable.into_iter();
        let looks = unreadable.map(|(path, reason)| (path, Look::Broken { reason, stamp: None })).collect();
        self.apply(looks, true, inputs);
        paths
    }

    fn look(&self, path: &Path) -> Look {
        let broken = |reason: String, stamp| Look::Broken { reason: format!("{}: {reason}", path.display()), stamp };
        let content = match Content::read(path) {
            Ok(content) => content,
            Err(error) => {
                return match error.kind() {
                    io::ErrorKind::NotFound if fs::symlink_metadata(path).is_ok_and(|link| link.is_symlink()) => {
                        broken("the link leads to nothing".to_owned(), None)
                    }
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => Look::Gone,
                    _ => broken(format!("cannot be read: {error}"), None),
                };
            }
        };
        let Content { bytes, stamp, hash } = content;
        if self.manifests.has(path, hash) {
            return Look::Same { stamp };
        }
        // A crash or a full disk leaves such a file.
        if bytes.is_empty() && self.manifests.holds_objects(path) {
            return broken("is empty; to remove its objects, delete the file".to_owned(), Some(stamp));
        }
        match input::parse(&path.to_string_lossy(), bytes, &self.options) {
            Ok(loaded) => {
                for invalid in &loaded.invalid {
                    tracing::warn!("{invalid}");
                }
                if !loaded.slices.is_empty() || !loaded.undecodable_slices.is_empty() {
                    tracing::warn!(file = %path.display(), "SinglePlacementSlices are kept in the output folder; these are ignored");
                }
                Look::Objects { stamp, hash, events: loaded.events }
            }
            Err(error) => Look::Broken { reason: first_line(&error), stamp: Some(stamp) },
        }
    }

    fn apply(&mut self, looks: Vec<(PathBuf, Look)>, listed: bool, inputs: &mut Vec<Input>) {
        let Delta { mut objects, gone, doubles, revealed } = self.manifests.apply(looks, listed);
        for (path, wanted) in revealed {
            match Content::read(&path)
                .map(|content| input::parse(&path.to_string_lossy(), content.bytes, &self.options))
            {
                Ok(Ok(loaded)) => {
                    objects.extend(loaded.events.into_iter().filter_map(|event| self.manifests.reveal(&wanted, event)));
                }
                // It has changed or broken meanwhile.
                _ => self.manifests.forget(&path, &wanted),
            }
        }
        for (kind, key, files) in doubles.iter().take(MAX_LINES) {
            let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            tracing::warn!("{kind} {key} is defined in several files: {}; the first one counts", files.join(", "));
        }
        if doubles.len() > MAX_LINES {
            tracing::warn!("{} more objects are defined in several files", doubles.len() - MAX_LINES);
        }
        inputs.extend(objects.into_iter().map(|event| self.object(event)));
        for (kind, key) in gone {
            if kind == Kind::EdgePlacement {
                status::remove(&self.layout, &key);
            }
            inputs.push(Input::Gone { source: INCOMING, kind, key, uid: None });
        }
    }

    fn object(&self, event: Event) -> Input {
        let object = match &event {
            Event::EdgePlacement(key, Some(record)) => {
                let status = status::read(&self.layout, key, &record.uid);
                Observed::EdgePlacement(event, status)
            }
            _ => Observed::Spec(event),
        };
        Input::Object { source: INCOMING, object }
    }

    /// Tells statuses whose files somebody has changed or removed; all of them if OUT itself is among the paths.
    fn statuses(&self, paths: &HashSet<PathBuf>, inputs: &mut Vec<Input>) {
        let placements: Vec<ObjectKey> = if paths.contains(self.layout.root()) {
            self.manifests.placements().cloned().collect()
        } else {
            paths.iter().filter_map(|path| self.layout.placement(path)).collect()
        };
        inputs.extend(placements.into_iter().filter_map(|placement| {
            let status = status::read(&self.layout, &placement, self.manifests.uid(&placement)?);
            Some(Input::Status { placement, status })
        }));
    }

    /// Tells what stands in the way, if that has changed.
    fn report(&mut self, inputs: &mut Vec<Input>) {
        if matches!(self.stage, Stage::Listed) {
            self.report_unknown(self.manifests.unknown(), inputs);
        }
        let reason = self.trouble.clone().or_else(|| self.manifests.broken());
        if self.reported.0 == reason {
            return;
        }
        if let Some(trouble) = &self.trouble {
            tracing::warn!("{trouble}");
        }
        inputs.extend(KINDS.map(|kind| match &reason {
            Some(reason) => Input::Failing { source: INCOMING, kind, reason: reason.clone() },
            None => Input::Watching { source: INCOMING, kind },
        }));
        self.reported.0 = reason;
    }

    fn report_unknown(&mut self, unknown: Option<String>, inputs: &mut Vec<Input>) {
        if self.reported.1 != unknown {
            inputs.push(Input::Incomplete { source: INCOMING, reason: unknown.clone() });
            self.reported.1 = unknown;
        }
    }
}

impl Watched for Incoming {
    fn step(&mut self, changes: Changes) -> Step {
        let mut inputs = Vec::new();
        match std::mem::replace(&mut self.stage, Stage::NotBegun) {
            Stage::NotBegun => self.stage = self.begin(&mut inputs),
            Stage::Files(files) => self.stage = self.go_on(files, &mut inputs),
            Stage::Listed => {
                self.stage = Stage::Listed;
                self.statuses(&changes.paths, &mut inputs);
                let paths = self.changed(changes, &mut inputs);
                let looks = paths.into_iter().map(|path| (self.look(&path), path)).map(|(look, path)| (path, look));
                let looks = looks.collect();
                self.apply(looks, true, &mut inputs);
            }
        }
        let more = matches!(self.stage, Stage::Files(_));
        if !more {
            self.report(&mut inputs);
        }
        Step { inputs, more, unwatched: self.unwatched }
    }
}
