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
pub(crate) mod client;
mod detect;
mod duration;
pub(crate) mod flags;
pub(crate) mod health;
pub(crate) mod lease;
pub(crate) mod log;
pub(crate) mod metrics;
mod shutdown;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::watch;

use admin::{Admin, BindError};
use client::{ClientError, Connections, Environment};
use flags::{Mode, SchedulerArgs};
use health::Health;
use lease::{Keeper, Leadership, Place};
use metrics::Metrics;

/// An engine without a heartbeat for so long counts as hung.
const STALE_AFTER: Duration = Duration::from_secs(60);

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
    pub(crate) shutdown: watch::Receiver<bool>,
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
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(args))
}

async fn serve(args: &SchedulerArgs) -> Result<(), Fatal> {
    let mut shutdown = shutdown::on_signal()?;
    let (metrics, health) = (Arc::new(Metrics::new()), Arc::new(Health::new(STALE_AFTER)));
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
    work(&target, Handles { metrics, health: Arc::clone(&health), leadership, shutdown }).await?;
    health.set("shutdown", Err("the scheduler is shutting down".into()));
    if let Some(keeper) = keeper {
        keeper.release().await;
    }
    tracing::info!("stopped");
    Ok(())
}

/// Reads, decides and writes until shutdown, when all writes have come to an end.
async fn work(_target: &Target<'_>, mut handles: Handles) -> Result<(), Fatal> {
    // A sender that is gone is a shutdown too.
    let _ = handles.shutdown.wait_for(|stop| *stop).await;
    Ok(())
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
            let found = detect::detect(&client::client(&client::requesting(&espw.config))?, &url, health).await;
            tracing::info!(mode = %found, "found out what the server is");
            found
        }
        known => known,
    };
    if found == Mode::Kcp {
        if args.place.cluster_name.is_some() {
            tracing::warn!("--cluster-name has no effect on kcp: each workspace is a logical cluster of its own");
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
            (workspace.map_or_else(|| Ok(espw.clone()), |workspace| client::in_workspace(espw, workspace))?, "default")
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
    let client = client::client(&client::requesting(&connection.config))?;
    let place = Place::new(client, namespace, &flags.leader_elect_resource_name);
    let (leadership, keeper) = lease::start(place, config, Arc::clone(health), Arc::clone(metrics));
    Ok((leadership, Some(keeper)))
}

fn no_election(metrics: &Metrics) -> (Leadership, Option<Keeper>) {
    metrics.leader.set(1);
    (Leadership::always(), None)
}
