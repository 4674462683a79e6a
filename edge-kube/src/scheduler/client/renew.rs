//! Credentials that are replaced while the scheduler runs: a token in a kubeconfig, a client certificate, a certificate
//! authority.
//!
//! kube reads a token file again by itself, and runs a credential plugin again when what it gave has expired. Neither
//! helps when a kubeconfig is written anew, as kcp does it, or when the server revokes a token before its time. So whoever
//! is refused reads everything again, and repeats the request: the server says that it has not carried it out.

use std::error::Error as _;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::FutureExt;
use http::{Request, Response, StatusCode, Uri};
use kube::client::Body;
use kube::{Client, Error};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tower::service_fn;

use super::kubeconfig::{Again, Origin};
use super::{ClientError, client};
use crate::scheduler::flags::Selection;

/// Files are read, and plugins are run, no more often.
const PERIOD: Duration = Duration::from_secs(10);

/// That credentials are refused is said no more often.
const REMIND: Duration = Duration::from_secs(300);

/// Where credentials come from.
#[derive(Debug)]
pub(super) struct Renewal {
    again: Again,
    selection: Selection,
    origin: Origin,
    /// When it was last said that credentials are read again. Many clients share them.
    said: std::sync::Mutex<Option<Instant>>,
}

impl Renewal {
    pub(super) fn new(again: Again, selection: Selection, origin: Origin) -> Self {
        Self { again, selection, origin, said: std::sync::Mutex::default() }
    }

    /// A client for `url` with the credentials as they are now.
    async fn client(&self, url: Uri) -> Result<Client, ClientError> {
        let (mut config, _) = self.again.find()?.config(&self.selection).await?;
        config.cluster_url = url;
        client(&config)
    }

    fn say(&self, result: &Result<Client, ClientError>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_some_and(|at| at.elapsed() < REMIND) {
            return;
        }
        *said = Some(Instant::now());
        let origin = &self.origin;
        match result {
            Ok(_) => {
                tracing::info!(%origin, "credentials or certificates are not accepted any more, and were read again")
            }
            Err(error) => {
                let err = error.to_string();
                tracing::warn!(%origin, err, "credentials or certificates are not accepted any more, and cannot be read again");
            }
        }
    }
}

/// The client that is in use for a URL, until its credentials are refused.
struct Current {
    client: RwLock<(u64, Client)>,
    url: Uri,
    renewal: Arc<Renewal>,
    renewed: Mutex<Option<Instant>>,
}

/// A client for the same URL that goes on with new credentials when those of `client` are refused.
pub(super) fn renewing(client: Client, url: Uri, renewal: Arc<Renewal>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let current = Arc::new(Current { client: RwLock::new((0, client)), url, renewal, renewed: Mutex::default() });
    let service = service_fn(move |request| {
        let current = Arc::clone(&current);
        async move { current.send(request).await }.boxed()
    });
    Client::new(service, namespace)
}

impl Current {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Error> {
        let again = copy(&request);
        let (number, client) = self.client();
        let result = client.send(request).await;
        if !is_refused(&result) {
            return result;
        }
        match (self.renew(number).await, again) {
            (Some(client), Some(again)) => client.send(again).await,
            _ => result,
        }
    }

    fn client(&self) -> (u64, Client) {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The successor of client `number`, if there is one.
    async fn renew(&self, number: u64) -> Option<Client> {
        let mut renewed = self.renewed.lock().await;
        let (newest, client) = self.client();
        if newest != number {
            return Some(client);
        }
        if renewed.is_some_and(|at| at.elapsed() < PERIOD) {
            return None;
        }
        let result = self.renewal.client(self.url.clone()).await;
        *renewed = Some(Instant::now());
        self.renewal.say(&result);
        let client = result.ok()?;
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = (number + 1, client.clone());
        Some(client)
    }
}

/// The server does not know who asks, or the client does not know the server, or not how to say who it is. In no case was
/// the request carried out.
fn is_refused(result: &Result<Response<Body>, Error>) -> bool {
    match result {
        Ok(response) => response.status() == StatusCode::UNAUTHORIZED,
        Err(Error::Auth(_)) => true,
        Err(error) => is_about_certificates(error),
    }
}

/// TLS reports what it does not accept as invalid data.
fn is_about_certificates(error: &Error) -> bool {
    let is_invalid = |error: &(dyn std::error::Error + 'static)| {
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
    };
    let Error::Service(error) = error else { return false };
    let connecting = error.downcast_ref::<hyper_util::client::legacy::Error>().filter(|error| error.is_connect());
    let mut cause = connecting.and_then(|error| error.source());
    while let Some(error) = cause {
        if is_invalid(error) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// `None` if the body can be read only once: none of ours is.
fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

#[cfg(test)]
mod tests;
