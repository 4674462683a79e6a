use std::sync::Mutex;
use std::time::Duration;

use futures::channel::mpsc::{UnboundedSender, unbounded};
use serde_json::{Value, json};

use super::*;
use crate::scheduler::testing::{Asked, Reply, Server};

/// A kcp with one export, whose virtual workspaces are empty.
#[derive(Default)]
struct Fake {
    /// Where its virtual workspaces are, by their paths; `None`: there is no export.
    shards: Option<Vec<&'static str>>,
    host: String,
    /// The watch of the export, if there is one.
    changes: Vec<UnboundedSender<String>>,
}

impl Fake {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let path = asked.path.as_str();
        if path.contains("watch=1") {
            let (changes, stream) = unbounded();
            // Watches stay open; only that of the export ever says something.
            if path.contains("/apiexports?") {
                self.changes.push(changes);
            } else {
                std::mem::forget(changes);
            }
            return Reply::lines(stream);
        }
        if path.ends_with("/apis.kcp.io/v1alpha1/apiexports/edge.kcp.io") {
            return match &self.shards {
                Some(shards) => Reply::new(200, self.export(shards).to_string()),
                None => Reply::new(404, r#"{"message":"no such export"}"#),
            };
        }
        if path.contains("/apis.kcp.io/") {
            return Reply::new(404, "{}");
        }
        if path.ends_with("/apis/edge.kcp.io/v1alpha1") {
            return Reply::new(200, r#"{"resources":[{"name":"edgeplacements"}]}"#);
        }
        if path.contains("/edgeplacements?") {
            let cluster = format!("of-{}", path.split('/').nth(1).unwrap());
            let metadata = json!({"name": "p", "uid": "u", "annotations": {"kcp.io/cluster": cluster}});
            return Reply::new(
                200,
                json!({"metadata": {"resourceVersion": "1"}, "items": [{"metadata": metadata}]}).to_string(),
            );
        }
        if path.contains("/edgeplacements/") {
            return Reply::new(200, r#"{"metadata":{"uid":"live","resourceVersion":"2"}}"#);
        }
        Reply::new(200, r#"{"metadata":{"resourceVersion":"1"},"items":[]}"#)
    }

    fn export(&self, shards: &[&str]) -> Value {
        let urls: Vec<Value> =
            shards.iter().map(|shard| json!({"url": format!("http://{}/{shard}", self.host)})).collect();
        let schema = |kind| format!("v1.{}.{}", plural(kind), Kind::group(kind));
        json!({
            "metadata": {"name": "edge.kcp.io", "resourceVersion": "1"},
            "spec": {"latestResourceSchemas": Kind::ALL.map(schema)},
            "status": {"virtualWorkspaces": urls},
        })
    }
}

struct World {
    fake: Arc<Mutex<Fake>>,
    server: Server,
    kcp: Kcp,
    inputs: mpsc::Receiver<Input>,
}

impl World {
    async fn start(shards: Option<Vec<&'static str>>) -> Self {
        let fake = Arc::new(Mutex::new(Fake { shards, ..Fake::default() }));
        let answers = Arc::clone(&fake);
        let server = Server::start(move |asked| answers.lock().unwrap().answer(asked)).await;
        let connection = Connection::bare(server.config());
        fake.lock().unwrap().host = connection.config.cluster_url.authority().unwrap().to_string();
        let (input, inputs) = mpsc::channel(100);
        let exports = Exports {
            provider: connection.in_workspace("root:espw").unwrap(),
            root: connection.in_workspace("root").unwrap(),
            edge: None,
            scheduling: None,
            workload: None,
        };
        Self { fake, server, kcp: Kcp::start(exports, input), inputs }
    }

    /// Changes the export, and lets its watch tell, if it is watched: only one with endpoints is.
    async fn change(&self, shards: Option<Vec<&'static str>>) {
        let watched = self.fake.lock().unwrap().shards.as_ref().is_some_and(|shards| !shards.is_empty());
        while watched && self.fake.lock().unwrap().changes.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut fake = self.fake.lock().unwrap();
        fake.shards = shards;
        for changes in fake.changes.drain(..) {
            let _ = changes.unbounded_send("{}".into());
        }
    }

    /// What is told about sources until all of it has come.
    async fn expect(&mut self, expected: &[&str]) {
        let mut told: Vec<String> = Vec::new();
        let until = Instant::now() + Duration::from_secs(20);
        while expected.iter().any(|line| !told.iter().any(|told| told == line)) {
            let input = tokio::time::timeout_at(until, self.inputs.recv()).await;
            let input = input.unwrap_or_else(|_| panic!("only {told:?} is told")).unwrap();
            let line = match input {
                Input::SourceAdded { source, name, kinds } => {
                    format!("+{} {} {}", source.0, name.rsplit('/').next().unwrap(), kinds.len())
                }
                Input::SourceRemoved { source } => format!("-{}", source.0),
                Input::Sources(Ok(())) => "all".into(),
                Input::Sources(Err(reason)) => reason,
                Input::Listed { source, kind } => format!("{} {}", source.0, plural(kind)),
                _ => continue,
            };
            told.push(line);
        }
        let about_sources = |line: &&String| line.starts_with(['+', '-']);
        let wanted = expected.iter().filter(|line| line.starts_with(['+', '-'])).count();
        assert_eq!(told.iter().filter(about_sources).count(), wanted, "{told:?}");
    }
}

#[tokio::test]
async fn endpoints_are_followed_as_they_come_and_go() {
    let mut world = World::start(None).await;
    world.expect(&["APIExport edge.kcp.io in workspace root:espw is not there yet (404: no such export)"]).await;
    world.change(Some(vec![])).await;
    let no_endpoints = "APIExport edge.kcp.io in workspace root:espw has no endpoints: \
                        neither its status nor an APIExportEndpointSlice has a URL yet";
    world.expect(&[no_endpoints]).await;
    world.change(Some(vec!["a"])).await;
    let listed = |source: u32| Kind::ALL.map(|kind| format!("{source} {}", plural(kind)));
    let first = listed(0);
    world.expect(&["+0 a 4", "all", &first[0], &first[1], &first[2], &first[3]]).await;
    world.change(Some(vec!["a", "b"])).await;
    let second = listed(1);
    world.expect(&["+1 b 4", "all", &second[0], &second[1], &second[2], &second[3]]).await;
    // None at all means waiting.
    world.change(Some(vec![])).await;
    world.expect(&[no_endpoints]).await;
    world.change(Some(vec!["b", "c"])).await;
    world.expect(&["+2 c 4", "-0", "all"]).await;
}

#[tokio::test]
async fn requests_go_where_the_cluster_came_from() {
    let mut world = World::start(Some(vec!["a", "b"])).await;
    world.expect(&["+0 a 4", "+1 b 4", "all", "0 edgeplacements", "1 edgeplacements"]).await;
    let read = |cluster: &str| Action::ReadPlacement(ObjectKey::new(cluster, "p"));
    for shard in ["a", "b"] {
        assert_eq!(world.kcp.perform(read(&format!("of-{shard}"))).await, Outcome::Placement { uid: "live".into() });
        let path = format!("/{shard}/clusters/of-{shard}/apis/edge.kcp.io/v1alpha1/edgeplacements/p");
        assert_eq!(world.server.requests().iter().filter(|asked| asked.path == path).count(), 1);
    }
    let elsewhere = world.kcp.perform(read("elsewhere")).await;
    assert!(matches!(elsewhere, Outcome::Failed(Failure::NotDone(_))), "{elsewhere:?}");
    // What has gone is not asked any more.
    world.change(Some(vec!["b"])).await;
    world.expect(&["-0"]).await;
    let gone = world.kcp.perform(read("of-a")).await;
    assert!(matches!(gone, Outcome::Failed(Failure::NotDone(_))), "{gone:?}");
}
