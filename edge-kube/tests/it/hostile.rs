//! What `resolve` does with objects that somebody made to be costly, each as large as an API server takes it (1.5 MiB).
//!
//! Nothing here is timed. Where a step were quadratic in what is hostile, a test would take hours instead of seconds.

use std::fmt::Write;

use edge_core::object::ObjectKey;
use edge_core::scheduler::{Options, Scheduler};
use edge_core::slices::Published;
use edge_kube::input;

const SIZE: usize = 3 << 19;

const WORKLOAD: &str = "apiVersion: workload.kcp.io/v1alpha1\nkind: SyncTarget\nmetadata: {name: a, uid: u}\n---\n";

const PLACEMENT: &str = "apiVersion: edge.kcp.io/v1alpha1\nkind: EdgePlacement\nmetadata: {name: p}\n\
                         spec: {locationSelectors: [{}]}\n---\n";

/// A Location with these fields, and what is needed to see what it holds.
fn world(metadata: &str, selector: &str) -> String {
    format!(
        "{WORKLOAD}{PLACEMENT}apiVersion: scheduling.kcp.io/v1alpha1\nkind: Location\nmetadata: {{name: l{metadata}}}\n\
         spec:\n  resource: {{group: workload.kcp.io, version: v1alpha1, resource: synctargets}}\n  \
         instanceSelector:\n{selector}"
    )
}

/// How many destinations there are, and what is invalid.
fn resolve(text: String) -> (usize, Vec<String>) {
    let options = input::Options { default_cluster: "c".into() };
    let loaded = input::parse("hostile.yaml", text.into_bytes(), &options).unwrap();
    let mut scheduler = Scheduler::new(Options::default());
    scheduler.apply_batch(&loaded.events);
    let slices = {
        let published = Published::default();
        scheduler.settle(&published);
        scheduler.resolve(&published, &ObjectKey::new("c", "p"))
    };
    let invalid = loaded.invalid.iter().map(ToString::to_string).collect();
    (slices.iter().map(|slice| slice.destinations.len()).sum(), invalid)
}

#[test]
fn ten_thousand_expressions() {
    let expressions = |operator: &str| {
        (0..10_000).fold("    matchExpressions:\n".to_string(), |mut text, i| {
            writeln!(text, "    - {{key: k{i}, operator: {operator}}}").unwrap();
            text
        })
    };
    assert_eq!(resolve(world("", &expressions("DoesNotExist"))), (1, Vec::new()));
    assert_eq!(resolve(world("", &expressions("Exists"))), (0, Vec::new()));
    // Each is wrong: the object is one invalid object, and its message does not grow with it.
    let (destinations, invalid) = resolve(world("", &expressions("exists")));
    assert_eq!((destinations, invalid.len()), (0, 1));
}

#[test]
fn the_largest_objects() {
    let annotation = format!(", annotations: {{note: \"{}\"}}", "x".repeat(SIZE));
    assert_eq!(resolve(world(&annotation, "    {}\n")), (1, Vec::new()));
    let labels: String = (0..SIZE / 40).map(|i| format!("label-of-some-length-{i}: v{i}, ")).collect();
    assert_eq!(resolve(world(&format!(", labels: {{{labels}}}"), "    {}\n")), (1, Vec::new()));
}

#[test]
fn the_longest_names() {
    let locations = (0..20).fold(format!("{WORKLOAD}{PLACEMENT}"), |mut text, i| {
        let name = format!("{}{i:053}", "n".repeat(200));
        writeln!(
            text,
            "apiVersion: scheduling.kcp.io/v1alpha1\nkind: Location\nmetadata: {{name: {name}}}\n\
             spec: {{resource: {{version: v1alpha1, resource: synctargets}}}}\n---"
        )
        .unwrap();
        text
    });
    assert_eq!(resolve(locations), (20, Vec::new()));
}
