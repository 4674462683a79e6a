//! `edge-kube scheduler`.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::scheduler;
use crate::scheduler::flags::SchedulerArgs;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    scheduler: SchedulerArgs,
}

pub(super) const ABOUT: &str = "\
Keep the SinglePlacementSlices right, live

Watches EdgePlacements, Locations and SyncTargets, and maintains the SinglePlacementSlices of every EdgePlacement: on kcp, in \
all workspaces that bind the APIExports of the edge service provider workspace; on any Kubernetes cluster that has the four \
CRDs; or in a folder, which needs no server.

What is not there yet, an export, a CRD, rights or the server itself, is waited for: the log and /readyz?verbose say what. \
Each flag can be given as an environment variable too; the flag wins.";

pub(super) const MORE: &str = "`edge-kube scheduler --help` tells more of each flag, and has examples.";

pub(super) const AFTER_HELP: &str = "\
Examples:
  On kcp, with the edge service provider workspace as the current one:
      kubectl ws root:espw
      edge-kube scheduler

  On kcp, from anywhere:
      edge-kube scheduler --kcp-kubeconfig .kcp/admin.kubeconfig --edge-export root:espw:edge.kcp.io

  On Kubernetes, with a context of your kubeconfig, logging each request:
      edge-kube scheduler --context kind-hub -v 8

  In a pod: the service account is used. Probes come from outside of it:
      edge-kube scheduler --bind-address :10261 --log-format json

  On a folder of manifests; slices are kept in ./slices:
      edge-kube scheduler --dir ./manifests --out ./slices

  What it waits for:
      curl 'http://127.0.0.1:10261/readyz?verbose'

Exit codes:
  0  after SIGTERM or SIGINT, with writes at an end and the lease given back
  1  it cannot go on; the last line on stderr says why and what to do. Also after a second signal
  2  wrong usage, such as flags that contradict each other";

pub(super) fn run(args: &Args) -> ExitCode {
    if let Err(message) = args.scheduler.validate() {
        super::wrong_usage("scheduler", &message);
    }
    match scheduler::run(&args.scheduler) {
        Ok(()) => ExitCode::SUCCESS,
        Err(scheduler::Fatal::Folder(error)) if error.is_usage() => super::wrong_usage("scheduler", &error.to_string()),
        Err(fatal) => {
            // Nothing is left to be done where even this cannot be written.
            let _ = writeln!(io::stderr(), "error: {fatal}");
            ExitCode::FAILURE
        }
    }
}
