//! What a test runs in: a server, clusters of its own on it, and schedulers.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cluster::{API_BINDING, Cluster, EDGE_PLACEMENT, LOCATION, SLICE, SYNC_TARGET, name};
use crate::fixtures::{self, Schema};
use crate::oracle::World;
use crate::proxy::Proxy;
use crate::scheduler::Scheduler;
use crate::servers::{self, Held, Kcp, Kubernetes, Login, tail};
use crate::turn::{Sharing, Turn};
use crate::workspace;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    Kcp011,
    Kcp022,
    Kubernetes,
}

enum Server {
    Kcp(Held<Kcp>),
    Kubernetes(Held<Kubernetes>),
}

pub(crate) struct Env {
    pub(crate) flavor: Flavor,
    /// The value of the label `world` of all that others could mix up with theirs.
    pub(crate) tag: String,
    /// Where the export is; on Kubernetes the only cluster.
    pub(crate) provider: Cluster,
    provider_path: String,
    pub(crate) kubeconfig: PathBuf,
    clusters: RefCell<Vec<Cluster>>,
    server: Server,
    folder: TempDir,
    logs: RefCell<Vec<PathBuf>>,
    /// The scheduler's limit, for the oracle.
    pub(crate) max: Cell<usize>,
    turn: Option<Turn>,
}

/// How long a scheduler may take to do what the tests ask for, on a machine that is busy.
const LIMIT: Duration = Duration::from_secs(60);

impl Env {
    /// An environment with the APIs installed, in a provider workspace named after the test.
    pub(crate) fn new(flavor: Flavor, tag: &str) -> Self {
        let env = Self::bare(flavor, tag, &format!("root:{tag}"), &Sharing::Labelled);
        env.install(Schema::Ours);
        env
    }

    /// An environment with the provider workspace, but no API yet.
    pub(crate) fn bare(flavor: Flavor, tag: &str, provider: &str, sharing: &Sharing) -> Self {
        let server = match flavor {
            Flavor::Kcp011 => Server::Kcp(Held::Shared(servers::kcp_0_11())),
            Flavor::Kcp022 => Server::Kcp(Held::Shared(servers::kcp_0_22())),
            Flavor::Kubernetes => Server::Kubernetes(Held::Shared(servers::kubernetes())),
        };
        Self::on(flavor, server, tag, provider, Some(Turn::take(flavor, sharing)))
    }

    /// An environment with the APIs installed, on a server of its own, which the test may do anything to. Its scheduler reaches
    /// it through the proxy, and has the rights that `edge-kube manifests rbac` prints.
    pub(crate) fn own(flavor: Flavor, tag: &str, proxy: &Proxy) -> Self {
        let server = match flavor {
            Flavor::Kcp011 => panic!("one kcp has to do: a server of one's own takes a minute"),
            Flavor::Kcp022 => Server::Kcp(Held::Own(Box::new(servers::own_kcp_0_22(proxy)))),
            Flavor::Kubernetes => Server::Kubernetes(Held::Own(Box::new(servers::own_kubernetes()))),
        };
        let env = Self::on(flavor, server, tag, &format!("root:{tag}"), None);
        env.install(Schema::Ours);
        env.grant();
        let login = env.scheduler_login();
        let port = login.url.rsplit(':').next().unwrap().parse().unwrap();
        env.write_kubeconfig("kubeconfig", &login.at(proxy.leads_to(port)));
        env
    }

