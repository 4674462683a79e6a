//! Requests to the server as quickly as it takes them, with the rights of the scheduler or of its admin.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::{AsyncBufReadExt as _, StreamExt as _};
use http::{Method, Request};
use kube::client::Body;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::client::{Client, RUNTIME};
use crate::cluster::{API_EXPORT, Cluster, LOCATION, Resource, SYNC_TARGET};
use crate::env::{Env, Flavor};

const REQUEST_LIMIT: Duration = Duration::from_secs(600);
/// How long a request that the server puts off is tried again.
const PATIENCE: Duration = Duration::from_secs(120);

/// What requests are sent with.
pub(super) struct Api {
    admin: Client,
    /// With the scheduler's rights.
    scheduler: Client,
    /// What paths begin with, where the scheduler sees the objects of each of the three groups.
    edge: String,
    locations: String,
    sync_targets: String,
    concurrency: usize,
}

/// How quickly something went.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    what: String,
    pub(super) count: usize,
    pub(super) took: Duration,
}

impl Pace {
    pub(super) fn new(what: &str, count: usize, took: Duration) -> Self {
        Self { what: what.into(), count, took }
    }

    /// Per second.
    pub(super) fn rate(&self) -> f64 {
        self.count as f64 / self.took.as_secs_f64()
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} in {:.1} s, {:.0} a second", self.count, self.what, self.took.as_secs_f64(), self.rate())
    }
}

impl Api {
    pub(super) fn new(env: &Env, concurrency: usize) -> Self {
        let view = |export: Value| {
            let url = export["status"]["virtualWorkspaces"][0]["url"].as_str().unwrap_or_default().to_owned();
            // All on one server.
            let path = url.splitn(4, '/').nth(3).unwrap_or_else(|| panic!("no URL of a virtual workspace: {export}"));
            format!("/{path}")
        };
        let export = |cluster: &Cluster, name: &str| {
            view(cluster.get(API_EXPORT, name).unwrap_or_else(|| panic!("no APIExport {name}")))
        };
        let [edge, locations, sync_targets] = match env.flavor {
            Flavor::Kubernetes => [const { String::new() }; 3],
            _ => [
                export(&env.provider, "edge.kcp.io"),
                export(&env.root(), "scheduling.kcp.io"),
                export(&env.root(), "workload.kcp.io"),
            ],
        };
        Self {
            admin: env.provider.client.clone(),
            scheduler: scheduler_client(env),
            edge,
            locations,
            sync_targets,
            concurrency,
        }
    }

    fn view(&self, resource: Resource) -> &str {
        match resource {
            SYNC_TARGET => &self.sync_targets,
            LOCATION => &self.locations,
            _ => &self.edge,
        }
    }

    /// The path of all objects of a kind in all clusters, as the scheduler lists them.
    fn all(&self, resource: Resource) -> String {
        let view = self.view(resource);
        let every = if view.is_empty() { "" } else { "/clusters/*" };
        format!("{view}{every}/apis/{}/{}", resource.api, resource.plural)
    }

    /// The path of a kind's objects in one cluster, as the scheduler writes them.
    pub(super) fn collection(&self, resource: Resource, cluster: &str) -> String {
        let view = self.view(resource);
        let one = if view.is_empty() { String::new() } else { format!("/clusters/{cluster}") };
        format!("{view}{one}/apis/{}/{}", resource.api, resource.plural)
    }

    /// Creates objects as admin, and shows how far it is. What exists already is fine.
    pub(super) fn create(&self, requests: impl Iterator<Item = (String, String)>, count: usize, what: &str) -> Pace {
        self.many(&self.admin, Method::POST, requests, &format!("{what} created"), Some(count))
    }

    /// Creates objects as the scheduler does.
    pub(super) fn write(&self, requests: impl Iterator<Item = (String, String)>, what: &str) -> Pace {
        self.many(&self.scheduler, Method::POST, requests, what, None)
    }

    /// Deletes objects as admin.
    pub(super) fn delete(&self, paths: impl Iterator<Item = String>, what: &str) -> Pace {
        let options = r#"{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Background"}"#;
        let requests = paths.map(|path| (path, options.to_owned()));
        self.many(&self.admin, Method::DELETE, requests, what, None)
    }

    fn many(
        &self,
        client: &Client,
        method: Method,
        requests: impl Iterator<Item = (String, String)>,
        what: &str,
        progress_of: Option<usize>,
    ) -> Pace {
        let done = Arc::new(AtomicUsize::new(0));
        let begin = Instant::now();
        RUNTIME.block_on(async {
            let progress = progress_of.map(|count| tokio::spawn(show_progress(done.clone(), count, what.to_owned())));
            let sent = requests
                .map(|(path, body)| tokio::spawn(persist(client.kube(), method.clone(), path, body, done.clone())));
            let mut answers = futures::stream::iter(sent).buffer_unordered(self.concurrency);
            while let Some(answer) = answers.next().await {
                answer.unwrap().unwrap_or_else(|reason| panic!("{what}: {reason}"));
            }
            if let Some(progress) = progress {
                progress.abort();
            }
        });
        Pace::new(what, done.load(Ordering::Relaxed), begin.elapsed())
    }

    /// Lists all objects of a kind in pages of the scheduler's size, and does nothing with them.
    pub(super) async fn list_bare(&self, resource: Resource) {
        let (mut token, mut count) = (None, 0);
        while count == 0 || token.is_some() {
            let page = self.page(resource, token.as_deref()).await;
            // The token is near the beginning, in the metadata.
            token = continue_token(&page);
            count += 1;
        }
    }

