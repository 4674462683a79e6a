//! The backend for kcp: the virtual workspaces of one or several APIExports.
//!
//! ```text
//!  APIExport, APIExportEndpointSlices ──► follow ──► endpoints ──► one source for each URL ──► watches
//!                                         (one task for each export)
//! ```
//!
//! An object is written through the virtual workspace from which its logical cluster came, with the provider's rights.

mod endpoints;
mod export;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use edge_core::object::{Kind, ObjectKey};
use edge_core::publisher::{Action, Failure, Outcome};
use kube::Client;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::info;

use super::backend::{Backend, Input, SourceId};
use super::client::{ClientError, Connection};
use super::decode::Clusters;
use super::rest::{Target, plural};
use super::source::{Setup, Source, Subresources};
use super::watch::ListedAt;
use endpoints::{Endpoints, Place};
use export::{Export, follow};

pub(crate) use export::ExportRef;

/// Where to look for the exports.
pub(crate) struct Exports {
    /// The edge service provider workspace.
    pub(crate) provider: Connection,
    /// kcp's root workspace, with the rights to read the exports there.
    pub(crate) root: Connection,
    /// Of EdgePlacement and SinglePlacementSlice; by default `edge.kcp.io` in the provider workspace.
    pub(crate) edge: Option<ExportRef>,
    /// Of Location; by default the edge export if it serves the kind, or else `scheduling.kcp.io` in root.
    pub(crate) scheduling: Option<ExportRef>,
    /// Of SyncTarget; by default the edge export if it serves the kind, or else `workload.kcp.io` in root.
    pub(crate) workload: Option<ExportRef>,
}

/// A kcp.
pub(crate) struct Kcp {
    routes: Arc<Routes>,
    subresources: Arc<Subresources>,
    relist: watch::Sender<Option<Instant>>,
    _tasks: JoinSet<()>,
}

impl Kcp {
    /// Begins to look for the exports, and to watch what they serve.
    pub(crate) fn start(exports: Exports, input: mpsc::Sender<Input>) -> Self {
        let (relist, relisted) = watch::channel(None);
        let routes = Arc::<Routes>::default();
        let subresources = Arc::<Subresources>::default();
        let mut tasks = JoinSet::new();
        let keeper = Keeper {
            endpoints: Endpoints::new(exports.edge, exports.scheduling, exports.workload),
            provider: exports.provider,
            root: exports.root,
            input,
            relisted,
            routes: Arc::clone(&routes),
            subresources: Arc::clone(&subresources),
            followers: BTreeMap::new(),
            sources: BTreeMap::new(),
            next: 0,
            all_slices: watch::channel(None).0,
            complete: false,
        };
        tasks.spawn(keeper.run());
        Self { routes, subresources, relist, _tasks: tasks }
    }
}

impl Backend for Kcp {
    async fn perform(&self, action: Action) -> Outcome {
        let is_status = matches!(action, Action::Status(_));
        let ObjectKey { cluster, .. } = match &action {
            Action::Write(write) => &write.key,
            Action::ReadSlice(key) | Action::ReadPlacement(key) => key,
            Action::Status(status) => &status.key,
        };
        let Some((source, client)) = self.routes.of(cluster) else {
            let reason = format!("no virtual workspace of the export shows the logical cluster {cluster}");
            return Outcome::Failed(Failure::NotDone(reason));
        };
        let status_subresource = self.subresources.has(source);
        let target = Target { client, prefix: format!("/clusters/{cluster}"), status_subresource };
        let outcome = target.perform(&Clusters::Annotated, action).await;
        if is_status && outcome == Outcome::Failed(Failure::NotFound) {
            self.subresources.look_again();
        }
        outcome
    }

    fn relist(&self) {
        self.relist.send_replace(Some(Instant::now()));
    }
}

/// Which source a logical cluster's objects came from.
#[derive(Default)]
struct Routes(RwLock<Table>);

#[derive(Default)]
struct Table {
    clients: HashMap<SourceId, Client>,
    homes: HashMap<String, SourceId>,
}

impl Routes {
    fn of(&self, cluster: &str) -> Option<(SourceId, Client)> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let source = *table.homes.get(cluster)?;
        Some((source, table.clients.get(&source)?.clone()))
    }

    fn add(&self, source: SourceId, client: Client) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clients.insert(source, client);
    }

    fn remove(&self, source: SourceId) {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        table.clients.remove(&source);
        table.homes.retain(|_, home| *home != source);
    }

    /// A source showed an object of this logical cluster.
    fn learn(&self, source: SourceId, cluster: &str) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).homes.get(cluster) == Some(&source);
        if known {
            return;
        }
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if table.clients.contains_key(&source) {
            table.homes.insert(cluster.into(), source);
        }
    }
}

