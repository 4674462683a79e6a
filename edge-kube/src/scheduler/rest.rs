//! Requests to an API server, and what their answers mean.
//!
//! Raw HTTP, since the publisher must know exactly what happened: an answer that is lost or cannot be read is not a
//! failure, but the unknown. The meaning of codes and reasons is that of the Kubernetes API conventions.

mod answer;

use std::time::Duration;

use edge_core::object::{Kind, ObjectKey};
use edge_core::publisher::{Action, Failure, Outcome, StatusWrite};
use edge_core::slices::{Verb, Write};
use http::{Method, Request, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use k8s_openapi::jiff::{Timestamp, Unit};
use kube::Client;
use kube::client::Body;
use serde::Serialize;
use serde_json::{Value, json};

use super::client::causes;
use super::decode::Clusters;
pub(crate) use answer::{Answer, Lost};

/// One request takes no longer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// An answer is not read any further than so many bytes. That is room for 50 objects of etcd's usual limit.
const LONGEST: usize = if cfg!(test) { 1 << 20 } else { 128 << 20 };

/// The lowercase plural of a kind.
pub(crate) const fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::SyncTarget => "synctargets",
        Kind::Location => "locations",
        Kind::EdgePlacement => "edgeplacements",
        Kind::SinglePlacementSlice => "singleplacementslices",
    }
}

/// Sends a request and reads the whole answer.
pub(crate) async fn send(client: &Client, request: Request<Body>, timeout: Duration) -> Result<Answer, Lost> {
    let exchange = async {
        let response = client.send(request).await.map_err(Lost::from)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { Lost::TooLong } else { Lost::Unknown(causes(&*error)) }
        });
        let body = body?.to_bytes();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    };
    tokio::time::timeout(timeout, exchange)
        .await
        .unwrap_or_else(|_| Err(Lost::Unknown(format!("no answer within {} s", timeout.as_secs()))))
}

/// A GET of `path`.
pub(crate) fn get(path: &str) -> Result<Request<Body>, http::Error> {
    get_as(path, "application/json")
}

/// A GET of `path`, answered in one of these forms.
pub(crate) fn get_as(path: &str, accept: &str) -> Result<Request<Body>, http::Error> {
    Request::get(path).header(header::ACCEPT, accept).body(Body::empty())
}

/// Where requests about the objects of some logical cluster go.
#[derive(Clone)]
pub(crate) struct Target {
    /// A client that repeats nothing by itself.
    pub(crate) client: Client,
    /// What paths begin with: empty, or `/clusters/<cluster>`.
    pub(crate) prefix: String,
    /// Whether EdgePlacements have a status subresource.
    pub(crate) status_subresource: bool,
}

impl Target {
    /// Carries out a request.
    pub(crate) async fn perform(&self, clusters: &Clusters, action: Action) -> Outcome {
        match action {
            Action::Write(write) => self.write(clusters, write).await,
            Action::ReadSlice(key) => {
                self.exchange(Method::GET, &self.path(Kind::SinglePlacementSlice, &key), None, |answer| {
                    answer.read_slice(clusters)
                })
                .await
            }
            Action::ReadPlacement(key) => {
                self.exchange(Method::GET, &self.path(Kind::EdgePlacement, &key), None, Answer::placement).await
            }
            Action::Status(status) => self.status(clusters, status).await,
        }
    }

    async fn write(&self, clusters: &Clusters, write: Write) -> Outcome {
        let Write { verb, key, object, uid, resource_version } = write;
        let path = self.path(Kind::SinglePlacementSlice, &key);
        let slice = |answer: &Answer| answer.slice(clusters);
        match (verb, object) {
            (Verb::Create, Some(object)) => {
                let body = body(&Clusters::written_slice(object));
                self.exchange(Method::POST, &self.collection(Kind::SinglePlacementSlice), Some(body), slice).await
            }
            (Verb::Replace, Some(mut object)) => {
                // Both are preconditions.
                object.metadata.uid = uid.unwrap_or_default();
                object.metadata.resource_version = resource_version.unwrap_or_default();
                let body = body(&Clusters::written_slice(object));
                self.exchange(Method::PUT, &path, Some(body), slice).await
            }
            (Verb::Delete, _) => {
                let options = delete_options(uid, resource_version);
                self.exchange(Method::DELETE, &path, Some(body(&options)), |answer| answer.deletion(clusters)).await
            }
            (verb, None) => Outcome::Failed(Failure::Rejected(format!("a {} without an object", verb.as_str()))),
        }
    }

