//! Label selectors by Kubernetes' rules, validated once and brought into a canonical form.
//!
//! The reference is `LabelSelectorAsSelector` of k8s.io/apimachinery: all requirements must hold; `NotIn` and
//! `DoesNotExist` also hold where the key is absent; `In` and `NotIn` need a value, `Exists` and `DoesNotExist` take none.
//!
//! Canonical means: at most one [`Requirement`] for a key, keys and values sorted, no value twice. So two selectors that
//! say the same by different words become equal, and the index matches them once. A contradiction (`a In (x)` and
//! `a DoesNotExist`) becomes [`Selector::contradiction`] and is never indexed.

#[cfg(test)]
mod tests;
mod validate;

pub use validate::{FieldError, Invalid, validate_cluster_name, validate_name};

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::object::{LabelSelector, LabelSelectorRequirement};

/// The labels of an object, sorted by key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Labels(Vec<(String, String)>);

impl Labels {
    /// The value of `key`. `O(log n)`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.binary_search_by(|(have, _)| have.as_str().cmp(key)).ok().map(|at| self.0[at].1.as_str())
    }

    /// Keys and values, by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many labels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<BTreeMap<String, String>> for Labels {
    fn from(map: BTreeMap<String, String>) -> Self {
        Self(map.into_iter().collect())
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Labels {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(labels: T) -> Self {
        labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect::<BTreeMap<_, _>>().into()
    }
}

/// What a selector asks of the label with one key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The label is there with one of these values; never empty.
    In(Vec<String>),
    /// The label is absent or has none of these values; never empty.
    NotIn(Vec<String>),
    /// The label is there.
    Exists,
    /// The label is there with none of these values (`Exists` and `NotIn` together); never empty.
    ExistsNotIn(Vec<String>),
    /// The label is absent.
    DoesNotExist,
}

impl Rule {
    /// Whether the rule holds for an object whose label has `value`, or which has no such label.
    #[must_use]
    pub fn holds(&self, value: Option<&str>) -> bool {
        match (self, value) {
            (Self::In(values), Some(value)) => contains(values, value),
            (Self::NotIn(values) | Self::ExistsNotIn(values), Some(value)) => !contains(values, value),
            (Self::In(_) | Self::Exists | Self::ExistsNotIn(_), None) | (Self::DoesNotExist, Some(_)) => false,
            (Self::Exists, Some(_)) | (Self::NotIn(_) | Self::DoesNotExist, None) => true,
        }
    }
}

fn contains(sorted: &[String], value: &str) -> bool {
    sorted.binary_search_by(|have| have.as_str().cmp(value)).is_ok()
}

/// All that a selector asks of one key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// What it asks.
    pub rule: Rule,
}

/// `env in (dev,prod)`, `!gpu`: the notation of `kubectl get --selector`.
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match &self.rule {
            Rule::In(values) if values.len() == 1 => write!(f, "{key}={}", values[0]),
            Rule::In(values) => write!(f, "{key} in ({})", values.join(",")),
            Rule::NotIn(values) => write!(f, "{key} notin ({})", values.join(",")),
            Rule::Exists => f.write_str(key),
            Rule::ExistsNotIn(values) => write!(f, "{key},{key} notin ({})", values.join(",")),
            Rule::DoesNotExist => write!(f, "!{key}"),
        }
    }
}

/// A valid selector in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Selector {
    requirements: Vec<Requirement>,
    contradiction: Option<String>,
}

impl Selector {
    /// The selector `{}`, which matches everything.
    pub const EVERYTHING: Self = Self { requirements: Vec::new(), contradiction: None };

    /// Validates and canonicalises `selector`, which stands at `path` in its object.
    ///
    /// `O(n log n)` in the number of values.
    ///
    /// # Errors
    ///
    /// Everything that Kubernetes would refuse, each with its field path.
    pub fn compile(selector: &LabelSelector, path: &str) -> Result<Self, Invalid> {
        let mut errors = Vec::new();
        validate::selector(selector, path, &mut errors);
        Invalid::from_errors(errors).map_or_else(|| Ok(Self::canonical(selector)), Err)
    }

