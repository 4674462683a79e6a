//! The flags of `edge-kube scheduler`. Each is an environment variable too: `EDGE_KUBE_` and its name in capitals.

mod leader;
mod roles;
#[cfg(test)]
mod tests;
mod values;

pub(crate) use leader::LeaderArgs;
pub(crate) use roles::{RoleArgs, Selection};
pub(crate) use values::{Bind, ExportName};

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use edge_core::slices::DEFAULT_DESTINATIONS_PER_SLICE;

use crate::commands::{parse_cluster, parse_max};

/// The logical cluster of all objects where there is only one.
pub(crate) const DEFAULT_CLUSTER_NAME: &str = "default";

/// All flags.
#[derive(Debug, Clone, Args)]
pub(crate) struct SchedulerArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) kcp: KcpArgs,
    #[command(flatten)]
    pub(crate) roles: RoleArgs,
    #[command(flatten)]
    pub(crate) writes: WriteArgs,
    #[command(flatten)]
    pub(crate) leader: LeaderArgs,
    #[command(flatten)]
    pub(crate) watch: ObserveArgs,
}

/// Where objects live.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where objects live")]
pub(crate) struct PlaceArgs {
    /// What the API server is
    #[arg(long, value_enum, value_name = "MODE", default_value_t = ModeFlag::Auto)]
    #[arg(env = "EDGE_KUBE_MODE", hide_env_values = true)]
    pub(crate) mode: ModeFlag,
    /// Folder with manifests to watch, instead of an API server; needs --out
    #[arg(long, value_name = "IN", env = "EDGE_KUBE_DIR", hide_env_values = true, requires = "out")]
    #[arg(conflicts_with_all = ["mode", "kubeconfig", "kcp_kubeconfig", "context"])]
    #[arg(conflicts_with_all = ["edge_export", "scheduling_export", "workload_export"])]
    pub(crate) dir: Option<PathBuf>,
    /// Folder that the SinglePlacementSlices are kept in, one file each; needs --dir
    #[arg(long, value_name = "OUT", env = "EDGE_KUBE_OUT", hide_env_values = true, requires = "dir")]
    pub(crate) out: Option<PathBuf>,
    /// Kubeconfig file
    ///
    /// Otherwise the files in $KUBECONFIG, merged as kubectl does it, or ~/.kube/config; if there are none, the service
    /// account of the pod.
    #[arg(long, value_name = "FILE", env = "EDGE_KUBE_KUBECONFIG", hide_env_values = true)]
    #[arg(conflicts_with = "kcp_kubeconfig")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current context]
    ///
    /// On kcp it is the one of the edge service provider workspace.
    #[arg(long, value_name = "NAME", env = "EDGE_KUBE_CONTEXT", hide_env_values = true)]
    #[arg(conflicts_with = "espw-context")]
    pub(crate) context: Option<String>,
    /// Name of the one logical cluster, on Kubernetes and for objects in a folder that do not name theirs
    /// [default: default]
    #[arg(long, value_name = "NAME", env = "EDGE_KUBE_CLUSTER_NAME", hide_env_values = true)]
    #[arg(value_parser = parse_cluster)]
    pub(crate) cluster_name: Option<String>,
}

/// What only kcp has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "kcp (each of these flags implies --mode kcp)")]
pub(crate) struct KcpArgs {
    /// Kubeconfig file, as --kubeconfig
    #[arg(long, value_name = "FILE", env = "EDGE_KUBE_KCP_KUBECONFIG", hide_env_values = true)]
    pub(crate) kcp_kubeconfig: Option<PathBuf>,
    /// APIExport of EdgePlacements and SinglePlacementSlices, as [WORKSPACE:]NAME
    ///
    /// The last colon separates: root:espw:edge.kcp.io is edge.kcp.io in root:espw. Without a workspace it is looked for
    /// in the edge service provider workspace [default: edge.kcp.io].
    #[arg(long, value_name = "EXPORT", env = "EDGE_KUBE_EDGE_EXPORT", hide_env_values = true)]
    pub(crate) edge_export: Option<ExportName>,
    /// APIExport of Locations, as [WORKSPACE:]NAME
    ///
    /// Without a workspace it is looked for in root [default: the edge export if it serves them, else scheduling.kcp.io].
    #[arg(long, value_name = "EXPORT", env = "EDGE_KUBE_SCHEDULING_EXPORT", hide_env_values = true)]
    pub(crate) scheduling_export: Option<ExportName>,
    /// APIExport of SyncTargets, as [WORKSPACE:]NAME
    ///
    /// Without a workspace it is looked for in root [default: the edge export if it serves them, else workload.kcp.io].
    #[arg(long, value_name = "EXPORT", env = "EDGE_KUBE_WORKLOAD_EXPORT", hide_env_values = true)]
    pub(crate) workload_export: Option<ExportName>,
}

/// How slices are written.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Writes")]
pub(crate) struct WriteArgs {
    /// Most destinations of a SinglePlacementSlice, from 1 to 1000
    #[arg(long, value_name = "N", default_value_t = DEFAULT_DESTINATIONS_PER_SLICE, value_parser = parse_max)]
    #[arg(env = "EDGE_KUBE_MAX_DESTINATIONS_PER_SLICE", hide_env_values = true)]
    pub(crate) max_destinations_per_slice: usize,
    /// Most writes in flight, from 1 to 256
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    #[arg(env = "EDGE_KUBE_WRITE_CONCURRENCY", hide_env_values = true)]
    pub(crate) write_concurrency: u16,
}

