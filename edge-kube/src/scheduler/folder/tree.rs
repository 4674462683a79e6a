//! A folder with what is below it: which manifests there are, and a watch on everything that can change that.
//!
//! Each folder is watched by itself, under its real path, and before it is read: what happens afterwards is an event. So
//! are the symbolic links on the way to the folder and to its files, and the files that they lead to: a mounted ConfigMap
//! changes by one link being replaced.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::content::Stamp;
use super::pending::Pending;
use crate::input::{is_hidden, is_manifest};

/// As many as Linux follows.
const MAX_LINKS: usize = 40;

/// A watch on a folder. Ends when it is dropped.
pub(super) struct Tree {
    watcher: Option<RecommendedWatcher>,
    watched: HashSet<PathBuf>,
    /// The folders that were read, by their real path, and under which path their files are known.
    folders: HashMap<PathBuf, PathBuf>,
    /// Links, what they lead to, and what does not exist yet: if something happens to one, all may be different.
    hinges: HashSet<PathBuf>,
    /// Why the watch is not complete.
    unwatched: Option<String>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The manifests.
    pub(super) files: BTreeMap<PathBuf, Stamp>,
    /// Files and folders that could not be looked at; which, and why.
    pub(super) unreadable: BTreeMap<PathBuf, String>,
    /// Links that lead to nothing, and may have led to folders.
    pub(super) dangling: Vec<PathBuf>,
    /// The folder itself does not exist.
    pub(super) absent: bool,
    /// Changes may be missed, for this reason.
    pub(super) unwatched: Option<String>,
}

/// What an event means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Concern {
    Nothing,
    /// This file may have changed.
    File(PathBuf),
    /// Anything may have changed.
    Everything,
}

