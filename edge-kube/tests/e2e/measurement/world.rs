//! The seeded world: the same size gives the same objects on every machine.
//!
//! About ten destinations for each SyncTarget. A Location holds some 350 SyncTargets of its cluster, mostly those of a site; an
//! EdgePlacement selects Locations by region. Regions are of uneven popularity, as in real fleets, so some Locations are
//! selected by one EdgePlacement and some by thirty.

use benches::{Random, Zipf};
use serde_json::{Value, json};

use super::api::Api;
use crate::cluster::{Cluster, EDGE_PLACEMENT, LOCATION, Resource, SYNC_TARGET};

const LOCATIONS: usize = 500;
const SYNC_TARGETS_OF_A_SITE: usize = 300;
const REGIONS: usize = 40;
const HARDWARE: u64 = 8;
const ENVIRONMENTS: [&str; 10] = ["prod", "prod", "prod", "prod", "prod", "prod", "staging", "staging", "dev", "lab"];

/// Makes the object of a number.
type Make<'a> = &'a dyn Fn(usize) -> Value;

/// How large the world is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) sync_targets: usize,
    /// Logical clusters.
    pub(super) clusters: usize,
}

impl Size {
    fn placements(self) -> usize {
        (self.sync_targets / 1000).max(1)
    }

    fn sites(self) -> u64 {
        (self.sync_targets / self.clusters / SYNC_TARGETS_OF_A_SITE).max(2) as u64
    }

    fn site(self, random: &mut Random) -> String {
        format!("site-{:04}", random.below(self.sites()))
    }

    /// Another value for one of the labels of a SyncTarget: its key and the value.
    pub(super) fn relabel(self, random: &mut Random) -> (&'static str, String) {
        match random.below(3) {
            0 => ("env", environment(random)),
            1 => ("hardware", hardware(random)),
            _ => ("site", self.site(random)),
        }
    }

    fn sync_target(self, number: usize) -> Value {
        let random = &mut random(1, number);
        json!({
            "metadata": {
                "name": format!("edge-{number:06}"),
                "labels": {
                    "env": environment(random),
                    "hardware": hardware(random),
                    "site": self.site(random),
                    "team": format!("team-{:03}", random.below(200)),
                    "hostname": format!("edge-{number:06}.example.com"),
                },
            },
            "spec": {},
        })
    }

    fn location(self, number: usize) -> Value {
        let random = &mut random(2, number);
        let site = |random: &mut Random| self.site(random);
        let selector = match random.below(20) {
            0..12 => json!({"matchLabels": {"site": site(random)}}),
            12..16 => json!({
                "matchLabels": {"env": "prod"},
                "matchExpressions": [{"key": "site", "operator": "In", "values": [site(random), site(random)]}],
            }),
            16..19 => json!({"matchExpressions": [
                {"key": "site", "operator": "In", "values": [site(random), site(random), site(random)]},
                {"key": "env", "operator": "NotIn", "values": ["prod"]},
            ]}),
            _ => json!({
                "matchLabels": {"hardware": hardware(random)},
                "matchExpressions": [{
                    "key": "site", "operator": "In", "values": (0..8).map(|_| site(random)).collect::<Vec<_>>(),
                }],
            }),
        };
        json!({
            "metadata": {
                "name": format!("location-{number:03}"),
                "labels": {"region": region(random), "tier": format!("tier-{}", random.below(5))},
            },
            "spec": {
                "resource": {"group": "workload.kcp.io", "version": "v1alpha1", "resource": "synctargets"},
                "instanceSelector": selector,
            },
        })
    }

    fn placement(self, number: usize) -> Value {
        let random = &mut random(3, number);
        let count = 1 + random.below(3);
        let selectors: Vec<_> = (0..count).map(|_| json!({"matchLabels": {"region": region(random)}})).collect();
        json!({
            "metadata": {"name": format!("placement-{number:03}")},
            "spec": {"locationSelectors": selectors},
        })
    }

    /// Creates all objects; those of a kind are spread over the clusters.
    pub(super) fn create(self, api: &Api, clusters: &[Cluster]) {
        let kinds: [(Resource, usize, Make<'_>); 3] = [
            (LOCATION, LOCATIONS, &|number| self.location(number)),
            (EDGE_PLACEMENT, self.placements(), &|number| self.placement(number)),
            (SYNC_TARGET, self.sync_targets, &|number| self.sync_target(number)),
        ];
        for (resource, count, object) in kinds {
            let bodies = (0..count).map(|number| {
                let mut object = object(number);
                object["apiVersion"] = resource.api.into();
                object["kind"] = resource.kind.into();
                (clusters[number % clusters.len()].path(resource), object.to_string())
            });
            let created = api.create(bodies, count, resource.plural);
            eprintln!("  {created}");
        }
    }
}

/// Each object has numbers of its own.
fn random(kind: u64, number: usize) -> Random {
    Random::new(kind << 32 | number as u64)
}

fn environment(random: &mut Random) -> String {
    ENVIRONMENTS[usize::try_from(random.below(10)).unwrap()].into()
}

fn hardware(random: &mut Random) -> String {
    format!("hw-{}", random.below(HARDWARE))
}

fn region(random: &mut Random) -> String {
    format!("region-{:02}", Zipf::new(REGIONS, 0.5).draw(random))
}
