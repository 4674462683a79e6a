//! What Kubernetes refuses, and how it says so.
//!
//! The rules are those of k8s.io/apimachinery: `IsQualifiedName` for keys, `IsValidLabelValue` for values,
//! `IsDNS1123Subdomain` for names, `ValidateLabelSelector` for the rest. Messages begin as Kubernetes' own do
//! (`Invalid value: "…"`, `Required value`, `Forbidden`), and paths are its own too, except that `matchLabels[key]` names the
//! entry where Kubernetes stops at `matchLabels`.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::object::LabelSelector;

const NAME_MAX: usize = 63;
const SUBDOMAIN_MAX: usize = 253;

/// One thing that is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct FieldError {
    /// Where, as Kubernetes writes it: `spec.locationSelectors[2].matchExpressions[0].operator`.
    pub path: String,
    /// What is wrong and what was expected.
    pub reason: String,
}

/// All that is wrong with an object; never empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Invalid(Vec<FieldError>);

impl Invalid {
    /// One error.
    pub fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self(vec![FieldError { path: path.into(), reason: reason.into() }])
    }

    /// The errors, if there are any.
    #[must_use]
    pub fn from_errors(errors: Vec<FieldError>) -> Option<Self> {
        (!errors.is_empty()).then_some(Self(errors))
    }

    /// Each error.
    #[must_use]
    pub fn errors(&self) -> &[FieldError] {
        &self.0
    }

    /// Each error, owned.
    #[must_use]
    pub fn into_errors(self) -> Vec<FieldError> {
        self.0
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl core::error::Error for Invalid {}

/// Checks the name of an object of one of the four kinds: a DNS subdomain.
///
/// # Errors
///
/// The reason, without a path.
pub fn validate_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("Required value: name is required".to_string());
    }
    if is_subdomain(name) {
        return Ok(());
    }
    Err(format!(
        "Invalid value: {name:?}: must be a DNS subdomain: lower case alphanumeric characters, '-' or '.', starting and \
         ending with an alphanumeric character, at most {SUBDOMAIN_MAX} characters"
    ))
}

/// Checks the name of a logical cluster. kcp's are short and lower case, older ones paths such as `root:compute`; a name
/// given on a command line for a plain Kubernetes cluster may be anything of that alphabet.
///
/// # Errors
///
/// The reason, without a path.
pub fn validate_cluster_name(name: &str) -> Result<(), String> {
    let alphabet = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    if !name.is_empty() && name.len() <= SUBDOMAIN_MAX && name.bytes().all(alphabet) {
        return Ok(());
    }
    Err(format!(
        "Invalid value: {name:?}: must be a logical cluster: letters, digits, '-', '_', '.' or ':', at most \
         {SUBDOMAIN_MAX} characters"
    ))
}

pub(super) fn selector(selector: &LabelSelector, path: &str, errors: &mut Vec<FieldError>) {
    let mut error = |path: String, reason: String| errors.push(FieldError { path, reason });
    for (key, value) in &selector.match_labels {
        let at = || format!("{path}.matchLabels[{key}]");
        if let Err(reason) = qualified_name(key) {
            error(at(), reason);
        }
        if let Err(reason) = label_value(value) {
            error(at(), reason);
        }
    }
    for (i, expression) in selector.match_expressions.iter().enumerate() {
        let at = |field: &str| format!("{path}.matchExpressions[{i}].{field}");
        if let Err(reason) = qualified_name(&expression.key) {
            error(at("key"), reason);
        }
        match expression.operator.as_str() {
            "In" | "NotIn" if expression.values.is_empty() => {
                error(at("values"), "Required value: must be specified when `operator` is 'In' or 'NotIn'".to_string())
            }
            "Exists" | "DoesNotExist" if !expression.values.is_empty() => error(
                at("values"),
                "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'".to_string(),
            ),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => error(
                at("operator"),
                format!("Invalid value: {other:?}: must be \"In\", \"NotIn\", \"Exists\" or \"DoesNotExist\""),
            ),
        }
        for (j, value) in expression.values.iter().enumerate() {
            if let Err(reason) = label_value(value) {
                error(format!("{path}.matchExpressions[{i}].values[{j}]"), reason);
            }
        }
    }
}

fn qualified_name(key: &str) -> Result<(), String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if let Some(prefix) = prefix
        && !is_subdomain(prefix)
    {
        return Err(format!(
            "Invalid value: {key:?}: the prefix of a label key must be a DNS subdomain of at most {SUBDOMAIN_MAX} characters"
        ));
    }
    if !name.is_empty() && is_name(name) {
        return Ok(());
    }
    Err(format!(
        "Invalid value: {key:?}: the name of a label key must be alphanumeric characters, '-', '_' or '.', starting and \
         ending with an alphanumeric character, 1 to {NAME_MAX} characters, with at most one '/' before it"
    ))
}

fn label_value(value: &str) -> Result<(), String> {
    if is_name(value) {
        return Ok(());
    }
    Err(format!(
        "Invalid value: {value:?}: a label value must be empty or alphanumeric characters, '-', '_' or '.', starting and \
         ending with an alphanumeric character, at most {NAME_MAX} characters"
    ))
}

/// `(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?`, at most 63 bytes.
fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    text.len() <= NAME_MAX && text.bytes().all(inner) && has_edges(text.as_bytes(), u8::is_ascii_alphanumeric)
}

/// Dot-separated `[a-z0-9]([-a-z0-9]*[a-z0-9])?`, at most 253 bytes.
fn is_subdomain(text: &str) -> bool {
    let edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.len() <= SUBDOMAIN_MAX
        && text.split('.').all(|part| {
            !part.is_empty() && part.bytes().all(|b| edge(&b) || b == b'-') && has_edges(part.as_bytes(), edge)
        })
}

fn has_edges(text: &[u8], edge: impl Fn(&u8) -> bool) -> bool {
    text.first().is_none_or(&edge) && text.last().is_none_or(&edge)
}
