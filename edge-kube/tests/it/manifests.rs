//! `edge-kube manifests`: what it prints is sound, and says the same as the types of edge-core.

mod kcp;
mod schemas;
mod types;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};

use edge_kube::input;
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde::Deserialize as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Arguments, and how many documents of each kind they print.
type Printed = (&'static [&'static str], &'static [(&'static str, usize)]);

/// Everything that can be printed.
const PRINTED: [Printed; 9] = [
    (&["crds"], &[("CustomResourceDefinition", 4)]),
    (&["kcp"], &[("APIExport", 1), ("APIExportEndpointSlice", 1), ("APIResourceSchema", 4)]),
    (&["kcp", "--kinds", "edge"], &[("APIExport", 1), ("APIExportEndpointSlice", 1), ("APIResourceSchema", 2)]),
    (&["kcp", "--binding", "root:my-org:provider"], &[("APIBinding", 1)]),
    (&["policy"], &[("ValidatingAdmissionPolicy", 1), ("ValidatingAdmissionPolicyBinding", 1)]),
    (
        &["rbac"],
        &[
            ("ClusterRole", 1),
            ("ClusterRoleBinding", 1),
            ("Namespace", 1),
            ("Role", 2),
            ("RoleBinding", 2),
            ("ServiceAccount", 1),
        ],
    ),
    (&["rbac", "--for", "kcp"], &[("ClusterRole", 1), ("ClusterRoleBinding", 1), ("Role", 1), ("RoleBinding", 1)]),
    (&["rbac", "--for", "kcp-root"], &[("ClusterRole", 1), ("ClusterRoleBinding", 1)]),
    (
        &["deployment", "--image", "registry.example:5000/edge-kube:1.0"],
        &[("Deployment", 1), ("Namespace", 1), ("PodDisruptionBudget", 1)],
    ),
];

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_edge-kube")).arg("manifests").args(args).output().unwrap()
}

/// What is printed.
fn printed(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The documents of what is printed.
fn documents(args: &[&str]) -> Vec<Value> {
    parse(&printed(args))
}

fn parse(yaml: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(yaml).map(|document| Value::deserialize(document).unwrap()).collect()
}

fn deploy(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "deploy", file].iter().collect()
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no string {pointer} in {value}"))
}

#[test]
fn what_is_printed_is_yaml_to_both_readers() {
    let options = input::Options { default_cluster: "default".into() };
    for (args, expected) in PRINTED {
        let mut kinds: BTreeMap<(String, String), usize> = BTreeMap::new();
        let documents = documents(args);
        for document in &documents {
            *kinds.entry((text(document, "/kind").into(), text(document, "/apiVersion").into())).or_default() += 1;
        }
        let counted: Vec<(&str, usize)> = kinds.iter().map(|((kind, _), count)| (kind.as_str(), *count)).collect();
        assert_eq!(counted, expected, "{args:?}");
        let loaded = input::parse("printed", printed(args).into_bytes(), &options).unwrap();
        let skipped: BTreeMap<String, usize> =
            kinds.iter().map(|((kind, version), count)| (format!("{version}/{kind}"), *count)).collect();
        assert_eq!(loaded.skipped, skipped, "{args:?}");
        let names: Vec<String> = documents.iter().map(identity).collect();
        let mut unique = names.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), names.len(), "{args:?} prints an object twice: {names:?}");
    }
}

fn identity(document: &Value) -> String {
    let namespace = document.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
    format!("{} {namespace}/{}", text(document, "/kind"), text(document, "/metadata/name"))
}

/// A field that is misspelt, or at a wrong place, is lost on the way.
#[test]
fn every_field_is_one_of_kubernetes() {
    fn same<T: DeserializeOwned + Serialize>(document: &Value) {
        let typed: T = serde_json::from_value(document.clone()).unwrap();
        let mut lost = Vec::new();
        types::lost(&identity(document), document, Some(&serde_json::to_value(typed).unwrap()), &mut lost);
        assert!(lost.is_empty(), "{lost:#?}");
    }
    for (args, _) in PRINTED {
        for document in documents(args) {
            match text(&document, "/kind") {
                "CustomResourceDefinition" => same::<CustomResourceDefinition>(&document),
                "Namespace" => same::<Namespace>(&document),
                "ServiceAccount" => same::<ServiceAccount>(&document),
                "ClusterRole" => same::<ClusterRole>(&document),
                "ClusterRoleBinding" => same::<ClusterRoleBinding>(&document),
                "Role" => same::<Role>(&document),
                "RoleBinding" => same::<RoleBinding>(&document),
                "Deployment" => same::<Deployment>(&document),
                "ValidatingAdmissionPolicy" => same::<ValidatingAdmissionPolicy>(&document),
                "ValidatingAdmissionPolicyBinding" => same::<ValidatingAdmissionPolicyBinding>(&document),
                "PodDisruptionBudget" => same::<PodDisruptionBudget>(&document),
                kcp => assert_eq!(text(&document, "/apiVersion"), "apis.kcp.io/v1alpha1", "{kcp}"),
            }
        }
    }
}

