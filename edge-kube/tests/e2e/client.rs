//! A client for fixtures: JSON over HTTP, synchronous.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use http::{Method, Request, Uri};
use kube::Config;
use kube::client::Body;
use serde_json::Value;
use tokio::runtime::Runtime;

/// Where all I/O of the tests runs.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// An API server and a user of it.
#[derive(Clone)]
pub(crate) struct Client {
    inner: kube::Client,
}

/// An answer other than success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// 0 if there was no answer.
    pub(crate) code: u16,
    pub(crate) message: String,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl Client {
    /// Trusts whatever certificate the server shows: it is one that the test has started. An empty token is none.
    pub(crate) fn new(server: &str, token: &str) -> Self {
        let mut config = Config::new(server.parse::<Uri>().unwrap());
        config.accept_invalid_certs = true;
        config.auth_info.token = (!token.is_empty()).then(|| token.to_owned().into());
        config.connect_timeout = Some(Duration::from_secs(5));
        config.default_retry = false;
        let _runtime = RUNTIME.enter();
        Self { inner: kube::Client::try_from(config).unwrap() }
    }

    /// Sends a request and reads the answer; a body that is no JSON becomes a JSON string. A server that is busy, as it is
    /// when it has just started, is asked again.
    pub(crate) fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ApiError> {
        for _ in 0..60 {
            match self.send_once(&method, path, body) {
                Err(error) if error.code == 429 => std::thread::sleep(Duration::from_millis(500)),
                answer => return answer,
            }
        }
        self.send_once(&method, path, body)
    }

    fn send_once(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Value, ApiError> {
        let content_type = if *method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let body = body.map_or_else(Body::empty, |body| serde_json::to_vec(body).unwrap().into());
        let request = Request::builder().method(method).uri(path).header("Content-Type", content_type);
        let request = request.header("Accept", "application/json").body(body).unwrap();
        let none = |message: String| ApiError { code: 0, message };
        let answer = RUNTIME.block_on(async {
            let send = async {
                let response = self.inner.send(request).await.map_err(|error| none(error.to_string()))?;
                let code = response.status().as_u16();
                let bytes = response.into_body().collect_bytes().await.map_err(|error| none(error.to_string()))?;
                Ok((code, bytes))
            };
            tokio::time::timeout(Duration::from_secs(30), send)
                .await
                .map_err(|_| none("no answer for 30 s".into()))
                .flatten()
        });
        let (code, bytes) = answer?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let value = serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::from(text.clone()));
        if (200..300).contains(&code) {
            return Ok(value);
        }
        let message = value["message"].as_str().map_or(text, Into::into);
        Err(ApiError { code, message })
    }

    pub(crate) fn kube(&self) -> kube::Client {
        self.inner.clone()
    }
}
