//! The shapes of selectors, and how many of a hundred objects have each.

use edge_core::object::{LabelSelector, LabelSelectorRequirement};

use super::objects::Values;
use crate::Random;

type Shape = fn(&mut Values, &mut Random) -> LabelSelector;

/// What Locations ask of SyncTargets. Four in a hundred are purely negative, two are `{}`.
pub(super) const INSTANCE_SELECTORS: [(u64, Shape); 10] = [
    (4, |v, r| expressions([("env", "NotIn", vec!["prod".into()]), ("hardware", "NotIn", vec![v.hardware(r)])])),
    (2, |_, _| LabelSelector::default()),
    (22, |v, r| labels([("env", v.environment(r)), ("region", v.region(r))])),
    (5, |v, r| labels([("region", v.region(r))])),
    (18, |v, r| labels([("team", v.team(r))])),
    (18, |v, r| labels([("env", v.environment(r)), ("hardware", v.hardware(r))])),
    (3, |v, r| expressions([("region", "In", vec![v.region(r), v.region(r)])])),
    (10, |v, r| expressions([("team", "In", vec![v.team(r)]), ("env", "NotIn", vec!["lab".into()])])),
    (6, |v, r| expressions([("hardware", "In", vec![v.hardware(r)]), ("region", "Exists", vec![])])),
    (12, |v, r| labels([("env", v.environment(r)), ("team", v.team(r))])),
];

/// What EdgePlacements of several selectors ask of Locations.
pub(super) const LOCATION_SELECTORS: [(u64, Shape); 4] = [
    (30, |v, r| labels([("env", v.environment(r)), ("region", v.region(r))])),
    (66, |v, r| labels([("region", v.region(r)), ("tier", v.tier(r))])),
    (3, |v, r| labels([("region", v.region(r))])),
    (1, |v, r| expressions([("region", "In", vec![v.region(r), v.region(r)])])),
];

/// Of a hundred EdgePlacements, how many have a selector that only excludes.
pub(super) const NEGATIVE_PLACEMENTS: u64 = 2;
/// Of a hundred EdgePlacements, how many select every Location.
pub(super) const UNIVERSAL_PLACEMENTS: u64 = 1;

/// The selector of those that only exclude.
pub(super) fn negative() -> LabelSelector {
    expressions([("env", "NotIn", vec!["prod".into(), "staging".into()])])
}

/// A selector of one of these shapes.
pub(super) fn draw(shapes: &[(u64, Shape)], values: &mut Values, random: &mut Random) -> LabelSelector {
    let mut left = random.below(shapes.iter().map(|(share, _)| share).sum());
    let shape = shapes.iter().find(|(share, _)| {
        let here = left < *share;
        left = left.saturating_sub(*share);
        here
    });
    shape.map_or_else(LabelSelector::default, |(_, shape)| shape(values, random))
}

/// The selector, asking also for a label that no SyncTarget has.
pub(super) fn unmatched(mut selector: LabelSelector) -> LabelSelector {
    selector.match_expressions.push(requirement(("decommissioned", "Exists", Vec::new())));
    selector
}

fn labels<const N: usize>(labels: [(&str, String); N]) -> LabelSelector {
    LabelSelector {
        match_labels: labels.map(|(key, value)| (key.to_string(), value)).into(),
        ..LabelSelector::default()
    }
}

fn expressions<const N: usize>(expressions: [(&str, &str, Vec<String>); N]) -> LabelSelector {
    LabelSelector { match_expressions: expressions.map(requirement).into(), ..LabelSelector::default() }
}

fn requirement((key, operator, values): (&str, &str, Vec<String>)) -> LabelSelectorRequirement {
    LabelSelectorRequirement { key: key.into(), operator: operator.into(), values }
}