    fn canonical(selector: &LabelSelector) -> Self {
        let mut keys: BTreeMap<&str, Demand<'_>> = BTreeMap::new();
        for (key, value) in &selector.match_labels {
            keys.entry(key).or_default().within(core::iter::once(value.as_str()));
        }
        for LabelSelectorRequirement { key, operator, values } in &selector.match_expressions {
            let demand = keys.entry(key).or_default();
            match operator.as_str() {
                "In" => demand.within(values.iter().map(String::as_str)),
                "NotIn" => demand.not_in.extend(values.iter().map(String::as_str)),
                "Exists" => demand.exists = true,
                _ => demand.absent = true,
            }
        }
        let mut requirements = Vec::with_capacity(keys.len());
        for (key, demand) in keys {
            match demand.rule() {
                Some(rule) => requirements.push(Requirement { key: key.into(), rule }),
                None => return Self { requirements: Vec::new(), contradiction: Some(key.into()) },
            }
        }
        Self { requirements, contradiction: None }
    }

    /// The requirements, at most one for a key, by key. Empty for `{}`, and for a contradiction.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// The key whose requirements contradict each other, if some do: such a selector matches nothing.
    #[must_use]
    pub fn contradiction(&self) -> Option<&str> {
        self.contradiction.as_deref()
    }

    /// Whether an object with `labels` is selected. `O(requirements × log(labels))`.
    ///
    /// ```
    /// use edge_core::object::LabelSelector;
    /// use edge_core::selector::{Labels, Selector};
    ///
    /// let mut prod = LabelSelector::default();
    /// prod.match_labels.insert("env".into(), "prod".into());
    /// let prod = Selector::compile(&prod, "spec.instanceSelector")?;
    /// assert!(prod.matches(&Labels::from_iter([("env", "prod"), ("zone", "a")])));
    /// assert!(!prod.matches(&Labels::default()));
    /// # Ok::<(), edge_core::selector::Invalid>(())
    /// ```
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.contradiction.is_none() && self.requirements.iter().all(|r| r.rule.holds(labels.get(&r.key)))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.contradiction {
            return write!(f, "nothing: the requirements on {key} contradict each other");
        }
        if self.requirements.is_empty() {
            return f.write_str("everything");
        }
        for (i, requirement) in self.requirements.iter().enumerate() {
            write!(f, "{}{requirement}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// What has been asked of one key so far.
#[derive(Default)]
struct Demand<'a> {
    within: Option<BTreeSet<&'a str>>,
    not_in: BTreeSet<&'a str>,
    exists: bool,
    absent: bool,
}

impl<'a> Demand<'a> {
    fn within(&mut self, values: impl Iterator<Item = &'a str>) {
        let values: BTreeSet<&str> = values.collect();
        self.within = Some(match self.within.take() {
            Some(before) => before.intersection(&values).copied().collect(),
            None => values,
        });
    }

    /// The rule that says the same, or `None` if nothing can satisfy it.
    fn rule(self) -> Option<Rule> {
        let owned = |values: BTreeSet<&str>| values.into_iter().map(String::from).collect::<Vec<_>>();
        if self.absent {
            return (self.within.is_none() && !self.exists).then_some(Rule::DoesNotExist);
        }
        if let Some(within) = self.within {
            let left: BTreeSet<&str> = within.difference(&self.not_in).copied().collect();
            return (!left.is_empty()).then(|| Rule::In(owned(left)));
        }
        Some(match (self.exists, self.not_in.is_empty()) {
            (true, true) => Rule::Exists,
            (true, false) => Rule::ExistsNotIn(owned(self.not_in)),
            (false, _) => Rule::NotIn(owned(self.not_in)),
        })
    }
}

/// Compiles the selectors of a list, each at its own path `<path>[i]`; one that is invalid makes the list invalid.
pub(crate) fn compile_all(selectors: &[LabelSelector], path: &str) -> Result<Vec<Selector>, Invalid> {
    let mut errors = Vec::new();
    let mut compiled = Vec::with_capacity(selectors.len());
    for (i, selector) in selectors.iter().enumerate() {
        match Selector::compile(selector, &format!("{path}[{i}]")) {
            Ok(selector) => compiled.push(selector),
            Err(invalid) => errors.extend(invalid.into_errors()),
        }
    }
    Invalid::from_errors(errors).map_or(Ok(compiled), Err)
}
