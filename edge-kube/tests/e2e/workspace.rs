//! Workspaces of kcp.

use std::thread;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::cluster::{Cluster, WORKSPACE};
use crate::servers::Kcp;

const LIMIT: Duration = Duration::from_secs(60);

/// A workspace by its path, made with its parents if it is not there.
pub(crate) fn workspace(kcp: &Kcp, path: &str) -> Cluster {
    let mut cluster = Cluster::kcp(&kcp.admin, "root");
    for child in path.split(':').skip(1) {
        let begin = Instant::now();
        if cluster.get(WORKSPACE, child).is_none() {
            cluster.create(WORKSPACE, json!({"metadata": {"name": child}, "spec": {}}));
        }
        loop {
            let workspace = cluster.get(WORKSPACE, child).unwrap_or_default();
            if let (Some("Ready"), Some(name)) =
                (workspace["status"]["phase"].as_str(), workspace["spec"]["cluster"].as_str())
            {
                cluster = Cluster::kcp(&kcp.admin, name);
                break;
            }
            assert!(begin.elapsed() < LIMIT, "workspace {path} is not ready: {}", workspace["status"]);
            thread::sleep(Duration::from_millis(30));
        }
    }
    cluster
}

/// The admin's home workspace, `~`. The first request makes it.
pub(crate) fn home(kcp: &Kcp) -> Cluster {
    let path = "/clusters/root/apis/tenancy.kcp.io/v1alpha1/workspaces/~";
    let begin = Instant::now();
    loop {
        let answer = kcp.admin.send(Method::GET, path, None);
        let home = match &answer {
            Ok(home) => home,
            // It is being made.
            Err(error) if error.code == 429 => &Value::Null,
            Err(error) => panic!("no home workspace: {error}"),
        };
        if let (Some("Ready"), Some(name)) = (home["status"]["phase"].as_str(), home["spec"]["cluster"].as_str()) {
            return Cluster::kcp(&kcp.admin, name);
        }
        assert!(begin.elapsed() < LIMIT, "the home workspace is not ready: {answer:?}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Deletes the workspace that has this path.
pub(crate) fn delete(kcp: &Kcp, path: &str) {
    let (parent, name) = path.rsplit_once(':').unwrap();
    Cluster::kcp(&kcp.admin, parent).delete(WORKSPACE, name);
}
