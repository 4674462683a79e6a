use std::convert::Infallible;
use std::sync::Mutex;

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::scheduler::client::Connection;

/// A server of one Lease over HTTP, with real preconditions.
#[derive(Default)]
struct Server {
    lease: Option<Value>,
    version: u64,
    /// Answered instead, if it is not 0.
    status: u16,
}

impl Server {
    fn answer(&mut self, method: &Method, body: &[u8]) -> (u16, Value) {
        if self.status != 0 {
            return (self.status, json!("not today"));
        }
        match (method, &self.lease) {
            (&Method::GET, Some(lease)) => return (200, lease.clone()),
            (&Method::GET | &Method::PUT, None) => return (404, json!("not found")),
            (&Method::POST, Some(_)) => return (409, json!("exists")),
            _ => {}
        }
        let mut lease: Value = serde_json::from_slice(body).unwrap();
        if let (&Method::PUT, Some(known)) = (method, &self.lease)
            && lease["metadata"]["resourceVersion"] != known["metadata"]["resourceVersion"]
        {
            return (409, json!("conflict"));
        }
        self.version += 1;
        lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.lease = Some(lease.clone());
        (200, lease)
    }

    fn holder(&self) -> &str {
        self.lease.as_ref().and_then(|lease| lease["spec"]["holderIdentity"].as_str()).unwrap_or("nobody")
    }
}

async fn serve() -> (Arc<Mutex<Server>>, String) {
    let server = Arc::<Mutex<Server>>::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let shared = Arc::clone(&server);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let shared = Arc::clone(&shared);
            let service = service_fn(move |request: Request<Incoming>| {
                let shared = Arc::clone(&shared);
                async move {
                    let path = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
                    assert!(request.uri().path().starts_with(path), "{}", request.uri());
                    let method = request.method().clone();
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    let (code, mut answer) = shared.lock().unwrap().answer(&method, &body);
                    if code != 200 {
                        answer = json!({"kind": "Status", "code": code, "message": answer, "status": "Failure"});
                    }
                    let mut response = Response::new(Full::new(Bytes::from(answer.to_string())));
                    *response.status_mut() = StatusCode::from_u16(code).unwrap();
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (server, url)
}

struct Replica {
    leadership: Leadership,
    keeper: Keeper,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

impl Replica {
    fn start(url: &str, identity: &str, retry: u64) -> Self {
        let (health, metrics) = (Arc::new(Health::new(Duration::from_secs(30))), Arc::new(Metrics::new()));
        let ms = |count| Duration::from_millis(count);
        let config = Config::new(identity.into(), ms(retry * 8), ms(retry * 4), ms(retry)).unwrap();
        let client = Connection::bare(kube::Config::new(url.parse().unwrap())).client().unwrap();
        let place = Place::new(client, "default", "edge-scheduler");
        let (leadership, keeper) = start(place, config, Arc::clone(&health), Arc::clone(&metrics));
        Self { leadership, keeper, health, metrics }
    }

    async fn until_leading(&self, leads: bool) {
        let mut leading = self.leadership.leading();
        let seen = tokio::time::timeout(Duration::from_secs(20), leading.wait_for(|now| *now == leads)).await;
        assert!(seen.is_ok(), "expected leading to become {leads}");
        assert_eq!(self.leadership.may_write(Instant::now()), leads);
        assert_eq!(self.metrics.leader.get(), i64::from(leads));
    }
}

#[tokio::test]
async fn one_of_two_leads_and_hands_over_at_once() {
    let (server, url) = serve().await;
    let first = Replica::start(&url, "first", 2_000);
    first.until_leading(true).await;
    assert_eq!(server.lock().unwrap().holder(), "first");
    let second = Replica::start(&url, "second", 2_000);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!*second.leadership.leading().borrow() && !second.leadership.may_write(Instant::now()));
    assert_eq!(second.health.ready(), [("lease".into(), Ok(()))], "a standby is ready");

    let before = Instant::now();
    let leadership = first.leadership.clone();
    first.keeper.release().await;
    assert!(!leadership.may_write(Instant::now()));
    second.until_leading(true).await;
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
    let lease = server.lock().unwrap().lease.clone().unwrap();
    assert_eq!((&lease["spec"]["holderIdentity"], &lease["spec"]["leaseTransitions"]), (&json!("second"), &json!(1)));
    assert!(lease["spec"]["renewTime"].is_string() && lease["spec"]["acquireTime"].is_string(), "{lease}");

    second.keeper.release().await;
    let lease = server.lock().unwrap().lease.clone().unwrap();
    assert_eq!((&lease["spec"]["holderIdentity"], &lease["spec"]["leaseDurationSeconds"]), (&json!(""), &json!(1)));
}

#[tokio::test]
async fn after_a_crash_the_lease_runs_out() {
    let (server, url) = serve().await;
    let first = Replica::start(&url, "first", 100);
    first.until_leading(true).await;
    let second = Replica::start(&url, "second", 100);
    first.keeper.task.abort();
    second.until_leading(true).await;
    assert_eq!(server.lock().unwrap().holder(), "second");
    assert!(!first.leadership.may_write(Instant::now()), "the first stopped before");
}

#[tokio::test]
async fn rights_that_are_taken_away_and_given_back() {
    let (server, url) = serve().await;
    let replica = Replica::start(&url, "only", 100);
    replica.until_leading(true).await;
    server.lock().unwrap().status = 403;
    replica.until_leading(false).await;
    let (_, check) = replica.health.ready().remove(0);
    let reason = check.unwrap_err();
    assert!(reason.contains("default/edge-scheduler") && reason.contains("not today"), "{reason}");
    assert!(reason.contains("leases.coordination.k8s.io") && reason.contains("--leader-elect=false"), "{reason}");
    server.lock().unwrap().status = 0;
    replica.until_leading(true).await;
    assert_eq!(replica.health.ready(), [("lease".into(), Ok(()))]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let replica = Replica::start(&url, "only", 100);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (_, check) = replica.health.ready().remove(0);
    assert!(check.clone().unwrap_err().to_lowercase().contains("connection refused"), "{check:?}");
    let before = Instant::now();
    replica.keeper.release().await;
    assert!(before.elapsed() < Duration::from_secs(1), "there is nothing to give back");
}

#[tokio::test]
async fn what_others_put_on_the_lease_is_kept() {
    let (server, url) = serve().await;
    let replica = Replica::start(&url, "only", 100);
    replica.until_leading(true).await;
    {
        let mut server = server.lock().unwrap();
        server.version += 1;
        let version = server.version.to_string();
        let lease = server.lease.as_mut().unwrap();
        lease["metadata"]["labels"] = json!({"team": "edge"});
        lease["metadata"]["resourceVersion"] = json!(version);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(replica.leadership.may_write(Instant::now()));
    let server = server.lock().unwrap();
    assert_eq!(server.lease.as_ref().unwrap()["metadata"]["labels"]["team"], "edge");
    assert!(server.version > 3, "it renewed after that");
}

#[test]
fn without_an_election_one_may_always_write() {
    let leadership = Leadership::always();
    assert!(leadership.may_write(Instant::now()) && *leadership.leading().borrow());
}

#[test]
fn each_run_has_its_own_identity() {
    assert_ne!(identity(), identity());
}
