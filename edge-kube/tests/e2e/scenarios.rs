//! What is tested, on whichever server.

mod adversity;
mod deleted;
mod endpoints;
mod failures;
mod frozen;
mod invalid;
mod killed;
mod names;
mod original;
mod recreate;
mod repair;
mod replicas;
mod restart;
mod rights;
mod security;
mod small;
mod storm;
mod walkthrough;

pub(crate) use adversity::bad_connection_and_server;
pub(crate) use deleted::all_slices_deleted;
pub(crate) use endpoints::{crds_appear_late, export_appears_late, shard_that_is_away};
pub(crate) use failures::{api_server_freezes_and_restarts, workspace_is_deleted};
pub(crate) use frozen::frozen_leader;
pub(crate) use invalid::{invalid_edge_placement, invalid_location};
pub(crate) use killed::killed_in_the_middle;
pub(crate) use names::equal_names;
pub(crate) use original::{original_schema, original_slices};
pub(crate) use recreate::{edge_placement_comes_again, sync_target_comes_again};
pub(crate) use repair::{edited_and_deleted, squatted};
pub(crate) use replicas::two_replicas;
pub(crate) use restart::{restart, terminated_in_the_middle};
pub(crate) use rights::rights;
pub(crate) use security::{secrets_stay_secret, unknown_authority};
pub(crate) use storm::storm;
pub(crate) use walkthrough::{dev_and_prod, florin_and_guilder};
