//! Clients of API servers, from flags and kubeconfigs.
//!
//! ```text
//!  flags, $KUBECONFIG ──► Connections::espw, root ──► in_workspace / at ──► Connection::client ──► Client
//!          ▲                                                                                        │ 401
//!          └────────────────────────────────── read again ◄─────────────────────────────────────────┘
//! ```
//!
//! A client has a pool of connections of its own. There is one for each base URL, so one for each APIExport and shard: few.
//! **Don't make one for each workspace**: a request to `/clusters/<cluster>/apis/…` below the base URL of a virtual
//! workspace goes through the one client of that URL, as `Client::request` takes any path.

mod error;
mod kubeconfig;
mod reason;
mod renew;
#[cfg(test)]
mod tests;

pub(crate) use error::ClientError;
pub(crate) use kubeconfig::{Environment, Origin};
pub(crate) use reason::causes;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Uri, header};
use kube::{Client, Config};

use super::flags::{SchedulerArgs, Selection};
use kubeconfig::Source;
use renew::Renewal;

/// So that a connection that cannot be made is told from an answer that does not come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A server, who one is there, and where that was said.
#[derive(Clone)]
pub(crate) struct Connection {
    /// Its URL (with the workspace, on kcp), credentials and certificates.
    pub(crate) config: Config,
    /// The files it is from.
    pub(crate) origin: Origin,
    /// The context, unless it is the pod's service account.
    pub(crate) context: Option<String>,
    renewal: Option<Arc<Renewal>>,
}

impl Connection {
    /// A client, which repeats nothing by itself: that would hide what happened to a write, and for how long. It sets no
    /// time limits but the one for connecting: a watch is long, so each request has its own. Credentials that the server
    /// no longer accepts are read again. To be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// When the credentials or certificates cannot be read.
    pub(crate) fn client(&self) -> Result<Client, ClientError> {
        let client = client(&self.config)?;
        let Some(renewal) = &self.renewal else { return Ok(client) };
        Ok(renew::renewing(client, self.config.cluster_url.clone(), Arc::clone(renewal)))
    }

    /// The same credentials and certificates at another base URL: a virtual workspace of kcp.
    ///
    /// # Errors
    ///
    /// When the URL is none.
    pub(crate) fn at(&self, url: &str) -> Result<Self, ClientError> {
        let mut connection = self.clone();
        connection.config.cluster_url = parse(url)?;
        Ok(connection)
    }

    /// The same server and credentials, in another workspace of kcp.
    ///
    /// # Errors
    ///
    /// When that makes no URL.
    pub(crate) fn in_workspace(&self, workspace: &str) -> Result<Self, ClientError> {
        let mut connection = self.clone();
        connection.config.cluster_url = workspace_url(&self.config.cluster_url, workspace)?;
        Ok(connection)
    }

    /// The workspace of kcp that the URL names; empty if it names none.
    pub(crate) fn workspace(&self) -> &str {
        self.config.cluster_url.path().split_once("/clusters/").map_or("", |(_, path)| path.trim_end_matches('/'))
    }

    /// The namespace of the pod, if the configuration is that of a pod.
    pub(crate) fn pod_namespace(&self) -> Option<&str> {
        (self.origin == Origin::InCluster).then_some(&*self.config.default_namespace)
    }

    /// Without a kubeconfig.
    #[cfg(test)]
    pub(crate) fn bare(config: Config) -> Self {
        Self { config, origin: Origin::Files(Vec::new()), context: None, renewal: None }
    }
}

/// Without credentials.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, origin, context, .. } = self;
        write!(f, "{} (context {context:?} of {origin})", config.cluster_url)
    }
}

/// The connections of all roles.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    /// The Kubernetes cluster, or kcp's edge service provider workspace.
    pub(crate) espw: Connection,
    /// kcp's workspace `root`. Of no use on Kubernetes.
    pub(crate) root: Connection,
}

