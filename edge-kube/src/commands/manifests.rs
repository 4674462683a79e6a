//! `edge-kube manifests`: what one applies to a server before the scheduler can work there.
//!
//! It prints the files of `edge-kube/deploy` as they are, but for the names that options give. The files for kcp with the
//! schemas are made from `crds.yaml` by a test, which also compares the schemas with the types of edge-core.

use std::io::{self, Write};

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::Failure;

const CRDS: &str = include_str!("../../deploy/crds.yaml");
const KCP_SCHEMAS_EDGE: &str = include_str!("../../deploy/kcp/schemas-edge.yaml");
const KCP_SCHEMAS_OTHERS: &str = include_str!("../../deploy/kcp/schemas-locations-synctargets.yaml");
const KCP_EXPORT_ALL: &str = include_str!("../../deploy/kcp/export-all.yaml");
const KCP_EXPORT_EDGE: &str = include_str!("../../deploy/kcp/export-edge.yaml");
const KCP_BINDING: &str = include_str!("../../deploy/kcp/binding.yaml");
const KCP_RBAC: &str = include_str!("../../deploy/kcp/rbac.yaml");
const KCP_RBAC_ROOT: &str = include_str!("../../deploy/kcp/rbac-root.yaml");
const POLICY: &str = include_str!("../../deploy/policy.yaml");
const RBAC: &str = include_str!("../../deploy/rbac.yaml");
const DEPLOYMENT: &str = include_str!("../../deploy/deployment.yaml");

/// What stands in the files for the provider workspace, and for the container image.
const WORKSPACE: &str = "root:espw";
const IMAGE: &str = "edge-kube:latest";

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the CustomResourceDefinitions of the four kinds, for Kubernetes
    ///
    /// EdgePlacement, SinglePlacementSlice (edge.kcp.io/v1alpha1), Location (scheduling.kcp.io/v1alpha1) and SyncTarget
    /// (workload.kcp.io/v1alpha1), all cluster-scoped. For kcp see `edge-kube manifests kcp`.
    #[command(after_help = "\
Usage on a cluster:
  edge-kube manifests crds | kubectl apply -f -
  kubectl get epl,sps -o wide")]
    Crds,
    /// Print APIResourceSchemas, APIExport and APIExportEndpointSlice, or an APIBinding, for kcp
    ///
    /// The schemas and the export `edge.kcp.io` go to the provider workspace, whose name in the documents is root:espw. An
    /// APIBinding goes to each workspace that is to have the kinds. A schema's name holds a hash of it: applying those of
    /// another version adds schemas, and moves the export to them.
    #[command(after_help = "\
Newer kcp, without Locations and SyncTargets of its own:
  kubectl ws root && kubectl ws create espw --enter
  edge-kube manifests kcp | kubectl apply -f -
  kubectl ws root && kubectl ws create imw-1 --enter
  edge-kube manifests kcp --binding root:espw | kubectl apply -f -

kcp 0.11, which gives each workspace Locations and SyncTargets of its exports in root:
  edge-kube manifests kcp --kinds edge | kubectl apply -f -
and the APIBinding as above")]
    Kcp {
        /// The kinds that the export has
        #[arg(long, value_enum, default_value_t = Kinds::All)]
        kinds: Kinds,
        /// Print the APIBinding to the export in this workspace instead, for example root:espw
        #[arg(long, value_name = "WORKSPACE", conflicts_with = "kinds", value_parser = parse_workspace)]
        binding: Option<String>,
    },
    /// Print a policy that warns of invalid selectors, for Kubernetes 1.30 and later
    ///
    /// A ValidatingAdmissionPolicy. Without it, an invalid selector shows in the condition Resolved of the EdgePlacement; with
    /// it, whoever applies one is warned at once. It refuses nothing.
    #[command(after_help = "\
