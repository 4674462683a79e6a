use serde_json::json;

use super::*;

fn export(value: serde_json::Value) -> ApiExport {
    serde_json::from_value(value).unwrap()
}

fn urls(export: &ApiExport, slices: serde_json::Value) -> Vec<String> {
    let slices: SliceList = serde_json::from_value(slices).unwrap();
    export.urls("root:espw", Some(&slices)).into_iter().collect()
}

#[test]
fn urls_come_from_the_status_and_from_endpoint_slices() {
    let export = export(json!({
        "metadata": {"name": "edge.kcp.io", "annotations": {"kcp.io/cluster": "abc", "kcp.io/path": "root:espw"}},
        "status": {"virtualWorkspaces": [{"url": "https://one/x/"}, {"url": "https://two/x"}, {"url": ""}]},
    }));
    assert_eq!(urls(&export, json!({"items": []})), ["https://one/x", "https://two/x"]);
    let slice = |name: &str, path: Option<&str>, url: &str| {
        json!({"spec": {"export": match path {
            Some(path) => json!({"name": name, "path": path}),
            None => json!({"name": name}),
        }}, "status": {"endpoints": [{"url": url}]}})
    };
    let slices = json!({"items": [
        slice("edge.kcp.io", Some("root:espw"), "https://two/x"),
        slice("edge.kcp.io", Some("abc"), "https://three/x"),
        slice("edge.kcp.io", None, "https://four/x"),
        slice("edge.kcp.io", Some("root:other"), "https://not/x"),
        slice("other", None, "https://not/x"),
        {"spec": {"export": {"name": "edge.kcp.io"}}},
    ]});
    assert_eq!(urls(&export, slices), ["https://four/x", "https://one/x", "https://three/x", "https://two/x"]);
}

#[test]
fn resources_are_named_in_both_versions_of_the_api() {
    let old = export(json!({"spec": {"latestResourceSchemas": ["v1.edgeplacements.edge.kcp.io", "broken"]}}));
    let new =
        export(json!({"spec": {"resources": [{"group": "edge.kcp.io", "name": "edgeplacements", "schema": "x"}]}}));
    assert_eq!(old.resources(), new.resources());
    assert_eq!(new.resources().into_iter().collect::<Vec<_>>(), ["edgeplacements.edge.kcp.io"]);
    assert!(export(json!({"spec": null, "status": null})).resources().is_empty());
}
