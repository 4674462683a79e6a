//! Why there is no client: what is wrong, where, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use kube::config::KubeconfigError;

use super::Origin;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// A file cannot be read.
    #[error("cannot read the kubeconfig {}: {error}", .file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// No kubeconfig, and not in a pod.
    #[error(
        "no API server to talk to: {looked}, and this is not a pod; set $KUBECONFIG, or use --kubeconfig FILE, or --dir IN \
         --out OUT to work on a folder"
    )]
    NoKubeconfig {
        /// What was looked for.
        looked: String,
    },
    /// A kubeconfig that is wrong.
    #[error("the kubeconfig {origin} cannot be used: {reason}")]
    Invalid {
        /// The file or files.
        origin: String,
        /// What is wrong.
        reason: String,
    },
    /// No current context.
    #[error(
        "the kubeconfig {origin} has no current context; use --context NAME, or kubectl config use-context NAME (contexts: {there})"
    )]
    NoCurrentContext {
        /// The file or files.
        origin: String,
        /// What there is.
        there: String,
    },
    /// What was selected does not exist.
    #[error("the kubeconfig {origin} has no {what} {name:?} (there is: {there})")]
    NoEntry {
        /// context, cluster or user.
        what: &'static str,
        /// Which.
        name: String,
        /// The file or files.
        origin: String,
        /// What there is.
        there: String,
    },
    /// A context was named, but there is no kubeconfig.
    #[error(
        "{name:?} is to be taken from a kubeconfig, but there is none, only the service account of the pod; use --kubeconfig FILE"
    )]
    NoEntries {
        /// What was named.
        name: String,
    },
    /// A pod without a usable service account.
    #[error("the service account of the pod cannot be used: {reason}; is automountServiceAccountToken off?")]
    InCluster {
        /// Why.
        reason: String,
    },
    /// A URL that is none.
    #[error("the server's URL {url:?} is not valid: {reason}")]
    Url {
        /// Which.
        url: String,
        /// Why.
        reason: String,
    },
    /// Credentials, certificates or proxies that cannot be used.
    #[error("cannot make a client for {url}: {reason}")]
    Client {
        /// The server.
        url: String,
        /// Why.
        reason: String,
    },
}

impl ClientError {
    /// A parser quotes what it could not read, and that may be a token: of its message only the place is told.
    pub(super) fn invalid(origin: impl Into<Named>, error: &KubeconfigError) -> Self {
        let reason = match error {
            KubeconfigError::Parse(error) => match error.location() {
                Some(at) => format!("line {}, column {}: this is not a kubeconfig in YAML", at.line(), at.column()),
                None => "this is not a kubeconfig in YAML".into(),
            },
            other => other.to_string(),
        };
        Self::Invalid { origin: origin.into().0, reason }
    }
}

pub(super) struct Named(String);

impl From<&Path> for Named {
    fn from(path: &Path) -> Self {
        Self(path.display().to_string())
    }
}

impl From<&PathBuf> for Named {
    fn from(path: &PathBuf) -> Self {
        Self(path.display().to_string())
    }
}

impl From<&Origin> for Named {
    fn from(origin: &Origin) -> Self {
        Self(origin.to_string())
    }
}
