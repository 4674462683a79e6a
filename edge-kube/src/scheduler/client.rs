//! Clients of API servers, from flags and kubeconfigs.
//!
//! ```text
//!  flags, $KUBECONFIG ──► Connections::espw, root ──► watching / requesting ──► at(config, url) ──► Client
//! ```
//!
//! A client has a pool of connections of its own. There is one for each base URL, so one for each APIExport and shard: few.
//! **Don't make one for each workspace**: a request to `/clusters/<cluster>/apis/…` below the base URL of a virtual
//! workspace goes through the one client of that URL, as `Client::request` takes any path.

mod kubeconfig;
#[cfg(test)]
mod tests;

pub(crate) use kubeconfig::{Environment, Origin};

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderValue, Uri, header};
use kube::config::KubeconfigError;
use kube::{Client, Config};

use super::flags::{SchedulerArgs, Selection};
use kubeconfig::Source;

/// The longest that the server may be asked to keep a watch open: quiet ones end by themselves before the reading
/// timeout of [`watching`] ends them.
pub(crate) const WATCH_TIMEOUT: Duration = Duration::from_secs(230);

/// A bit more than [`WATCH_TIMEOUT`]. It also ends a list whose connection is dead.
const WATCH_READ_TIMEOUT: Duration = Duration::from_secs(245);

/// The longest silence of a server that is to answer a single request.
const REQUEST_READ_TIMEOUT: Duration = Duration::from_secs(25);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// A file cannot be read.
    #[error("cannot read the kubeconfig {}: {error}", .file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// No kubeconfig, and not in a pod.
    #[error(
        "no API server to talk to: {looked}, and this is not a pod; set $KUBECONFIG, or use --kubeconfig FILE, or --dir IN \
         --out OUT to work on a folder"
    )]
    NoKubeconfig {
        /// What was looked for.
        looked: String,
    },
    /// A kubeconfig that is wrong.
    #[error("the kubeconfig {origin} cannot be used: {reason}")]
    Invalid {
        /// The file or files.
        origin: String,
        /// What is wrong.
        reason: String,
    },
    /// No current context.
    #[error(
        "the kubeconfig {origin} has no current context; use --context NAME, or kubectl config use-context NAME (contexts: {there})"
    )]
    NoCurrentContext {
        /// The file or files.
        origin: String,
        /// What there is.
        there: String,
    },
    /// What was selected does not exist.
    #[error("the kubeconfig {origin} has no {what} {name:?} (there is: {there})")]
    NoEntry {
        /// context, cluster or user.
        what: &'static str,
        /// Which.
        name: String,
        /// The file or files.
        origin: String,
        /// What there is.
        there: String,
    },
    /// A context was named, but there is no kubeconfig.
    #[error(
        "{name:?} is to be taken from a kubeconfig, but there is none, only the service account of the pod; use --kubeconfig FILE"
    )]
    NoEntries {
        /// What was named.
        name: String,
    },
    /// A pod without a usable service account.
    #[error("the service account of the pod cannot be used: {reason}; is automountServiceAccountToken off?")]
    InCluster {
        /// Why.
        reason: String,
    },
    /// A URL that is none.
    #[error("the server's URL {url:?} is not valid: {reason}")]
    Url {
        /// Which.
        url: String,
        /// Why.
        reason: String,
    },
    /// Credentials, certificates or proxies that cannot be used.
    #[error("cannot make a client for {url}: {reason}")]
    Client {
        /// The server.
        url: String,
        /// Why.
        reason: String,
    },
}

impl ClientError {
    /// A parser quotes what it could not read, and that may be a token: of its message only the place is told.
    fn invalid(origin: impl Into<Named>, error: &KubeconfigError) -> Self {
        let reason = match error {
            KubeconfigError::Parse(error) => match error.location() {
                Some(at) => format!("line {}, column {}: this is not a kubeconfig in YAML", at.line(), at.column()),
                None => "this is not a kubeconfig in YAML".into(),
            },
            other => other.to_string(),
        };
        Self::Invalid { origin: origin.into().0, reason }
    }
}

struct Named(String);

