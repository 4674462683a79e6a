//! On Kubernetes: one API server is one cluster.

use crate::env::Flavor::Kubernetes;
use crate::scenarios;

#[test]
fn walkthrough_dev_and_prod() {
    scenarios::dev_and_prod(Kubernetes, "root:espw");
}

#[test]
fn walkthrough_florin_and_guilder() {
    scenarios::florin_and_guilder(Kubernetes, "root:espw", "my-org");
}

#[test]
fn restart_writes_nothing() {
    scenarios::restart(Kubernetes);
}

#[test]
fn terminated_in_the_middle() {
    scenarios::terminated_in_the_middle(Kubernetes);
}

#[test]
fn slices_of_the_original_are_adopted() {
    scenarios::original_slices(Kubernetes);
}

#[test]
fn invalid_edge_placement_keeps_its_destinations() {
    scenarios::invalid_edge_placement(Kubernetes);
}

#[test]
fn invalid_location_is_frozen() {
    scenarios::invalid_location(Kubernetes);
}

#[test]
fn slices_edited_and_deleted_are_repaired() {
    scenarios::edited_and_deleted(Kubernetes);
}

#[test]
fn slice_name_taken_by_a_stranger() {
    scenarios::squatted(Kubernetes);
}

#[test]
fn edge_placement_comes_again() {
    scenarios::edge_placement_comes_again(Kubernetes);
}

#[test]
fn sync_target_comes_again() {
    scenarios::sync_target_comes_again(Kubernetes);
}

#[test]
fn two_replicas_hand_over() {
    scenarios::two_replicas(Kubernetes);
}

#[test]
fn storm_keeps_what_stays() {
    scenarios::storm(Kubernetes);
}

#[test]
fn crds_appear_late() {
    scenarios::crds_appear_late(Kubernetes);
}

#[test]
fn rights_are_revoked() {
    scenarios::rights_are_revoked(Kubernetes);
}

#[test]
fn api_server_freezes_and_restarts() {
    scenarios::api_server_freezes_and_restarts(Kubernetes);
}
