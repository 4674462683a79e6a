//! What is wrong, where, and what was expected.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;

use edge_core::object::{Kind, ObjectKey};
use edge_core::selector::Invalid;

/// A place in a file; `<stdin>` for the standard input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file, as it was named or found.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

/// `file:line:column`, which editors and terminals make a link of.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", one_line(&self.file), self.line, self.column)
    }
}

/// An object of one of the four kinds that an API server would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidObject {
    /// Of the first of the fields that are wrong.
    pub place: Place,
    /// The kind.
    pub kind: Kind,
    /// The logical cluster, if it can be read.
    pub cluster: Option<String>,
    /// `metadata.name`, if it can be read.
    pub name: Option<String>,
    /// All that is wrong with it, in the order of the file.
    pub invalid: Invalid,
}

/// One line: `file:line:column: Kind cluster/name: field path: reason; field path: reason`. What cannot be read is `?`.
impl fmt::Display for InvalidObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = |text: &Option<String>| one_line(text.as_deref().unwrap_or("?")).into_owned();
        let (cluster, name, invalid) = (known(&self.cluster), known(&self.name), self.invalid.to_string());
        write!(f, "{}: {} {cluster}/{name}: {}", self.place, self.kind, one_line(&invalid))
    }
}

/// The manifests cannot be read as a whole: all that stands in the way, in the order of files and lines.
///
/// `Display` gives one line for each.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct InputError(Vec<Problem>);

impl InputError {
    pub(super) fn from_problems(mut problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort_by(|a, b| a.place().cmp(&b.place()));
        Err(Self(problems))
    }

    /// Each problem; there is at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// One reason why the manifests cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A file or folder cannot be read.
    #[error("{}: cannot be read: {source}", one_line(.path))]
    Unreadable {
        /// The file or folder.
        path: Arc<str>,
        /// Why.
        source: io::Error,
    },
    /// The content of a file is not what it should be.
    #[error("{place}: {}", one_line(.reason))]
    Malformed {
        /// Where.
        place: Place,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// There are two objects of one identity.
    #[error("{place}: {kind} {}: already defined at {first}", one_line(&.key.to_string()))]
    Duplicate {
        /// Where the later one begins.
        place: Place,
        /// The kind of both.
        kind: Kind,
        /// The identity of both.
        key: ObjectKey,
        /// Where the earlier one begins.
        first: Place,
    },
}

impl Problem {
    fn place(&self) -> (&str, u32, u32) {
        match self {
            Self::Unreadable { path, .. } => (path, 0, 0),
            Self::Malformed { place, .. } | Self::Duplicate { place, .. } => (&place.file, place.line, place.column),
        }
    }
}

/// Keys and names come from the input; none of them may break a line or command a terminal.
fn one_line(text: &str) -> Cow<'_, str> {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.contains(breaks) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().fold(String::new(), |mut line, c| {
        if breaks(c) {
            line.extend(c.escape_debug())
        } else {
            line.push(c)
        }
        line
    }))
}
