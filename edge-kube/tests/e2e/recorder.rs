//! Records what happens to the objects of a kind: every write that takes effect is one event of a watch.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use futures::{AsyncBufReadExt, StreamExt};
use http::Request;
use kube::Client;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::client::RUNTIME;
use crate::cluster::{Cluster, Resource, name};

/// `ADDED`, `MODIFIED` or `DELETED`, and the object after it (before, if it was deleted).
pub(crate) type Change = (String, Value);

/// A watch of all objects of a kind in a cluster, from when it was made.
pub(crate) struct Recorder {
    changes: Arc<Mutex<Vec<Change>>>,
    task: JoinHandle<()>,
}

impl Recorder {
    pub(crate) fn start(cluster: &Cluster, resource: Resource) -> Self {
        let changes = Arc::new(Mutex::new(Vec::new()));
        let path = cluster.path(resource);
        let client = cluster.client.kube();
        let begin = RUNTIME.block_on(list(&client, &path));
        let task = RUNTIME.spawn(watch(client, path, begin, changes.clone()));
        Self { changes, task }
    }

    /// How many changes have been seen yet.
    pub(crate) fn count(&self) -> usize {
        self.changes.lock().unwrap().len()
    }

    /// What happened up to now, after the last events had time to arrive.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let mut before = usize::MAX;
        loop {
            let now = self.changes.lock().unwrap().len();
            if now == before {
                return self.changes.lock().unwrap().clone();
            }
            before = now;
            thread::sleep(Duration::from_millis(300));
        }
    }

    /// The changes of one object.
    pub(crate) fn changes_of(&self, object: &str) -> Vec<Change> {
        self.changes().into_iter().filter(|(_, changed)| name(changed) == object).collect()
    }
}

/// All objects of a kind, as a list returns them.
async fn list(client: &Client, path: &str) -> Value {
    client.request(Request::get(path).body(Vec::new()).unwrap()).await.unwrap()
}

/// Watches from a list on.
async fn watch(client: Client, path: String, mut begin: Value, changes: Arc<Mutex<Vec<Change>>>) {
    loop {
        let version = begin["metadata"]["resourceVersion"].as_str().unwrap();
        let url = format!("{path}?watch=true&timeoutSeconds=600&resourceVersion={version}");
        let stream = client.request_stream(Request::get(url).body(Vec::new()).unwrap()).await.unwrap();
        let mut lines = stream.lines();
        while let Some(Ok(line)) = lines.next().await {
            let mut event: Value = serde_json::from_str(&line).unwrap();
            let kind = event["type"].as_str().unwrap().to_owned();
            if kind == "ERROR" {
                break;
            }
            changes.lock().unwrap().push((kind, event["object"].take()));
        }
        // kcp makes its cache for a newly bound API anew, and then knows no versions before that: start over, unless
        // something has changed since, which would be lost.
        let again = list(&client, &path).await;
        if again["items"] != begin["items"] || !changes.lock().unwrap().is_empty() {
            changes.lock().unwrap().push(("the watch has ended".into(), Value::Null));
            return;
        }
        begin = again;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}
