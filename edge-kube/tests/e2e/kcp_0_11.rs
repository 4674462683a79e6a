//! On kcp 0.11, the one of the design documents.

use crate::env::Flavor::Kcp011;
use crate::scenarios;

#[test]
fn walkthrough_dev_and_prod_from_root_espw() {
    scenarios::dev_and_prod(Kcp011, "root:espw");
}

#[test]
fn walkthrough_florin_and_guilder_from_root_espw() {
    scenarios::florin_and_guilder(Kcp011, "root:espw", "my-org");
}

#[test]
fn walkthrough_dev_and_prod_from_root_edge() {
    scenarios::dev_and_prod(Kcp011, "root:edge");
}

#[test]
fn walkthrough_florin_and_guilder_from_root_edge() {
    scenarios::florin_and_guilder(Kcp011, "root:edge", "my-other-org");
}

#[test]
fn restart_writes_nothing() {
    scenarios::restart(Kcp011);
}

#[test]
fn terminated_in_the_middle() {
    scenarios::terminated_in_the_middle(Kcp011);
}

#[test]
fn slices_of_the_original_are_adopted() {
    scenarios::original_slices(Kcp011);
}

#[test]
fn invalid_edge_placement_keeps_its_destinations() {
    scenarios::invalid_edge_placement(Kcp011);
}

#[test]
fn invalid_location_is_frozen() {
    scenarios::invalid_location(Kcp011);
}

#[test]
fn slices_edited_and_deleted_are_repaired() {
    scenarios::edited_and_deleted(Kcp011);
}

#[test]
fn slice_name_taken_by_a_stranger() {
    scenarios::squatted(Kcp011);
}

#[test]
fn edge_placement_comes_again() {
    scenarios::edge_placement_comes_again(Kcp011);
}

#[test]
fn sync_target_comes_again() {
    scenarios::sync_target_comes_again(Kcp011);
}

#[test]
fn two_replicas_hand_over() {
    scenarios::two_replicas(Kcp011);
}

#[test]
fn storm_keeps_what_stays() {
    scenarios::storm(Kcp011);
}

#[test]
fn equal_names_in_two_workspaces() {
    scenarios::equal_names(Kcp011);
}

#[test]
fn export_appears_late() {
    scenarios::export_appears_late(Kcp011);
}

#[test]
fn shard_that_is_away() {
    scenarios::shard_that_is_away(Kcp011);
}

#[test]
fn schema_of_the_original() {
    scenarios::original_schema(Kcp011);
}

#[test]
fn workspace_is_deleted() {
    scenarios::workspace_is_deleted(Kcp011);
}

#[test]
fn all_slices_are_deleted_at_once() {
    scenarios::all_slices_deleted(Kcp011);
}

#[test]
fn leader_is_frozen_and_wakes_up() {
    scenarios::frozen_leader(Kcp011);
}

#[test]
fn printed_rights_are_enough_and_are_revoked() {
    scenarios::rights(Kcp011);
}