Usage on a cluster:
  edge-kube manifests policy | kubectl apply -f -")]
    Policy,
    /// Print what the scheduler may do, as RBAC
    ///
    /// On Kubernetes, the scheduler is the ServiceAccount edge-scheduler in the namespace edge-system. On kcp, it is the user
    /// edge-scheduler, by whatever means your kcp tells users apart: a ServiceAccount has no access to other workspaces.
    #[command(after_help = "\
Kubernetes:
  edge-kube manifests rbac | kubectl apply -f -
kcp, in the provider workspace:
  edge-kube manifests rbac --for kcp | kubectl apply -f -
kcp 0.11, in the workspace root as well:
  edge-kube manifests rbac --for kcp-root | kubectl apply -f -")]
    Rbac {
        /// Where it is to be applied
        #[arg(long = "for", value_enum, default_value_t = Place::Kubernetes)]
        place: Place,
    },
    /// Print a Deployment of two replicas, for Kubernetes
    ///
    /// In the namespace edge-system, with leader election, probes, limits and a PodDisruptionBudget. The image must have
    /// `edge-kube` in its PATH. On kcp, run `edge-kube scheduler` with a kubeconfig instead.
    #[command(after_help = "\
Usage on a cluster:
  edge-kube manifests crds | kubectl apply -f -
  edge-kube manifests rbac | kubectl apply -f -
  edge-kube manifests deployment --image registry.example/edge-kube:1.0 | kubectl apply -f -
  kubectl -n edge-system rollout status deployment/edge-scheduler")]
    Deployment {
        /// The container image
        #[arg(long, default_value = IMAGE, value_parser = parse_image)]
        image: String,
    },
}

/// Which kinds an APIExport has.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kinds {
    /// All four: for newer kcp, such as 0.22, which has no Location and SyncTarget of its own
    All,
    /// EdgePlacement and SinglePlacementSlice: for kcp 0.11, whose workspace root exports Location and SyncTarget
    Edge,
}

/// Where rights are given.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Place {
    /// A Kubernetes cluster
    Kubernetes,
    /// The provider workspace of kcp, the one with the APIExport
    Kcp,
    /// The workspace root of kcp 0.11, to read Locations and SyncTargets
    KcpRoot,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let text = match &args.what {
        What::Crds => CRDS.into(),
        What::Kcp { binding: Some(workspace), .. } => with(KCP_BINDING, WORKSPACE, workspace),
        What::Kcp { kinds: Kinds::All, .. } => documents(&[KCP_SCHEMAS_EDGE, KCP_SCHEMAS_OTHERS, KCP_EXPORT_ALL]),
        What::Kcp { kinds: Kinds::Edge, .. } => documents(&[KCP_SCHEMAS_EDGE, KCP_EXPORT_EDGE]),
        What::Policy => POLICY.into(),
        What::Rbac { place } => match place {
            Place::Kubernetes => RBAC.into(),
            Place::Kcp => KCP_RBAC.into(),
            Place::KcpRoot => KCP_RBAC_ROOT.into(),
        },
        What::Deployment { image } => with(DEPLOYMENT, IMAGE, image),
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

fn documents(files: &[&str]) -> String {
    files.join("---\n")
}

/// The file with another value for the placeholder. It stands in quotes there, and no value that is accepted needs more.
fn with(file: &str, placeholder: &str, value: &str) -> String {
    file.replace(&format!("\"{placeholder}\""), &format!("\"{value}\""))
}

/// A path of workspaces, or the name of a logical cluster.
fn parse_workspace(path: &str) -> Result<String, String> {
    let valid = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && !name.ends_with('-')
            && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    if path.split(':').all(valid) {
        return Ok(path.into());
    }
    Err("expected the path of a workspace, such as root:espw: names of a-z, 0-9 and -, with : between them".into())
}

fn parse_image(image: &str) -> Result<String, String> {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b':' | b'@');
    if image.starts_with(|c: char| c.is_ascii_alphanumeric()) && image.bytes().all(inner) {
        return Ok(image.into());
    }
    Err("expected a container image, such as registry.example/edge-kube:1.0".into())
}
