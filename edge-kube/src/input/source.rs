//! Finds the files and reads them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{Place, Problem};
use super::node::{Malformed, Position};

/// More than any set of manifests has, and less than memory: a path may name a device.
const MAX_BYTES: u64 = 1 << 30;

const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// Something to read. The order, files by path and then the standard input, does not depend on that of the arguments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    File(PathBuf),
    Stdin,
}

impl Source {
    /// How messages call it.
    pub(super) fn name(&self) -> Arc<str> {
        match self {
            Self::File(path) => display(path),
            Self::Stdin => "<stdin>".into(),
        }
    }

    /// The content: valid UTF-8 without NUL.
    pub(super) fn read(&self) -> Result<String, Problem> {
        let name = self.name();
        let bytes = match self {
            Self::File(path) => File::open(path).and_then(read),
            Self::Stdin => read(io::stdin().lock()),
        };
        let bytes = bytes.map_err(|source| Problem::Unreadable { path: Arc::clone(&name), source })?;
        text(bytes).map_err(|malformed| malformed.of(&name))
    }
}

/// All that there is to read, if it is not too much.
pub(crate) fn read(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let length = from.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    match u64::try_from(length) {
        Ok(0..=MAX_BYTES) => Ok(bytes),
        _ => Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 GiB")),
    }
}

/// Whether a file of a folder is a manifest, by its extension.
pub(crate) fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|wanted| extension == *wanted))
}

/// Whether an entry of a folder is left out, by its name.
pub(crate) fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

impl Malformed {
    /// As a problem of the file `name`.
    pub(super) fn of(self, name: &Arc<str>) -> Problem {
        Problem::Malformed { place: self.at.of(name), reason: self.reason }
    }
}

impl Position {
    /// As a place in the file `name`.
    pub(super) fn of(self, name: &Arc<str>) -> Place {
        Place { file: Arc::clone(name), line: self.line, column: self.column }
    }
}

/// The text of a manifest: valid UTF-8 without NUL.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, Malformed> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Malformed::rule(Position::START, "expected UTF-8, found UTF-16"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let bytes = error.into_bytes();
        let found = bytes.get(valid).copied().unwrap_or_default();
        let before = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default());
        Malformed::rule(Position::of_byte(&before, valid), format!("expected UTF-8, found the byte 0x{found:02x}"))
    })?;
    match text.find('\0') {
        Some(byte) => Err(Malformed::rule(Position::of_byte(&text, byte), "expected text, found a NUL byte")),
        None => Ok(text),
    }
}

/// Each file once, however often and by whatever names the arguments reach it.
pub(super) fn find(paths: &[PathBuf], problems: &mut Vec<Problem>) -> Vec<Source> {
    let mut paths: Vec<&PathBuf> = paths.iter().collect();
    paths.sort();
    let mut finder = Finder { sources: Vec::new(), folders: BTreeSet::new(), problems };
    for path in paths {
        if path.as_os_str() == "-" {
            finder.sources.push(Source::Stdin);
        } else {
            finder.add(path);
        }
    }
    let mut sources = finder.sources;
    sources.sort();
    let mut seen = BTreeSet::new();
    sources.retain(|source| match source {
        // What has no canonical path, such as a closed descriptor, reports its own error when it is read.
        Source::File(path) => seen.insert(Some(fs::canonicalize(path).unwrap_or_else(|_| path.clone()))),
        Source::Stdin => seen.insert(None),
    });
    sources
}

struct Finder<'p> {
    sources: Vec<Source>,
    /// Canonical paths of the folders visited: symbolic links may lead round in a circle.
    folders: BTreeSet<PathBuf>,
    problems: &'p mut Vec<Problem>,
}

impl Finder<'_> {
    /// An argument: a file of any extension or kind, or a folder.
    fn add(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.folder(path),
            Ok(_) => self.sources.push(Source::File(path.to_path_buf())),
            Err(source) => self.unreadable(path, source),
        }
    }

    fn folder(&mut self, path: &Path) {
        let mut waiting = vec![path.to_path_buf()];
        while let Some(folder) = waiting.pop() {
            if let Err(source) = self.entries(&folder, &mut waiting) {
                self.unreadable(&folder, source);
            }
        }
    }

    fn entries(&mut self, folder: &Path, waiting: &mut Vec<PathBuf>) -> io::Result<()> {
        if !self.folders.insert(fs::canonicalize(folder)?) {
            return Ok(());
        }
        // By name, so that of two ways to one folder the same is always taken.
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if !is_hidden(&entry.file_name()) {
                found.push(entry.path());
            }
        }
        found.sort_by(|a, b| b.cmp(a));
        for path in found {
            let wanted = is_manifest(&path);
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => waiting.push(path),
                // Not a pipe or a socket, which could block for ever.
                Ok(metadata) if metadata.is_file() && wanted => self.sources.push(Source::File(path)),
                Ok(_) => {}
                Err(source) if wanted => self.unreadable(&path, source),
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn unreadable(&mut self, path: &Path, source: io::Error) {
        self.problems.push(Problem::Unreadable { path: display(path), source });
    }
}

fn display(path: &Path) -> Arc<str> {
    path.to_string_lossy().into()
}
