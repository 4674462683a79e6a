//! Tables, a picture, and their place in the README.

mod chart;
mod counts;

pub use chart::{Chart, Line};
pub use counts::Counts;

use std::path::PathBuf;
use std::time::Duration;
use std::{fs, io};

/// Rows of cells; the first is the heading.
#[derive(Debug, Default)]
pub struct Table(Vec<Vec<String>>);

impl Table {
    /// A table with a heading.
    pub fn new(heading: impl IntoIterator<Item = String>) -> Self {
        Self(vec![heading.into_iter().collect()])
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.push(cells.into_iter().collect());
    }

    /// In markdown; all columns but the first are aligned to the right.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        for (number, row) in self.0.iter().enumerate() {
            text += &format!("| {} |\n", row.join(" | "));
            if number == 0 {
                text += &format!("|---|{}\n", "--:|".repeat(row.len() - 1));
            }
        }
        text
    }
}

/// The top of the repository.
#[must_use]
pub fn top() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Puts text between the README's markers of this name.
///
/// # Errors
///
/// If the README cannot be read or written, or lacks the markers.
pub fn write_readme(marker: &str, text: &str) -> io::Result<()> {
    let path = top().join("README.md");
    let readme = fs::read_to_string(&path)?;
    let (begin, end) = (format!("<!-- {marker}: begin -->"), format!("<!-- {marker}: end -->"));
    let parts = readme.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = parts.ok_or_else(|| io::Error::other(format!("README.md lacks {begin} or {end}")))?;
    fs::write(path, format!("{before}{begin}\n{text}{end}{after}"))
}

/// A time with two or three digits that matter.
#[must_use]
pub fn time(nanos: f64) -> String {
    let (number, unit) = match nanos {
        ..1e3 => (nanos, "ns"),
        ..1e6 => (nanos / 1e3, "µs"),
        ..1e9 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    format!("{} {unit}", digits(number))
}

/// A duration with two or three digits that matter.
#[must_use]
pub fn duration(duration: Duration) -> String {
    time(duration.as_nanos() as f64)
}

/// A number with two or three digits that matter.
#[must_use]
pub fn digits(number: f64) -> String {
    match number {
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// How many times as long, with two or three digits that matter.
#[must_use]
pub fn ratio(ratio: f64) -> String {
    match ratio {
        10.0.. => format!("{ratio:.0}×"),
        1.0.. => format!("{ratio:.1}×"),
        _ => format!("{ratio:.2}×"),
    }
}

/// A number in groups of three digits.
#[must_use]
pub fn grouped(number: usize) -> String {
    let text = number.to_string();
    let first = text.len() % 3;
    let groups = [&text[..first]].into_iter().filter(|group| !group.is_empty()).map(str::to_string);
    let rest = text.as_bytes()[first..].chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    groups.chain(rest).collect::<Vec<_>>().join(" ")
}
