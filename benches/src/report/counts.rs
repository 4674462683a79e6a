//! Instructions that were counted, as `benches/instructions.txt` keeps them.

use std::path::PathBuf;
use std::{fs, io};

use super::{grouped, top};

/// What counted, and instructions of an event by the name of its case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The version of the compiler.
    pub compiler: String,
    /// The cases.
    pub cases: Vec<(String, usize)>,
}

const HEADING: &str = "Instructions an event, counted with ";

fn file() -> PathBuf {
    top().join("benches/instructions.txt")
}

impl Counts {
    /// What the file says. A line that says nothing is left out.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn read() -> io::Result<Self> {
        let text = fs::read_to_string(file())?;
        let case = |line: &str| -> Option<(String, usize)> {
            let (name, count) = line.split_once(": ")?;
            Some((name.into(), count.replace(' ', "").parse().ok()?))
        };
        let compiler = text.lines().find_map(|line| line.strip_prefix(HEADING)).unwrap_or_default();
        Ok(Self { compiler: compiler.into(), cases: text.lines().filter_map(case).collect() })
    }

    /// Makes the file say this.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write(&self) -> io::Result<()> {
        let cases = self.cases.iter().map(|(name, count)| format!("{name}: {}\n", grouped(*count)));
        fs::write(file(), format!("{HEADING}{}\n{}", self.compiler, cases.collect::<String>()))
    }

    /// The instructions of a case.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<usize> {
        self.cases.iter().find(|(case, _)| case == name).map(|(_, count)| *count)
    }
}
