//! Kubernetes Events on EdgePlacements: what their owner has to do something about.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use edge_core::object::{Condition, Kind, ObjectKey};
use edge_core::publisher::StatusWrite;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::time::Instant;
use tracing::debug;

use super::rest::TIMEOUT;

/// The reasons of a condition that make an Event.
const REASONS: [&str; 2] = ["InvalidSelector", "SliceConflict"];

/// So many Events at once, and then one in each [`PERIOD`]: a bad change of a template may concern thousands.
const BURST: u32 = 20;
const PERIOD: Duration = Duration::from_secs(3);

/// The API takes at most 1024 bytes.
const MAX_NOTE: usize = 1000;

/// Publishes Events.
pub(crate) struct Events {
    recorder: Recorder,
    told: Mutex<Told>,
}

/// What was told already, so that only a change is.
struct Told {
    reasons: HashMap<ObjectKey, String>,
    tokens: u32,
    refilled: Instant,
}

impl Events {
    /// Publishes through `client`, in the namespace `default`, as cluster-scoped objects do.
    pub(crate) fn new(client: Client) -> Self {
        let recorder = Recorder::new(client, Reporter::from("edge-scheduler"));
        Self { recorder, told: Mutex::new(Told::new(Instant::now())) }
    }

    /// A status was written. Publishes in a task of its own; an Event that cannot be published is lost, and the condition
    /// tells all the same.
    pub(crate) fn status_written(&self, status: &StatusWrite) {
        let Some(conditions) = &status.conditions else { return };
        let due = self.told.lock().unwrap_or_else(PoisonError::into_inner).due(&status.key, conditions, Instant::now());
        let Some(condition) = due else { return };
        let event = Event {
            type_: EventType::Warning,
            reason: condition.reason.clone(),
            note: Some(shortened(&condition.message)),
            action: "Schedule".into(),
            secondary: None,
        };
        let reference = ObjectReference {
            api_version: Some(Kind::EdgePlacement.api_version().into()),
            kind: Some(Kind::EdgePlacement.as_str().into()),
            name: Some(status.key.name.clone()),
            uid: Some(status.uid.clone()),
            ..ObjectReference::default()
        };
        let recorder = self.recorder.clone();
        tokio::spawn(async move {
            match tokio::time::timeout(TIMEOUT, recorder.publish(&event, &reference)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => debug!(%error, "an Event was not published"),
                Err(_) => debug!("an Event was not published in time"),
            }
        });
    }
}

impl Told {
    fn new(now: Instant) -> Self {
        Self { reasons: HashMap::new(), tokens: BURST, refilled: now }
    }

    /// The condition to publish, if the reason has changed to one of ours and the rate allows it.
    fn due<'c>(&mut self, key: &ObjectKey, conditions: &'c [Condition], now: Instant) -> Option<&'c Condition> {
        let Some(bad) = conditions.iter().find(|condition| REASONS.contains(&condition.reason.as_str())) else {
            self.reasons.remove(key);
            return None;
        };
        if self.reasons.get(key) == Some(&bad.reason) {
            return None;
        }
        self.reasons.insert(key.clone(), bad.reason.clone());
        while self.tokens < BURST && now.duration_since(self.refilled) >= PERIOD {
            self.tokens += 1;
            self.refilled += PERIOD;
        }
        if self.tokens == BURST {
            self.refilled = now;
        }
        self.tokens = self.tokens.checked_sub(1)?;
        Some(bad)
    }
}

fn shortened(text: &str) -> String {
    if text.len() <= MAX_NOTE {
        return text.into();
    }
    let end = (0..=MAX_NOTE).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(reason: &str) -> [Condition; 1] {
        [Condition { kind: "Resolved".into(), reason: reason.into(), ..Condition::default() }]
    }

    #[test]
    fn only_a_change_to_a_bad_reason_is_told() {
        let now = Instant::now();
        let mut told = Told::new(now);
        let key = ObjectKey::new("c", "p");
        let mut due = |reason: &str| told.due(&key, &condition(reason), now).is_some();
        assert!(!due("Resolved"));
        assert!(due("InvalidSelector"));
        assert!(!due("InvalidSelector"));
        assert!(due("SliceConflict"));
        assert!(!due("Resolved"));
        assert!(due("SliceConflict"));
    }

    #[test]
    fn a_flood_is_cut_and_the_rate_recovers() {
        let now = Instant::now();
        let mut told = Told::new(now);
        let mut due =
            |n: u32, now| told.due(&ObjectKey::new("c", n.to_string()), &condition("SliceConflict"), now).is_some();
        assert_eq!((0..100).filter(|n| due(*n, now)).count(), 20);
        assert_eq!((100..110).filter(|n| due(*n, now + PERIOD * 2)).count(), 2);
        assert_eq!((200..300).filter(|n| due(*n, now + PERIOD * 100)).count(), 20);
    }

    #[test]
    fn long_notes_are_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = shortened(&"ä".repeat(600));
        assert!(long.len() <= 1024 && long.ends_with('…'));
    }
}
