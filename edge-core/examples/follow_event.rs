//! Follows one event from input to writes: `cargo run -p edge-core --example follow_event`.
//!
//! Two edge clusters, one Location that holds those in production, one EdgePlacement that selects the Location. Then the
//! second cluster is promoted to production.
#![allow(clippy::print_stdout)]

use edge_core::event::Event;
use edge_core::object::{
    EdgePlacement, LabelSelector, Location, ObjectKey, ObjectMeta, ResourceRef, SinglePlacementSlice, SyncTarget,
};
use edge_core::scheduler::{Options, Scheduler};
use edge_core::slices::Published;

fn main() {
    // 1. Objects in their Kubernetes form, here made by hand; usually they come from an API server or a file.
    let florin = sync_target("florin", "prod");
    let guilder = sync_target("guilder", "staging");
    let mut location = Location { metadata: labelled("eu", [("region", "eu")]), ..Location::default() };
    location.spec.instance_selector = Some(selector([("env", "prod")]));
    location.spec.resource =
        Some(ResourceRef { group: None, version: "v1alpha1".into(), resource: "synctargets".into() });
    let mut placement = EdgePlacement { metadata: labelled("shop", []), ..EdgePlacement::default() };
    placement.spec.location_selectors = vec![selector([("region", "eu")])];

    // 2. Events: lean records with validated selectors. Inventory and workload live in different logical clusters.
    let inventory = |name: &str| ObjectKey::new("imw-1", name);
    let shop = ObjectKey::new("wmw-c", "shop");
    let start = [
        Event::sync_target(inventory("florin"), florin),
        Event::sync_target(inventory("guilder"), guilder),
        Event::location(inventory("eu"), location),
        Event::edge_placement(shop.clone(), placement),
    ];

    // 3. A start is one batch. Nothing is published yet, so the plan creates the first slice.
    let mut published = Published::default();
    let mut scheduler = Scheduler::new(Options::default());
    scheduler.apply_batch(&start);
    carry_out(&mut scheduler, &mut published);

    // 4. One event: its delta tells which destinations came and went.
    let promotion = Event::sync_target(inventory("guilder"), sync_target("guilder", "prod"));
    for row in scheduler.apply(&promotion).rows() {
        let to = row.destination;
        let sign = if row.diff > 0 { '+' } else { '-' };
        println!(
            "delta:  {sign} {}/{} -> {}/{}",
            row.placement_cluster, row.placement, to.cluster, to.sync_target_name
        );
    }

    // 5. Why? Each requirement with the value that meets it.
    let why = scheduler.index().why(&shop, &inventory("eu"), &inventory("guilder"));
    println!("why:    {:?}", why.map(|why| why.sync_target.selector));

    // 6. The plan rewrites the one slice that changed; then there is nothing left to do.
    carry_out(&mut scheduler, &mut published);
    println!("at rest: {} writes", scheduler.plan(&published).len());
}

/// Carries the planned writes out as an API server would.
fn carry_out(scheduler: &mut Scheduler, published: &mut Published) {
    for write in scheduler.plan(published) {
        let destinations = write.object.as_ref().map_or(0, |slice: &SinglePlacementSlice| slice.destinations.len());
        println!("write:  {} {}, {destinations} destinations", write.verb.as_str(), write.key);
        published.apply(&write);
    }
}

fn sync_target(name: &str, env: &str) -> SyncTarget {
    let mut object = SyncTarget { metadata: labelled(name, [("env", env)]), ..SyncTarget::default() };
    object.metadata.uid = format!("uid-of-{name}");
    object
}

fn labelled<const N: usize>(name: &str, labels: [(&str, &str); N]) -> ObjectMeta {
    let labels = labels.map(|(key, value)| (key.into(), value.into())).into();
    ObjectMeta { name: name.into(), labels, ..ObjectMeta::default() }
}

fn selector<const N: usize>(labels: [(&str, &str); N]) -> LabelSelector {
    let match_labels = labels.map(|(key, value)| (key.into(), value.into())).into();
    LabelSelector { match_labels, ..LabelSelector::default() }
}
