//! The stream of a watch: one JSON object on each line.

use std::borrow::Cow;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use futures::io::{AsyncBufRead, AsyncBufReadExt, Lines as IoLines};
use futures::{StreamExt, TryStreamExt};
use http::Request;
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::scheduler::rest::{Answer, Lost};

/// The lines of an answer that goes on for minutes.
pub(crate) struct Lines(IoLines<Pin<Box<dyn AsyncBufRead + Send>>>);

impl Lines {
    /// Sends the request; the inner error is the server's refusal.
    pub(crate) async fn start(
        client: &Client,
        request: Request<Body>,
        timeout: Duration,
    ) -> Result<Result<Self, Answer>, Lost> {
        let start = async {
            let (parts, body) = client.send(request).await.map_err(Lost::from)?.into_parts();
            if parts.status.is_success() {
                let data = body.into_data_stream().map_err(io::Error::other);
                let reader: Pin<Box<dyn AsyncBufRead + Send>> = Box::pin(data.into_async_read());
                return Ok(Ok(Self(reader.lines())));
            }
            let body = body.collect().await.map_err(|error| Lost::Unknown(error.to_string()))?.to_bytes();
            Ok(Err(Answer { status: parts.status, headers: parts.headers, body }))
        };
        tokio::time::timeout(timeout, start)
            .await
            .unwrap_or_else(|_| Err(Lost::Unknown(format!("no answer within {} s", timeout.as_secs()))))
    }

    /// The next line; `None` at the end. A line that is waited for is not lost when the wait is given up.
    pub(crate) async fn next(&mut self) -> io::Result<Option<String>> {
        self.0.next().await.transpose()
    }
}

/// What a line says; objects in their JSON.
pub(crate) enum Change<'a> {
    Exists(&'a str),
    Gone(&'a str),
    /// Only its version matters.
    Bookmark(&'a str),
    /// The version that was asked for is too old.
    Expired,
    Error(String),
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
    message: String,
    reason: String,
}

pub(crate) fn parse(line: &str) -> Result<Change<'_>, serde_json::Error> {
    let line: Line<'_> = serde_json::from_str(line)?;
    let object = line.object.get();
    Ok(match &*line.kind {
        "ADDED" | "MODIFIED" => Change::Exists(object),
        "DELETED" => Change::Gone(object),
        "BOOKMARK" => Change::Bookmark(object),
        _ => {
            let status: Status = serde_json::from_str(object).unwrap_or_default();
            match (status.code, status.reason.as_str()) {
                (410, _) | (_, "Expired" | "Gone") => Change::Expired,
                _ if status.message.is_empty() => Change::Error(format!("{}: {object}", line.kind)),
                _ => Change::Error(status.message),
            }
        }
    })
}