    fn on(flavor: Flavor, server: Server, tag: &str, provider_path: &str, turn: Option<Turn>) -> Self {
        // Inside the server's: that one is removed even when the test process is killed.
        let folder = match &server {
            Server::Kcp(kcp) => kcp.folder(),
            Server::Kubernetes(kubernetes) => kubernetes.folder(),
        };
        let folder = tempfile::Builder::new().prefix("test-").tempdir_in(folder).unwrap();
        let (provider, login, log) = match &server {
            Server::Kcp(kcp) => (workspace::workspace(kcp, provider_path), kcp.admin_login(), kcp.log_file()),
            Server::Kubernetes(kubernetes) => {
                let cluster = Cluster::kubernetes(&kubernetes.admin);
                fixtures::grant(&cluster, "kubernetes");
                (cluster, kubernetes.scheduler_login(), kubernetes.log_file())
            }
        };
        let mut env = Self {
            flavor,
            tag: tag.into(),
            clusters: RefCell::new(vec![provider.clone()]),
            provider,
            provider_path: provider_path.into(),
            kubeconfig: PathBuf::new(),
            server,
            folder,
            logs: RefCell::new(vec![log]),
            max: Cell::new(1000),
            turn,
        };
        env.kubeconfig = env.write_kubeconfig("kubeconfig", &login);
        env
    }

    /// Writes a kubeconfig as `kubectl ws` leaves it on kcp: the provider workspace is the current context, beside those of
    /// kcp's own file. On Kubernetes it has one context.
    pub(crate) fn write_kubeconfig(&self, name: &str, login: &Login) -> PathBuf {
        let path = self.folder.path().join(name);
        let provider = format!("/clusters/{}", self.provider_path);
        match self.server {
            Server::Kcp(_) => {
                let contexts = [("workspace.kcp.io/current", &*provider), ("root", "/clusters/root"), ("base", "")];
                login.write(&path, &contexts);
            }
            Server::Kubernetes(_) => login.write(&path, &[("edge", "")]),
        }
        path
    }

    /// Who has the rights that `edge-kube manifests rbac` prints: the service account on Kubernetes, a user on kcp.
    pub(crate) fn scheduler_login(&self) -> Login {
        match &self.server {
            Server::Kcp(kcp) => kcp.scheduler_login(),
            Server::Kubernetes(kubernetes) => kubernetes.service_account_login(),
        }
    }

    /// Applies what `edge-kube manifests rbac` prints.
    pub(crate) fn grant(&self) {
        match self.flavor {
            Flavor::Kubernetes => fixtures::grant(&self.provider, "kubernetes"),
            Flavor::Kcp022 => fixtures::grant(&self.provider, "kcp"),
            Flavor::Kcp011 => {
                fixtures::grant(&self.provider, "kcp");
                fixtures::grant(&self.root(), "kcp-root");
            }
        }
    }

    /// Installs the APIs in the provider workspace, or in the cluster.
    pub(crate) fn install(&self, schema: Schema) {
        if self.flavor == Flavor::Kubernetes {
            return fixtures::install_crds(&self.provider);
        }
        // kcp 0.11 has Locations and SyncTargets of its own.
        let kinds = if self.flavor == Flavor::Kcp011 { "edge" } else { "all" };
        for document in fixtures::kcp_export(kinds, schema) {
            self.provider.apply(&document);
        }
    }

    /// A cluster for objects of this test: on kcp a workspace, made if it is not there; a path, or a name under `root`.
    pub(crate) fn workspace(&self, path: &str) -> Cluster {
        let Server::Kcp(kcp) = &self.server else { return self.provider.clone() };
        let path = if path.contains(':') { path.to_owned() } else { format!("root:{}-{path}", self.tag) };
        let cluster = workspace::workspace(kcp, &path);
        self.clusters.borrow_mut().push(cluster.clone());
        cluster
    }

    /// The admin's home workspace, `~`, with the export's APIs.
    pub(crate) fn home(&self) -> Cluster {
        let Server::Kcp(kcp) = &self.server else { return self.provider.clone() };
        let cluster = workspace::home(kcp);
        self.clusters.borrow_mut().push(cluster.clone());
        self.bind(&cluster);
        cluster
    }

    /// Deletes a workspace of this test that was made by its name under `root`; it is left out from then on.
    pub(crate) fn delete_workspace(&self, path: &str, cluster: &Cluster) {
        if let Server::Kcp(kcp) = &self.server {
            workspace::delete(kcp, &format!("root:{}-{path}", self.tag));
            self.clusters.borrow_mut().retain(|other| other.name != cluster.name);
        }
    }