impl Connections {
    /// Reads kubeconfigs, and no more than that: nothing is connected to.
    ///
    /// # Errors
    ///
    /// When a kubeconfig, or what is selected from it, does not exist or cannot be used.
    pub(crate) async fn load(args: &SchedulerArgs, environment: &Environment) -> Result<Self, ClientError> {
        let (espw_source, mut selection) = source(args, args.roles.espw(), environment)?;
        let context = args.place.context.clone().filter(|context| !context.is_empty());
        selection.context = selection.context.or(context);
        let espw = connect(&espw_source, &selection).await?;

        let root = root(args, &espw_source, &espw, environment).await?;
        Ok(Self { espw, root })
    }
}

/// The kubeconfig of a role: its own, or that of all.
fn source(
    args: &SchedulerArgs,
    selection: Selection,
    environment: &Environment,
) -> Result<(Source, Selection), ClientError> {
    let file = selection.kubeconfig.as_deref().or(args.kubeconfig());
    Ok((Source::find(file, environment)?, selection))
}

async fn connect(source: &Source, selection: &Selection) -> Result<Connection, ClientError> {
    let (config, context) = source.config(selection).await?;
    let origin = source.origin.clone();
    // Who one is stays, even if another context becomes the current one.
    let selection = Selection { context: context.clone(), ..selection.clone() };
    let renewal = Some(Arc::new(Renewal::new(source.again.clone(), selection, origin.clone())));
    Ok(Connection { config, origin, context, renewal })
}

/// What the flags say; else the context `root`, as kcp's own kubeconfig has it, if it is of the same server; else the
/// workspace `root` of that server as the same user.
async fn root(
    args: &SchedulerArgs,
    espw_source: &Source,
    espw: &Connection,
    environment: &Environment,
) -> Result<Connection, ClientError> {
    const ROOT: &str = "root";
    let mut named = args.roles.root();
    if named.is_empty() {
        if espw_source.has_context(ROOT) {
            let selection = Selection { context: Some(ROOT.into()), ..Selection::default() };
            // A broken context that nobody asked for is no reason to fail.
            if let Ok(root) = connect(espw_source, &selection).await
                && (root.config.cluster_url.scheme(), root.config.cluster_url.authority())
                    == (espw.config.cluster_url.scheme(), espw.config.cluster_url.authority())
            {
                return Ok(root);
            }
        }
        return espw.in_workspace(ROOT);
    }
    let own_file = named.kubeconfig.is_some();
    let (source, _) = source(args, named.clone(), environment)?;
    let told = named.context.is_some() || named.cluster.is_some();
    if named.context.is_none() && source.has_context(ROOT) {
        named.context = Some(ROOT.into());
    } else if named.context.is_none() && !own_file {
        named.context = espw.context.clone();
    }
    let known = told || named.context.as_deref() == Some(ROOT);
    let connection = connect(&source, &named).await?;
    if known { Ok(connection) } else { connection.in_workspace(ROOT) }
}

/// `https://host/prefix/clusters/root:espw` → `https://host/prefix/clusters/<workspace>`.
fn workspace_url(url: &Uri, workspace: &str) -> Result<Uri, ClientError> {
    let text = url.to_string();
    let server = text.split_once("/clusters/").map_or(&*text, |(server, _)| server).trim_end_matches('/');
    parse(&format!("{server}/clusters/{workspace}"))
}

fn parse(url: &str) -> Result<Uri, ClientError> {
    let error = |reason: String| ClientError::Url { url: url.to_owned(), reason };
    let uri: Uri = url.parse().map_err(|reason: http::uri::InvalidUri| error(reason.to_string()))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err(error("expected https://HOST[:PORT][/PATH]".into()));
    }
    Ok(uri)
}

/// A client that does not renew its credentials.
fn client(config: &Config) -> Result<Client, ClientError> {
    let mut config = config.clone();
    config.default_retry = false;
    // One for connections would end watches too.
    (config.read_timeout, config.write_timeout) = (None, None);
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    let agent = HeaderValue::from_static(concat!("edge-kube/", env!("CARGO_PKG_VERSION")));
    config.headers.retain(|(name, _)| *name != header::USER_AGENT);
    config.headers.push((header::USER_AGENT, agent));
    let url = config.cluster_url.to_string();
    Client::try_from(config).map_err(|error| ClientError::Client { url, reason: causes(&error) })
}
