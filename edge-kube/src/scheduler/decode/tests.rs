use edge_core::event::{Event, Holds};
use edge_core::object::{CLUSTER_ANNOTATION, Kind, ObjectKey};
use edge_core::publisher::Seen;
use edge_core::slices::Digest;

use super::{Clusters, resource_version};
use crate::scheduler::backend::Observed;

fn one() -> Clusters {
    Clusters::One("default".into())
}

fn event(kind: Kind, text: &str) -> Event {
    match one().observe(kind, text).unwrap() {
        Observed::Spec(event) | Observed::EdgePlacement(event, _) => event,
        Observed::Slice(..) => panic!("a slice"),
    }
}

#[test]
fn kcp_names_the_cluster_and_kubernetes_has_one() {
    let text = r#"{"metadata":{"name":"a","uid":"u","annotations":{"kcp.io/cluster":"ws"}}}"#;
    assert_eq!(Clusters::Annotated.identify(text), Some((ObjectKey::new("ws", "a"), "u".into())));
    assert_eq!(one().identify(text), Some((ObjectKey::new("default", "a"), "u".into())));
    assert_eq!(Clusters::Annotated.identify(r#"{"metadata":{"name":"a"}}"#), None);
    assert!(Clusters::Annotated.observe(Kind::SyncTarget, r#"{"metadata":{"name":"a"}}"#).is_none());
}

#[test]
fn no_default_is_applied() {
    let text = r#"{"metadata":{"name":"l"},"spec":{"resource":{"version":"v1alpha1","resource":"synctargets"}}}"#;
    let Event::Location(_, Some(record)) = event(Kind::Location, text) else { panic!() };
    assert_eq!(record.holds, Ok(Holds::Nothing));
}

#[test]
fn a_wrong_type_makes_an_object_invalid_and_keeps_what_is_known() {
    let text = r#"{"metadata":{"name":"p","uid":"u","generation":3,"labels":{"a":"b"}},
        "spec":{"locationSelectors":[{"matchLabels":"all"}]},"status":{"specGeneration":2}}"#;
    let Some(Observed::EdgePlacement(event, status)) = one().observe(Kind::EdgePlacement, text) else { panic!() };
    let Event::EdgePlacement(key, Some(record)) = event else { panic!() };
    assert_eq!((key.name.as_str(), record.uid.as_str(), record.generation), ("p", "u", 3));
    let invalid = record.selectors.unwrap_err().to_string();
    assert!(invalid.starts_with("spec.locationSelectors[0].matchLabels: expected an object"), "{invalid}");
    assert_eq!(status.spec_generation, 2);
}

#[test]
fn a_status_that_cannot_be_read_does_not_matter() {
    let text = r#"{"metadata":{"name":"p"},"spec":{"locationSelectors":[{}]},"status":{"conditions":"none"}}"#;
    assert!(event(Kind::EdgePlacement, text).invalid().is_none());
}

#[test]
fn labels_that_cannot_be_read_are_unknown() {
    let Event::SyncTarget(_, Some(record)) =
        event(Kind::SyncTarget, r#"{"metadata":{"name":"s","uid":"u","labels":7}}"#)
    else {
        panic!()
    };
    assert_eq!((record.labels, record.uid.as_str()), (None, "u"));
    let text = r#"{"metadata":{"name":"s","labels":{"a":"b"}},"spec":{"cells":[]}}"#;
    let Event::SyncTarget(_, Some(record)) = event(Kind::SyncTarget, text) else { panic!() };
    assert!(record.labels.is_some() && record.invalid.is_some());
}

#[test]
fn nothing_is_too_broken() {
    for kind in Kind::ALL {
        for text in ["{}", "null", "[]", "3", r#"{"metadata":null}"#, r#"{"metadata":[]}"#, "{", ""] {
            assert!(one().observe(kind, text).is_some(), "{kind} {text}");
            assert!(Clusters::Annotated.observe(kind, text).is_none(), "{kind} {text}");
        }
    }
}

#[test]
fn an_unreadable_slice_has_its_metadata() {
    let text = r#"{"metadata":{"name":"s","uid":"u","resourceVersion":"7"},"destinations":[3]}"#;
    let Some(Observed::Slice(key, Seen::Unreadable(metadata))) = one().observe(Kind::SinglePlacementSlice, text) else {
        panic!()
    };
    assert_eq!((key.name.as_str(), metadata.uid.as_str(), metadata.resource_version.as_str()), ("s", "u", "7"));
    assert_eq!(metadata.cluster(), Some("default"));
    assert_eq!(resource_version(text), "7");
    assert_eq!(resource_version("nothing"), "");
}

#[test]
fn a_slice_is_written_as_it_was_read() {
    for (clusters, annotations) in [
        (one(), r#"{"a":"b"}"#),
        (one(), r#"{"kcp.io/cluster":"of-somebody","a":"b"}"#),
        (one(), r#"{"kcp.io/cluster":""}"#),
        (Clusters::Annotated, r#"{"kcp.io/cluster":"ws","a":"b"}"#),
    ] {
        let text = format!(r#"{{"metadata":{{"name":"s","annotations":{annotations}}},"destinations":[]}}"#);
        let Some((key, Seen::Object(known))) = clusters.observe_slice(&text) else { panic!() };
        assert_eq!(known.metadata.cluster(), Some(key.cluster.as_str()));
        let mut written = Clusters::written_slice(known.clone());
        if clusters == Clusters::Annotated {
            // kcp sets it.
            written.metadata.annotations.insert(CLUSTER_ANNOTATION.into(), "ws".into());
        }
        let sent = serde_json::to_value(&written).unwrap();
        let expected: serde_json::Value = serde_json::from_str(annotations).unwrap();
        assert_eq!(sent["metadata"]["annotations"], expected);
        let text = serde_json::to_string(&written).unwrap();
        assert_eq!(clusters.observe_slice(&text), Some((key, Seen::Object(known))));
    }
}

#[test]
fn a_digest_is_that_of_the_destinations() {
    let entry = r#"{"cluster":"c","locationName":"l","syncTargetName":"t","syncTargetUID":"u","more":[1]}"#;
    let odd = r#"{"cluster":null,"locationName":"\u006c"}"#;
    for list in ["[]", "null", &format!("[{entry}]"), &format!("[{entry},{{}},{entry}]"), &format!("[{odd}]")] {
        let text = format!(r#"{{"metadata":{{"name":"s","uid":"u"}},"destinations":{list}}}"#);
        let Some((key, Seen::Object(slice))) = one().observe_slice(&text) else { panic!("{list}") };
        let seen = one().observe(Kind::SinglePlacementSlice, &text);
        match seen {
            Some(Observed::Slice(name, Seen::Thin(metadata, digest))) => {
                assert_eq!((name, &metadata), (key, &slice.metadata));
                assert_eq!(digest, Digest::of(slice.destinations.iter().map(Into::into)), "{list}");
            }
            // Only with what nobody writes.
            Some(Observed::Slice(_, Seen::Object(_))) => assert!(list == "null" || list.contains(odd), "{list}"),
            other => panic!("{list}: {other:?}"),
        }
    }
}

#[test]
fn a_change_is_shown_as_a_whole_or_as_metadata() {
    let slice = |kind: &str| {
        let metadata = r#"{"name":"s","uid":"u","resourceVersion":"7","labels":{"a":"b"}}"#;
        let text = format!(r#"{{"kind":"{kind}","apiVersion":"of/some","metadata":{metadata}}}"#);
        match one().observe_change(Kind::SinglePlacementSlice, &text) {
            Some(Observed::Slice(key, seen)) => (key.to_string(), seen),
            other => panic!("{other:?}"),
        }
    };
    let (key, Seen::Metadata(metadata)) = slice("PartialObjectMetadata") else { panic!() };
    assert_eq!((key.as_str(), metadata.resource_version.as_str()), ("default/s", "7"));
    assert_eq!((metadata.cluster(), metadata.labels.len()), (Some("default"), 1));
    assert!(matches!(slice("SinglePlacementSlice"), (_, Seen::Thin(shown, _)) if shown == metadata));
    // The metadata of other kinds would say too little.
    let text = r#"{"kind":"PartialObjectMetadata","metadata":{"name":"t"}}"#;
    assert!(matches!(one().observe_change(Kind::SyncTarget, text), Some(Observed::Spec(_))));
    let odd = r#"{"kind":"PartialObjectMetadata","metadata":{"name":"s","labels":3}}"#;
    let Some(Observed::Slice(key, Seen::Metadata(_))) = one().observe_change(Kind::SinglePlacementSlice, odd) else {
        panic!()
    };
    assert_eq!(key.name, "s");
}