    /// A cluster that has the export's APIs.
    pub(crate) fn bound(&self, path: &str) -> Cluster {
        let cluster = self.workspace(path);
        self.bind(&cluster);
        cluster
    }

    /// A cluster for Locations and SyncTargets.
    pub(crate) fn inventory(&self, path: &str) -> Cluster {
        // kcp 0.11 gives these two kinds to each workspace.
        if self.flavor == Flavor::Kcp011 { self.workspace(path) } else { self.bound(path) }
    }

    /// Binds the export's APIs, as users do.
    pub(crate) fn bind(&self, cluster: &Cluster) {
        if self.flavor == Flavor::Kubernetes {
            return;
        }
        let binding = fixtures::kcp_binding(&self.provider_path);
        let name = name(&binding);
        if let Some(bound) = cluster.get(API_BINDING, name) {
            if bound["spec"]["reference"] == binding["spec"]["reference"] {
                return;
            }
            cluster.delete(API_BINDING, name);
            self.wait("the end of the former APIBinding", || gone(cluster.get(API_BINDING, name).as_ref()));
        }
        cluster.apply(&binding);
        self.wait("the APIBinding to be bound", || {
            let binding = cluster.get(API_BINDING, name).unwrap_or_default();
            if binding["status"]["phase"] == "Bound" { Ok(()) } else { Err(binding["status"].to_string()) }
        });
    }

    /// Starts a scheduler that does not take part in an election.
    pub(crate) fn scheduler(&self, args: &[&str]) -> Scheduler {
        self.scheduler_as_told(&[&["--leader-elect=false"], args].concat())
    }

    /// Starts a scheduler with these flags and the address to listen on.
    pub(crate) fn scheduler_as_told(&self, args: &[&str]) -> Scheduler {
        self.scheduler_with(&self.kubeconfig, args)
    }

    /// Starts a scheduler with another kubeconfig.
    pub(crate) fn scheduler_with(&self, kubeconfig: &Path, args: &[&str]) -> Scheduler {
        let number = self.logs.borrow().len();
        // Where its rights allow a Lease.
        let namespace = "--leader-elect-resource-namespace=edge-system";
        let more: &[&str] = if self.flavor == Flavor::Kubernetes { &[namespace] } else { &[] };
        let scheduler = Scheduler::start(self.folder.path(), number, kubeconfig, &[args, more].concat());
        self.logs.borrow_mut().push(scheduler.log_file());
        scheduler
    }

    /// Starts a scheduler and waits until it is ready.
    pub(crate) fn ready_scheduler(&self, args: &[&str]) -> Scheduler {
        let scheduler = self.scheduler(args);
        scheduler.wait_ready();
        scheduler
    }

