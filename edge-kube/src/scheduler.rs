//! The scheduler, live: watches objects, and keeps the SinglePlacementSlices as they should be.
//!
//! ```text
//!  flags ──► client ──► backend ──► engine ──► backend
//!               │                     │ ▲
//!               └──► lease ───────────┼─┘ may it write?
//!                                     ▼
//!                       log, metrics, health ──► admin: /livez, /readyz, /metrics
//! ```

pub(crate) mod admin;
pub(crate) mod backend;
mod backoff;
pub(crate) mod client;
mod decode;
mod detect;
mod duration;
mod engine;
mod events;
pub(crate) mod flags;
mod folder;
pub(crate) mod health;
mod inventory;
mod kcp;
mod kubernetes;
pub(crate) mod lease;
pub(crate) mod log;
pub(crate) mod metrics;
mod report;
mod reporter;
mod rest;
mod shutdown;
mod source;
#[cfg(test)]
mod testing;
mod watch;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use edge_core::publisher::StatusFields;
use edge_core::scheduler::Options;
use tokio::runtime::Builder;
use tokio::sync::mpsc;

use admin::{Admin, BindError};
use backend::{Backend, Input};
use client::{ClientError, Connections, Environment};
use flags::{Mode, SchedulerArgs};
use folder::OpenError;
use health::Health;
use lease::{Keeper, Leadership, Place};
use metrics::Metrics;
use reporter::Reporter;

/// An engine without a heartbeat for so long counts as hung.
const STALE_AFTER: Duration = Duration::from_secs(60);

/// So long the first lists wait for the outcome of the election.
const FIRST_ELECTION: Duration = Duration::from_millis(500);

/// Why the scheduler cannot go on. Whatever may mend itself is waited for instead.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fatal {
    /// No server, or no credentials.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The address for probes.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The flags of leader election.
    #[error("{0}")]
    Flags(String),
    /// The folders.
    #[error(transparent)]
    Folder(#[from] OpenError),
    /// Threads or signals.
    #[error("the operating system does not let the scheduler start: {0}")]
    System(#[from] io::Error),
}

/// What every part of the scheduler is given.
#[derive(Debug, Clone)]
pub(crate) struct Handles {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) health: Arc<Health>,
    pub(crate) leadership: Leadership,
    /// True from the first SIGTERM or SIGINT on.
    pub(crate) shutdown: tokio::sync::watch::Receiver<bool>,
}

/// Where objects live, when all is known.
#[derive(Debug)]
pub(crate) enum Target<'a> {
    /// kcp.
    Kcp(Connections),
    /// Kubernetes.
    Kubernetes(Connections),
    /// Manifests, and slices.
    Folder(&'a std::path::Path, &'a std::path::Path),
}

/// Runs until SIGTERM or SIGINT. All flags have been validated.
///
/// # Errors
///
/// What does not mend itself, and what to do about it.
pub(crate) fn run(args: &SchedulerArgs) -> Result<(), Fatal> {
    log::init(args.watch.log_format, args.watch.v);
    // One thread: the server is the slower one by far, and handing each of the few steps of an event to another thread costs
    // more than the steps.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(args))
}

async fn serve(args: &SchedulerArgs) -> Result<(), Fatal> {
    let mut shutdown = shutdown::on_signal()?;
    let (metrics, health) = (Arc::new(Metrics::new()), Arc::new(Health::new(STALE_AFTER)));
    tell_shutdown(shutdown.clone(), Arc::clone(&health));
    // The engine says more of it. Until then other checks may pass, which is not enough to be ready.
    health.set("sync", Err("what to watch is not known yet".into()));
    log_settings(args);
    let admin = match &args.watch.bind_address.0 {
        Some(address) => Some(Admin::bind(address, Arc::clone(&health), Arc::clone(&metrics)).await?),
        None => None,
    };
    if let Some(admin) = &admin {
        tracing::info!(address = %admin.address(), "serving /livez, /readyz and /metrics");
    }
    let target = tokio::select! {
        target = find(args, &health) => target?,
        _ = shutdown.wait_for(|stop| *stop) => return Ok(()),
    };
    let (leadership, keeper) = elect(args, &target, &health, &metrics)?;
    let handles = Handles { metrics, health: Arc::clone(&health), leadership, shutdown };
    let worked = work(args, target, handles).await;
    if let Some(keeper) = keeper {
        keeper.release().await;
    }
    tracing::info!("stopped");
    worked
}

/// Whoever shuts down is not ready any more, though writes may still be on their way.
fn tell_shutdown(mut shutdown: tokio::sync::watch::Receiver<bool>, health: Arc<Health>) {
    tokio::spawn(async move {
        if shutdown.wait_for(|stop| *stop).await.is_ok() {
            health.set("shutdown", Err("the scheduler is shutting down".into()));
        }
    });
}

/// Reads, decides and writes until shutdown, when all writes have come to an end.
async fn work(args: &SchedulerArgs, target: Target<'_>, handles: Handles) -> Result<(), Fatal> {
    if !first_election(&handles).await {
        return Ok(());
    }
    let (input, inputs) = mpsc::channel(engine::INPUT_CAPACITY);
    match target {
        Target::Kcp(connections) => {
            let flags = &args.kcp;
            let exports = kcp::Exports {
                provider: connections.espw,
                root: connections.root,
                edge: flags.edge_export.as_ref().map(export),
                scheduling: flags.scheduling_export.as_ref().map(export),
                workload: flags.workload_export.as_ref().map(export),
            };
            run_engine(args, Arc::new(kcp::Kcp::start(exports, input)), inputs, handles).await;
        }
        Target::Kubernetes(connections) => {
            let cluster = args.cluster_name().to_owned();
            let backend = kubernetes::Kubernetes::start(&connections.espw, cluster, input).await?;
            run_engine(args, Arc::new(backend), inputs, handles).await;
        }
        Target::Folder(dir, out) => {
            let folder = Arc::new(folder::Folder::open(dir, out, args.cluster_name())?);
            let watched = Arc::clone(&folder);
            let watch = tokio::spawn(async move { watched.watch(input).await });
            run_engine(args, folder, inputs, handles).await;
            watch.abort();
        }
    }
    Ok(())
}

