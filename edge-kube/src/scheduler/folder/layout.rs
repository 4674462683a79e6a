//! Which file an object is kept in: `OUT/<cluster>/<name>.yaml` for a slice, `OUT/<cluster>/<name>.status` for the status of
//! an EdgePlacement.
//!
//! Nothing that a name can say leads out of OUT: both parts are validated, and a folder never begins with a dot. What a
//! name cannot contain is what tells apart the names that had to be changed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use edge_core::object::ObjectKey;
use edge_core::selector::{validate_cluster_name, validate_name};

use super::content::fnv;

const SLICE: &str = "yaml";
const STATUS: &str = "status";
/// File systems take 255 bytes; the extension needs some, and so may a suffix.
const LONGEST: usize = 236;
const KEPT: usize = 200;
/// In place of a leading dot: clusters cannot contain `%`.
const DOT: &str = "%2E";

#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The file of a slice.
    ///
    /// # Errors
    ///
    /// No server would take such a name.
    pub(super) fn slice(&self, key: &ObjectKey) -> Result<PathBuf, String> {
        self.file(key, SLICE)
    }

    /// The file of an EdgePlacement's status, which has not the extension of a manifest.
    ///
    /// # Errors
    ///
    /// As [`Self::slice`].
    pub(super) fn status(&self, key: &ObjectKey) -> Result<PathBuf, String> {
        self.file(key, STATUS)
    }

    fn file(&self, ObjectKey { cluster, name }: &ObjectKey, extension: &str) -> Result<PathBuf, String> {
        validate_cluster_name(cluster)?;
        validate_name(name)?;
        let folder = match cluster.strip_prefix('.') {
            Some(rest) => format!("{DOT}{rest}"),
            None => cluster.clone(),
        };
        let file = match name.get(..KEPT) {
            Some(start) if name.len() > LONGEST => format!("{start}%{:016x}.{extension}", fnv(name.as_bytes())),
            _ => format!("{name}.{extension}"),
        };
        Ok(self.root.join(folder).join(file))
    }

    /// The slice whose file this is, if the path tells.
    pub(super) fn key(&self, path: &Path) -> Option<ObjectKey> {
        self.object(path, SLICE)
    }

    /// The EdgePlacement whose status this is, if the path tells.
    pub(super) fn placement(&self, path: &Path) -> Option<ObjectKey> {
        self.object(path, STATUS)
    }

    fn object(&self, path: &Path, extension: &str) -> Option<ObjectKey> {
        let mut parts = path.strip_prefix(&self.root).ok()?.iter().map(OsStr::to_str);
        let (folder, file) = (parts.next()??, parts.next()??);
        let name = file.strip_suffix(extension)?.strip_suffix('.')?;
        let cluster = match folder.strip_prefix(DOT) {
            Some(rest) => format!(".{rest}"),
            None => folder.to_owned(),
        };
        let key = ObjectKey::new(cluster, name);
        (parts.next().is_none() && self.file(&key, extension).is_ok_and(|home| home == path)).then_some(key)
    }

    /// Whether this is where a status may be kept.
    pub(super) fn is_status(path: &Path) -> bool {
        path.extension().is_some_and(|extension| extension == STATUS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_lead_out_of_the_folder() {
        let layout = Layout::new("/out".into());
        for (cluster, name) in
            [("a/b", "c"), ("", "c"), ("a", ""), ("a", ".."), ("a", "../c"), ("a", ".c"), ("a", "C%")]
        {
            assert!(layout.slice(&ObjectKey::new(cluster, name)).is_err(), "{cluster} {name}");
        }
        for (cluster, expected) in [("..", "/out/%2E./c.yaml"), (".", "/out/%2E/c.yaml"), (".x", "/out/%2Ex/c.yaml")] {
            let key = ObjectKey::new(cluster, "c");
            let path = layout.slice(&key).unwrap();
            assert_eq!(path, Path::new(expected));
            assert_eq!(layout.key(&path), Some(key.clone()));
            let status = layout.status(&key).unwrap();
            assert_eq!(
                (layout.placement(&status), layout.key(&status), layout.placement(&path)),
                (Some(key), None, None)
            );
        }
    }

    #[test]
    fn paths_tell_their_slice() {
        let layout = Layout::new("/out".into());
        assert_eq!(layout.key(Path::new("/out/root:a/b.c.yaml")), Some(ObjectKey::new("root:a", "b.c")));
        for path in
            ["/out/b.yaml", "/out/a/b/c.yaml", "/in/a/b.yaml", "/out/a/b.yml", "/out/a/B.yaml", "/out/.a/b.yaml"]
        {
            assert_eq!(layout.key(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn the_longest_names_have_files_of_their_own() {
        let layout = Layout::new("/out".into());
        let paths: Vec<PathBuf> = ["x", "y"]
            .map(|end| layout.slice(&ObjectKey::new("c", format!("{}{end}", "n".repeat(252)))).unwrap())
            .into();
        assert_ne!(paths[0], paths[1]);
        for path in paths {
            assert!(path.file_name().unwrap().len() < 240);
            assert_eq!(layout.key(&path), None);
        }
    }
}
