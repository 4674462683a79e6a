//! Real folders, the real watcher, and an engine that only writes down what it is told.

mod incoming;
mod outgoing;
mod writes;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use edge_core::event::Event;
use edge_core::object::{Destination, EdgePlacementStatus, Kind, ObjectKey, SinglePlacementSlice};
use edge_core::publisher::{Action, Outcome, Seen};
use edge_core::slices::{Verb, Write};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::{Folder, INCOMING, OUTGOING};
use crate::scheduler::backend::{Backend, Input, Observed};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Two folders and what was told about them.
struct World {
    temp: TempDir,
    folder: Arc<Folder>,
    inputs: mpsc::Receiver<Input>,
    /// Everything in the order in which it came, in short.
    log: Vec<String>,
    events: BTreeMap<(Kind, ObjectKey), Event>,
    statuses: BTreeMap<ObjectKey, EdgePlacementStatus>,
    slices: BTreeMap<ObjectKey, Seen>,
    failing: Option<String>,
    incomplete: Option<String>,
    listed: Vec<Kind>,
}

/// IN and OUT in a folder of their own.
fn temp() -> TempDir {
    let temp = TempDir::new().unwrap();
    fs::create_dir(temp.path().join("in")).unwrap();
    temp
}

impl World {
    fn start(temp: TempDir) -> Self {
        let folder = Folder::open(&temp.path().join("in"), &temp.path().join("out"), "default");
        let folder = Arc::new(folder.unwrap_or_else(|error| panic!("{error}")));
        let (sender, inputs) = mpsc::channel(100);
        let watching = Arc::clone(&folder);
        tokio::spawn(async move { watching.watch(sender).await });
        Self {
            temp,
            folder,
            inputs,
            log: Vec::new(),
            events: BTreeMap::new(),
            statuses: BTreeMap::new(),
            slices: BTreeMap::new(),
            failing: None,
            incomplete: None,
            listed: Vec::new(),
        }
    }

    /// Started with these files in IN, and listed.
    async fn with(files: &[(&str, &str)]) -> Self {
        let temp = temp();
        for (name, text) in files {
            put(&temp.path().join("in").join(name), text);
        }
        let mut world = Self::start(temp);
        world.until("everything is listed", |world| world.listed.len() == 4).await;
        world
    }

