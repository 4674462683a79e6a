//! One place where objects live, on an API server: its watches, and what is known of its API.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use edge_core::object::{EDGE_GROUP, Kind};
use edge_core::publisher::StatusFields;
use kube::Client;
use serde::Deserialize;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::debug;

use super::backend::{Input, SourceId};
use super::backoff::Backoff;
use super::decode::Clusters;
use super::rest::{get, send};
use super::watch::{After, ListedAt, Order, Route, Watcher};

/// A status subresource may come with a new version of the CRD, and nothing else tells of it.
const DISCOVERY_PERIOD: Duration = Duration::from_secs(600);

const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// What a source is.
pub(crate) struct Setup {
    pub(crate) id: SourceId,
    pub(crate) client: Client,
    pub(crate) kinds: Vec<Kind>,
    /// What paths of lists begin with: empty, or `/clusters/*`.
    pub(crate) prefix: &'static str,
    pub(crate) clusters: Clusters,
    pub(crate) input: mpsc::Sender<Input>,
    pub(crate) relist: watch::Receiver<Option<Instant>>,
    /// The lists of slices of all sources, as soon as all are known.
    pub(crate) all_slices: watch::Receiver<Option<Vec<ListedAt>>>,
    /// Whether it comes after all sources were known.
    pub(crate) later: bool,
    pub(crate) route: Option<Arc<Route>>,
    pub(crate) subresources: Arc<Subresources>,
}

/// The tasks of a source. They end with it.
pub(crate) struct Source {
    pub(crate) slices: Option<ListedAt>,
    _tasks: JoinSet<()>,
}

impl Source {
    /// Starts to list and watch, slices first.
    pub(crate) fn start(setup: Setup) -> Self {
        let mut tasks = JoinSet::new();
        let (slices_listed, slices) = watch::channel(None);
        let has_slices = setup.kinds.contains(&Kind::SinglePlacementSlice);
        let own = has_slices.then(|| slices.clone());
        let after = After { all: setup.all_slices, own, later: setup.later };
        let mut slices_listed = Some(slices_listed);
        for &kind in &setup.kinds {
            let is_slices = kind == Kind::SinglePlacementSlice;
            let listed = slices_listed.take_if(|_| is_slices).unwrap_or_else(|| watch::channel(None).0);
            let after = (!is_slices).then(|| after.clone());
            let watcher = Watcher {
                source: setup.id,
                kind,
                client: setup.client.clone(),
                prefix: setup.prefix.into(),
                clusters: setup.clusters.clone(),
                input: setup.input.clone(),
                order: Order { relist: setup.relist.clone(), listed, after, waited: None },
                route: setup.route.clone(),
            };
            tasks.spawn(watcher.run());
        }
        if setup.kinds.contains(&Kind::EdgePlacement) {
            tasks.spawn(discover(setup.id, setup.client, setup.prefix, setup.subresources, setup.input));
        }
        Self { slices: has_slices.then_some(slices), _tasks: tasks }
    }
}

/// Which sources' EdgePlacements have a status subresource.
#[derive(Debug, Default)]
pub(crate) struct Subresources {
    known: Mutex<BTreeMap<SourceId, bool>>,
    stale: Notify,
}

impl Subresources {
    fn known(&self) -> MutexGuard<'_, BTreeMap<SourceId, bool>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has; no, as long as that is not known.
    pub(crate) fn has(&self, source: SourceId) -> bool {
        self.known().get(&source).copied().unwrap_or_default()
    }

    /// The source is no more.
    pub(crate) fn remove(&self, source: SourceId) {
        self.known().remove(&source);
    }

    /// A status could not be written for a reason that a change of the API would explain.
    pub(crate) fn look_again(&self) {
        self.stale.notify_waiters();
    }

    /// Where some have one and others do not, only the fields that all have can be written.
    fn set(&self, source: SourceId, has: bool) -> Option<StatusFields> {
        let mut known = self.known();
        let before = known.insert(source, has);
        let all = known.values().all(|has| *has);
        (before != Some(has)).then_some(if all { StatusFields::All } else { StatusFields::Original })
    }
}

async fn discover(
    source: SourceId,
    client: Client,
    prefix: &str,
    subresources: Arc<Subresources>,
    input: mpsc::Sender<Input>,
) {
    let mut backoff = Backoff::default();
    while !input.is_closed() {
        match has_status(&client, prefix).await {
            Ok(has) => {
                backoff.reset();
                if let Some(fields) = subresources.set(source, has) {
                    let _ = input.send(Input::StatusFields(fields)).await;
                }
                tokio::select! {
                    () = subresources.stale.notified() => {}
                    () = tokio::time::sleep(DISCOVERY_PERIOD) => {}
                    () = input.closed() => {}
                }
            }
            Err(reason) => {
                // Whatever it is, the watches meet it too, and tell.
                debug!(%reason, "the resources of {EDGE_GROUP} are not known yet");
                tokio::time::sleep(backoff.failed()).await;
            }
        }
    }
}

#[derive(Deserialize)]
struct Resources {
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
}

async fn has_status(client: &Client, prefix: &str) -> Result<bool, String> {
    let path = format!("{prefix}/apis/{}", Kind::EdgePlacement.api_version());
    let request = get(&path).map_err(|error| error.to_string())?;
    let answer = send(client, request, DISCOVERY_TIMEOUT).await.map_err(super::rest::Lost::reason)?;
    if !answer.status.is_success() {
        return Err(answer.message());
    }
    let found: Resources = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    let has = |name: &str| found.resources.iter().any(|resource| resource.name == name);
    if has("edgeplacements") { Ok(has("edgeplacements/status")) } else { Err("there are no edgeplacements".into()) }
}
