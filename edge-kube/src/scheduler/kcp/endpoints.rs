//! Which exports matter, and which sources they make: pure bookkeeping.
//!
//! **What was known of an export stays until it has been read again.** An export that is away, or has no endpoints, is
//! waited for; its sources go on.

use std::collections::{BTreeMap, BTreeSet};

use edge_core::object::Kind;

use super::export::{Export, ExportRef};
use crate::scheduler::rest::plural;

/// An export, by the configuration with which it is read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    /// Seen from the provider's workspace.
    Provider(ExportRef),
    /// Seen from root.
    Root(ExportRef),
}

impl Place {
    pub(super) fn export(&self) -> &ExportRef {
        match self {
            Self::Provider(export) | Self::Root(export) => export,
        }
    }
}

/// The exports, and what was found of each.
#[derive(Debug)]
pub(super) struct Endpoints {
    edge: Place,
    /// For Location and SyncTarget: the export that was asked for, or the one in root.
    others: [Other; 2],
    known: BTreeMap<Place, Export>,
    problems: BTreeMap<Place, String>,
}

#[derive(Debug)]
struct Other {
    kind: Kind,
    place: Place,
    asked_for: bool,
}

impl Endpoints {
    pub(super) fn new(edge: Option<ExportRef>, scheduling: Option<ExportRef>, workload: Option<ExportRef>) -> Self {
        let edge = Place::Provider(edge.unwrap_or_else(|| ExportRef::here(Kind::EdgePlacement.group())));
        let other = |kind: Kind, asked: Option<ExportRef>| Other {
            kind,
            asked_for: asked.is_some(),
            place: match asked {
                Some(export)
                    if Some(&export.workspace) == Some(&edge.export().workspace) && export == *edge.export() =>
                {
                    edge.clone()
                }
                Some(export) => Place::Root(export),
                None => Place::Root(ExportRef::here(kind.group())),
            },
        };
        let others = [other(Kind::Location, scheduling), other(Kind::SyncTarget, workload)];
        Self { edge, others, known: BTreeMap::new(), problems: BTreeMap::new() }
    }

    /// An export was read, or could not be.
    pub(super) fn found(&mut self, place: &Place, result: Result<Export, String>) {
        match result {
            Ok(export) => {
                self.problems.remove(place);
                self.known.insert(place.clone(), export);
            }
            Err(problem) => {
                self.problems.insert(place.clone(), problem);
            }
        }
    }

    /// The export of a kind; `None` as long as that depends on what the edge export serves.
    fn place_of(&self, kind: Kind) -> Option<&Place> {
        let Some(other) = self.others.iter().find(|other| other.kind == kind) else { return Some(&self.edge) };
        if other.asked_for {
            return Some(&other.place);
        }
        let serves = &self.known.get(&self.edge)?.resources;
        Some(if serves.contains(&format!("{}.{}", plural(kind), kind.group())) { &self.edge } else { &other.place })
    }

    /// The exports to follow.
    pub(super) fn needed(&self) -> BTreeSet<Place> {
        let places = Kind::ALL.into_iter().filter_map(|kind| self.place_of(kind));
        places.chain([&self.edge]).cloned().collect()
    }

    /// The sources there should be, with their kinds; those with slices first.
    pub(super) fn sources(&self) -> BTreeMap<(Place, String), Vec<Kind>> {
        let mut sources: BTreeMap<(Place, String), Vec<Kind>> = BTreeMap::new();
        for kind in Kind::ALL {
            let Some(place) = self.place_of(kind) else { continue };
            for url in self.known.get(place).into_iter().flat_map(|export| &export.urls) {
                sources.entry((place.clone(), url.clone())).or_default().push(kind);
            }
        }
        sources
    }

