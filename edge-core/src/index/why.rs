//! Why a SyncTarget is, or is not, a destination of an EdgePlacement through a Location.

use alloc::string::String;
use alloc::vec::Vec;

use super::matcher::Matcher;
use super::rules::{IdRule, Op};
use super::{Index, LocationEntry, PlacementState};
use crate::id::{Id, LocationId, PlacementId, SelectorId, SyncTargetId};
use crate::object::ObjectKey;
use crate::selector::{Invalid, Labels, Requirement, Rule, Selector};

/// The answer, level by level.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Why {
    /// The EdgePlacement's state.
    pub placement: PlacementWhy,
    /// Whether the EdgePlacement selects the Location.
    pub location: LocationWhy,
    /// Whether the Location holds the SyncTarget.
    pub sync_target: SyncTargetWhy,
    /// Whether the SyncTarget is a destination by what the index knows. For a held EdgePlacement its slices tell.
    pub is_destination: bool,
}

/// Whether the EdgePlacement can be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlacementWhy {
    /// It can.
    Active,
    /// It is invalid: its slices stay as they are.
    Invalid(Invalid),
    /// It is being deleted.
    Deleting,
}

/// Whether the EdgePlacement selects the Location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocationWhy {
    /// Whether it does.
    pub selected: bool,
    /// Whether the Location's labels can be read.
    pub labels_known: bool,
    /// Each different selector of the EdgePlacement that does not contradict itself, in the order of their requirements;
    /// one that matches is enough.
    pub clauses: Vec<ClauseWhy>,
}

/// One selector.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClauseWhy {
    /// Each of its requirements; none for `{}`.
    pub requirements: Vec<RequirementWhy>,
    /// Whether all of them hold.
    pub matches: bool,
}

impl ClauseWhy {
    /// Evaluates a selector on labels, requirement by requirement. Of a selector that contradicts itself there are none.
    #[must_use]
    pub fn evaluate(selector: &Selector, labels: &Labels) -> Self {
        let evaluate = |requirement: &Requirement| {
            let value = labels.get(&requirement.key);
            let holds = requirement.rule.holds(value);
            RequirementWhy { requirement: requirement.clone(), value: value.map(String::from), holds }
        };
        let requirements = selector.requirements().iter().map(evaluate).collect();
        Self { requirements, matches: selector.matches(labels) }
    }
}

/// One requirement on one label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequirementWhy {
    /// What is asked.
    pub requirement: Requirement,
    /// The label's value, `None` if the object has no such label.
    pub value: Option<String>,
    /// Whether the requirement holds.
    pub holds: bool,
}

/// Whether the Location holds the SyncTarget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncTargetWhy {
    /// Whether both are in the same logical cluster.
    pub same_cluster: bool,
    /// Whether the SyncTarget's labels can be read.
    pub labels_known: bool,
    /// What the Location asks.
    pub selector: SelectorWhy,
}

/// A Location's `instanceSelector`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectorWhy {
    /// It can be evaluated.
    Clause(ClauseWhy),
    /// It holds nothing: no selector, requirements that contradict each other, or instances that are not SyncTargets.
    Nothing,
    /// The Location is invalid: each EdgePlacement keeps the destinations that it had through it.
    Frozen(Invalid),
}

impl Index {
    /// Why the SyncTarget is, or is not, a destination of the EdgePlacement through the Location; `None` if one of the
    /// three does not exist.
    ///
    /// Requirements are those of the canonical selector (see [`crate::selector`]).
    #[must_use]
    pub fn why(&self, placement: &ObjectKey, location: &ObjectKey, sync_target: &ObjectKey) -> Option<Why> {
        let placement = self.find_placement(placement)?;
        let location = self.find_location(location)?;
        let sync_target = self.find_sync_target(sync_target)?;
        let group = self.group_of(placement, location);
        let paired = self.locations[location].pair_at(placement).is_ok();
        let holds = group.is_some_and(|group| self.has_member(group, &self.sync_targets[sync_target]));
        let same_cluster = self.locations[location].cluster == self.sync_targets[sync_target].cluster;
        Some(Why {
            placement: match &self.placements[placement].state {
                PlacementState::Active => PlacementWhy::Active,
                PlacementState::Held(invalid) => PlacementWhy::Invalid(invalid.clone()),
                PlacementState::Deleting => PlacementWhy::Deleting,
            },
            location: self.location_why(placement, location, paired),
            sync_target: SyncTargetWhy {
                same_cluster,
                labels_known: self.instance_selectors.contains(sync_target),
                selector: self.selector_why(&self.locations[location], sync_target),
            },
            is_destination: paired && holds && same_cluster,
        })
    }

    /// Whether and why the EdgePlacement selects the Location; `None` if one of them does not exist.
    #[must_use]
    pub fn why_selected(&self, placement: &ObjectKey, location: &ObjectKey) -> Option<LocationWhy> {
        let (placement, location) = (self.find_placement(placement)?, self.find_location(location)?);
        let paired = self.locations[location].pair_at(placement).is_ok();
        Some(self.location_why(placement, location, paired))
    }

    fn location_why(&self, placement: PlacementId, location: LocationId, selected: bool) -> LocationWhy {
        let clause = |&clause: &SelectorId| clause_why(&self.location_selectors, clause, location);
        let mut clauses: Vec<ClauseWhy> = self.placements[placement].clauses.iter().map(clause).collect();
        clauses.sort_unstable();
        LocationWhy { selected, labels_known: self.location_selectors.contains(location), clauses }
    }

    fn selector_why(&self, location: &LocationEntry, sync_target: SyncTargetId) -> SelectorWhy {
        if let Some(frozen) = &location.frozen {
            return SelectorWhy::Frozen(frozen.invalid.clone());
        }
        let Some(selector) = location.group.and_then(|group| self.selector_of(group)) else {
            return SelectorWhy::Nothing;
        };
        SelectorWhy::Clause(clause_why(&self.instance_selectors, selector, sync_target))
    }
}

fn clause_why<I: Id, T>(matcher: &Matcher<I, T>, selector: SelectorId, item: I) -> ClauseWhy {
    let labels = matcher.labels_of(item);
    let mut requirements: Vec<RequirementWhy> = matcher
        .rules(selector)
        .iter()
        .map(|rule| {
            let requirement = requirement(matcher, rule);
            let value = labels.iter().find(|(key, _)| *key == requirement.key).map(|(_, value)| *value);
            RequirementWhy { holds: requirement.rule.holds(value), value: value.map(String::from), requirement }
        })
        .collect();
    requirements.sort_unstable_by(|a, b| a.requirement.cmp(&b.requirement));
    ClauseWhy { matches: requirements.iter().all(|requirement| requirement.holds), requirements }
}

/// A rule in words again.
fn requirement<I: Id, T>(matcher: &Matcher<I, T>, rule: &IdRule) -> Requirement {
    let mut values: Vec<String> = rule.labels.iter().map(|&label| matcher.value(label).into()).collect();
    values.sort_unstable();
    let rule_in_words = match rule.op {
        Op::In => Rule::In(values),
        Op::NotIn => Rule::NotIn(values),
        Op::Exists => Rule::Exists,
        Op::ExistsNotIn => Rule::ExistsNotIn(values),
        Op::DoesNotExist => Rule::DoesNotExist,
    };
    Requirement { key: matcher.key(rule.key).into(), rule: rule_in_words }
}