    /// What the server has at this moment.
    pub(crate) fn world(&self) -> World {
        World::read(&self.clusters()).unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Each cluster of the test once.
    fn clusters(&self) -> Vec<Cluster> {
        let mut clusters = self.clusters.borrow().clone();
        clusters.sort_by(|a, b| a.name.cmp(&b.name));
        clusters.dedup_by(|a, b| a.name == b.name);
        clusters
    }

    /// Waits until all slices are as the oracle says.
    pub(crate) fn settle(&self) {
        self.settle_within(LIMIT);
    }

    pub(crate) fn settle_within(&self, limit: Duration) {
        self.wait_for("the slices to be right", limit, || World::read(&self.clusters())?.check(self.max.get()));
    }

    /// Waits until the status of all EdgePlacements tells what is there.
    pub(crate) fn settle_status(&self) {
        self.wait("the status of all EdgePlacements to be right", || {
            let world = World::read(&self.clusters())?;
            for (cluster, placement) in &world.placements {
                world.check_status(cluster, placement)?;
            }
            Ok(())
        });
    }

    /// Tries again and again; after a minute, fails with the last reason and the ends of all logs.
    pub(crate) fn wait<T>(&self, what: &str, attempt: impl FnMut() -> Result<T, String>) -> T {
        self.wait_for(what, LIMIT, attempt)
    }

    pub(crate) fn wait_for<T>(&self, what: &str, limit: Duration, mut attempt: impl FnMut() -> Result<T, String>) -> T {
        let begin = Instant::now();
        loop {
            match attempt() {
                Ok(value) => return value,
                Err(reason) if begin.elapsed() > limit || self.scheduler_failed() => {
                    panic!("waited {:?} for {what}, but: {reason}\n{}", begin.elapsed(), self.logs());
                }
                Err(_) => thread::sleep(Duration::from_millis(30)),
            }
        }
    }

    /// Whether a scheduler ended by itself, and not well.
    fn scheduler_failed(&self) -> bool {
        let logs = self.logs.borrow();
        let code = |log: &PathBuf| fs::read_to_string(log.with_extension("exit")).ok()?.trim().parse().ok();
        // Above 128: killed by a signal, by the test.
        logs.iter().skip(1).filter_map(code).any(|code: u8| (1..128).contains(&code))
    }

    /// The ends of the logs of the server and of the schedulers.
    pub(crate) fn logs(&self) -> String {
        let file = |log: &PathBuf| tail(&Path::new(log.file_name().unwrap()).to_string_lossy(), log);
        self.logs.borrow().iter().map(file).collect()
    }

    /// The workspace `root`, where it is kcp.
    pub(crate) fn root(&self) -> Cluster {
        match &self.server {
            Server::Kcp(kcp) => Cluster::kcp(&kcp.admin, "root"),
            Server::Kubernetes(_) => panic!("not on Kubernetes"),
        }
    }

    /// The server, where it is Kubernetes.
    pub(crate) fn kubernetes(&self) -> &Kubernetes {
        match &self.server {
            Server::Kubernetes(kubernetes) => kubernetes,
            Server::Kcp(_) => panic!("not on kcp"),
        }
    }

    /// Whether the server ends with this test.
    fn is_own(&self) -> bool {
        self.turn.is_none()
    }

    /// Whether no other test's objects are in what a scheduler of this one sees.
    pub(crate) fn sees_its_own_only(&self) -> bool {
        // Locations and SyncTargets of kcp 0.11 are seen everywhere.
        self.flavor != Flavor::Kcp011 || self.is_own()
    }

    /// The processes that make up the server.
    pub(crate) fn server_process_ids(&self) -> Vec<String> {
        match &self.server {
            Server::Kcp(kcp) => kcp.process_ids(),
            Server::Kubernetes(kubernetes) => kubernetes.process_ids(),
        }
    }

    /// The labels that keep objects of this test apart, and one more.
    pub(crate) fn labels(&self, key: &str, value: &str) -> Value {
        json!({"world": self.tag, key: value})
    }

    /// A list of one `locationSelectors` entry that selects the Locations of this test with one more label.
    pub(crate) fn selectors(&self, key: &str, value: &str) -> Value {
        json!([{"matchLabels": self.labels(key, value)}])
    }
}

impl Drop for Env {
    fn drop(&mut self) {
        if self.is_own() {
            return;
        }
        // Other tests must not find what this one leaves: Locations and SyncTargets of kcp 0.11 are seen everywhere.
        for cluster in self.clusters() {
            // kcp 0.11 makes the Location `default` for the first SyncTarget of a workspace, and not a second time.
            let kept = if self.flavor == Flavor::Kcp011 { "?fieldSelector=metadata.name!=default" } else { "" };
            for (resource, filter) in [(SYNC_TARGET, ""), (LOCATION, kept), (EDGE_PLACEMENT, ""), (SLICE, "")] {
                let _ = cluster.delete_all(resource, filter);
            }
        }
    }
}

/// For [`Env::wait`]: that an object is gone.
pub(crate) fn gone(object: Option<&Value>) -> Result<(), String> {
    object.map_or(Ok(()), |object| Err(format!("it is still there: {object}")))
}
