//! On kcp_0_22.

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
