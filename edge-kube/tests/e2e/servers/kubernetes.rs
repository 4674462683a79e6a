//! A Kubernetes control plane: etcd, the API server, and the controllers that collect garbage.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::build::KUBERNETES;
use super::process::{Process, Program};
use super::{Login, StartError, folder, on_free_ports, wait_ready};
use crate::client::Client;
use crate::fixtures::SCHEDULER_USER;

/// Of the group that may do everything.
const ADMIN: &str = "admin-token";
/// Of the scheduler, who may do what the test gives rights for.
const SCHEDULER: &str = "scheduler-token";
/// Of the same user. The record tells them apart by their UIDs.
const SECOND_SCHEDULER: &str = "second-scheduler-token";

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
    etcd_url: String,
}

impl Kubernetes {
    /// With a record, which takes time, of all requests that would change a slice or an EdgePlacement.
    pub(crate) fn start(record: bool) -> Self {
        let binaries = KUBERNETES.binaries();
        on_free_ports(|ports| Self::start_on(&binaries, ports, record))
    }

    fn start_on(binaries: &Path, [client, peer, port]: [u16; 3], record: bool) -> Result<Self, StartError> {
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
        let mut args = prepare(&folder, &etcd, port);
        if record {
            args.extend(recording(&folder));
        }
        let api_server = run("kube-apiserver", &args, false);
        let url = format!("https://127.0.0.1:{port}");
        let admin = Client::new(&url, ADMIN);
        wait_ready(&api_server, Duration::from_secs(60), || ready(&admin))
            .map_err(|StartError(reason)| StartError(format!("{reason}{}", etcd_process.log_tail())))?;
        let kubeconfig = folder.join("admin.kubeconfig");
        Login::new(&url, &ca(&folder), ADMIN).write(&kubeconfig, &[("admin", "")]);
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
            etcd_url: etcd,
            folder,
        })
    }

    /// The user whose rights the test decides.
    pub(crate) fn scheduler_login(&self) -> Login {
        Login::new(&self.url, &ca(&self.folder), SCHEDULER)
    }

    /// The same user, who can be told apart in the record.
    pub(crate) fn second_scheduler_login(&self) -> Login {
        self.scheduler_login().by(SECOND_SCHEDULER)
    }

    /// That user by a token as a pod has it.
    pub(crate) fn service_account_login(&self) -> Login {
        let path = "/api/v1/namespaces/edge-system/serviceaccounts/edge-scheduler/token";
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let answer = self.admin.send(Method::POST, path, Some(&request)).unwrap();
        self.scheduler_login().by(answer["status"]["token"].as_str().unwrap())
    }

    /// Forgets all that was before now: whoever asks for it gets 410.
    pub(crate) fn compact(&self) {
        let etcd = Client::new(&self.etcd_url, "");
        let status = etcd.send(Method::POST, "/v3/maintenance/status", Some(&json!({}))).unwrap();
        let now = &status["header"]["revision"];
        assert!(now.is_string(), "etcd does not tell its revision: {status}");
        etcd.send(Method::POST, "/v3/kv/compaction", Some(&json!({"revision": now, "physical": true}))).unwrap();
    }

    /// The requests in the record, each with its answer's code.
    pub(crate) fn record(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.join(RECORD)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Sends a signal to the API server.
    pub(crate) fn signal(&self, name: &str) {
        self.api_server.lock().unwrap().signal(name);
    }

    /// Kills the API server, at once and without a farewell.
    pub(crate) fn kill(&self) {
        self.signal("KILL");
        self.api_server.lock().unwrap().wait(Duration::from_secs(10));
    }

    /// Starts the API server again, after it was killed.
    pub(crate) fn restart(&self) {
        let mut process = self.api_server.lock().unwrap();
        let path = self.binaries.join("kube-apiserver");
        let (name, folder) = ("kube-apiserver", &*self.folder);
        let program = Program { name, path: &path, args: &self.args, env: &[], folder, removes_folder: false };
        process.start_again(&program);
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
    let schedulers = format!("{SCHEDULER},{SCHEDULER_USER},first\n{SECOND_SCHEDULER},{SCHEDULER_USER},second\n");
    fs::write(&tokens, format!("{ADMIN},admin,1,system:masters\n{schedulers}")).unwrap();
    // The server makes this key pair for TLS; it serves for service accounts too.
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

/// The audit log, as Kubernetes calls it.
const RECORD: &str = "record.log";

/// Arguments for a record of what is asked for, written before the answer.
fn recording(folder: &Path) -> [String; 3] {
    let policy = folder.join("record-policy.json");
    let ours = json!({"group": "edge.kcp.io", "resources": ["singleplacementslices", "edgeplacements/status"]});
    let rules = json!([
        {"level": "Request", "verbs": ["create", "update", "patch", "delete"], "resources": [ours]},
        {"level": "None"},
    ]);
    let text = json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": rules,
    });
    fs::write(&policy, text.to_string()).unwrap();
    [
        format!("--audit-policy-file={}", policy.display()),
        format!("--audit-log-path={}", folder.join(RECORD).display()),
        "--audit-log-mode=blocking".into(),
    ]
}

/// The API server's own certificate, which is its CA too, as a kubeconfig wants it.
fn ca(folder: &Path) -> String {
    base64(&fs::read(folder.join("certs/apiserver.crt")).unwrap())
}

pub(crate) fn base64(bytes: &[u8]) -> String {
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
