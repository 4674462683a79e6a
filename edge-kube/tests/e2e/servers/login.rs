//! Kubeconfigs for the servers.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Where a server is, and who one is there.
#[derive(Clone)]
pub(crate) struct Login {
    /// `https://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// What else the cluster's entry says: the certificate authority.
    pub(crate) cluster: Value,
    /// The user's entry: a token, or a way to get one.
    pub(crate) user: Value,
}

impl Login {
    /// By a token, at a server whose certificate authority is given in base64.
    pub(crate) fn new(url: &str, ca: &str, token: &str) -> Self {
        Self { url: url.into(), cluster: json!({"certificate-authority-data": ca}), user: json!({"token": token}) }
    }

    /// The same server, reached by another URL.
    pub(crate) fn at(self, url: String) -> Self {
        Self { url, ..self }
    }

    /// The same server as another user.
    pub(crate) fn by(self, token: &str) -> Self {
        Self { user: json!({"token": token}), ..self }
    }

    /// Writes a kubeconfig with these contexts, each a name and what follows the URL; the first is the current one.
    pub(crate) fn write(&self, path: &Path, contexts: &[(&str, &str)]) {
        let named = |key: &str, value: &dyn Fn(&str, &str) -> Value| -> Vec<Value> {
            contexts.iter().map(|(name, path)| json!({"name": name, key: value(name, path)})).collect()
        };
        let cluster = |path: &str| {
            let mut cluster = self.cluster.clone();
            cluster["server"] = format!("{}{path}", self.url).into();
            cluster
        };
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": named("cluster", &|_, path| cluster(path)),
            "users": named("user", &|_, _| self.user.clone()),
            "contexts": named("context", &|name, _| json!({"cluster": name, "user": name})),
            "current-context": contexts[0].0,
        });
        fs::write(path, config.to_string()).unwrap();
    }
}
