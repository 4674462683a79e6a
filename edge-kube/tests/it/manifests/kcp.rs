//! The files for kcp are made from `crds.yaml`; `UPDATE_DEPLOY=YYMMDD`, with the day's date, writes them anew.

use std::fs;

use serde::Deserialize as _;
use serde_json::{Value, json};
use serde_yaml::Value as Yaml;

use super::{deploy, documents, parse, text};

const HEADER: &str = "# Made from crds.yaml; `edge-kube manifests kcp` prints it.\n";

/// The schemas, each file with the groups of its kinds.
const SCHEMAS: [(&str, &[&str]); 2] = [
    ("kcp/schemas-edge.yaml", &["edge.kcp.io"]),
    ("kcp/schemas-locations-synctargets.yaml", &["scheduling.kcp.io", "workload.kcp.io"]),
];
/// The exports, each file with those that have their schemas.
const EXPORTS: [(&str, usize); 2] = [("kcp/export-all.yaml", 2), ("kcp/export-edge.yaml", 1)];

#[test]
fn the_files_are_those_that_the_crds_give() {
    let date = std::env::var("UPDATE_DEPLOY").ok();
    let crds: Vec<Yaml> = serde_yaml::Deserializer::from_str(&fs::read_to_string(deploy("crds.yaml")).unwrap())
        .map(|document| Yaml::deserialize(document).unwrap())
        .collect();
    let mut names = Vec::new();
    let check = |file: &str, expected: &str| {
        if date.is_some() {
            fs::write(deploy(file), expected).unwrap();
        }
        let found = fs::read_to_string(deploy(file)).unwrap();
        assert_eq!(found, expected, "{file} is not what crds.yaml gives; UPDATE_DEPLOY=YYMMDD writes it anew");
    };
    for (file, groups) in SCHEMAS {
        let present = parse(&fs::read_to_string(deploy(file)).unwrap());
        let present: Vec<&str> = present.iter().filter_map(|schema| schema["metadata"]["name"].as_str()).collect();
        let mut documents = Vec::new();
        let mut of_file = Vec::new();
        for crd in crds.iter().filter(|crd| groups.contains(&crd["spec"]["group"].as_str().unwrap())) {
            let spec = kcp_spec(crd);
            let suffix = format!("-{}.{}", hash(&spec), crd["metadata"]["name"].as_str().unwrap());
            // A schema that is as it was keeps its date, and with it its name.
            let name = match present.iter().find(|name| name.ends_with(&suffix)) {
                Some(name) => (*name).to_owned(),
                None => format!("v{}{suffix}", date.as_deref().unwrap_or("YYMMDD")),
            };
            documents.push(schema(&name, &spec));
            of_file.push(name);
        }
        check(file, &format!("{HEADER}{}", documents.join("---\n")));
        names.push(of_file);
    }
    for (file, of) in EXPORTS {
        check(file, &format!("{HEADER}{}", export(&names[..of].concat())));
    }
}

/// An APIResourceSchema has the schema itself where a CustomResourceDefinition has `openAPIV3Schema`.
fn kcp_spec(crd: &Yaml) -> Yaml {
    let mut spec = crd["spec"].clone();
    for version in spec["versions"].as_sequence_mut().unwrap() {
        version["schema"] = version["schema"]["openAPIV3Schema"].clone();
    }
    spec
}

/// kcp never lets an APIResourceSchema change, so another content needs another name.
fn hash(spec: &Yaml) -> String {
    let canonical = serde_json::to_value(spec).unwrap().to_string();
    let fnv1a = canonical.bytes().fold(0x811c_9dc5_u32, |hash, b| (hash ^ u32::from(b)).wrapping_mul(0x0100_0193));
    format!("{fnv1a:08x}")
}

fn schema(name: &str, spec: &Yaml) -> String {
    let spec = serde_yaml::to_string(spec).unwrap();
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!("apiVersion: apis.kcp.io/v1alpha1\nkind: APIResourceSchema\nmetadata:\n  name: {name}\nspec:\n{spec}")
}

fn export(schemas: &[String]) -> String {
    let schemas: String = schemas.iter().map(|schema| format!("  - {schema}\n")).collect();
    format!(
        "apiVersion: apis.kcp.io/v1alpha1
kind: APIExport
metadata:
  name: edge.kcp.io
spec:
  latestResourceSchemas:
{schemas}---
# The URLs of the export's virtual workspaces, one for each shard. Newer kcp makes it by itself.
apiVersion: apis.kcp.io/v1alpha1
kind: APIExportEndpointSlice
metadata:
  name: edge.kcp.io
spec:
  export:
    name: edge.kcp.io
"
    )
}

#[test]
fn what_is_printed_for_kcp_has_the_schemas_of_the_crds() {
    let crds = documents(&["crds"]);
    for (args, kinds) in [
        (&["kcp"][..], &["EdgePlacement", "SinglePlacementSlice", "Location", "SyncTarget"][..]),
        (&["kcp", "--kinds", "edge"], &["EdgePlacement", "SinglePlacementSlice"]),
    ] {
        let documents = documents(args);
        let of = |kind: &str| documents.iter().filter(|document| text(document, "/kind") == kind).collect::<Vec<_>>();
        let (schemas, exports, slices) = (of("APIResourceSchema"), of("APIExport"), of("APIExportEndpointSlice"));
        let found: Vec<&str> = schemas.iter().map(|schema| text(schema, "/spec/names/kind")).collect();
        assert_eq!(found, kinds);
        let names: Vec<&str> = schemas.iter().map(|schema| text(schema, "/metadata/name")).collect();
        assert_eq!(exports[0]["spec"]["latestResourceSchemas"], json!(names));
        assert_eq!(slices[0]["spec"]["export"]["name"], exports[0]["metadata"]["name"]);
        for schema in schemas {
            let crd = crds
                .iter()
                .find(|crd| crd.pointer("/spec/names") == schema.pointer("/spec/names"))
                .unwrap_or_else(|| panic!("no CustomResourceDefinition for {schema}"));
            for field in ["group", "scope"] {
                assert_eq!(crd["spec"][field], schema["spec"][field]);
            }
            let (crd, schema) = (&crd["spec"]["versions"][0], &schema["spec"]["versions"][0]);
            assert_eq!(crd["schema"]["openAPIV3Schema"], schema["schema"]);
            let rest = |version: &Value| {
                let mut version = version.clone();
                version.as_object_mut().unwrap().remove("schema");
                version
            };
            assert_eq!(rest(crd), rest(schema));
        }
    }
}