/// How one sees what it does.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logs, probes and metrics")]
pub(crate) struct ObserveArgs {
    /// Where /livez, /readyz and /metrics are served, as HOST:PORT; `0` or nothing turns them off
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:10261")]
    #[arg(env = "EDGE_KUBE_BIND_ADDRESS", hide_env_values = true)]
    pub(crate) bind_address: Bind,
    /// How log lines look; they go to stderr, with times in UTC
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    #[arg(env = "EDGE_KUBE_LOG_FORMAT", hide_env_values = true)]
    pub(crate) log_format: LogFormat,
    /// How much is logged: 0 what an operator must know, 2 each write, 4 decisions, 6 events, 8 each request
    #[arg(short, long = "v", value_name = "LEVEL", default_value_t = 2)]
    #[arg(env = "EDGE_KUBE_V", hide_env_values = true)]
    pub(crate) v: u8,
}

/// `--mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeFlag {
    /// Find out: kcp if the server serves APIExports
    Auto,
    /// kcp: all workspaces that bind the APIExports of a provider workspace
    Kcp,
    /// Any Kubernetes cluster with the CRDs
    Kubernetes,
}

/// `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// As klog: I1121 00:32:14.123456   12345 file.rs:12] "message" key="value"
    Text,
    /// As Kubernetes' JSON logs: one object a line
    Json,
}

/// Where objects live, as far as flags tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode<'a> {
    /// The server has to be asked.
    Auto,
    /// kcp.
    Kcp,
    /// Kubernetes.
    Kubernetes,
    /// A folder.
    Folder {
        /// Manifests.
        dir: &'a Path,
        /// Slices.
        out: &'a Path,
    },
}

impl fmt::Display for Mode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Kcp => f.write_str("kcp"),
            Self::Kubernetes => f.write_str("kubernetes"),
            Self::Folder { dir, out } => write!(f, "folder {} -> {}", dir.display(), out.display()),
        }
    }
}

impl SchedulerArgs {
    /// Where objects live: as `--mode` or `--dir` says, and kcp if there is a flag that only kcp has.
    pub(crate) fn mode(&self) -> Mode<'_> {
        if let (Some(dir), Some(out)) = (&self.place.dir, &self.place.out) {
            return Mode::Folder { dir, out };
        }
        match self.place.mode {
            ModeFlag::Kubernetes => Mode::Kubernetes,
            ModeFlag::Kcp => Mode::Kcp,
            ModeFlag::Auto if self.kcp_flag().is_some() => Mode::Kcp,
            ModeFlag::Auto => Mode::Auto,
        }
    }

    /// Whether writing needs a Lease. A folder has none.
    pub(crate) fn elects(&self) -> bool {
        !matches!(self.mode(), Mode::Folder { .. }) && self.leader.leader_elect.unwrap_or(true)
    }

    /// The kubeconfig file that was named for all roles.
    pub(crate) fn kubeconfig(&self) -> Option<&Path> {
        self.kcp.kcp_kubeconfig.as_deref().or(self.place.kubeconfig.as_deref())
    }

    /// The logical cluster where there is only one.
    pub(crate) fn cluster_name(&self) -> &str {
        self.place.cluster_name.as_deref().unwrap_or(DEFAULT_CLUSTER_NAME)
    }

    /// A flag in use that only kcp has.
    fn kcp_flag(&self) -> Option<String> {
        let KcpArgs { kcp_kubeconfig, edge_export, scheduling_export, workload_export } = &self.kcp;
        let flags = [
            (kcp_kubeconfig.is_some(), "--kcp-kubeconfig"),
            (edge_export.is_some(), "--edge-export"),
            (scheduling_export.is_some(), "--scheduling-export"),
            (workload_export.is_some(), "--workload-export"),
        ];
        flags.iter().find(|(used, _)| *used).map(|(_, flag)| (*flag).to_owned()).or_else(|| self.roles.used())
    }

    /// Finds what contradicts itself and what the parser alone does not see.
    ///
    /// # Errors
    ///
    /// A message that names both flags.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let conflict = |one: &str, other: &str| Err(format!("{one} cannot be used with {other}"));
        match (self.mode(), self.kcp_flag()) {
            (Mode::Kubernetes, Some(flag)) => {
                return conflict(&format!("{flag}, which is for kcp,"), "--mode kubernetes");
            }
            (Mode::Folder { .. }, Some(flag)) => return conflict(&flag, "--dir"),
            (Mode::Folder { .. }, None) if self.leader.leader_elect == Some(true) => {
                return conflict("--leader-elect", "--dir: a folder has no Lease");
            }
            (Mode::Kcp, flag) if self.place.cluster_name.is_some() => {
                let kcp = flag.unwrap_or_else(|| "--mode kcp".into());
                return conflict(
                    "--cluster-name",
                    &format!("{kcp}: on kcp each workspace is a logical cluster of its own"),
                );
            }
            _ => {}
        }
        self.leader.election("validation".into()).map(|_| ())
    }
}
