//! Finds out whether an API server is a kcp.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIGroupList;
use kube::Client;

use super::client::causes;
use super::flags::Mode;
use super::health::Health;
use super::rest::TIMEOUT;

/// The API group of APIExports: a workspace of kcp has it, and nothing else does.
const KCP_GROUP: &str = "apis.kcp.io";

/// The check of readiness.
const CHECK: &str = "server";

const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Asks until there is an answer. What is waited for is in the log and in readiness.
pub(crate) async fn detect(client: &Client, url: &str, health: &Health) -> Mode<'static> {
    let mut wait = Duration::from_millis(500);
    let mut said = String::new();
    loop {
        let reason = match tokio::time::timeout(TIMEOUT, client.list_api_groups()).await {
            Ok(Ok(groups)) => {
                health.remove(CHECK);
                return mode(&groups);
            }
            Err(_) => format!("no answer within {} s", TIMEOUT.as_secs()),
            Ok(Err(kube::Error::Api(status))) if status.code == 401 => {
                format!("{}: the server does not accept the credentials", status.message)
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
                let todo = "if this is a workspace of kcp, it may not exist yet; else grant the right to read /apis, or use --mode";
                format!("{}; {todo}", status.message)
            }
            Ok(Err(error)) => causes(&error),
        };
        if reason != said {
            tracing::warn!(serverURL = url, err = reason, "cannot find out yet what the server is; trying again");
        }
        health.set(CHECK, Err(format!("waiting for {url}: {reason}")));
        said = reason;
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

fn mode(groups: &APIGroupList) -> Mode<'static> {
    if groups.groups.iter().any(|group| group.name == KCP_GROUP) { Mode::Kcp } else { Mode::Kubernetes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_with_apiexports_is_a_kcp() {
        let groups = |names: &[&str]| {
            let groups: Vec<_> = names.iter().map(|name| serde_json::json!({"name": name, "versions": []})).collect();
            serde_json::from_value(serde_json::json!({"groups": groups})).unwrap()
        };
        assert_eq!(mode(&groups(&["apps", "apis.kcp.io"])), Mode::Kcp);
        assert_eq!(mode(&groups(&["apps", "edge.kcp.io", "scheduling.kcp.io"])), Mode::Kubernetes);
    }
}
