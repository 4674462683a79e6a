//! On kubernetes.

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
