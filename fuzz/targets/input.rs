//! Any text as manifests: it is read or refused, and what is read can be resolved.
#![no_main]

use edge_core::scheduler::{Options, Scheduler};
use edge_core::slices::Published;
use edge_kube::input;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let options = input::Options { default_cluster: "default".into() };
    let Ok(loaded) = input::parse("fuzz", bytes.to_vec(), &options) else { return };
    let mut published: Published = loaded.slices.into_iter().collect();
    let mut scheduler = Scheduler::new(Options::default());
    scheduler.apply_batch(&loaded.events);
    scheduler.settle(&published);
    for write in scheduler.plan(&published) {
        published.apply(&write);
    }
    scheduler.settle(&published);
    assert!(scheduler.plan(&published).is_empty(), "what is published as planned needs nothing");
});