    /// Stops and starts again.
    async fn restart(self) -> Self {
        let Self { temp, folder, inputs, .. } = self;
        drop(inputs);
        // The task has its own hold of the folder until it notices.
        while Arc::strong_count(&folder) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(folder);
        let mut world = Self::start(temp);
        world.until("everything is listed", |world| world.listed.len() == 4).await;
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        put(&self.path(name), text);
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::StatusFields(_) | Input::SourceAdded { .. } | Input::Sources(_) => {}
            Input::SourceRemoved { .. } => panic!("folders stay"),
            Input::Listing { kind, .. } => self.log.push(format!("listing {kind}")),
            Input::Listed { kind, .. } => {
                self.log.push(format!("listed {kind}"));
                self.listed.push(kind);
            }
            Input::Object { source, object: Observed::Slice(key, seen) } => {
                assert_eq!(source, OUTGOING);
                self.log.push(format!("slice {key}"));
                self.slices.insert(key, seen);
            }
            Input::Object { source, object: Observed::Spec(event) } => {
                assert_eq!(source, INCOMING);
                self.log.push(format!("{} {}", event.kind(), event.key()));
                self.events.insert((event.kind(), event.key().clone()), event);
            }
            Input::Object { object: Observed::EdgePlacement(event, status), .. } => {
                self.log.push(format!("{} {}", event.kind(), event.key()));
                self.statuses.insert(event.key().clone(), status);
                self.events.insert((event.kind(), event.key().clone()), event);
            }
            Input::Status { placement, status } => drop(self.statuses.insert(placement, status)),
            Input::Gone { kind: Kind::SinglePlacementSlice, key, .. } => {
                self.log.push(format!("gone slice {key}"));
                self.slices.remove(&key);
            }
            Input::Gone { kind, key, .. } => {
                self.log.push(format!("gone {kind} {key}"));
                assert!(self.events.remove(&(kind, key)).is_some(), "what was never there cannot go");
            }
            Input::Failing { reason, .. } => self.failing = Some(reason),
            Input::Watching { .. } => self.failing = None,
            Input::Incomplete { reason, .. } => self.incomplete = reason,
        }
    }

    /// Takes in what comes until the condition holds.
    async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !condition(self) {
            match tokio::time::timeout_at(deadline, self.inputs.recv()).await {
                Ok(Some(input)) => self.take(input),
                Ok(None) => panic!("the watch ended; waited until {what}: {:#?}", self.log),
                Err(_) => panic!("waited in vain until {what}: {:#?}", self.log),
            }
        }
    }

    /// Takes in all that has happened so far in IN: a marker is put there and awaited.
    async fn settle(&mut self) {
        let name = format!("marker-{}", self.log.len());
        self.put(&format!("in/{name}.yaml"), &sync_target(&name, ""));
        let key = (Kind::SyncTarget, ObjectKey::new("default", name.as_str()));
        self.until("the marker comes", |world| world.events.contains_key(&key)).await;
    }

    fn names(&self, kind: Kind) -> Vec<&str> {
        let events = self.events.keys().filter(|(of, key)| *of == kind && !key.name.starts_with("marker"));
        events.map(|(_, key)| key.name.as_str()).collect()
    }

    /// The label `env` of a SyncTarget; empty if it has none or does not exist.
    fn env(&self, name: &str) -> &str {
        match self.events.get(&(Kind::SyncTarget, ObjectKey::new("default", name))) {
            Some(Event::SyncTarget(_, Some(record))) => {
                record.labels.as_ref().and_then(|labels| labels.get("env")).unwrap_or_default()
            }
            _ => "",
        }
    }

    async fn write(&self, verb: Verb, key: &ObjectKey, object: Option<SinglePlacementSlice>) -> Outcome {
        let metadata = object.as_ref().map(|object| object.metadata.clone()).unwrap_or_default();
        let known = |text: String| (!text.is_empty()).then_some(text);
        let (uid, resource_version) = (known(metadata.uid), known(metadata.resource_version));
        let write = Write { verb, key: key.clone(), object, uid, resource_version };
        self.folder.perform(Action::Write(write)).await
    }

    async fn create(&self, cluster: &str, name: &str, destinations: usize) -> SinglePlacementSlice {
        let key = ObjectKey::new(cluster, name);
        match self.write(Verb::Create, &key, Some(slice(cluster, name, destinations))).await {
            Outcome::Slice(slice) => slice,
            other => panic!("{other:?}"),
        }
    }

    async fn delete(&self, slice: &SinglePlacementSlice) -> Outcome {
        let metadata = &slice.metadata;
        let key = ObjectKey::new(metadata.cluster().unwrap(), metadata.name.as_str());
        let (uid, version) = (Some(metadata.uid.clone()), Some(metadata.resource_version.clone()));
        let write = Write { verb: Verb::Delete, key, object: None, uid, resource_version: version };
        self.folder.perform(Action::Write(write)).await
    }
}

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn sync_target(name: &str, env: &str) -> String {
    let labels = if env.is_empty() { String::new() } else { format!(", labels: {{env: {env}}}") };
    format!("apiVersion: workload.kcp.io/v1alpha1\nkind: SyncTarget\nmetadata: {{name: {name}{labels}}}\n")
}

fn placement(name: &str, uid: &str) -> String {
    format!(
        "apiVersion: edge.kcp.io/v1alpha1\nkind: EdgePlacement\nmetadata: {{name: {name}, uid: {uid:?}}}\n\
         spec: {{locationSelectors: [{{}}]}}\n"
    )
}

fn slice(cluster: &str, name: &str, destinations: usize) -> SinglePlacementSlice {
    let mut slice = SinglePlacementSlice::default();
    slice.metadata.name = name.into();
    slice.metadata.annotations.insert("kcp.io/cluster".into(), cluster.into());
    slice.metadata.labels.insert("edge.kcp.io/source-placement".into(), "p".into());
    slice.destinations = (0..destinations)
        .map(|i| Destination {
            cluster: "c".into(),
            location_name: "l".into(),
            sync_target_name: format!("s{i:05}"),
            sync_target_uid: format!("uid-{i}"),
        })
        .collect();
    slice
}

/// All files below a folder, without locks.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.retain(|name| name != ".edge-kube-lock");
    found.sort();
    found
}
