//! What the engine writes into the log about requests.

use std::collections::HashMap;
use std::time::Duration;

use edge_core::object::{Condition, Kind, ObjectKey};
use edge_core::publisher::{Action, Failure, Outcome, RESOLVED, Trigger};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::CONTROLLER;
use crate::scheduler::report::Verb;

/// Equal lines come no more often.
const PERIOD: Duration = Duration::from_secs(60);

/// So many different lines are told apart.
const LINES: usize = 1000;

/// What a request was, for the time when its outcome comes.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) verb: Verb,
    pub(super) key: ObjectKey,
    /// How many destinations the slice has, if it is written.
    pub(super) destinations: Option<usize>,
    pub(super) trigger: Option<Trigger>,
    /// What a status says of an EdgePlacement.
    pub(super) resolved: Option<Condition>,
    pub(super) at: Instant,
}

impl Sent {
    pub(super) fn new(action: &Action, trigger: Option<Trigger>, at: Instant) -> Self {
        let (verb, key) = match action {
            Action::Write(write) => {
                let verb = match write.verb {
                    edge_core::slices::Verb::Create => Verb::Create,
                    edge_core::slices::Verb::Replace => Verb::Replace,
                    edge_core::slices::Verb::Delete => Verb::Delete,
                };
                (verb, &write.key)
            }
            Action::ReadSlice(key) => (Verb::ReadSlice, key),
            Action::ReadPlacement(key) => (Verb::ReadPlacement, key),
            Action::Status(status) => (Verb::Status, &status.key),
        };
        let destinations = match action {
            Action::Write(write) => write.object.as_ref().map(|object| object.destinations.len()),
            _ => None,
        };
        let resolved = match action {
            Action::Status(status) => {
                status.conditions.as_ref().and_then(|all| all.iter().find(|condition| condition.kind == RESOLVED))
            }
            _ => None,
        };
        Self { verb, key: key.clone(), destinations, trigger, resolved: resolved.cloned(), at }
    }

    /// Whether it changes a slice.
    pub(super) fn is_write(&self) -> bool {
        matches!(self.verb, Verb::Create | Verb::Replace | Verb::Delete)
    }
}

/// A label of a metric.
pub(super) fn outcome_label(outcome: &Outcome) -> &'static str {
    let Outcome::Failed(failure) = outcome else { return "ok" };
    match failure {
        Failure::Conflict => "conflict",
        Failure::AlreadyExists => "already_exists",
        Failure::NotFound => "not_found",
        Failure::Forbidden(_) => "forbidden",
        Failure::Rejected(_) => "rejected",
        Failure::Busy(_) => "busy",
        Failure::NotDone(_) => "not_done",
        Failure::Unknown(_) => "unknown",
    }
}

/// Writes lines about outcomes, and holds back those that say the same again and again.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// By level of detail and text: when the line was written last, and how often it was held back since.
    lines: HashMap<String, (Instant, u64)>,
    /// What was last said to be in the way of EdgePlacements that are not resolved.
    unresolved: HashMap<ObjectKey, String>,
}

impl Log {
    /// A request has come to its end.
    pub(super) fn outcome(&mut self, sent: &Sent, outcome: &Outcome) {
        match outcome {
            Outcome::Failed(failure) => self.failure(sent, failure),
            _ if sent.is_write() => success(sent),
            _ => {
                if let Some(condition) = &sent.resolved
                    && self.is_news(&sent.key, condition)
                {
                    resolved(&sent.key, condition);
                }
            }
        }
    }

    /// Whether a condition says something new: its status, or the reason why it is false.
    fn is_news(&mut self, placement: &ObjectKey, condition: &Condition) -> bool {
        let is_new = condition.last_transition_time.is_none();
        if condition.status == "True" {
            return self.unresolved.remove(placement).is_some() || is_new;
        }
        if self.unresolved.len() >= LINES {
            // Most are of EdgePlacements that are no more. At worst a line comes once more.
            self.unresolved.clear();
        }
        let before = self.unresolved.insert(placement.clone(), condition.reason.clone());
        before.as_ref() != Some(&condition.reason)
    }

