//! Values of flags.

use std::fmt;
use std::str::FromStr;

/// `[WORKSPACE:]NAME` of an APIExport. Workspace paths contain colons: the last one separates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExportName {
    /// The path or logical cluster of the workspace that has it, such as `root:espw`.
    pub(crate) workspace: Option<String>,
    /// Its name.
    pub(crate) name: String,
}

impl FromStr for ExportName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (workspace, name) = match text.rsplit_once(':') {
            Some((workspace, name)) => (Some(workspace), name),
            None => (None, text),
        };
        if workspace.is_some_and(|path| !path.split(':').all(is_subdomain)) || !is_subdomain(name) {
            return Err("expected [WORKSPACE:]NAME, for example edge.kcp.io or root:espw:edge.kcp.io".into());
        }
        Ok(Self { workspace: workspace.map(Into::into), name: name.into() })
    }
}

impl fmt::Display for ExportName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.workspace {
            Some(workspace) => write!(f, "{workspace}:{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Whether it is a DNS-1123 subdomain.
pub(super) fn is_subdomain(text: &str) -> bool {
    let alphanumeric = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let label = |label: &str| {
        alphanumeric(label.chars().next())
            && alphanumeric(label.chars().next_back())
            && label.chars().all(|c| c == '-' || alphanumeric(Some(c)))
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// Where to listen, if anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bind(pub(crate) Option<String>);

impl FromStr for Bind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text == "0" {
            return Ok(Self(None));
        }
        let expected = "expected HOST:PORT, for example 127.0.0.1:10261 or [::]:10261; 0 turns it off";
        let (host, port) = text.rsplit_once(':').ok_or(expected)?;
        let _: u16 = port.parse().map_err(|_| expected)?;
        // A bare IPv6 address would lose its last group as the port.
        if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
            return Err(expected.into());
        }
        // As in Go, no host means all addresses.
        Ok(Self(Some(if host.is_empty() { format!("[::]:{port}") } else { text.into() })))
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or("0"))
    }
}
