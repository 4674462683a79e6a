//! How Kubernetes decoders treat `null`, as serde helpers.

use alloc::collections::BTreeMap;
use alloc::string::String;
use serde::{Deserialize, Deserializer};

/// A `null` field is an absent one.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Labels and annotations: a `null` value is the empty string, as Go decodes it into `map[string]string`.
///
/// Selectors do not get this leniency: there an API server checks each value against the schema of the CRD.
pub(super) fn string_map<'de, D>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error>
where
    D: Deserializer<'de>,
{
    let map: Option<BTreeMap<String, Option<String>>> = Option::deserialize(deserializer)?;
    Ok(map.unwrap_or_default().into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect())
}

/// For `skip_serializing_if`: the field has the value that its absence means.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
