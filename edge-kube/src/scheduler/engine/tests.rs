use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use edge_core::event::Event;
use edge_core::object::{Kind, ObjectKey, SyncTarget};
use edge_core::publisher::{Action, Outcome};

use super::*;
use crate::scheduler::backend::{Observed, SourceId};

/// Answers nothing, and counts how often it is asked to list again.
#[derive(Default)]
struct Idle(AtomicUsize);

impl Backend for Idle {
    async fn perform(&self, _: Action) -> Outcome {
        std::future::pending().await
    }

    fn relist(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Report for Notes {
    fn check(&self, check: &str, state: Result<(), &str>) {
        self.0.lock().unwrap().push(match state {
            Ok(()) => format!("{check} ok"),
            Err(reason) => format!("{check}: {reason}"),
        });
    }

    fn event(&self, kind: Kind, deleted: bool) {
        self.0.lock().unwrap().push(format!("{} {kind}", if deleted { "-" } else { "+" }));
    }
}

impl Notes {
    async fn wait_for(&self, note: &str) {
        for _ in 0..500 {
            if self.0.lock().unwrap().iter().any(|have| have == note) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no {note} in {:?}", self.0.lock().unwrap());
    }
}

struct Running {
    backend: Arc<Idle>,
    input: mpsc::Sender<Input>,
    notes: Arc<Notes>,
    leading: watch::Sender<bool>,
    shutdown: watch::Sender<bool>,
    engine: tokio::task::JoinHandle<Summary>,
}

fn start(leads: bool) -> Running {
    let (input, inputs) = mpsc::channel(INPUT_CAPACITY);
    let (leading, leader) = watch::channel(leads);
    let (shutdown, stopped) = watch::channel(false);
    let (backend, notes) = (Arc::<Idle>::default(), Arc::<Notes>::default());
    let settings = Settings {
        scheduler: SchedulerOptions::default(),
        write_concurrency: 4,
        keep_destinations: false,
        status_fields: StatusFields::Off,
    };
    let leadership = Leadership { leading: leader, may_write: Box::new(|_| true) };
    let engine = tokio::spawn(run(Arc::clone(&backend), inputs, settings, leadership, notes.clone(), stopped));
    Running { backend, input, notes, leading, shutdown, engine }
}

const SOURCE: SourceId = SourceId(0);

impl Running {
    async fn tell(&self, input: Input) {
        self.input.send(input).await.unwrap();
    }

    async fn list(&self, kind: Kind, names: &[&str]) {
        self.tell(Input::Listing { source: SOURCE, kind, began: Instant::now() }).await;
        for name in names {
            let event = Event::sync_target(ObjectKey::new("c", *name), SyncTarget::default());
            self.tell(Input::Object { source: SOURCE, object: Observed::Spec(event) }).await;
        }
        self.tell(Input::Listed { source: SOURCE, kind }).await;
    }

    async fn sync(&self) {
        self.tell(Input::SourceAdded { source: SOURCE, name: "here".into(), kinds: Kind::ALL.into() }).await;
        self.tell(Input::Sources(Ok(()))).await;
        for kind in Kind::ALL {
            self.list(kind, if kind == Kind::SyncTarget { &["a", "b"] } else { &[] }).await;
        }
        self.notes.wait_for("sync ok").await;
    }
}

#[tokio::test]
async fn it_waits_tells_why_and_ends_when_told() {
    let running = start(true);
    running.notes.wait_for("sync: what to watch is not known yet").await;
    running.tell(Input::Sources(Err("the export is away".into()))).await;
    running.notes.wait_for("sync: the export is away").await;
    running.sync().await;
    let failing = |reason: &str| Input::Failing { source: SOURCE, kind: Kind::Location, reason: reason.into() };
    running.tell(failing("refused")).await;
    running.notes.wait_for("locations: here: refused").await;
    let before = running.notes.0.lock().unwrap().len();
    running.tell(failing("refused")).await;
    running.tell(Input::Watching { source: SOURCE, kind: Kind::Location }).await;
    running.notes.wait_for("locations ok").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(running.notes.0.lock().unwrap().len(), before + 1, "what was told is not told again");
    running.shutdown.send(true).unwrap();
    assert_eq!(running.engine.await.unwrap().abandoned, 0);
    assert!(running.input.is_closed());
}

#[tokio::test]
async fn a_list_without_an_object_and_a_source_that_goes_are_deletions() {
    let running = start(true);
    running.sync().await;
    running.list(Kind::SyncTarget, &["b"]).await;
    running.notes.wait_for("- SyncTarget").await;
    running.tell(Input::SourceRemoved { source: SOURCE }).await;
    running.notes.wait_for("sync: there is no source of synctargets yet").await;
    let notes = running.notes.0.lock().unwrap().clone();
    assert_eq!(notes.iter().filter(|note| *note == "- SyncTarget").count(), 2);
    running.shutdown.send(true).unwrap();
    running.engine.await.unwrap();
}

#[tokio::test]
async fn who_takes_over_asks_for_new_lists() {
    let running = start(false);
    running.sync().await;
    assert_eq!(running.backend.0.load(Ordering::Relaxed), 0);
    running.leading.send(true).unwrap();
    running
        .notes
        .wait_for("sync: not all is listed yet of synctargets, locations, edgeplacements, singleplacementslices")
        .await;
    assert_eq!(running.backend.0.load(Ordering::Relaxed), 1);
    drop(running.shutdown);
    running.engine.await.unwrap();
}
