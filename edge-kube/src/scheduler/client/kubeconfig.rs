//! Finds and reads kubeconfig files by kubectl's rules.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::ClientError;
use crate::scheduler::flags::Selection;

/// What of the process's environment says where the API server is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    /// `$KUBECONFIG`: a list of files.
    pub(crate) kubeconfig: Option<OsString>,
    /// `$HOME`.
    pub(crate) home: Option<PathBuf>,
    /// Whether this is a pod: `$KUBERNETES_SERVICE_HOST` is set.
    pub(crate) in_cluster: bool,
}

impl Environment {
    /// That of this process.
    pub(crate) fn current() -> Self {
        Self {
            kubeconfig: env::var_os("KUBECONFIG").filter(|value| !value.is_empty()),
            home: env::var_os("HOME").map(PathBuf::from),
            in_cluster: env::var_os("KUBERNETES_SERVICE_HOST").is_some_and(|value| !value.is_empty()),
        }
    }
}

/// Where a configuration came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// These kubeconfig files, merged.
    Files(Vec<PathBuf>),
    /// The service account of the pod.
    InCluster,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(files) => {
                let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
                f.write_str(&files.join(", "))
            }
            Self::InCluster => f.write_str("the service account of the pod"),
        }
    }
}

/// A kubeconfig and its files; `None` stands for the pod's service account.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) origin: Origin,
    pub(super) kubeconfig: Option<Kubeconfig>,
    pub(super) again: Again,
}

/// Where a kubeconfig was looked for.
#[derive(Debug, Clone)]
pub(super) struct Again {
    file: Option<PathBuf>,
    environment: Environment,
}

impl Again {
    /// What is there now.
    pub(super) fn find(&self) -> Result<Source, ClientError> {
        Source::find(self.file.as_deref(), &self.environment)
    }
}

