//! What an API server answered.

use std::time::Duration;

use edge_core::object::Kind;
use edge_core::publisher::{Failure, Outcome, Seen};
use http::{HeaderMap, StatusCode, header};
use hyper::body::Bytes;
use hyper_util::client::legacy::Error as TransportError;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::scheduler::backend::Observed;
use crate::scheduler::client::causes;
use crate::scheduler::decode::Clusters;

/// A message of a server is cut here: it goes into logs and conditions.
const MAX_MESSAGE: usize = 1024;

/// An answer that came as a whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// No answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The request was never sent.
    NotSent(String),
    /// It may have been carried out.
    Unknown(String),
    /// The answer is longer than memory is spent on.
    TooLong,
}

impl Lost {
    /// Why.
    pub(crate) fn reason(self) -> String {
        match self {
            Self::NotSent(reason) | Self::Unknown(reason) => reason,
            Self::TooLong => "the answer is too long".to_owned(),
        }
    }
}

impl From<kube::Error> for Lost {
    fn from(error: kube::Error) -> Self {
        let text = causes(&error);
        let not_sent = match &error {
            kube::Error::Auth(_) | kube::Error::BuildRequest(_) | kube::Error::HttpError(_) => true,
            kube::Error::Service(error) => {
                error.downcast_ref::<TransportError>().is_some_and(TransportError::is_connect)
            }
            _ => false,
        };
        if not_sent { Self::NotSent(text) } else { Self::Unknown(text) }
    }
}

/// Kubernetes' `meta/v1` Status, as much of it as matters. An object has a `kind` of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    kind: String,
    message: String,
    reason: String,
    details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Details {
    retry_after_seconds: u64,
}

impl Answer {
    fn api_status(&self) -> Status {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What the server says, for people.
    pub(crate) fn message(&self) -> String {
        let Status { message, reason, .. } = self.api_status();
        let text = match (message.as_str(), reason.as_str()) {
            ("", "") => String::from_utf8_lossy(&self.body).trim().to_string(),
            ("", reason) => reason.to_string(),
            (message, _) => message.to_string(),
        };
        let text = if text.is_empty() { self.status.to_string() } else { format!("{}: {text}", self.status.as_u16()) };
        match text.char_indices().nth(MAX_MESSAGE) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text,
        }
    }

    /// What an answer that is no success means.
    pub(super) fn failure(&self) -> Failure {
        let message = || self.message();
        match self.status.as_u16() {
            409 if self.api_status().reason == "AlreadyExists" => Failure::AlreadyExists,
            409 => Failure::Conflict,
            404 | 410 => Failure::NotFound,
            401 | 403 => Failure::Forbidden(message()),
            429 => Failure::Busy(self.retry_after()),
            503 if self.retry_after().is_some() => Failure::Busy(self.retry_after()),
            // A proxy gave up waiting for the client, or for the server: either may have had the request.
            408 | 500.. => Failure::Unknown(message()),
            400..=499 => Failure::Rejected(message()),
            // A redirection comes from something in between, and nothing was done.
            _ => Failure::NotDone(message()),
        }
    }

    /// The header counts seconds; a date, which HTTP allows too, is not in use. Some answers say it in the body alone.
    fn retry_after(&self) -> Option<Duration> {
        let header = self.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let seconds = header.or_else(|| {
            let seconds = self.api_status().details?.retry_after_seconds;
            (seconds > 0).then_some(seconds)
        });
        seconds.map(Duration::from_secs)
    }

    /// The slice of a successful creation or replacement: it should be what was sent, and a digest tells.
    pub(super) fn slice(&self, clusters: &Clusters) -> Result<Outcome, String> {
        let observe = |text: &str| match clusters.observe(Kind::SinglePlacementSlice, text) {
            Some(Observed::Slice(_, seen)) => Some(seen),
            _ => None,
        };
        match self.slice_as(observe)? {
            Outcome::Unreadable(_) => Err("the destinations of the slice in the server's answer cannot be read".into()),
            outcome => Ok(outcome),
        }
    }

    /// The slice of a successful read, with its destinations.
    pub(super) fn read_slice(&self, clusters: &Clusters) -> Result<Outcome, String> {
        self.slice_as(|text| clusters.observe_slice(text).map(|(_, seen)| seen))
    }

    fn slice_as(&self, observe: impl FnOnce(&str) -> Option<Seen>) -> Result<Outcome, String> {
        let no_slice = |why: &str| format!("the server's answer is no SinglePlacementSlice: {why}");
        let text = str::from_utf8(&self.body).map_err(|error| no_slice(&error.to_string()))?;
        let outcome = match observe(text) {
            Some(Seen::Object(slice)) => Outcome::Slice(slice),
            Some(Seen::Thin(metadata, digest)) => Outcome::ThinSlice(metadata, digest),
            Some(Seen::Unreadable(metadata)) => Outcome::Unreadable(metadata),
            Some(_) => return Err(no_slice("it shows none")),
            None => return Err(no_slice("it lacks the annotation kcp.io/cluster")),
        };
        let metadata = match &outcome {
            Outcome::Slice(slice) => Some(&slice.metadata),
            Outcome::ThinSlice(metadata, _) | Outcome::Unreadable(metadata) => Some(metadata),
            _ => None,
        };
        if metadata.is_none_or(|metadata| metadata.uid.is_empty() || metadata.resource_version.is_empty()) {
            return Err(no_slice("it has no UID or no resourceVersion"));
        }
        Ok(outcome)
    }

    /// A successful deletion: a Status if it took effect, or else the object, which waits for finalizers.
    pub(super) fn deletion(&self, clusters: &Clusters) -> Result<Outcome, String> {
        let status: Status = serde_json::from_slice(&self.body)
            .map_err(|error| format!("the server's answer to a deletion cannot be read: {error}"))?;
        if status.kind == "Status" { Ok(Outcome::Deleted) } else { self.slice(clusters) }
    }

    /// The UID of the EdgePlacement that was read.
    pub(super) fn placement(&self) -> Result<Outcome, String> {
        self.identity().map(|(uid, _)| Outcome::Placement { uid })
    }

    /// The UID and resourceVersion of the EdgePlacement that was read.
    pub(super) fn identity(&self) -> Result<(String, String), String> {
        let placement: Placement = serde_json::from_slice(&self.body)
            .map_err(|error| format!("the server's answer is no EdgePlacement: {error}"))?;
        Ok((placement.metadata.uid, placement.metadata.resource_version))
    }

    /// A status that was written. What the object looks like now, its watch will tell.
    pub(super) fn status_written(&self) -> Result<Outcome, String> {
        match serde_json::from_slice::<IgnoredAny>(&self.body) {
            Ok(_) => Ok(Outcome::StatusWritten),
            Err(error) => Err(format!("the server's answer to a status cannot be read: {error}")),
        }
    }
}

#[derive(Deserialize)]
struct Placement {
    metadata: PlacementMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlacementMetadata {
    uid: String,
    resource_version: String,
}
