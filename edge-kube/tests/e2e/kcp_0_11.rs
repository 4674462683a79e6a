//! On kcp 0.11, the one of the design documents.

use crate::env::Flavor::Kcp011;
use crate::scenarios;

#[test]
fn walkthrough_dev_and_prod_from_root_espw() {
    scenarios::dev_and_prod(Kcp011, "root:espw");
}

#[test]
fn walkthrough_dev_and_prod_from_root_edge() {
    scenarios::dev_and_prod(Kcp011, "root:edge");
}

#[test]
fn walkthrough_florin_and_guilder_from_root_espw() {
    scenarios::florin_and_guilder(Kcp011, "root:espw", "my-org");
}

#[test]
fn walkthrough_florin_and_guilder_from_root_edge() {
    scenarios::florin_and_guilder(Kcp011, "root:edge", "my-other-org");
}