/// Starts and ends sources as the endpoints of the exports come and go.
struct Keeper {
    endpoints: Endpoints,
    provider: Connection,
    root: Connection,
    input: mpsc::Sender<Input>,
    relisted: watch::Receiver<Option<Instant>>,
    routes: Arc<Routes>,
    subresources: Arc<Subresources>,
    followers: BTreeMap<Place, JoinSet<()>>,
    sources: BTreeMap<(Place, String), Running>,
    next: u32,
    /// Of the sources there are, once all exports are known.
    all_slices: watch::Sender<Option<Vec<ListedAt>>>,
    /// All exports were known once.
    complete: bool,
}

struct Running {
    id: SourceId,
    kinds: Vec<Kind>,
    source: Source,
}

impl Keeper {
    async fn run(mut self) {
        let (found, mut news) = mpsc::channel(16);
        loop {
            self.follow_exports(&found);
            if self.settle().await.is_none() {
                return;
            }
            let (place, result) = tokio::select! {
                Some(news) = news.recv() => news,
                () = self.input.closed() => return,
            };
            self.endpoints.found(&place, result);
        }
    }

    /// Follows exactly the exports that matter.
    fn follow_exports(&mut self, found: &mpsc::Sender<(Place, Result<Export, String>)>) {
        let needed = self.endpoints.needed();
        self.followers.retain(|place, _| needed.contains(place));
        for place in needed {
            let connection = match self.connection(&place) {
                Ok(connection) => connection,
                Err(error) => {
                    self.endpoints.found(&place, Err(error.to_string()));
                    continue;
                }
            };
            let found = found.clone();
            self.followers.entry(place).or_insert_with_key(|place| {
                let mut task = JoinSet::new();
                task.spawn(follow(connection, place.export().name.clone(), place.clone(), found));
                task
            });
        }
    }

    fn connection(&self, place: &Place) -> Result<Connection, ClientError> {
        let base = match place {
            Place::Provider(_) => &self.provider,
            Place::Root(_) => &self.root,
        };
        match (&place.export().workspace, place) {
            (Some(workspace), _) => base.in_workspace(workspace),
            // A context for root may name no workspace.
            (None, Place::Root(_)) if base.workspace().is_empty() => base.in_workspace("root"),
            (None, _) => Ok(base.clone()),
        }
    }

    /// Makes the sources what the endpoints say. `None`: nobody listens.
    async fn settle(&mut self) -> Option<()> {
        let wanted = self.endpoints.sources();
        let mut problem = self.endpoints.waits_for();
        // What is new is added before what is old goes: until it is listed, nothing shrinks.
        for ((place, url), kinds) in &wanted {
            let at = (place.clone(), url.clone());
            if self.sources.get(&at).is_some_and(|running| running.kinds == *kinds) {
                continue;
            }
            match self.start(place, url, kinds).await? {
                Ok(running) => {
                    if let Some(former) = self.sources.insert(at, running) {
                        self.end(former).await?;
                    }
                }
                Err(reason) => problem = Some(reason),
            }
        }
        // Only a successful read of an export changes what is wanted of it.
        let gone: Vec<_> = self.sources.keys().filter(|at| !wanted.contains_key(*at)).cloned().collect();
        for at in gone {
            if let Some(former) = self.sources.remove(&at) {
                self.end(former).await?;
            }
        }
        self.complete |= problem.is_none();
        if self.complete {
            let slices = self.sources.values().filter_map(|running| running.source.slices.clone()).collect();
            self.all_slices.send_replace(Some(slices));
        }
        self.input.send(Input::Sources(problem.map_or(Ok(()), Err))).await.ok()
    }

    async fn start(&mut self, place: &Place, url: &str, kinds: &[Kind]) -> Option<Result<Running, String>> {
        let id = SourceId(self.next);
        self.next += 1;
        let name = &place.export().name;
        info!(
            exportName = name.as_str(),
            serverURL = url,
            resources = kinds.iter().map(|kind| plural(*kind)).collect::<Vec<_>>().join(","),
            "Found APIExport view"
        );
        let connection = self.connection(place).and_then(|connection| connection.at(url));
        let client = match connection.and_then(|connection| connection.client()) {
            Ok(client) => client,
            Err(error) => return Some(Err(format!("APIExport {name}: {error}"))),
        };
        self.routes.add(id, client.clone());
        let added = Input::SourceAdded { source: id, name: format!("{name} at {url}"), kinds: kinds.into() };
        self.input.send(added).await.ok()?;
        let routes = Arc::clone(&self.routes);
        let source = Source::start(Setup {
            id,
            client,
            kinds: kinds.into(),
            prefix: "/clusters/*",
            clusters: Clusters::Annotated,
            input: self.input.clone(),
            relist: self.relisted.clone(),
            all_slices: self.all_slices.subscribe(),
            later: self.complete,
            route: Some(Arc::new(move |cluster| routes.learn(id, cluster))),
            subresources: Arc::clone(&self.subresources),
        });
        Some(Ok(Running { id, kinds: kinds.into(), source }))
    }

    async fn end(&self, former: Running) -> Option<()> {
        self.routes.remove(former.id);
        self.subresources.remove(former.id);
        drop(former.source);
        self.input.send(Input::SourceRemoved { source: former.id }).await.ok()
    }
}

#[cfg(test)]
mod tests;
