//! Lists and watches the objects of one kind of one source.
//!
//! ```text
//!  list, page by page ──► watch from the list's version ──► stream ends: watch from the last version seen
//!      ▲                          │
//!      └── version too old (410), the stream cannot be understood, or a relist is asked for
//! ```
//!
//! Not kube's own `watcher`: that one does not say when a watch works again after it failed, tries a version that is too
//! old for ever, and parses every object into a tree of strings. Objects are found in the text of a page or line here, and
//! decoded straight from it.

mod order;
pub(crate) mod stream;

use std::sync::Arc;
use std::time::Duration;

use edge_core::object::Kind;
use kube::Client;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::debug;

use super::backend::{Input, Observed, SourceId};
use super::backoff::{Backoff, random};
use super::decode::{Clusters, resource_version};
use super::rest::{Answer, Lost, get, get_as, plural, send};
pub(crate) use order::{After, ListedAt, Order};
use stream::{Change, Lines};

/// A page of a list takes no longer.
const PAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// A page has about so many bytes, and so many objects at least and at most: the first page knows nothing of their size, and
/// a full slice may have 700 KB. Each page costs the server something that grows with what there is: of 100 000 SyncTargets on
/// Kubernetes 1.36 pages of 500, as kubectl asks for, took 9.3 s, and pages of 5 000 took 4.0 s.
const PAGE_BYTES: usize = 4 << 20;
const FIRST_PAGE: usize = 50;
const LAST_PAGE: usize = 5_000;

/// The server begins to answer a watch within this time.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A watch is asked for anew after so long: a connection that died without a word is noticed by then. To go on from where a
/// watch ended costs a server with a watch cache next to nothing.
const WATCH_SECONDS: f64 = 60.0;
const WATCH_JITTER_SECONDS: f64 = 30.0;

/// A server that should have ended a watch by now is away.
const IDLE_MARGIN: Duration = Duration::from_secs(10);

/// What has never been listed is tried again after this time at the latest.
const FIRST_LIST_WAIT: Duration = Duration::from_secs(5);

/// A watch that ends sooner was no success.
const SHORT: Duration = Duration::from_secs(5);

/// Of changes of slices the metadata tells whether they are our own, as nearly all are: what we wrote need not be sent back a
/// second time, after the answer. A server that cannot do that sends the whole.
const METADATA_ALONE: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// What is watched, and who is told.
pub(crate) struct Watcher {
    pub(crate) source: SourceId,
    pub(crate) kind: Kind,
    pub(crate) client: Client,
    /// What paths begin with: empty, or `/clusters/*`.
    pub(crate) prefix: String,
    pub(crate) clusters: Clusters,
    pub(crate) input: mpsc::Sender<Input>,
    pub(crate) order: Order,
    /// Is told the logical cluster of each EdgePlacement and slice.
    pub(crate) route: Option<Arc<Route>>,
}

/// Takes in a logical cluster.
pub(crate) type Route = dyn Fn(&str) + Send + Sync;

/// Nobody listens any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Closed;

/// Why a watch cannot go on from where it is.
enum Broken {
    Closed,
    /// Nothing failed: a list is asked for, or the version is too old.
    Relist,
    Failed(String),
}

impl From<Closed> for Broken {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(default)]
    metadata: PageMetadata,
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PageMetadata {
    resource_version: String,
    #[serde(rename = "continue")]
    token: Option<String>,
}

