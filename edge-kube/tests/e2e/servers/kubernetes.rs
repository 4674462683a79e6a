//! A Kubernetes control plane: etcd, the API server, and the controllers that collect garbage.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use http::Method;

use super::build::KUBERNETES;
use super::process::{Process, Program};
use super::{Context, StartError, folder, on_free_ports, wait_ready, write_kubeconfig};
use crate::client::Client;
use crate::fixtures::SCHEDULER_USER;

/// Of the group that may do everything.
const ADMIN: &str = "admin-token";
/// Of the scheduler, who may do what the test gives rights for.
const SCHEDULER: &str = "scheduler-token";

/// A running control plane.
pub(crate) struct Kubernetes {
    pub(crate) url: String,
    pub(crate) admin: Client,
    folder: PathBuf,
    binaries: PathBuf,
    args: Vec<String>,
    // In the order in which they end.
    _controllers: Process,
    api_server: Mutex<Process>,
    etcd: Process,
}

impl Kubernetes {
    pub(crate) fn start() -> Self {
        let binaries = KUBERNETES.binaries();
        on_free_ports(|ports| Self::start_on(&binaries, ports))
    }

    fn start_on(binaries: &Path, [client, peer, port]: [u16; 3]) -> Result<Self, StartError> {
        let folder = folder("kubernetes");
        let run = |name: &str, args: &[String], removes_folder| {
            let path = binaries.join(name);
            Process::spawn(&Program { name, path: &path, args, env: &[], folder: &folder, removes_folder })
        };
        let etcd = format!("http://127.0.0.1:{client}");
        let etcd_args = [
            format!("--data-dir={}", folder.join("etcd").display()),
            format!("--listen-client-urls={etcd}"),
            format!("--advertise-client-urls={etcd}"),
            format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
            // Nothing has to survive the machine.
            "--unsafe-no-fsync".into(),
            // The default, 2 GB, is less than a measurement of large worlds writes between two compactions.
            "--quota-backend-bytes=8589934592".into(),
        ];
        let etcd_process = run("etcd", &etcd_args, true);
        let args = prepare(&folder, &etcd, port);
        let api_server = run("kube-apiserver", &args, false);
        let url = format!("https://127.0.0.1:{port}");
        let admin = Client::new(&url, ADMIN);
        wait_ready(&api_server, Duration::from_secs(60), || ready(&admin))
            .map_err(|StartError(reason)| StartError(format!("{reason}{}", etcd_process.log_tail())))?;
        let kubeconfig = folder.join("admin.kubeconfig");
        write_kubeconfig(&kubeconfig, &ca(&folder), &[Context { name: "admin", server: &url, token: ADMIN }]);
        let controllers_args = [
            format!("--kubeconfig={}", kubeconfig.display()),
            "--controllers=garbage-collector-controller,namespace-controller".into(),
            "--leader-elect=false".into(),
            "--bind-address=127.0.0.1".into(),
            // Its own port is of no use here, and the default one may be taken.
            "--secure-port=0".into(),
        ];
        let controllers = run("kube-controller-manager", &controllers_args, false);
        Ok(Self {
            url,
            admin,
            binaries: binaries.into(),
            args,
            _controllers: controllers,
            api_server: Mutex::new(api_server),
            etcd: etcd_process,
            folder,
        })
    }

    /// A kubeconfig for the user whose rights the test decides.
    pub(crate) fn write_kubeconfig(&self, path: &Path) {
        let context = Context { name: "edge", server: &self.url, token: SCHEDULER };
        write_kubeconfig(path, &ca(&self.folder), &[context]);
    }

    /// Sends a signal to the API server.
    pub(crate) fn signal(&self, name: &str) {
        self.api_server.lock().unwrap().signal(name);
    }

    /// Starts the API server again, after it was killed.
    pub(crate) fn restart(&self) {
        let mut process = self.api_server.lock().unwrap();
        process.wait(Duration::from_secs(10));
        let path = self.binaries.join("kube-apiserver");
        let (name, folder) = ("kube-apiserver", &*self.folder);
        *process =
            Process::spawn(&Program { name, path: &path, args: &self.args, env: &[], folder, removes_folder: false });
        if let Err(StartError(reason)) = wait_ready(&process, Duration::from_secs(60), || ready(&self.admin)) {
            panic!("{reason}");
        }
    }

    /// Goes with the server.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Of etcd and the API server.
    pub(crate) fn process_ids(&self) -> Vec<String> {
        vec![self.etcd.id().into(), self.api_server.lock().unwrap().id().into()]
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.folder.join("kube-apiserver.log")
    }
}

fn ready(admin: &Client) -> Result<(), String> {
    admin.send(Method::GET, "/readyz", None).map(|_| ()).map_err(|error| error.to_string())
}

/// Makes the files that the API server needs; its arguments.
fn prepare(folder: &Path, etcd: &str, port: u16) -> Vec<String> {
    let tokens = folder.join("tokens.csv");
    let lines = format!("{ADMIN},admin,1,system:masters\n{SCHEDULER},{SCHEDULER_USER},2\n");
    fs::write(&tokens, lines).unwrap();
    // The server makes this key pair for TLS; it serves for service accounts, of which the tests have none.
    let certs = folder.join("certs");
    let key = certs.join("apiserver.key");
    vec![
        format!("--etcd-servers={etcd}"),
        format!("--secure-port={port}"),
        "--bind-address=127.0.0.1".into(),
        "--advertise-address=127.0.0.1".into(),
        format!("--cert-dir={}", certs.display()),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!("--service-account-signing-key-file={}", key.display()),
        format!("--service-account-key-file={}", key.display()),
        format!("--token-auth-file={}", tokens.display()),
        "--authorization-mode=RBAC".into(),
        "--service-cluster-ip-range=10.0.0.0/24".into(),
        "--disable-admission-plugins=ServiceAccount".into(),
    ]
}

/// The API server's own certificate, which is its CA too, as a kubeconfig wants it.
fn ca(folder: &Path) -> String {
    base64(&fs::read(folder.join("certs/apiserver.crt")).unwrap())
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let index = usize::try_from(word >> (18 - 6 * digit) & 63).unwrap();
            text.push(if digit <= chunk.len() { char::from(ALPHABET[index]) } else { '=' });
        }
    }
    text
}