/// The first lists are worth more when it is known who leads: whoever comes to lead later lists again. False at shutdown.
async fn first_election(handles: &Handles) -> bool {
    let (mut leading, mut shutdown) = (handles.leadership.leading(), handles.shutdown.clone());
    tokio::select! {
        _ = leading.wait_for(|leading| *leading) => true,
        () = tokio::time::sleep(FIRST_ELECTION) => true,
        _ = shutdown.wait_for(|stop| *stop) => false,
    }
}

async fn run_engine<B: Backend>(
    args: &SchedulerArgs,
    backend: Arc<B>,
    inputs: mpsc::Receiver<Input>,
    Handles { metrics, health, leadership, shutdown }: Handles,
) {
    let scheduler = Options::default().with_max_destinations_per_slice(args.writes.max_destinations_per_slice);
    let settings = engine::Settings {
        // The parser has checked the range already.
        scheduler: scheduler.unwrap_or_default(),
        write_concurrency: usize::from(args.writes.write_concurrency),
        keep_destinations: matches!(args.mode(), Mode::Folder { .. }),
        status_fields: StatusFields::Off,
    };
    let may_write = leadership.clone();
    let leadership =
        engine::Leadership { leading: leadership.leading(), may_write: Box::new(move |now| may_write.may_write(now)) };
    let report = Arc::new(Reporter::new(metrics, health));
    let summary = engine::run(backend, inputs, settings, leadership, report, shutdown).await;
    let engine::Summary { abandoned, counts } = summary;
    tracing::info!(abandoned, pending = counts.dirty, slices = counts.published, "stopped controller");
}

fn export(flag: &flags::ExportName) -> kcp::ExportRef {
    kcp::ExportRef { workspace: flag.workspace.clone(), name: flag.name.clone() }
}

fn log_settings(args: &SchedulerArgs) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        mode = %args.mode(),
        maxDestinationsPerSlice = args.writes.max_destinations_per_slice,
        writeConcurrency = args.writes.write_concurrency,
        leaderElect = args.elects(),
        bindAddress = %args.watch.bind_address,
        verbosity = args.watch.v,
        "starting edge scheduler"
    );
}

/// Reads the kubeconfig, and asks the server what it is if flags don't tell.
async fn find<'a>(args: &'a SchedulerArgs, health: &Health) -> Result<Target<'a>, Fatal> {
    let mode = args.mode();
    if let Mode::Folder { dir, out } = mode {
        return Ok(Target::Folder(dir, out));
    }
    let connections = Connections::load(args, &Environment::current()).await?;
    let espw = &connections.espw;
    let url = espw.config.cluster_url.to_string();
    tracing::info!(serverURL = url, context = espw.context, origin = %espw.origin, "using kubeconfig");
    let found = match mode {
        Mode::Auto => {
            let found = detect::detect(&espw.client()?, &url, health).await;
            tracing::info!(mode = %found, "found out what the server is");
            found
        }
        known => known,
    };
    if found == Mode::Kcp {
        if args.place.cluster_name.is_some() {
            tracing::warn!("--cluster-name has no effect on kcp: each workspace is a logical cluster of its own");
        }
        if !args.roles.base().is_empty() {
            tracing::info!(v = 2, "--base-… flags have no effect: writes go through the APIExport");
        }
        let root = &connections.root;
        tracing::info!(v = 4, serverURL = %root.config.cluster_url, context = root.context, "using kcp's root workspace");
        return Ok(Target::Kcp(connections));
    }
    Ok(Target::Kubernetes(connections))
}

/// Takes part in the election, if there is one.
fn elect(
    args: &SchedulerArgs,
    target: &Target<'_>,
    health: &Arc<Health>,
    metrics: &Arc<Metrics>,
) -> Result<(Leadership, Option<Keeper>), Fatal> {
    let flags = &args.leader;
    let (connection, default_namespace) = match target {
        Target::Kcp(connections) => {
            // Replicas with different contexts, but one export, must meet at one Lease.
            let workspace = args.kcp.edge_export.as_ref().and_then(|export| export.workspace.as_deref());
            let espw = &connections.espw;
            (workspace.map_or_else(|| Ok(espw.clone()), |workspace| espw.in_workspace(workspace))?, "default")
        }
        Target::Kubernetes(connections) => {
            (connections.espw.clone(), connections.espw.pod_namespace().unwrap_or("default"))
        }
        Target::Folder(..) => return Ok(no_election(metrics)),
    };
    if !args.elects() {
        return Ok(no_election(metrics));
    }
    let namespace = flags.leader_elect_resource_namespace.as_deref().unwrap_or(default_namespace);
    let config = flags.election(lease::identity()).map_err(Fatal::Flags)?;
    let place = Place::new(connection.client()?, namespace, &flags.leader_elect_resource_name);
    let (leadership, keeper) = lease::start(place, config, Arc::clone(health), Arc::clone(metrics));
    Ok((leadership, Some(keeper)))
}

fn no_election(metrics: &Metrics) -> (Leadership, Option<Keeper>) {
    metrics.leader.set(1);
    (Leadership::always(), None)
}
