//! As much of kcp's APIExport and APIExportEndpointSlice as matters.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) resource_version: String,
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ApiExport {
    pub(super) metadata: Metadata,
    pub(super) spec: Option<ExportSpec>,
    pub(super) status: Option<ExportStatus>,
}

/// `latestResourceSchemas` in v1alpha1, `resources` in v1alpha2.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ExportSpec {
    latest_resource_schemas: Option<Vec<String>>,
    resources: Option<Vec<ExportResource>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ExportResource {
    group: String,
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ExportStatus {
    virtual_workspaces: Option<Vec<Endpoint>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Endpoint {
    url: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SliceList {
    pub(super) metadata: Metadata,
    pub(super) items: Vec<EndpointSlice>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EndpointSlice {
    spec: SliceSpec,
    status: Option<SliceStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SliceSpec {
    export: SliceExport,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SliceExport {
    name: String,
    path: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SliceStatus {
    endpoints: Option<Vec<Endpoint>>,
}

impl ApiExport {
    fn names_of_workspace<'a>(&'a self, workspace: &'a str) -> impl Iterator<Item = &'a str> {
        let annotations = self.metadata.annotations.iter().flatten();
        let named = annotations.filter(|(key, _)| matches!(key.as_str(), "kcp.io/path" | "kcp.io/cluster"));
        named.map(|(_, value)| value.as_str()).chain([workspace, ""])
    }

    /// `slices` are all of the export's workspace; each names its export by the workspace's path, its logical cluster, or
    /// not at all.
    pub(super) fn urls(&self, workspace: &str, slices: Option<&SliceList>) -> BTreeSet<String> {
        let own = self.status.iter().flat_map(|status| status.virtual_workspaces.iter().flatten());
        let name = &self.metadata.name;
        let ours = |slice: &&EndpointSlice| {
            let SliceExport { name: of, path } = &slice.spec.export;
            name == of && self.names_of_workspace(workspace).any(|known| known == path)
        };
        let slices = slices.iter().flat_map(|slices| &slices.items).filter(ours);
        let theirs = slices.filter_map(|slice| slice.status.as_ref()?.endpoints.as_ref()).flatten();
        own.chain(theirs)
            .map(|endpoint| endpoint.url.trim_end_matches('/'))
            .filter(|url| !url.is_empty())
            .map(Into::into)
            .collect()
    }

    /// A schema's name is `<prefix>.<plural>.<group>`; kcp sees to that.
    pub(super) fn resources(&self) -> BTreeSet<String> {
        let Some(spec) = &self.spec else { return BTreeSet::new() };
        let schemas = spec.latest_resource_schemas.iter().flatten();
        let of_schemas = schemas.filter_map(|schema| Some(schema.split_once('.')?.1.to_string()));
        let named = spec.resources.iter().flatten().map(|resource| format!("{}.{}", resource.name, resource.group));
        of_schemas.chain(named).collect()
    }
}
