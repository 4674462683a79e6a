//! On kcp 0.22, which has no Location and SyncTarget of its own.

use crate::env::Flavor::Kcp022;
use crate::scenarios;

#[test]
fn walkthrough_dev_and_prod() {
    scenarios::dev_and_prod(Kcp022, "root:espw");
}

#[test]
fn walkthrough_florin_and_guilder() {
    scenarios::florin_and_guilder(Kcp022, "root:espw", "my-org");
}

#[test]
fn restart_writes_nothing() {
    scenarios::restart(Kcp022);
}

#[test]
fn terminated_in_the_middle() {
    scenarios::terminated_in_the_middle(Kcp022);
}

#[test]
fn slices_of_the_original_are_adopted() {
    scenarios::original_slices(Kcp022);
}

#[test]
fn invalid_edge_placement_keeps_its_destinations() {
    scenarios::invalid_edge_placement(Kcp022);
}

#[test]
fn invalid_location_is_frozen() {
    scenarios::invalid_location(Kcp022);
}

#[test]
fn slices_edited_and_deleted_are_repaired() {
    scenarios::edited_and_deleted(Kcp022);
}

#[test]
fn slice_name_taken_by_a_stranger() {
    scenarios::squatted(Kcp022);
}

#[test]
fn edge_placement_comes_again() {
    scenarios::edge_placement_comes_again(Kcp022);
}

#[test]
fn sync_target_comes_again() {
    scenarios::sync_target_comes_again(Kcp022);
}

#[test]
fn two_replicas_hand_over() {
    scenarios::two_replicas(Kcp022);
}

#[test]
fn storm_keeps_what_stays() {
    scenarios::storm(Kcp022);
}

#[test]
fn equal_names_in_two_workspaces() {
    scenarios::equal_names(Kcp022);
}

#[test]
fn export_appears_late() {
    scenarios::export_appears_late(Kcp022);
}

#[test]
fn shard_that_is_away() {
    scenarios::shard_that_is_away(Kcp022);
}

#[test]
fn workspace_is_deleted() {
    scenarios::workspace_is_deleted(Kcp022);
}

#[test]
fn killed_in_the_middle() {
    scenarios::killed_in_the_middle(Kcp022);
}

#[test]
fn all_slices_are_deleted_at_once() {
    scenarios::all_slices_deleted(Kcp022);
}

#[test]
fn bad_connection_and_server() {
    scenarios::bad_connection_and_server(Kcp022);
}

#[test]
fn printed_rights_are_enough_and_are_revoked() {
    scenarios::rights(Kcp022);
}

#[test]
fn unknown_certificate_authority_is_refused() {
    scenarios::unknown_authority(Kcp022);
}

#[test]
fn no_secret_is_told() {
    scenarios::secrets_stay_secret(Kcp022);
}
