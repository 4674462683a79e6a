//! A publisher and the server's side of the conversation, answer by answer.

use edge_core::event::Event;
use edge_core::object::{
    EdgePlacement, EdgePlacementStatus, LabelSelector, LabelSelectorRequirement, Location, ObjectKey, ResourceRef,
    SinglePlacementSlice, SyncTarget,
};
use edge_core::publisher::{Action, Failure, Gate, Outcome, Publisher, Request, StatusFields, StatusWrite, Time};
use edge_core::scheduler::Options;
use edge_core::slices::{Verb, Write};

/// A publisher, and the server's side of the conversation.
pub(crate) struct Table {
    pub(crate) publisher: Publisher,
    pub(crate) now: Time,
    pub(crate) version: u64,
}

pub(crate) fn key(name: &str) -> ObjectKey {
    ObjectKey::new("ws", name)
}

/// A Location that holds what this selects.
pub(crate) fn location(name: &str, selector: LabelSelector) -> Event {
    let mut object = Location::default();
    object.spec.resource =
        Some(ResourceRef { group: None, version: "v1alpha1".into(), resource: "synctargets".into() });
    object.spec.instance_selector = Some(selector);
    Event::location(key(name), object)
}

impl Table {
    pub(crate) fn new() -> Self {
        Self::with(Options::default())
    }

    /// A slice has so many destinations at most.
    pub(crate) fn with_max(max: usize) -> Self {
        Self::with(Options::default().with_max_destinations_per_slice(max).unwrap())
    }

    fn with(options: Options) -> Self {
        let mut table = Self { publisher: Publisher::new(options), now: Time::ZERO, version: 0 };
        table.location(LabelSelector::default());
        table.sync_target("a");
        table.placement("p", "uid-p", 1);
        table
    }

    pub(crate) fn keeping_destinations(self) -> Self {
        Self { publisher: self.publisher.keeping_destinations(), ..self }
    }

    /// The API has these fields of a status.
    pub(crate) fn with_fields(mut self, fields: StatusFields) -> Self {
        self.publisher.set_status_fields(fields);
        self
    }

    /// Everything is known.
    pub(crate) fn open(mut self) -> Self {
        self.publisher.set_gate(Gate::Open, self.now);
        self
    }

    /// All statuses are written; the first slice is there, and so is its status.
    pub(crate) fn with_status() -> (Self, SinglePlacementSlice) {
        let mut table = Self::new().with_fields(StatusFields::All).open();
        let slice = table.succeed();
        let _ = table.status();
        (table, slice)
    }

    /// The Location holds what this selects.
    pub(crate) fn location(&mut self, selector: LabelSelector) {
        self.publisher.apply(&location("l", selector), self.now);
    }

    pub(crate) fn sync_target(&mut self, name: &str) {
        let mut object = SyncTarget::default();
        object.metadata.uid = format!("uid-{name}");
        self.publisher.apply(&Event::sync_target(key(name), object), self.now);
    }

    pub(crate) fn placement(&mut self, name: &str, uid: &str, generation: i64) {
        let mut object = EdgePlacement::default();
        object.metadata.uid = uid.into();
        object.metadata.generation = generation;
        object.spec.location_selectors.push(LabelSelector::default());
        self.publisher.observe_status(&key(name), EdgePlacementStatus::default());
        self.publisher.apply(&Event::edge_placement(key(name), object), self.now);
    }

    /// An EdgePlacement whose selector has an operator that does not exist.
    pub(crate) fn invalid_placement(&mut self, name: &str, uid: &str, generation: i64) {
        let mut object = EdgePlacement::default();
        object.metadata.uid = uid.into();
        object.metadata.generation = generation;
        object.spec.location_selectors.push(invalid_selector());
        self.publisher.apply(&Event::edge_placement(key(name), object), self.now);
    }

    pub(crate) fn poll(&mut self) -> Option<Request> {
        self.publisher.poll(self.now)
    }

    #[track_caller]
    pub(crate) fn write(&mut self) -> (Request, Write) {
        let request = self.poll().expect("a request");
        let Action::Write(write) = request.action.clone() else { panic!("{:?}", request.action) };
        (request, write)
    }

    /// What the server holds after a write.
    pub(crate) fn stored(&mut self, write: &Write) -> SinglePlacementSlice {
        self.version += 1;
        let mut object = write.object.clone().unwrap();
        if object.metadata.uid.is_empty() {
            object.metadata.uid = format!("slice-{}", self.version);
        }
        object.metadata.resource_version = self.version.to_string();
        object
    }

    /// Does a write, and returns what the server holds then.
    pub(crate) fn succeed(&mut self) -> SinglePlacementSlice {
        let (request, write) = self.write();
        let stored = self.stored(&write);
        self.publisher.complete(request.id, Outcome::Slice(stored.clone()), self.now);
        stored
    }

    /// Does everything that is asked for now, and returns what the server holds of what was written.
    #[track_caller]
    pub(crate) fn succeed_all(&mut self) -> Vec<SinglePlacementSlice> {
        let mut all = Vec::new();
        while let Some(request) = self.poll() {
            let Action::Write(write) = &request.action else { panic!("{:?}", request.action) };
            let outcome = if write.verb == Verb::Delete {
                Outcome::Deleted
            } else {
                all.push(self.stored(write));
                Outcome::Slice(all[all.len() - 1].clone())
            };
            self.publisher.complete(request.id, outcome, self.now);
        }
        all
    }

    pub(crate) fn fail(&mut self, request: &Request, failure: Failure) {
        self.publisher.complete(request.id, Outcome::Failed(failure), self.now);
    }

    /// Writes a status.
    #[track_caller]
    pub(crate) fn status(&mut self) -> StatusWrite {
        let request = self.poll().expect("a request");
        let Action::Status(status) = request.action else { panic!("{:?}", request.action) };
        self.publisher.complete(request.id, Outcome::StatusWritten, self.now);
        status
    }

    /// Lets time pass until something is to be done.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> Time {
        assert_eq!(self.poll(), None, "it waits");
        let next = self.publisher.next_wakeup().expect("a wakeup");
        let waited = next - self.now;
        self.now = next;
        waited
    }

    /// The next request, whenever that is.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Request {
        loop {
            if let Some(request) = self.poll() {
                return request;
            }
            self.now = self.publisher.next_wakeup().expect("a wakeup");
        }
    }

    #[track_caller]
    pub(crate) fn at_rest(&mut self) {
        assert_eq!(self.poll(), None);
        assert!(self.publisher.is_idle());
    }
}

/// Its operator does not exist.
pub(crate) fn invalid_selector() -> LabelSelector {
    let expression = LabelSelectorRequirement { key: "env".into(), operator: "Like".into(), values: Vec::new() };
    LabelSelector { match_expressions: vec![expression], ..LabelSelector::default() }
}

pub(crate) fn names(write: &Write) -> Vec<String> {
    let rows = write.object.iter().flat_map(|object| &object.destinations);
    rows.map(|row| row.sync_target_name.clone()).collect()
}