    fn failure(&mut self, sent: &Sent, failure: &Failure) {
        let Sent { verb, key, .. } = sent;
        let verb = verb.as_str();
        let (reason, next) = match failure {
            // The ordinary course of things when others write too; the diff is simply made again.
            Failure::Conflict | Failure::AlreadyExists | Failure::NotFound => {
                tracing::debug!(verb, %key, outcome = outcome_label(&Outcome::Failed(failure.clone())), "look again");
                return;
            }
            Failure::Forbidden(reason) => (reason, "the writes of this cluster wait"),
            Failure::Rejected(reason) => (reason, "the object waits until something changes, and is then tried again"),
            Failure::Busy(_) => (&String::new(), "the server is busy, and is tried again when it says"),
            Failure::NotDone(reason) => (reason, "it is tried again"),
            Failure::Unknown(reason) => (reason, "nobody knows whether it was done, so the object is read first"),
        };
        // The name is left out: a server that is away fails everything, for one reason.
        let Some(held_back) = self.due(&format!("{verb} {} {reason}", key.cluster), Instant::now()) else { return };
        match failure {
            Failure::Rejected(_) | Failure::Forbidden(_) => {
                error!(verb, cluster = %key.cluster, name = %key.name, %reason, next, heldBack = held_back, "request failed");
            }
            _ => {
                warn!(verb, cluster = %key.cluster, name = %key.name, %reason, next, heldBack = held_back, "request failed");
            }
        }
    }

    /// Whether a line may be written again, and how many were held back.
    fn due(&mut self, line: &str, now: Instant) -> Option<u64> {
        if let Some((at, held_back)) = self.lines.get_mut(line) {
            if now.duration_since(*at) < PERIOD {
                *held_back += 1;
                return None;
            }
            *at = now;
            return Some(std::mem::take(held_back));
        }
        if self.lines.len() >= LINES {
            self.lines.retain(|_, (at, _)| now.duration_since(*at) < PERIOD);
        }
        // A flood of lines that all differ; the first thousand in a minute have to do.
        if self.lines.len() >= LINES {
            return None;
        }
        self.lines.insert(line.into(), (now, 0));
        Some(0)
    }
}

/// With the names that users know from the original: a Location and the SyncTargets that it may hold are in the
/// `locationWorkspace`, an EdgePlacement and its slices in the `workloadWorkspace`.
fn success(sent: &Sent) {
    let Sent { verb, key: slice, destinations, trigger, .. } = sent;
    let cause = trigger.as_ref().map(|trigger| (trigger.kind, &trigger.key));
    let of_location = cause.filter(|(kind, _)| matches!(kind, Kind::Location | Kind::SyncTarget));
    info!(
        v = 2,
        controller = CONTROLLER,
        triggeringKind = cause.map(|(kind, _)| tracing::field::display(kind)),
        key = cause.map(|(_, key)| format!("{}|{}", key.cluster, key.name)),
        triggers = trigger.as_ref().map(|trigger| trigger.count),
        locationWorkspace = of_location.map(|(_, key)| key.cluster.as_str()),
        location = cause.filter(|(kind, _)| *kind == Kind::Location).map(|(_, key)| key.name.as_str()),
        workloadWorkspace = slice.cluster.as_str(),
        singlePlacementSlice = slice.name.as_str(),
        verb = verb.as_str(),
        destinations,
        "updated SinglePlacementSlice"
    );
}

/// A condition has changed. kcp's exports serve no Events, so the log tells what is in the way.
fn resolved(placement: &ObjectKey, condition: &Condition) {
    let Condition { reason, message, .. } = condition;
    let (workspace, name) = (&*placement.cluster, &*placement.name);
    if condition.status == "True" {
        info!(v = 2, controller = CONTROLLER, workspace, edgePlacement = name, message, "EdgePlacement is resolved");
    } else {
        warn!(
            controller = CONTROLLER,
            workspace,
            edgePlacement = name,
            reason,
            message,
            "EdgePlacement is not resolved"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_is_said_when_it_changes() {
        let mut log = Log::default();
        let placement = ObjectKey::new("c", "p");
        let mut is_news = |status: &str, reason: &str, since: Option<&str>| {
            let last_transition_time = since.map(str::to_owned);
            let (status, reason) = (status.into(), reason.into());
            log.is_news(&placement, &Condition { status, reason, last_transition_time, ..Condition::default() })
        };
        let since = Some("2023-03-01T00:00:00Z");
        assert!(is_news("False", "InvalidSelector", None));
        assert!(!is_news("False", "InvalidSelector", since), "another message");
        assert!(is_news("False", "SliceConflict", since), "another reason");
        assert!(is_news("True", "Resolved", None));
        assert!(!is_news("True", "Resolved", since), "another generation");
        assert!(is_news("False", "SliceConflict", None));
    }

    #[test]
    fn equal_lines_are_held_back_and_counted() {
        let mut log = Log::default();
        let now = Instant::now();
        assert_eq!(log.due("a", now), Some(0));
        assert_eq!(log.due("b", now), Some(0));
        assert_eq!(log.due("a", now), None);
        assert_eq!(log.due("a", now), None);
        assert_eq!(log.due("a", now + PERIOD), Some(2));
        assert_eq!(log.due("a", now + PERIOD), None);
        for line in 0..2 * LINES {
            let _ = log.due(&line.to_string(), now + PERIOD);
        }
        assert!(log.lines.len() <= LINES);
    }
}