impl Source {
    /// The file that is named, else `$KUBECONFIG`, else `~/.kube/config`, else the pod.
    pub(super) fn find(file: Option<&Path>, environment: &Environment) -> Result<Self, ClientError> {
        let file = file.filter(|file| !file.as_os_str().is_empty());
        let again = Again { file: file.map(Into::into), environment: environment.clone() };
        if let Some(file) = file {
            return Self::files(vec![(file.to_owned(), read(file)?)], again);
        }
        let paths: Vec<PathBuf> = match &environment.kubeconfig {
            Some(list) => env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect(),
            None => environment.home.iter().map(|home| home.join(".kube/config")).collect(),
        };
        let mut found = Vec::new();
        for path in &paths {
            match read(path) {
                Ok(kubeconfig) => found.push((path.clone(), kubeconfig)),
                // As kubectl: a file of the list, or the default one, need not exist.
                Err(ClientError::Read { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        match (found.is_empty(), environment.in_cluster) {
            (false, _) => Self::files(found, again),
            (true, true) => Ok(Self { origin: Origin::InCluster, kubeconfig: None, again }),
            (true, false) => Err(ClientError::NoKubeconfig { looked: looked(&paths, environment) }),
        }
    }

    /// The first file that has an entry or sets a value wins.
    fn files(found: Vec<(PathBuf, Kubeconfig)>, again: Again) -> Result<Self, ClientError> {
        let (mut files, mut merged) = (Vec::new(), Kubeconfig::default());
        for (path, mut kubeconfig) in found {
            kubeconfig.current_context = kubeconfig.current_context.filter(|context| !context.is_empty());
            merged = merged.merge(kubeconfig).map_err(|error| ClientError::invalid(&path, &error))?;
            files.push(path);
        }
        Ok(Self { origin: Origin::Files(files), kubeconfig: Some(merged), again })
    }

    /// Whether there is a context of this name.
    pub(super) fn has_context(&self, name: &str) -> bool {
        self.kubeconfig.as_ref().is_some_and(|kubeconfig| kubeconfig.contexts.iter().any(|entry| entry.name == name))
    }

    /// The configuration of a context, and its name.
    pub(super) async fn config(&self, selection: &Selection) -> Result<(Config, Option<String>), ClientError> {
        let Some(kubeconfig) = &self.kubeconfig else {
            if let Some(name) = selection.context.as_ref().or(selection.cluster.as_ref()).or(selection.user.as_ref()) {
                return Err(ClientError::NoEntries { name: name.clone() });
            }
            let config = Config::incluster().map_err(|error| ClientError::InCluster { reason: error.to_string() })?;
            return Ok((config, None));
        };
        let context = self.check(kubeconfig, selection)?;
        let options = KubeConfigOptions {
            context: Some(context.clone()),
            cluster: selection.cluster.clone(),
            user: selection.user.clone(),
        };
        let mut config = Config::from_custom_kubeconfig(kubeconfig.clone(), &options)
            .await
            .map_err(|error| ClientError::invalid(&self.origin, &error))?;
        if config.cluster_url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            // It would not be used, but be in the log.
            let reason = format!("the server of context {context:?} has a user in its URL, who belongs under `users`");
            return Err(ClientError::Invalid { origin: self.origin.to_string(), reason });
        }
        if !self.names_proxy(kubeconfig, &context, selection) && is_loopback(&config.cluster_url) {
            // $HTTPS_PROXY is not for this machine itself: so it is in Go's clients.
            config.proxy_url = None;
        }
        Ok((config, Some(context)))
    }

    /// Checks that what is selected exists, and says what there is otherwise.
    fn check(&self, kubeconfig: &Kubeconfig, selection: &Selection) -> Result<String, ClientError> {
        let missing = |what: &'static str, name: &str, there: Vec<&str>| ClientError::NoEntry {
            what,
            name: name.to_owned(),
            origin: self.origin.to_string(),
            there: if there.is_empty() { "none".to_owned() } else { there.join(", ") },
        };
        let contexts = || kubeconfig.contexts.iter().map(|entry| &*entry.name).collect::<Vec<_>>();
        let Some(name) = selection.context.as_ref().or(kubeconfig.current_context.as_ref()) else {
            let there = if contexts().is_empty() { "none".into() } else { contexts().join(", ") };
            return Err(ClientError::NoCurrentContext { origin: self.origin.to_string(), there });
        };
        let context = kubeconfig.contexts.iter().find(|entry| entry.name == *name);
        let context =
            context.and_then(|entry| entry.context.as_ref()).ok_or_else(|| missing("context", name, contexts()))?;
        let cluster = selection.cluster.as_ref().unwrap_or(&context.cluster);
        if !kubeconfig.clusters.iter().any(|entry| entry.name == *cluster) {
            let there = kubeconfig.clusters.iter().map(|entry| &*entry.name).collect();
            return Err(missing("cluster", cluster, there));
        }
        // A context without a user is an anonymous one.
        let user = selection.user.as_ref().or(context.user.as_ref()).filter(|user| !user.is_empty());
        if let Some(user) = user.filter(|user| !kubeconfig.auth_infos.iter().any(|entry| entry.name == **user)) {
            let there = kubeconfig.auth_infos.iter().map(|entry| &*entry.name).collect();
            return Err(missing("user", user, there));
        }
        Ok(name.clone())
    }

    fn names_proxy(&self, kubeconfig: &Kubeconfig, context: &str, selection: &Selection) -> bool {
        let context =
            kubeconfig.contexts.iter().find(|entry| entry.name == context).and_then(|entry| entry.context.as_ref());
        let cluster = selection.cluster.as_ref().or(context.map(|context| &context.cluster));
        let named = kubeconfig.clusters.iter().find(|entry| Some(&entry.name) == cluster);
        named.and_then(|entry| entry.cluster.as_ref()?.proxy_url.as_ref()).is_some_and(|url| !url.is_empty())
    }
}

fn looked(paths: &[PathBuf], environment: &Environment) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    match (&environment.kubeconfig, paths.is_empty()) {
        (Some(_), _) => format!("$KUBECONFIG names {}, which does not exist", paths.join(", ")),
        (None, false) => format!("$KUBECONFIG is not set, and {} does not exist", paths.join(", ")),
        (None, true) => "neither $KUBECONFIG nor $HOME is set".into(),
    }
}

fn read(path: &Path) -> Result<Kubeconfig, ClientError> {
    Kubeconfig::read_from(path).map_err(|error| match error {
        KubeconfigError::ReadConfig(error, _) => ClientError::Read { file: path.to_owned(), error },
        error => ClientError::invalid(path, &error),
    })
}

fn is_loopback(url: &http::Uri) -> bool {
    let Some(host) = url.host() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
