//! kcp, with its embedded etcd.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Method;
use serde_json::Value;

use super::build::Module;
use super::process::{Process, Program};
use super::{Login, StartError, folder, on_free_ports, wait_ready};
use crate::client::Client;
use crate::proxy::Proxy;

/// Of the user `edge-scheduler`, who may do what the test gives rights for.
const SCHEDULER: &str = "edge-scheduler-token-of-kcp";

/// A running kcp.
pub(crate) struct Kcp {
    process: Process,
    folder: PathBuf,
    /// `https://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// kcp-admin.
    pub(crate) admin: Client,
    token: String,
    ca: String,
}

impl Kcp {
    /// With a proxy, the URLs of its virtual workspaces lead through that.
    pub(crate) fn start(module: &'static Module, proxy: Option<&Proxy>) -> Self {
        let kcp = module.binaries().join("kcp");
        on_free_ports(|ports| Self::start_on(module.name, &kcp, ports, proxy))
    }

    fn start_on(
        name: &'static str,
        kcp: &Path,
        [port, etcd, etcd_peer]: [u16; 3],
        proxy: Option<&Proxy>,
    ) -> Result<Self, StartError> {
        let folder = folder(name);
        let root = folder.join(".kcp");
        let url = format!("https://127.0.0.1:{port}");
        let shown = proxy.map_or_else(|| url.clone(), |proxy| proxy.leads_to(port));
        let tokens = folder.join("tokens.csv");
        fs::write(&tokens, format!("{SCHEDULER},edge-scheduler,edge-scheduler\n")).unwrap();
        let args = vec![
            "start".into(),
            format!("--root-directory={}", root.display()),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={port}"),
            // Without these kcp advertises an address that is not loopback, and its own controllers fail.
            "--external-hostname=127.0.0.1".into(),
            format!("--shard-base-url={url}"),
            format!("--shard-external-url={url}"),
            format!("--shard-virtual-workspace-url={shown}"),
            format!("--embedded-etcd-client-port={etcd}"),
            format!("--embedded-etcd-peer-port={etcd_peer}"),
            format!("--token-auth-file={}", tokens.display()),
        ];
        let program = Program { name, path: kcp, args: &args, env: &[], folder: &folder, removes_folder: true };
        let process = Process::spawn(&program);
        let Admin { token, ca } = ready_admin(&process, &root, &url)?;
        Ok(Self { process, folder, admin: Client::new(&url, &token), url, token, ca })
    }

    /// kcp-admin.
    pub(crate) fn admin_login(&self) -> Login {
        Login::new(&self.url, &self.ca, &self.token)
    }

    /// The user `edge-scheduler`.
    pub(crate) fn scheduler_login(&self) -> Login {
        self.admin_login().by(SCHEDULER)
    }

    /// Goes with the server.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn process_ids(&self) -> Vec<String> {
        vec![self.process.id().into()]
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.process.log_file()
    }
}

/// Waits until it serves its admin.
fn ready_admin(process: &Process, root: &Path, url: &str) -> Result<Admin, StartError> {
    let kubeconfig = root.join("admin.kubeconfig");
    wait_ready(process, Duration::from_secs(120), || Admin::read(&kubeconfig)?.check_ready(url))?;
    Admin::read(&kubeconfig).map_err(StartError)
}

/// What kcp's own kubeconfig says.
struct Admin {
    token: String,
    ca: String,
}

impl Admin {
    fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("no admin.kubeconfig: {error}"))?;
        let config: Value = serde_yaml::from_str(&text).map_err(|error| format!("admin.kubeconfig: {error}"))?;
        let entry = |list: &str, name: &str| {
            let mut entries = config[list].as_array().into_iter().flatten();
            entries.find(|entry| entry["name"] == name).cloned().unwrap_or_default()
        };
        let token = entry("users", "kcp-admin")["user"]["token"].as_str().map(Into::into);
        let ca = entry("clusters", "base")["cluster"]["certificate-authority-data"].as_str().map(Into::into);
        token.zip(ca).map(|(token, ca)| Self { token, ca }).ok_or_else(|| "admin.kubeconfig is incomplete".into())
    }

    fn check_ready(&self, url: &str) -> Result<(), String> {
        let client = Client::new(url, &self.token);
        client.send(Method::GET, "/readyz", None).map_err(|error| error.to_string())?;
        let workspaces = "/clusters/root/apis/tenancy.kcp.io/v1alpha1/workspaces";
        client.send(Method::GET, workspaces, None).map(|_| ()).map_err(|error| error.to_string())
    }
}