impl Tree {
    /// Watches `root` and reads which manifests there are. Events go to `pending`.
    pub(super) fn scan(root: &Path, pending: &Arc<Pending>) -> (Self, Found) {
        let noting = Arc::clone(pending);
        let (watcher, unwatched) = match notify::recommended_watcher(move |event| noting.note(event)) {
            Ok(watcher) => (Some(watcher), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let mut tree =
            Self { watcher, watched: HashSet::new(), folders: HashMap::new(), hinges: HashSet::new(), unwatched };
        let mut found = Found::default();
        let real = tree.follow(&std::path::absolute(root).unwrap_or_else(|_| root.to_path_buf()));
        if real.is_dir() {
            let links = tree.walk(root, &mut found);
            tree.drop_aliases(links, &mut found);
        } else {
            tree.await_path(&real);
            found.absent = true;
        }
        found.unwatched.clone_from(&tree.unwatched);
        (tree, found)
    }

    /// Why changes may be missed, if they may.
    pub(super) fn unwatched(&self) -> Option<&str> {
        self.unwatched.as_deref()
    }

    fn watch(&mut self, folder: &Path) {
        let Some(watcher) = &mut self.watcher else { return };
        if self.watched.insert(folder.to_path_buf())
            && let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive)
            && self.unwatched.is_none()
            // What has gone meanwhile needs no watch.
            && folder.exists()
        {
            let hint = match error.kind {
                notify::ErrorKind::MaxFilesWatch => " (raise the sysctl fs.inotify.max_user_watches)",
                _ => "",
            };
            self.unwatched = Some(format!("{}: cannot be watched: {error}{hint}", folder.display()));
        }
    }

    fn hinge(&mut self, path: PathBuf) {
        if let Some(folder) = path.parent() {
            self.watch(folder);
        }
        self.hinges.insert(path);
    }

    /// The real path of `path`, as far as it exists; each link on the way is watched.
    fn follow(&mut self, path: &Path) -> PathBuf {
        let components =
            |path: &Path| path.components().map(|part| part.as_os_str().to_owned()).collect::<Vec<OsString>>();
        let mut real = PathBuf::new();
        let mut rest = components(path);
        rest.reverse();
        let mut links = 0;
        while let Some(part) = rest.pop() {
            match Path::new(&part).components().next() {
                Some(Component::ParentDir) => {
                    real.pop();
                    continue;
                }
                Some(Component::Normal(_)) => {}
                Some(Component::CurDir) | None => continue,
                Some(Component::RootDir | Component::Prefix(_)) => {
                    real.push(&part);
                    continue;
                }
            }
            let next = real.join(&part);
            match fs::read_link(&next) {
                Ok(target) if links < MAX_LINKS => {
                    links += 1;
                    self.hinge(next);
                    rest.extend(components(&target).into_iter().rev());
                }
                _ => real = next,
            }
        }
        real
    }

    /// Watches the nearest folder that exists, until `path` may exist.
    fn await_path(&mut self, path: &Path) {
        let mut missing = path;
        while let Some(folder) = missing.parent() {
            if folder.is_dir() {
                self.hinge(missing.to_path_buf());
                return;
            }
            missing = folder;
        }
    }

    /// Returns the links to files, with what they lead to.
    fn walk(&mut self, root: &Path, found: &mut Found) -> BTreeMap<PathBuf, PathBuf> {
        let mut links = BTreeMap::new();
        let mut waiting = vec![root.to_path_buf()];
        while let Some(folder) = waiting.pop() {
            if let Err(error) = self.entries(&folder, found, &mut waiting, &mut links)
                && (error.kind() != io::ErrorKind::NotFound || folder == root)
            {
                let reason = format!("{}: cannot be read: {error}", folder.display());
                found.unreadable.insert(folder, reason);
            }
        }
        links
    }

    /// Of several names of one file only one counts.
    fn drop_aliases(&self, links: BTreeMap<PathBuf, PathBuf>, found: &mut Found) {
        let mut targets = HashSet::new();
        for (link, target) in links {
            let shown = target.parent().and_then(|folder| self.folders.get(folder)).zip(target.file_name());
            let is_found = shown.is_some_and(|(folder, name)| found.files.contains_key(&folder.join(name)));
            if is_found || !targets.insert(target) {
                found.files.remove(&link);
            }
        }
    }

    fn entries(
        &mut self,
        folder: &Path,
        found: &mut Found,
        waiting: &mut Vec<PathBuf>,
        links: &mut BTreeMap<PathBuf, PathBuf>,
    ) -> io::Result<()> {
        let real = fs::canonicalize(folder)?;
        if self.folders.contains_key(&real) {
            return Ok(());
        }
        self.watch(&real);
        self.folders.insert(real.clone(), folder.to_path_buf());
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if !is_hidden(&entry.file_name()) {
                names.push((entry.file_name(), entry.file_type().is_ok_and(|kind| kind.is_symlink())));
            }
        }
        // By name, so that of two ways to one folder the same is always taken.
        names.sort_by(|a, b| b.cmp(a));
        for (name, is_link) in names {
            let path = folder.join(&name);
            if is_link {
                let target = self.follow(&real.join(&name));
                self.hinge(target.clone());
                links.insert(path.clone(), target);
            }
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => waiting.push(path),
                // Not a pipe or a socket, which could block for ever.
                Ok(metadata) if metadata.is_file() && is_manifest(&path) => {
                    found.files.insert(path, Stamp::of(&metadata));
                }
                Ok(_) => {}
                Err(error) if is_manifest(&path) && (is_link || error.kind() != io::ErrorKind::NotFound) => {
                    let reason = format!("{}: cannot be read: {error}", path.display());
                    found.unreadable.insert(path, reason);
                }
                Err(_) if is_link => found.dangling.push(path),
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// What it means that something happened to `path`, as the watcher names it.
    pub(super) fn concern(&self, path: &Path) -> Concern {
        if self.hinges.contains(path) || self.folders.contains_key(path) {
            return Concern::Everything;
        }
        let Some(known) = self.known_as(path) else { return Concern::Nothing };
        match fs::symlink_metadata(path) {
            Ok(metadata) if !metadata.is_file() => Concern::Everything,
            _ if is_manifest(path) => Concern::File(known),
            _ => Concern::Nothing,
        }
    }

    /// Under which path a file is known, if it is one that counts, as the watcher names it.
    pub(super) fn known_as(&self, path: &Path) -> Option<PathBuf> {
        let folder = self.folders.get(path.parent()?)?;
        let name = path.file_name().filter(|name| !is_hidden(name))?;
        Some(folder.join(name))
    }

    /// Whether it has a folder that `now` has not.
    pub(super) fn has_lost(&self, now: &Self) -> bool {
        self.folders.keys().any(|folder| !now.folders.contains_key(folder))
    }
}
