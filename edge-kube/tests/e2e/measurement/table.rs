//! Tables in Markdown, and their place in the README.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Rows of cells; the first is the heading.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new<const N: usize>(heading: [&str; N]) -> Self {
        Self { rows: vec![heading.map(Into::into).into()] }
    }

    /// Adds a row.
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Adds a column: the cells of a table of two columns, whose first says which row it is.
    pub(super) fn join(&mut self, other: Self) {
        if self.rows.is_empty() {
            *self = other;
            return;
        }
        for (row, mut cells) in self.rows.iter_mut().zip(other.rows) {
            assert_eq!(row[0], cells[0], "the tables of two servers differ");
            row.push(cells.pop().unwrap());
        }
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let _ = writeln!(text, "| {} |", row.join(" | "));
            if number == 0 {
                let _ = writeln!(text, "|{}", "---|".repeat(row.len()));
            }
        }
        text
    }
}

/// Puts text between the markers of this name.
pub(super) fn write_readme(name: &str, text: &str) {
    let (begin, end) = (format!("<!-- {name}: begin -->"), format!("<!-- {name}: end -->"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(&begin).unwrap_or_else(|| panic!("README.md has no {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("README.md has no {end}"));
    fs::write(&path, format!("{before}{begin}\n{text}{end}{after}")).unwrap();
    eprintln!("written to {}", path.display());
}

/// Milliseconds with two digits that matter.
pub(super) fn ms(time: Duration) -> String {
    digits(time.as_secs_f64() * 1e3) + " ms"
}

pub(super) fn seconds(time: Duration) -> String {
    digits(time.as_secs_f64()) + " s"
}

/// A number with two digits that matter, or three.
pub(super) fn digits(number: f64) -> String {
    let decimals = if number < 1.0 { 2 } else { usize::from(number < 100.0) };
    format!("{number:.decimals$}")
}

/// The middle one.
pub(super) fn median(mut times: Vec<Duration>) -> Duration {
    quantile(&mut times, 0.5)
}

/// The time that so large a part of all does not exceed.
pub(super) fn quantile(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both are small and positive")]
    let at = (part * times.len() as f64).ceil() as usize;
    times[at.clamp(1, times.len()) - 1]
}