    /// Kubernetes takes no UID as a precondition of a write to `…/status`, whatever the verb: it puts the stored metadata
    /// in place of what was sent. The resourceVersion it does check, so that is read, with the UID, just before. kcp's
    /// virtual workspaces, and writes of a whole object, check the UID.
    async fn status(&self, clusters: &Clusters, status: StatusWrite) -> Outcome {
        let mut path = self.path(Kind::EdgePlacement, &status.key);
        let mut version = None;
        if self.status_subresource && matches!(clusters, Clusters::One(_)) {
            match self.request(Method::GET, &path, None).await {
                Ok(answer) => match answer.identity() {
                    Ok((uid, _)) if uid != status.uid => return Outcome::Failed(Failure::Conflict),
                    Ok((_, now)) => version = Some(now),
                    Err(reason) => return Outcome::Failed(Failure::NotDone(reason)),
                },
                // Nothing was written.
                Err(Failure::Unknown(reason)) => return Outcome::Failed(Failure::NotDone(reason)),
                Err(failure) => return Outcome::Failed(failure),
            }
        }
        if self.status_subresource {
            path.push_str("/status");
        }
        let now = || Timestamp::now().round(Unit::Second).unwrap_or_else(|_| Timestamp::now()).to_string();
        let patch = body(&status_patch(status, version, now));
        self.exchange(Method::PATCH, &path, Some(patch), Answer::status_written).await
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<Result<Vec<u8>, serde_json::Error>>,
        success: impl Fn(&Answer) -> Result<Outcome, String>,
    ) -> Outcome {
        let result = self.request(method, path, body).await;
        result.and_then(|answer| success(&answer).map_err(Failure::Unknown)).unwrap_or_else(Outcome::Failed)
    }

    /// A successful answer, or what another one means.
    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Result<Vec<u8>, serde_json::Error>>,
    ) -> Result<Answer, Failure> {
        let content = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let builder = Request::builder().method(method).uri(path).header(header::ACCEPT, "application/json");
        let request = match body {
            Some(Ok(body)) => builder.header(header::CONTENT_TYPE, content).body(Body::from(body)),
            Some(Err(error)) => return Err(Failure::Rejected(error.to_string())),
            None => builder.body(Body::empty()),
        };
        let request = request.map_err(|error| Failure::Rejected(format!("no request for {path}: {error}")))?;
        match send(&self.client, request, TIMEOUT).await {
            Ok(answer) if answer.status.is_success() => Ok(answer),
            Ok(answer) => Err(answer.failure()),
            Err(Lost::NotSent(reason)) => Err(Failure::NotDone(reason)),
            Err(lost) => Err(Failure::Unknown(lost.reason())),
        }
    }

    fn collection(&self, kind: Kind) -> String {
        format!("{}/apis/{}/{}", self.prefix, kind.api_version(), plural(kind))
    }

    fn path(&self, kind: Kind, key: &ObjectKey) -> String {
        format!("{}/{}", self.collection(kind), key.name)
    }
}

fn body(object: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(object)
}

fn delete_options(uid: Option<String>, resource_version: Option<String>) -> Value {
    let mut preconditions = serde_json::Map::new();
    preconditions.extend(uid.map(|uid| ("uid".into(), uid.into())));
    preconditions.extend(resource_version.map(|version| ("resourceVersion".into(), version.into())));
    json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": preconditions,
        "propagationPolicy": "Background",
    })
}

/// The merge patch; `now` is the transition time of conditions that have none.
fn status_patch(write: StatusWrite, version: Option<String>, now: impl Fn() -> String) -> Value {
    let mut status = serde_json::Map::new();
    let counts = [
        ("specGeneration", write.spec_generation),
        ("matchingLocationCount", write.matching_location_count),
        ("destinationCount", write.destination_count),
        ("sliceCount", write.slice_count),
    ];
    status.extend(counts.into_iter().filter_map(|(field, value)| Some((field.into(), value?.into()))));
    if let Some(mut conditions) = write.conditions {
        for condition in &mut conditions {
            condition.last_transition_time.get_or_insert_with(&now);
        }
        status.insert("conditions".into(), json!(conditions));
    }
    // Both are preconditions: a re-created object does not get the status of the former.
    let mut metadata = json!({ "uid": write.uid });
    if let Some(version) = version {
        metadata["resourceVersion"] = version.into();
    }
    json!({ "metadata": metadata, "status": status })
}

#[cfg(test)]
mod tests;