impl From<&Path> for Named {
    fn from(path: &Path) -> Self {
        Self(path.display().to_string())
    }
}

impl From<&PathBuf> for Named {
    fn from(path: &PathBuf) -> Self {
        Self(path.display().to_string())
    }
}

impl From<&Origin> for Named {
    fn from(origin: &Origin) -> Self {
        Self(origin.to_string())
    }
}

/// A server, who one is there, and where that was said.
#[derive(Clone)]
pub(crate) struct Connection {
    /// Its URL (with the workspace, on kcp), credentials and certificates. To be tuned by [`watching`] or [`requesting`].
    pub(crate) config: Config,
    /// The files it is from.
    pub(crate) origin: Origin,
    /// The context, unless it is the pod's service account.
    pub(crate) context: Option<String>,
}

impl Connection {
    /// The namespace of the pod, if the configuration is that of a pod.
    pub(crate) fn pod_namespace(&self) -> Option<&str> {
        (self.origin == Origin::InCluster).then_some(&*self.config.default_namespace)
    }
}

/// Without credentials.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, origin, context } = self;
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
    /// All of kcp's workspaces, if flags name that role.
    pub(crate) base: Option<Connection>,
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
        let base = args.roles.base();
        let base = if base.is_empty() {
            None
        } else {
            let (source, selection) = source(args, base, environment)?;
            Some(connect(&source, &selection).await?)
        };
        Ok(Self { espw, root, base })
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
    Ok(Connection { config, origin: source.origin.clone(), context })
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
        return in_workspace(espw, ROOT);
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
    if known { Ok(connection) } else { in_workspace(&connection, ROOT) }
}

/// The same server and credentials, in another workspace of kcp.
///
/// # Errors
///
/// When that makes no URL.
pub(crate) fn in_workspace(connection: &Connection, workspace: &str) -> Result<Connection, ClientError> {
    let mut connection = connection.clone();
    connection.config.cluster_url = workspace_url(&connection.config.cluster_url, workspace)?;
    Ok(connection)
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

/// For lists and watches: a silent connection ends after a while, and nothing is retried behind the caller's back.
#[must_use]
pub(crate) fn watching(config: &Config) -> Config {
    tuned(config, WATCH_READ_TIMEOUT)
}

/// For single requests, reads and writes: each ends after a silence of 25 s.
///
/// The library would repeat a 429, 503 or 504 up to 15 times, also when nobody knows whether the write took effect, and
/// would say nothing of it for minutes. Who asks decides what is tried again.
#[must_use]
pub(crate) fn requesting(config: &Config) -> Config {
    tuned(config, REQUEST_READ_TIMEOUT)
}

fn tuned(config: &Config, read_timeout: Duration) -> Config {
    let mut config = config.clone();
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(read_timeout);
    config.write_timeout = Some(REQUEST_READ_TIMEOUT);
    // A connection that idled in the pool must not have used up its time.
    config.reset_reader_on_write = true;
    config.default_retry = false;
    let agent = HeaderValue::from_static(concat!("edge-kube/", env!("CARGO_PKG_VERSION")));
    config.headers.retain(|(name, _)| *name != header::USER_AGENT);
    config.headers.push((header::USER_AGENT, agent));
    config
}

/// A client for another base URL with the same credentials and certificates: a virtual workspace of kcp, with or without
/// `/clusters/*`. To be called inside a Tokio runtime.
///
/// # Errors
///
/// When the URL is none, or the credentials cannot be read.
pub(crate) fn at(config: &Config, url: &str) -> Result<Client, ClientError> {
    let mut config = config.clone();
    config.cluster_url = parse(url)?;
    client(&config)
}

/// A client for the configuration's own URL. To be called inside a Tokio runtime.
///
/// # Errors
///
/// When the credentials or certificates cannot be read.
pub(crate) fn client(config: &Config) -> Result<Client, ClientError> {
    let url = config.cluster_url.to_string();
    Client::try_from(config.clone()).map_err(|error| ClientError::Client { url, reason: error.to_string() })
}

/// An error and all that it came from: the outermost alone says `error trying to connect`.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}
