//! What tests install before the scheduler can work: what `edge-kube manifests` prints.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize as _;
use serde_json::Value;

use crate::cluster::{Cluster, EDGE_PLACEMENT, LOCATION, SLICE, SYNC_TARGET};

/// Who the scheduler is on Kubernetes.
pub(crate) const SCHEDULER_USER: &str = "system:serviceaccount:edge-system:edge-scheduler";
/// The role that lets it write.
pub(crate) const SCHEDULER_ROLE: &str = "edge-scheduler";

/// Which definition of EdgePlacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    /// Ours: with a status subresource, and all fields of the status.
    Ours,
    /// The original's: no status subresource, two fields in the status.
    Original,
}

/// The documents that `edge-kube manifests` prints.
pub(crate) fn manifests(args: &[&str]) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_edge-kube")).arg("manifests").args(args).output().unwrap();
    assert!(output.status.success(), "edge-kube manifests {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    serde_yaml::Deserializer::from_str(&text).map(|document| Value::deserialize(document).unwrap()).collect()
}

/// APIResourceSchemas, APIExport and APIExportEndpointSlice.
pub(crate) fn kcp_export(kinds: &str, schema: Schema) -> Vec<Value> {
    let mut documents = manifests(&["kcp", "--kinds", kinds]);
    let placements = documents.iter_mut().filter(|document| document["spec"]["names"]["kind"] == EDGE_PLACEMENT.kind);
    for version in placements.flat_map(|schema| schema["spec"]["versions"].as_array_mut().unwrap()) {
        if schema == Schema::Original {
            version["subresources"] = serde_json::json!({});
            let status = version["schema"]["properties"]["status"]["properties"].as_object_mut().unwrap();
            status.retain(|field, _| ["specGeneration", "matchingLocationCount"].contains(&field.as_str()));
        }
    }
    documents
}

/// The APIBinding, under the name that the design documents give it.
pub(crate) fn kcp_binding(provider: &str) -> Value {
    let [mut binding] = <[Value; 1]>::try_from(manifests(&["kcp", "--binding", provider])).unwrap();
    binding["metadata"]["name"] = "bind-espw".into();
    binding
}

/// Gives the scheduler its rights; `place` is what `--for` says.
pub(crate) fn grant(cluster: &Cluster, place: &str) {
    for document in manifests(&["rbac", "--for", place]) {
        cluster.apply(&document);
    }
}

/// Installs the CustomResourceDefinitions, if they are not there, and waits until they are served.
pub(crate) fn install_crds(cluster: &Cluster) {
    for definition in manifests(&["crds"]) {
        cluster.apply(&definition);
    }
    let begin = Instant::now();
    for resource in [EDGE_PLACEMENT, SLICE, LOCATION, SYNC_TARGET] {
        while let Err(error) = cluster.try_list(resource) {
            assert!(begin.elapsed().as_secs() < 30, "{} are not served: {error}", resource.plural);
            thread::sleep(Duration::from_millis(50));
        }
    }
}
