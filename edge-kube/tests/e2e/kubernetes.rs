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
fn api_server_freezes_and_restarts() {
    scenarios::api_server_freezes_and_restarts(Kubernetes);
}

#[test]
fn killed_in_the_middle() {
    scenarios::killed_in_the_middle(Kubernetes);
}

#[test]
fn all_slices_are_deleted_at_once() {
    scenarios::all_slices_deleted(Kubernetes);
}

#[test]
fn leader_is_frozen_and_wakes_up() {
    scenarios::frozen_leader(Kubernetes);
}

#[test]
fn bad_connection_and_server() {
    scenarios::bad_connection_and_server(Kubernetes);
}

#[test]
fn printed_rights_are_enough_and_are_revoked() {
    scenarios::rights(Kubernetes);
}

#[test]
fn unknown_certificate_authority_is_refused() {
    scenarios::unknown_authority(Kubernetes);
}

#[test]
fn no_secret_is_told() {
    scenarios::secrets_stay_secret(Kubernetes);
}
