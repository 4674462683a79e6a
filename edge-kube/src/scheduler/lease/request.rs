//! The requests for a Lease, and what their answers mean.

use std::fmt;
use std::time::Duration;

use edge_core::lease::{Action, Answer, Claim, Record};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

use crate::scheduler::client::causes;

/// A Lease on a server.
pub(crate) struct Place {
    api: Api<Lease>,
    namespace: String,
    name: String,
    /// As it was last seen. What others have put into it is kept.
    last: Option<Lease>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Place {
    /// The client must not retry by itself, or a late try could renew a Lease that was given up.
    pub(crate) fn new(client: Client, namespace: &str, name: &str) -> Self {
        let api = Api::namespaced(client, namespace);
        Self { api, namespace: namespace.to_owned(), name: name.to_owned(), last: None }
    }

    /// Carries out a request, and says what is in the way, if something is.
    pub(super) async fn perform(&mut self, action: Action) -> (Answer, Option<String>) {
        let (verb, result) = match action {
            // Without a resourceVersion it is a consistent read.
            Action::Get => ("get", self.api.get(&self.name).await),
            Action::Create(claim) => {
                let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
                let lease = claimed(Lease { metadata, spec: None }, claim);
                ("create", self.api.create(&PostParams::default(), &lease).await)
            }
            Action::Update { claim, resource_version } => {
                let mut lease = claimed(self.last.clone().unwrap_or_default(), claim);
                lease.metadata.name = Some(self.name.clone());
                lease.metadata.resource_version = Some(resource_version);
                ("update", self.api.replace(&self.name, &PostParams::default(), &lease).await)
            }
            Action::Wait(_) | Action::Released => return (Answer::Failed, None),
        };
        match result {
            Ok(lease) => {
                let record = record(&lease);
                self.last = Some(lease);
                (Answer::Record(record), None)
            }
            Err(error) => self.failed(verb, &error),
        }
    }

    fn failed(&mut self, verb: &str, error: &kube::Error) -> (Answer, Option<String>) {
        let kube::Error::Api(status) = error else {
            return (Answer::Failed, Some(format!("cannot {verb} Lease {self}: {}", causes(error))));
        };
        let said = format!("cannot {verb} Lease {self}: {}", status.message);
        match (status.code, verb) {
            (404, "create") => {
                let todo = "create the namespace, or use --leader-elect-resource-namespace";
                (Answer::NotFound, Some(format!("{said}; {todo}")))
            }
            (404, _) => (Answer::NotFound, None),
            (409, _) => (Answer::Conflict, None),
            (401, _) => (Answer::Failed, Some(format!("{said}; the server does not accept the credentials"))),
            (403, _) => {
                let todo = "grant get, create and update of leases.coordination.k8s.io, or use --leader-elect=false";
                (Answer::Failed, Some(format!("{said}; {todo}")))
            }
            _ => (Answer::Failed, Some(said)),
        }
    }

    pub(super) fn timed_out(&self, limit: Duration) -> (Answer, Option<String>) {
        (Answer::Failed, Some(format!("no answer about Lease {self} within {} s", limit.as_secs_f64())))
    }
}

fn claimed(mut lease: Lease, claim: Claim) -> Lease {
    let now = MicroTime(Timestamp::now());
    let spec = lease.spec.get_or_insert_default();
    if claim.acquired {
        spec.acquire_time = Some(now.clone());
    }
    spec.holder_identity = Some(claim.holder);
    spec.lease_duration_seconds = Some(claim.duration_seconds);
    spec.lease_transitions = Some(claim.transitions);
    spec.renew_time = Some(now);
    lease
}

fn record(lease: &Lease) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    let LeaseSpec { holder_identity, lease_duration_seconds, lease_transitions, acquire_time, renew_time, .. } = spec;
    let time = |time: Option<MicroTime>| time.map(|time| time.0.to_string()).unwrap_or_default();
    Record {
        holder: holder_identity.unwrap_or_default(),
        duration_seconds: lease_duration_seconds.unwrap_or(0),
        transitions: lease_transitions.unwrap_or(0),
        acquire_time: time(acquire_time),
        renew_time: time(renew_time),
        resource_version: lease.metadata.resource_version.clone().unwrap_or_default(),
    }
}