#[test]
fn bindings_refer_to_roles_and_subjects_that_are_printed() {
    for args in [&["rbac"][..], &["rbac", "--for", "kcp"], &["rbac", "--for", "kcp-root"]] {
        let documents = documents(args);
        let known: Vec<String> = documents.iter().map(identity).collect();
        for binding in documents.iter().filter(|document| text(document, "/kind").ends_with("Binding")) {
            let role_namespace = match text(binding, "/roleRef/kind") {
                "Role" => text(binding, "/metadata/namespace"),
                _ => "",
            };
            let role =
                format!("{} {role_namespace}/{}", text(binding, "/roleRef/kind"), text(binding, "/roleRef/name"));
            assert!(known.contains(&role), "{args:?}: no {role}");
            if text(binding, "/subjects/0/kind") == "ServiceAccount" {
                let subject = text(binding, "/subjects/0/name");
                let account = format!("ServiceAccount {}/{subject}", text(binding, "/subjects/0/namespace"));
                assert!(known.contains(&account), "{args:?}: no {account}");
            }
        }
    }
}

#[test]
fn the_deployment_fits_the_rights() {
    let rbac = documents(&["rbac"]);
    let deployment = documents(&["deployment"]);
    let of = |documents: &[Value], kind: &str| {
        documents.iter().find(|document| text(document, "/kind") == kind).unwrap().clone()
    };
    assert_eq!(of(&rbac, "Namespace"), of(&deployment, "Namespace"));
    let (account, deployment) = (of(&rbac, "ServiceAccount"), of(&deployment, "Deployment"));
    assert_eq!(text(&deployment, "/spec/template/spec/serviceAccountName"), text(&account, "/metadata/name"));
    assert_eq!(text(&deployment, "/metadata/namespace"), text(&account, "/metadata/namespace"));
    let args = deployment.pointer("/spec/template/spec/containers/0/args").unwrap().to_string();
    let leases = rbac.iter().find(|document| identity(document) == "Role edge-system/edge-scheduler").unwrap();
    let lease = text(leases, "/rules/1/resourceNames/0");
    assert!(args.contains(&format!("\"--leader-elect-resource-name={lease}\"")), "{args}");
    assert!(args.contains("\"--leader-elect-resource-namespace=edge-system\""), "{args}");
}

#[test]
fn options_give_names() {
    let image = |args: &[&str]| {
        let deployment = documents(args).remove(1);
        text(&deployment, "/spec/template/spec/containers/0/image").to_owned()
    };
    assert_eq!(image(&["deployment"]), "edge-kube:latest");
    assert_eq!(image(&["deployment", "--image", "r.example/e@sha256:0a"]), "r.example/e@sha256:0a");
    // Quoted, or YAML 1.1 would read a number.
    assert_eq!(image(&["deployment", "--image", "1:20"]), "1:20");
    let binding = &documents(&["kcp", "--binding", "root:my-org:provider"])[0];
    assert_eq!(text(binding, "/spec/reference/export/path"), "root:my-org:provider");
}

#[test]
fn wrong_use_is_told() {
    for (args, expected) in [
        (&["deployment", "--image", "a b"][..], "expected a container image"),
        (&["deployment", "--image", "x\"\nfoo: bar"], "expected a container image"),
        (&["deployment", "--image", ""], "--image"),
        (&["kcp", "--binding", "root:"], "expected the path of a workspace"),
        (&["kcp", "--binding", "Root"], "expected the path of a workspace"),
        (&["kcp", "--kinds", "edge", "--binding", "root"], "cannot be used with"),
        (&["kcp", "--kinds", "ours"], "all, edge"),
        (&["rbac", "--for", "openshift"], "kubernetes, kcp, kcp-root"),
        (&["crd"], "crds"),
        (&[], "Usage"),
    ] {
        let output = run(args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains(expected), "{args:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

/// An invalid selector must be stored, so that the scheduler can keep what it published.
#[test]
fn the_policy_refuses_nothing() {
    let policy = documents(&["policy"]);
    assert_eq!(text(&policy[0], "/spec/failurePolicy"), "Ignore");
    assert_eq!(policy[1]["spec"]["validationActions"], serde_json::json!(["Warn"]));
    assert_eq!(policy[1]["spec"]["policyName"], policy[0]["metadata"]["name"]);
}