    /// Lists all objects of a kind; returns the version of the list.
    pub(super) fn list(&self, resource: Resource, mut each: impl FnMut(&str)) -> String {
        let mut token = None;
        loop {
            let body = RUNTIME.block_on(self.page(resource, token.as_deref()));
            let page: Page<'_> = serde_json::from_slice(&body).unwrap();
            page.items.iter().for_each(|item| each(item.get()));
            token = page.metadata.token.filter(|token| !token.is_empty());
            if token.is_none() {
                return page.metadata.resource_version;
            }
        }
    }

    async fn page(&self, resource: Resource, token: Option<&str>) -> Vec<u8> {
        // As kubectl does.
        let limit = 500;
        let token = token.map(|token| format!("&continue={token}")).unwrap_or_default();
        let path = format!("{}?limit={limit}{token}", self.all(resource));
        let (code, body) = send(self.scheduler.kube(), Method::GET, &path, "").await.unwrap();
        assert_eq!(code, 200, "GET {path}: {}", String::from_utf8_lossy(&body));
        body
    }

    /// Watches a kind in all clusters; each line comes with the time at which it arrived.
    pub(super) fn watch(&self, resource: Resource, version: &str) -> Watch {
        let path = format!("{}?watch=true&timeoutSeconds=3600&resourceVersion={version}", self.all(resource));
        let (lines, arrived) = mpsc::unbounded_channel();
        let client = self.scheduler.kube();
        let task = RUNTIME.spawn(async move {
            let stream = client.request_stream(Request::get(&path).body(Vec::new()).unwrap()).await.unwrap();
            let mut stream = stream.lines();
            while let Some(Ok(line)) = stream.next().await {
                let _ = lines.send((Instant::now(), line));
            }
        });
        Watch { arrived, task: task.abort_handle() }
    }
}

/// The lines of a watch.
pub(super) struct Watch {
    arrived: mpsc::UnboundedReceiver<(Instant, String)>,
    task: AbortHandle,
}

impl Watch {
    /// The next line; `None` if none arrives in time.
    pub(super) fn next(&mut self, limit: Duration) -> Option<(Instant, String)> {
        let next = RUNTIME.block_on(async { tokio::time::timeout(limit, self.arrived.recv()).await });
        next.ok().map(|line| line.expect("the watch has ended"))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Deserialize)]
struct Page<'a> {
    metadata: PageMetadata,
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMetadata {
    resource_version: String,
    #[serde(rename = "continue")]
    token: Option<String>,
}

/// Found in the text: nothing is parsed where only the server is measured.
fn continue_token(page: &[u8]) -> Option<String> {
    // Lists of custom resources have their items first.
    let key = br#""metadata":{"continue":""#;
    let start = page.windows(key.len()).rposition(|window| window == key)? + key.len();
    let end = page[start..].iter().position(|byte| *byte == b'"')? + start;
    Some(String::from_utf8_lossy(&page[start..end]).into_owned()).filter(|token| !token.is_empty())
}

/// Sends a request until the server takes it.
async fn persist(
    client: kube::Client,
    method: Method,
    path: String,
    body: String,
    done: Arc<AtomicUsize>,
) -> Result<(), String> {
    let begin = Instant::now();
    loop {
        let (code, answer) = send(client.clone(), method.clone(), &path, &body).await.unwrap_or_default();
        match code {
            // It had come to pass, but the answer was lost.
            200..300 | 409 if method == Method::POST => break,
            200..300 | 404 if method == Method::DELETE => break,
            0 | 429 | 500.. if begin.elapsed() < PATIENCE => tokio::time::sleep(Duration::from_millis(100)).await,
            _ => return Err(format!("{method} {path}: {code} {}", String::from_utf8_lossy(&answer))),
        }
    }
    done.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

async fn send(client: kube::Client, method: Method, path: &str, body: &str) -> Result<(u16, Vec<u8>), String> {
    let body = if body.is_empty() { Body::empty() } else { Body::from(body.as_bytes().to_vec()) };
    let request = Request::builder().method(method).uri(path).header("Content-Type", "application/json");
    let request = request.header("Accept", "application/json").body(body).unwrap();
    let exchange = async {
        let response = client.send(request).await.map_err(|error| error.to_string())?;
        let code = response.status().as_u16();
        let body = response.into_body().collect_bytes().await.map_err(|error| error.to_string())?;
        Ok((code, body.to_vec()))
    };
    tokio::time::timeout(REQUEST_LIMIT, exchange)
        .await
        .map_err(|_| format!("no answer for {REQUEST_LIMIT:?}"))
        .flatten()
}

async fn show_progress(done: Arc<AtomicUsize>, count: usize, what: String) {
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let now = done.load(Ordering::Relaxed);
        eprintln!("  {now} of {count} {what}, {} a second", (now - before) / 10);
        before = now;
    }
}

/// As whom the scheduler speaks: the kubeconfig that it is given.
fn scheduler_client(env: &Env) -> Client {
    let config: Value = serde_json::from_slice(&std::fs::read(&env.kubeconfig).unwrap()).unwrap();
    let server = config["clusters"][0]["cluster"]["server"].as_str().unwrap();
    let server: Vec<&str> = server.splitn(4, '/').take(3).collect();
    Client::new(&server.join("/"), config["users"][0]["user"]["token"].as_str().unwrap())
}
