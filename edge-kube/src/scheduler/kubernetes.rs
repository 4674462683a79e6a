//! The backend for any Kubernetes cluster that has the four CRDs: one source, one logical cluster.

use std::sync::Arc;

use edge_core::object::Kind;
use edge_core::publisher::{Action, Failure, Outcome};
use kube::Client;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::backend::{Backend, Input, SourceId};
use super::client::{ClientError, Connection};
use super::decode::Clusters;
use super::events::Events;
use super::rest::Target;
use super::source::{Setup, Source, Subresources};

const SOURCE: SourceId = SourceId(0);

/// A cluster.
pub(crate) struct Kubernetes {
    client: Client,
    clusters: Clusters,
    subresources: Arc<Subresources>,
    relist: watch::Sender<Option<Instant>>,
    events: Events,
    _source: Source,
}

impl Kubernetes {
    /// Begins to watch. `cluster` is the name of the one logical cluster.
    ///
    /// # Errors
    ///
    /// The connection makes no client, for example because a certificate cannot be read.
    pub(crate) async fn start(
        connection: &Connection,
        cluster: String,
        input: mpsc::Sender<Input>,
    ) -> Result<Self, ClientError> {
        let name = connection.config.cluster_url.to_string();
        let client = connection.client()?;
        let clusters = Clusters::One(cluster);
        let subresources = Arc::<Subresources>::default();
        let (relist, relisted) = watch::channel(None);
        let (all_slices, all_slices_known) = watch::channel(None);
        // If nobody listens, the watches end too.
        let _ = input.send(Input::SourceAdded { source: SOURCE, name, kinds: Kind::ALL.into() }).await;
        let _ = input.send(Input::Sources(Ok(()))).await;
        let source = Source::start(Setup {
            id: SOURCE,
            client: client.clone(),
            kinds: Kind::ALL.into(),
            prefix: "",
            clusters: clusters.clone(),
            input,
            relist: relisted,
            all_slices: all_slices_known,
            later: false,
            route: None,
            subresources: Arc::clone(&subresources),
        });
        all_slices.send_replace(Some(source.slices.iter().cloned().collect()));
        let events = Events::new(client.clone());
        Ok(Self { client, clusters, subresources, relist, events, _source: source })
    }
}

impl Backend for Kubernetes {
    async fn perform(&self, action: Action) -> Outcome {
        let status = if let Action::Status(status) = &action { Some(status.clone()) } else { None };
        let status_subresource = self.subresources.has(SOURCE);
        let target = Target { client: self.client.clone(), prefix: String::new(), status_subresource };
        let outcome = target.perform(&self.clusters, action).await;
        match (&outcome, status) {
            (Outcome::StatusWritten, Some(status)) => self.events.status_written(&status),
            (Outcome::Failed(Failure::NotFound), Some(_)) => self.subresources.look_again(),
            _ => {}
        }
        outcome
    }

    fn relist(&self) {
        self.relist.send_replace(Some(Instant::now()));
    }
}