    /// What is not known, if something is not.
    pub(super) fn waits_for(&self) -> Option<String> {
        let needed = self.needed();
        let mut waits: Vec<String> = Vec::new();
        for place in &needed {
            match self.problems.get(place) {
                Some(problem) => waits.push(problem.clone()),
                None if !self.known.contains_key(place) => {
                    waits.push(format!("APIExport {} is not read yet", place.export().name));
                }
                None => {}
            }
        }
        (!waits.is_empty()).then(|| waits.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGE: [&str; 2] = ["edgeplacements.edge.kcp.io", "singleplacementslices.edge.kcp.io"];
    const ALL: [&str; 4] = [EDGE[0], EDGE[1], "locations.scheduling.kcp.io", "synctargets.workload.kcp.io"];

    fn export(urls: &[&str], resources: &[&str]) -> Result<Export, String> {
        let set = |items: &[&str]| items.iter().map(ToString::to_string).collect();
        Ok(Export { urls: set(urls), resources: set(resources) })
    }

    fn shown(endpoints: &Endpoints) -> Vec<String> {
        let show = |((_, url), kinds): ((Place, String), Vec<Kind>)| {
            format!("{url}: {}", kinds.into_iter().map(plural).collect::<Vec<_>>().join(" "))
        };
        endpoints.sources().into_iter().map(show).collect()
    }

    fn edge() -> Place {
        Place::Provider(ExportRef::here("edge.kcp.io"))
    }

    #[test]
    fn what_the_edge_export_does_not_serve_comes_from_root() {
        let mut endpoints = Endpoints::new(None, None, None);
        assert_eq!(endpoints.needed(), [edge()].into());
        assert_eq!(endpoints.waits_for().unwrap(), "APIExport edge.kcp.io is not read yet");
        endpoints.found(&edge(), export(&["e"], &EDGE));
        let (locations, targets) =
            (Place::Root(ExportRef::here("scheduling.kcp.io")), Place::Root(ExportRef::here("workload.kcp.io")));
        assert_eq!(endpoints.needed(), [edge(), locations.clone(), targets.clone()].into());
        endpoints.found(&locations, Err("away".into()));
        endpoints.found(&targets, export(&["w1", "w2"], &[]));
        assert_eq!(endpoints.waits_for().unwrap(), "away");
        assert_eq!(
            shown(&endpoints),
            ["e: edgeplacements singleplacementslices", "w1: synctargets", "w2: synctargets"]
        );
        endpoints.found(&locations, export(&["s"], &[]));
        assert_eq!(endpoints.waits_for(), None);
    }

    #[test]
    fn one_export_may_serve_everything() {
        let mut endpoints = Endpoints::new(None, None, None);
        endpoints.found(&edge(), export(&["e"], &ALL));
        assert_eq!(endpoints.needed(), [edge()].into());
        assert_eq!(shown(&endpoints), ["e: synctargets locations edgeplacements singleplacementslices"]);
    }

    #[test]
    fn what_is_asked_for_counts() {
        let asked = ExportRef { workspace: Some("root:x".into()), name: "targets".into() };
        let mut endpoints = Endpoints::new(None, Some(ExportRef::here("edge.kcp.io")), Some(asked.clone()));
        assert_eq!(endpoints.needed(), [edge(), Place::Root(asked)].into());
        endpoints.found(&edge(), export(&["e"], &ALL));
        assert_eq!(shown(&endpoints), ["e: locations edgeplacements singleplacementslices"]);
    }

    #[test]
    fn an_export_that_is_away_keeps_its_sources_and_one_that_was_read_again_does_not() {
        let mut endpoints = Endpoints::new(None, None, None);
        endpoints.found(&edge(), export(&["e1", "e2"], &ALL));
        endpoints.found(&edge(), Err("no endpoints".into()));
        assert_eq!(shown(&endpoints).len(), 2);
        assert_eq!(endpoints.waits_for().unwrap(), "no endpoints");
        endpoints.found(&edge(), export(&["e2"], &ALL));
        assert_eq!(shown(&endpoints), ["e2: synctargets locations edgeplacements singleplacementslices"]);
        assert_eq!(endpoints.waits_for(), None);
    }
}
