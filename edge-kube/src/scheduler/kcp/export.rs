//! What kcp tells about an APIExport: where its virtual workspaces are, and what they serve.
//!
//! The URLs stand in the export's status in kcp up to 0.2x, in APIExportEndpointSlices in newer kcp, and for a while in
//! both. Both are read, and the union counts.

mod wire;

use std::collections::BTreeSet;
use std::time::Duration;

use kube::Client;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::scheduler::backoff::Backoff;
use crate::scheduler::client::Connection;
use crate::scheduler::rest::{Answer, get, send};
use crate::scheduler::watch::stream::Lines;
use wire::{ApiExport, SliceList};

const GROUP: &str = "/apis/apis.kcp.io";
const TIMEOUT: Duration = Duration::from_secs(30);

/// A watch that only tells when to read again ends after this time at the latest.
const WATCH_SECONDS: u64 = 200;

/// An APIExport, by the workspace in which it is and its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ExportRef {
    /// The workspace's path or logical cluster; `None` is the one that the kubeconfig names.
    pub(crate) workspace: Option<String>,
    /// `metadata.name`.
    pub(crate) name: String,
}

impl ExportRef {
    /// The export `name` of the workspace that the kubeconfig names.
    pub(crate) fn here(name: impl Into<String>) -> Self {
        Self { workspace: None, name: name.into() }
    }
}

/// What was read of an APIExport.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Export {
    /// Of its virtual workspaces, one for each shard; never empty.
    pub(super) urls: BTreeSet<String>,
    /// What it serves, as `<plural>.<group>`.
    pub(super) resources: BTreeSet<String>,
}

/// Reads an APIExport again whenever it, or an endpoint slice beside it, may have changed, and tells what it found. Ends
/// when nobody listens.
pub(super) async fn follow<T>(
    connection: Connection,
    name: String,
    tag: T,
    found: mpsc::Sender<(T, Result<Export, String>)>,
) where
    T: Clone,
{
    let mut backoff = Backoff::default();
    let client = match connection.client() {
        Ok(client) => client,
        Err(error) => {
            let _ = found.send((tag, Err(error.to_string()))).await;
            return;
        }
    };
    let reader = Reader { client, workspace: connection.workspace(), name: &name };
    while !found.is_closed() {
        let wait = match reader.read().await {
            Ok((export, versions)) => {
                if found.send((tag.clone(), Ok(export))).await.is_err() {
                    return;
                }
                tokio::select! {
                    waited = reader.changed(&versions) => match waited {
                        Ok(()) => {
                            backoff.reset();
                            // What changes once often changes twice.
                            Duration::from_millis(100)
                        }
                        Err(_) => backoff.failed(),
                    },
                    () = found.closed() => return,
                }
            }
            Err(reason) => {
                if found.send((tag.clone(), Err(reason))).await.is_err() {
                    return;
                }
                // Someone waits for an export to appear: five seconds are soon enough.
                backoff.failed().min(Duration::from_secs(5))
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// The versions to watch from.
struct Versions {
    api: &'static str,
    export: String,
    slices: Option<String>,
}

struct Reader<'a> {
    client: Client,
    workspace: &'a str,
    name: &'a str,
}

impl Reader<'_> {
    async fn read(&self) -> Result<(Export, Versions), String> {
        let (api, object) = self.export().await?;
        let slices: Option<SliceList> = self.slices().await?;
        let urls = object.urls(self.workspace, slices.as_ref());
        if urls.is_empty() {
            let why = "neither its status nor an APIExportEndpointSlice has a URL yet";
            return Err(format!("{} has no endpoints: {why}", self.what()));
        }
        let versions = Versions {
            api,
            export: object.metadata.resource_version.clone(),
            slices: slices.map(|slices| slices.metadata.resource_version),
        };
        Ok((Export { urls, resources: object.resources() }, versions))
    }

    fn what(&self) -> String {
        format!("APIExport {} in workspace {}", self.name, self.workspace)
    }

    /// The export, in the version of the API that the server has.
    async fn export(&self) -> Result<(&'static str, ApiExport), String> {
        let mut message = None;
        for api in ["v1alpha1", "v1alpha2"] {
            match self.get(&format!("{GROUP}/{api}/apiexports/{}", self.name)).await? {
                Ok(export) => return Ok((api, export)),
                Err(answer) if answer.status.as_u16() == 404 => {
                    message.get_or_insert_with(|| answer.message());
                }
                Err(answer) => return Err(self.refused(&answer)),
            }
        }
        Err(format!("{} is not there yet ({})", self.what(), message.unwrap_or_default()))
    }

    /// The endpoint slices of the workspace, if kcp knows them at all and shows them.
    async fn slices(&self) -> Result<Option<SliceList>, String> {
        match self.get(&format!("{GROUP}/v1alpha1/apiexportendpointslices")).await? {
            Ok(slices) => Ok(Some(slices)),
            // The right to see them is needed only where the export's status has no URLs.
            Err(answer) if matches!(answer.status.as_u16(), 403 | 404) => Ok(None),
            Err(answer) => Err(self.refused(&answer)),
        }
    }

    fn refused(&self, answer: &Answer) -> String {
        match answer.status.as_u16() {
            401 => format!("the server does not accept the credentials for {} ({})", self.what(), answer.message()),
            403 => format!("the right to get {} is missing ({})", self.what(), answer.message()),
            _ => format!("{} cannot be read ({})", self.what(), answer.message()),
        }
    }

    /// The outer error says that no answer came, or one that cannot be read.
    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Result<T, Answer>, String> {
        let request = get(path).map_err(|error| error.to_string())?;
        let answer = send(&self.client, request, TIMEOUT)
            .await
            .map_err(|lost| format!("no connection to the server for {}: {}", self.what(), lost.reason()))?;
        if !answer.status.is_success() {
            return Ok(Err(answer));
        }
        let decoded = serde_json::from_slice(&answer.body);
        decoded.map(Ok).map_err(|error| format!("{} cannot be read: {error}", self.what()))
    }

    /// Returns when the export or a slice may have changed.
    async fn changed(&self, versions: &Versions) -> Result<(), String> {
        let export = self.event(format!(
            "{GROUP}/{}/apiexports?fieldSelector=metadata.name%3D{}&resourceVersion={}",
            versions.api, self.name, versions.export
        ));
        match &versions.slices {
            Some(version) => {
                let slices = self.event(format!("{GROUP}/v1alpha1/apiexportendpointslices?resourceVersion={version}"));
                tokio::select! {
                    result = export => result,
                    result = slices => result,
                }
            }
            None => export.await,
        }
    }

    /// The first event, or the end, of a watch. Which it is does not matter.
    async fn event(&self, path: String) -> Result<(), String> {
        let request =
            get(&format!("{path}&watch=1&timeoutSeconds={WATCH_SECONDS}")).map_err(|error| error.to_string())?;
        let mut lines = match Lines::start(&self.client, request, TIMEOUT).await {
            Ok(Ok(lines)) => lines,
            Ok(Err(answer)) => return Err(answer.message()),
            Err(lost) => return Err(lost.reason()),
        };
        let line = tokio::time::timeout(Duration::from_secs(WATCH_SECONDS + 10), lines.next()).await;
        line.ok().transpose().map(drop).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests;