impl Watcher {
    /// Watches until nobody listens.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::default();
        while let Err(broken) = self.list_and_watch(&mut backoff).await {
            match broken {
                Broken::Closed => return,
                Broken::Relist => {}
                Broken::Failed(reason) => {
                    if let Err(Broken::Closed) = self.failed(reason, &mut backoff).await {
                        return;
                    }
                }
            }
        }
    }

    /// Returns only when the watch cannot go on.
    async fn list_and_watch(&mut self, backoff: &mut Backoff) -> Result<(), Broken> {
        let since = *self.order.relist.borrow_and_update();
        self.order.wait_for_others(since).await;
        let began = Instant::now();
        self.send(Input::Listing { source: self.source, kind: self.kind, began }).await?;
        let mut version = self.list().await?;
        self.send(Input::Listed { source: self.source, kind: self.kind }).await?;
        self.order.listed.send_replace(Some(began));
        backoff.reset();
        let mut failing = false;
        loop {
            let started = Instant::now();
            let result = self.watch(&mut version, &mut failing).await;
            if started.elapsed() >= SHORT {
                backoff.reset();
            }
            match result {
                Ok(()) if started.elapsed() >= SHORT => {}
                // It ended at once, which is no failure yet, but must not become a storm.
                Ok(()) => tokio::time::sleep(backoff.failed()).await,
                Err(Broken::Failed(reason)) if !failing => return Err(Broken::Failed(reason)),
                Err(Broken::Failed(reason)) => self.failed(reason, backoff).await?,
                Err(broken) => return Err(broken),
            }
        }
    }

    /// Lists all objects; returns the version of the list. The reads are consistent: no version is asked for.
    ///
    /// While the objects of a page are read, the server is at work on the next one.
    async fn list(&self) -> Result<String, Broken> {
        let failed = |reason: &str| Broken::Failed(format!("the list of {} {reason}", self.resource()));
        let mut limit = FIRST_PAGE;
        let mut token = None;
        let mut pages = JoinSet::new();
        self.ask(&mut pages, limit, token.as_deref())?;
        loop {
            let page = pages.join_next().await.ok_or_else(|| failed("has no end"))?;
            let answer = match page.map_err(|error| failed(&format!("cannot be read: {error}")))? {
                Ok(answer) if answer.status.is_success() => answer,
                Ok(answer) => return Err(Broken::Failed(self.explain("list", &answer))),
                // Those that come next are far larger than the last ones.
                Err(Lost::TooLong) if limit > 1 => {
                    limit = limit.div_ceil(10);
                    self.ask(&mut pages, limit, token.as_deref())?;
                    continue;
                }
                Err(Lost::TooLong) => return Err(failed("has an object that is too large")),
                Err(lost) => return Err(Broken::Failed(self.away(lost))),
            };
            let page: Page<'_> =
                serde_json::from_slice(&answer.body).map_err(|error| failed(&format!("cannot be read: {error}")))?;
            let items = page.items.unwrap_or_default();
            token = page.metadata.token.filter(|token| !token.is_empty());
            if token.is_some() {
                limit = page_of(items.len(), answer.body.len());
                self.ask(&mut pages, limit, token.as_deref())?;
                // It sets off before the thread is busy.
                tokio::task::yield_now().await;
            }
            for item in items {
                self.object(self.clusters.observe(self.kind, item.get())).await?;
            }
            if token.is_none() {
                let version = page.metadata.resource_version;
                return if version.is_empty() { Err(failed("has no resourceVersion")) } else { Ok(version) };
            }
        }
    }

    /// Asks for one page of a list: the first one, or that of a token.
    fn ask(&self, pages: &mut JoinSet<Result<Answer, Lost>>, limit: usize, token: Option<&str>) -> Result<(), Broken> {
        let token = token.map(|token| format!("&continue={}", escaped(token))).unwrap_or_default();
        let request = get(&self.path(&format!("limit={limit}{token}")));
        let request = request.map_err(|error| Broken::Failed(error.to_string()))?;
        let client = self.client.clone();
        pages.spawn(async move { send(&client, request, PAGE_TIMEOUT).await });
        Ok(())
    }

    /// Watches from `version` on, until the server ends it; `version` is always where to go on from. `failing` tells
    /// whether the last attempt failed and the watch may go on from `version`.
    async fn watch(&mut self, version: &mut String, failing: &mut bool) -> Result<(), Broken> {
        let seconds = Duration::from_secs_f64(random().mul_add(WATCH_JITTER_SECONDS, WATCH_SECONDS));
        let query = format!(
            "watch=1&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}",
            escaped(version),
            seconds.as_secs()
        );
        let start = async {
            let path = self.path(&query);
            let request =
                if self.kind == Kind::SinglePlacementSlice { get_as(&path, METADATA_ALONE) } else { get(&path) };
            let request = request.map_err(|error| Lost::NotSent(error.to_string()))?;
            Lines::start(&self.client, request, START_TIMEOUT).await
        };
        let mut lines = match start.await {
            Ok(Ok(lines)) => lines,
            Ok(Err(answer)) if answer.status.as_u16() == 410 => return Err(Broken::Relist),
            Ok(Err(answer)) => {
                *failing = true;
                return Err(Broken::Failed(self.explain("watch", &answer)));
            }
            Err(lost) => {
                *failing = true;
                return Err(Broken::Failed(self.away(lost)));
            }
        };
        if std::mem::take(failing) {
            self.send(Input::Watching { source: self.source, kind: self.kind }).await?;
        }
        loop {
            let line = tokio::select! {
                line = tokio::time::timeout(seconds + IDLE_MARGIN, lines.next()) => line,
                changed = self.order.relist.changed() => match changed {
                    Ok(()) => return Err(Broken::Relist),
                    Err(_) => return Err(Broken::Closed),
                },
                () = self.input.closed() => return Err(Broken::Closed),
            };
            // A connection that is quiet for so long, ends or breaks: what it has not shown comes after `version`.
            let Ok(Ok(Some(line))) = line else { return Ok(()) };
            match stream::parse(&line) {
                Ok(Change::Exists(object)) => {
                    advance(version, object);
                    self.object(self.clusters.observe_change(self.kind, object)).await?;
                }
                Ok(Change::Gone(object)) => {
                    advance(version, object);
                    let Some((key, uid)) = self.clusters.identify(object) else { continue };
                    let uid = Some(uid).filter(|uid| !uid.is_empty());
                    self.send(Input::Gone { source: self.source, kind: self.kind, key, uid }).await?;
                }
                Ok(Change::Bookmark(object)) => advance(version, object),
                Ok(Change::Expired) => return Err(Broken::Relist),
                Ok(Change::Error(reason)) => {
                    return Err(Broken::Failed(format!("the watch of {} ends: {reason}", self.resource())));
                }
                // The connection broke in the middle of a line.
                Err(error) if error.is_eof() => return Ok(()),
                Err(error) => {
                    return Err(Broken::Failed(format!("the watch of {} cannot be read: {error}", self.resource())));
                }
            }
        }
    }

    /// An object exists.
    async fn object(&self, observed: Option<Observed>) -> Result<(), Closed> {
        let Some(object) = observed else {
            debug!(kind = %self.kind, "an object without the annotation kcp.io/cluster");
            return Ok(());
        };
        if let Some(route) = &self.route {
            match &object {
                Observed::EdgePlacement(event, _) => route(&event.key().cluster),
                Observed::Slice(key, _) => route(&key.cluster),
                _ => {}
            }
        }
        self.send(Input::Object { source: self.source, object }).await
    }

    /// Tells why, and waits until it is time for the next attempt.
    async fn failed(&mut self, reason: String, backoff: &mut Backoff) -> Result<(), Broken> {
        self.send(Input::Failing { source: self.source, kind: self.kind, reason }).await?;
        let mut wait = backoff.failed();
        if self.order.listed.borrow().is_none() {
            // Somebody may be about to apply a definition, and waits for the first slices.
            wait = wait.min(FIRST_LIST_WAIT);
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            // Who asks for it has just reached the server.
            Ok(()) = self.order.relist.changed() => Err(Broken::Relist),
            () = self.input.closed() => Err(Broken::Closed),
        }
    }

    async fn send(&self, input: Input) -> Result<(), Closed> {
        self.input.send(input).await.map_err(|_| Closed)
    }

    fn path(&self, query: &str) -> String {
        format!("{}/apis/{}/{}?{query}", self.prefix, self.kind.api_version(), plural(self.kind))
    }

    /// As RBAC rules and CRDs name it.
    fn resource(&self) -> String {
        format!("{}.{}", plural(self.kind), self.kind.group())
    }

    fn explain(&self, verb: &str, answer: &Answer) -> String {
        let (resource, message) = (self.resource(), answer.message());
        match answer.status.as_u16() {
            401 => format!("the server does not accept the credentials ({message})"),
            403 => format!("the right to {verb} {resource} is missing ({message})"),
            404 => format!("the server has no {resource}: its definition has to be applied ({message})"),
            _ => format!("the server cannot {verb} {resource} ({message})"),
        }
    }

    fn away(&self, lost: Lost) -> String {
        format!("no connection to the server for {}: {}", self.resource(), lost.reason())
    }
}

/// How many objects to ask for after a page with so many objects and bytes.
fn page_of(objects: usize, bytes: usize) -> usize {
    let each = bytes / objects.max(1);
    (PAGE_BYTES / each.max(1)).clamp(FIRST_PAGE, LAST_PAGE)
}

/// A version that is not there is not believed.
fn advance(version: &mut String, object: &str) {
    let next = resource_version(object);
    if !next.is_empty() {
        *version = next;
    }
}

/// A value of a query. Servers use letters, digits and `-_.` alone, but that is theirs to know.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
