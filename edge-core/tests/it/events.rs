//! How an object becomes a record, and in which order those of a batch are applied.

use edge_core::event::{EdgePlacementRecord, Event, Holds, LocationRecord, SyncTargetRecord, Undecodable, batch};
use edge_core::object::{
    EdgePlacement, Kind, LabelSelector, LabelSelectorRequirement, Location, ObjectKey, ObjectMeta, ResourceRef,
    SyncTarget,
};
use edge_core::selector::Invalid;

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("ws", name)
}

fn invalid() -> LabelSelector {
    let requirement = LabelSelectorRequirement { key: "a".into(), operator: "in".into(), values: Vec::new() };
    LabelSelector { match_expressions: vec![requirement], ..LabelSelector::default() }
}

fn location(name: &str, selector: Option<LabelSelector>, resource: Option<[&str; 3]>) -> Event {
    let mut object = Location::default();
    object.spec.instance_selector = selector;
    object.spec.resource = resource.map(|[group, version, resource]| ResourceRef {
        group: (group != "absent").then(|| group.to_owned()),
        version: version.to_owned(),
        resource: resource.to_owned(),
    });
    Event::location(key(name), object)
}

fn holds_nothing(event: &Event) -> bool {
    matches!(event, Event::Location(_, Some(LocationRecord { holds: Ok(Holds::Nothing), .. })))
}

#[test]
fn a_location_of_other_resources_holds_nothing() {
    let everything = Some(LabelSelector::default());
    let sync_targets = ["workload.kcp.io", "v1alpha1", "synctargets"];
    for group in ["workload.kcp.io", "", "absent"] {
        let resource = [group, sync_targets[1], sync_targets[2]];
        assert!(!holds_nothing(&location("l", everything.clone(), Some(resource))), "{resource:?}");
    }
    for other in [
        ["example.com", sync_targets[1], sync_targets[2]],
        [sync_targets[0], "v1", sync_targets[2]],
        [sync_targets[0], sync_targets[1], "workspaces"],
    ] {
        assert!(holds_nothing(&location("l", everything.clone(), Some(other))), "{other:?}");
    }
    assert!(holds_nothing(&location("l", everything, None)));
    assert!(holds_nothing(&location("l", None, Some(sync_targets))));
    // It is invalid all the same: the resource may be mended next.
    assert!(location("l", Some(invalid()), None).invalid().is_some());
}

#[test]
fn an_object_says_what_is_wrong_with_it() {
    let path = |event: &Event| event.invalid().map(|invalid| invalid.errors()[0].path.clone());
    let mut placement = EdgePlacement::default();
    placement.spec.location_selectors = vec![LabelSelector::default(), invalid()];
    let operator = "spec.locationSelectors[1].matchExpressions[0].operator";
    assert_eq!(path(&Event::edge_placement(key("p"), placement)), Some(operator.into()));
    let operator = "spec.instanceSelector.matchExpressions[0].operator";
    assert_eq!(path(&location("l", Some(invalid()), None)), Some(operator.into()));
    for bad in ["", "A", "a/b"] {
        assert_eq!(path(&Event::sync_target(key(bad), SyncTarget::default())), Some("metadata.name".into()), "{bad:?}");
    }
    let elsewhere = ObjectKey::new("a/b", "s");
    let annotation = Some("metadata.annotations[kcp.io/cluster]".into());
    assert_eq!(path(&Event::sync_target(elsewhere.clone(), SyncTarget::default())), annotation);
    assert_eq!(path(&Event::location(elsewhere.clone(), Location::default())), annotation);
    assert_eq!(path(&Event::edge_placement(elsewhere, EdgePlacement::default())), annotation);
    for gone in
        [Event::SyncTarget(key("x"), None), Event::Location(key("x"), None), Event::EdgePlacement(key("x"), None)]
    {
        assert_eq!(gone.invalid(), None);
    }
}

#[test]
fn what_cannot_be_decoded_keeps_its_metadata() {
    let mut metadata = ObjectMeta { uid: "u".into(), generation: 7, ..ObjectMeta::default() };
    metadata.labels.insert("a".into(), "x".into());
    metadata.deletion_timestamp = Some("2024-01-01T00:00:00Z".into());
    let undecodable = |labels_known| Undecodable {
        metadata: metadata.clone(),
        labels_known,
        invalid: Invalid::new("spec", "no map"),
    };
    for known in [true, false] {
        let sync_target = SyncTargetRecord::from(undecodable(known));
        assert_eq!((sync_target.uid.as_str(), sync_target.labels.is_some()), ("u", known));
        assert!(sync_target.invalid.is_some());
        let location = LocationRecord::from(undecodable(known));
        assert_eq!((location.labels.is_some(), location.holds.is_err()), (known, true));
    }
    let placement = EdgePlacementRecord::from(undecodable(true));
    assert_eq!((placement.uid.as_str(), placement.generation, placement.deleting), ("u", 7, true));
    assert!(placement.selectors.is_err());
}

#[test]
fn a_placement_is_being_deleted_once_it_has_a_time_for_that() {
    for (timestamp, deleting) in [(None, false), (Some(""), false), (Some("2024-01-01T00:00:00Z"), true)] {
        let mut object = EdgePlacement::default();
        object.metadata.deletion_timestamp = timestamp.map(str::to_owned);
        let Event::EdgePlacement(_, Some(record)) = Event::edge_placement(key("p"), object) else { panic!() };
        assert_eq!(record.deleting, deleting, "{timestamp:?}");
    }
}

/// The last event about an object counts; Locations that cannot be resolved come before the SyncTargets that they must not
/// gain.
#[test]
fn the_order_of_a_batch() {
    let events = [
        Event::edge_placement(key("p"), EdgePlacement::default()),
        location("valid", Some(LabelSelector::default()), None),
        location("twice", Some(LabelSelector::default()), None),
        location("gone", Some(invalid()), None),
        Event::sync_target(key("s"), SyncTarget::default()),
        location("twice", Some(invalid()), None),
        Event::Location(key("gone"), None),
    ];
    let order: Vec<_> = batch(&events).into_iter().map(|event| (event.kind(), event.key().name.as_str())).collect();
    assert_eq!(
        order,
        [
            (Kind::Location, "twice"),
            (Kind::SyncTarget, "s"),
            (Kind::Location, "valid"),
            (Kind::Location, "gone"),
            (Kind::EdgePlacement, "p"),
        ]
    );
}
