//! `/livez`, `/readyz` and `/metrics`, as kube-apiserver answers them.
//!
//! It is for probes and scrapers: each connection is for one request and lasts at most 30 s, and there are at most 64. More
//! wait in the backlog of the listener.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::health::{Check, Health};
use super::metrics::Metrics;

const MAX_CONNECTIONS: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// 1.0.0 is the version that the library writes.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address} for probes and metrics: {error}; choose another --bind-address, or turn it off with --bind-address=0"
)]
pub(crate) struct BindError {
    address: String,
    error: io::Error,
}

/// The server; it stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Admin {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Admin {
    /// Listens on `HOST:PORT`.
    ///
    /// # Errors
    ///
    /// When the address does not exist, is in use or is not allowed.
    pub(crate) async fn bind(address: &str, health: Arc<Health>, metrics: Arc<Metrics>) -> Result<Self, BindError> {
        let failed = |error| BindError { address: address.to_owned(), error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        Ok(Self { address: bound, task: tokio::spawn(accept(listener, health, metrics)) })
    }

    /// Where it listens, with the port that the system chose if none was given.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, health: Arc<Health>, metrics: Arc<Metrics>) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (health, metrics) = (Arc::clone(&health), Arc::clone(&metrics));
                tokio::spawn(async move {
                    serve(stream, &health, &metrics).await;
                    drop(permit);
                });
            }
            Err(error) => {
                // No file descriptors left, most likely: others may be closed in a moment.
                tracing::debug!(err = &error as &dyn std::error::Error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, health: &Health, metrics: &Metrics) {
    let service = service_fn(async |request: Request<_>| Ok::<_, Infallible>(answer(&request, health, metrics)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .keep_alive(false)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    // Whoever hangs up or is too slow knows it.
    let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
}

fn answer<B>(request: &Request<B>, health: &Health, metrics: &Metrics) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if !matches!(path, "/livez" | "/readyz" | "/metrics") {
        return text(
            StatusCode::NOT_FOUND,
            PLAIN,
            "404 page not found: there are /livez, /readyz and /metrics\n".into(),
        );
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "405 method not allowed\n".into());
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let verbose = request.uri().query().is_some_and(|query| {
        query.split('&').any(|pair| pair.split_once('=').map_or(pair, |(key, _)| key) == "verbose")
    });
    match path {
        "/livez" => checks("livez", &health.live(), health, verbose),
        "/readyz" => checks("readyz", &health.ready(), health, verbose),
        _ => {
            let accepts = |value: &HeaderValue| value.to_str().is_ok_and(|accept| accept.contains("openmetrics-text"));
            let openmetrics = request.headers().get_all(header::ACCEPT).iter().any(accepts);
            let content = if openmetrics { OPENMETRICS } else { PROMETHEUS };
            text(StatusCode::OK, content, metrics.render(openmetrics))
        }
    }
}

/// `ok`, or one line for each check: always if one failed, else if it was asked for.
fn checks(name: &str, checks: &[(String, Check)], health: &Health, verbose: bool) -> Response<Full<Bytes>> {
    let failed = checks.iter().any(|(_, check)| check.is_err());
    if !failed && !verbose {
        return text(StatusCode::OK, PLAIN, "ok".into());
    }
    let mut body = String::new();
    for (check, result) in checks {
        // Writing to a string does not fail.
        let _ = match result {
            Ok(()) => match health.noted(check) {
                Some(note) => writeln!(body, "[+]{check} ok, {}", note.replace('\n', " ")),
                None => writeln!(body, "[+]{check} ok"),
            },
            Err(reason) => writeln!(body, "[-]{check} failed: {}", reason.replace('\n', " ")),
        };
    }
    let _ = writeln!(body, "{name} check {}", if failed { "failed" } else { "passed" });
    text(if failed { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }, PLAIN, body)
}

fn text(status: StatusCode, content: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
