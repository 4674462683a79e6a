use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use tempfile::TempDir;

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: SchedulerArgs,
}

/// As kcp writes it, and `kubectl ws root:espw` after it.
const KCP: &str = "
apiVersion: v1
kind: Config
current-context: workspace.kcp.io/current
clusters:
- {name: base, cluster: {server: 'https://127.0.0.1:6443'}}
- {name: root, cluster: {server: 'https://127.0.0.1:6443/clusters/root'}}
- {name: workspace.kcp.io/current, cluster: {server: 'https://127.0.0.1:6443/clusters/root:espw'}}
contexts:
- {name: base, context: {cluster: base, user: kcp-admin}}
- {name: root, context: {cluster: root, user: kcp-admin}}
- {name: workspace.kcp.io/current, context: {cluster: workspace.kcp.io/current, user: kcp-admin}}
- {name: no-cluster, context: {cluster: nowhere, user: kcp-admin}}
- {name: no-user, context: {cluster: base, user: nobody}}
users:
- {name: kcp-admin, user: {token: s3cret}}
- {name: other, user: {token: 0ther}}
";

struct Home {
    folder: TempDir,
    environment: Environment,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment { home: Some(folder.path().into()), ..Environment::default() };
        Self { folder, environment }
    }

    /// With a `~/.kube/config`.
    fn with(text: &str) -> Self {
        let home = Self::new();
        fs::create_dir(home.folder.path().join(".kube")).unwrap();
        home.file(".kube/config", text);
        home
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    async fn load(&self, line: &str) -> Result<Connections, ClientError> {
        let cli = Cli::parse_from(std::iter::once("x").chain(line.split_whitespace()));
        Connections::load(&cli.args, &self.environment).await
    }

    async fn fails(&self, line: &str, expected: &[&str]) {
        let error = self.load(line).await.unwrap_err().to_string();
        for part in expected {
            assert!(error.contains(part), "{line}: {part} is missing in: {error}");
        }
    }
}

fn url(connection: &Connection) -> String {
    connection.config.cluster_url.to_string()
}

#[tokio::test]
async fn without_flags_it_is_the_current_context_and_kcps_root() {
    let home = Home::with(KCP);
    let connections = home.load("").await.unwrap();
    assert_eq!(url(&connections.espw), "https://127.0.0.1:6443/clusters/root:espw");
    assert_eq!(url(&connections.root), "https://127.0.0.1:6443/clusters/root");
    assert_eq!(connections.root.context.as_deref(), Some("root"));
    let shown = format!("{connections:?}");
    assert!(!shown.contains("s3cret") && shown.contains("root:espw"), "{shown}");
}

#[tokio::test]
async fn each_role_has_its_overrides() {
    let home = Home::with(KCP);
    let file = home.file("own", &KCP.replace("6443", "7777"));
    let line =
        format!("--espw-cluster root --espw-user other --root-context base --base-kubeconfig {}", file.display());
    let connections = home.load(&line).await.unwrap();
    assert_eq!(url(&connections.espw), "https://127.0.0.1:6443/clusters/root");
    assert_eq!(format!("{:?}", connections.espw.config.auth_info.token), "Some(SecretBox<str>([REDACTED]))");
    assert_eq!(url(&connections.root), "https://127.0.0.1:6443/");
    let line = format!("--root-kubeconfig {} --context base", file.display());
    let connections = home.load(&line).await.unwrap();
    assert_eq!(url(&connections.espw), "https://127.0.0.1:6443/");
    assert_eq!(url(&connections.root), "https://127.0.0.1:7777/clusters/root");
}

#[tokio::test]
async fn root_is_derived_where_no_context_is_of_that_server() {
    let elsewhere = KCP.replace("https://127.0.0.1:6443/clusters/root'", "https://elsewhere:1/clusters/root'");
    let home = Home::with(&elsewhere);
    assert_eq!(url(&home.load("").await.unwrap().root), "https://127.0.0.1:6443/clusters/root");
    let home = Home::with(&KCP.replace("name: root,", "name: other,"));
    assert_eq!(url(&home.load("").await.unwrap().root), "https://127.0.0.1:6443/clusters/root");
    let user_only = home.load("--root-user other").await.unwrap();
    assert_eq!(url(&user_only.root), "https://127.0.0.1:6443/clusters/root");
}

#[tokio::test]
async fn files_of_kubeconfig_are_merged_and_the_first_one_wins() {
    let mut home = Home::new();
    let first = home.file("first", "current-context: ''\nusers:\n- {name: kcp-admin, user: {token: first}}\n");
    let second = home.file("second", KCP);
    let list = [first, home.folder.path().join("absent"), second];
    home.environment.kubeconfig = Some(std::env::join_paths(list).unwrap());
    let connections = home.load("").await.unwrap();
    assert_eq!(connections.espw.context.as_deref(), Some("workspace.kcp.io/current"), "an empty one is none");
    assert_eq!(connections.espw.origin.to_string().matches(", ").count(), 1, "the absent file is not named");
    let (source, _) = source(&Cli::parse_from(["x"]).args, Selection::default(), &home.environment).unwrap();
    let users = serde_json::to_string(&source.kubeconfig.unwrap().auth_infos).unwrap();
    assert!(users.contains("first") && !users.contains("s3cret"), "{users}");
}

#[tokio::test]
async fn errors_say_which_file_what_is_missing_and_what_to_do() {
    let home = Home::new();
    home.fails("", &["$KUBECONFIG is not set", ".kube/config", "--kubeconfig", "--dir"]).await;
    home.fails("--kubeconfig /no/such/file", &["cannot read", "/no/such/file"]).await;
    let mut home = Home::with(KCP);
    home.fails("--context nope", &[".kube/config", "context \"nope\"", "base, root"]).await;
    home.fails("--context no-cluster", &["cluster \"nowhere\"", "base, root"]).await;
    home.fails("--context no-user", &["user \"nobody\"", "kcp-admin, other"]).await;
    let empty = home.file("empty", "");
    home.fails(&format!("--kubeconfig {}", empty.display()), &["no current context", "--context", "none"]).await;
    let bad = home.file("bad", &KCP.replace("https://127", "ht tps://127"));
    home.fails(&format!("--kubeconfig {}", bad.display()), &["bad", "cluster url"]).await;
    home.environment.kubeconfig = Some(OsString::from("/gone/config"));
    home.fails("", &["$KUBECONFIG names /gone/config"]).await;
}

#[tokio::test]
async fn a_broken_file_is_located_and_not_quoted() {
    let home = Home::new();
    let file = home.file("broken", "users:\n- name: me\n  user: {token: [s3cret}\n");
    home.fails(&format!("--kubeconfig {}", file.display()), &["broken", "line 3"]).await;
    let file = home.file("typed", "users:\n- name: me\n  user: s3cret\n");
    let error = home.load(&format!("--kubeconfig {}", file.display())).await.unwrap_err().to_string();
    assert!(error.contains("line 3") && !error.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn passwords_in_urls_are_not_told() {
    let home = Home::new();
    let server = home.file("server", &KCP.replace("https://127", "https://me:s3cret@127"));
    let error = home.load(&format!("--kubeconfig {}", server.display())).await.unwrap_err().to_string();
    assert!(error.contains("users") && !error.contains("s3cret"), "{error}");
    for scheme in ["http", "socks5", "ftp"] {
        let entry = format!("server: 'https://h:1/clusters/root:espw', proxy-url: '{scheme}://me:s3cret@proxy:3128'");
        let text = KCP.replace("server: 'https://127.0.0.1:6443/clusters/root:espw'", &entry);
        let file = home.file(scheme, &text);
        let connections = home.load(&format!("--kubeconfig {}", file.display())).await.unwrap();
        let error = connections.espw.client().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("//proxy:3128") && !error.contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn what_a_credential_plugin_says_is_not_told() {
    let home = Home::new();
    for (name, script) in [("fails", "echo s3cret; exit 3"), ("rambles", "echo '{s3cret: ['")] {
        let plugin = format!(
            "exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh, args: ['-c', \"{script}\"], \
             env: [{{name: PASSWORD, value: s3cret}}]}}"
        );
        let file = home.file(name, &KCP.replace("token: s3cret", &plugin));
        let error = match home.load(&format!("--kubeconfig {}", file.display())).await {
            Err(error) => error.to_string(),
            Ok(connections) => connections.espw.client().map(|_| ()).unwrap_err().to_string(),
        };
        assert!(error.contains("credential plugin") && !error.contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn a_pod_uses_its_service_account_and_has_no_contexts() {
    let mut home = Home::new();
    home.environment.in_cluster = true;
    home.fails("--context kind", &["\"kind\"", "--kubeconfig"]).await;
    // This is no pod.
    home.fails("", &["service account"]).await;
}

#[test]
fn other_workspaces_keep_what_is_before_clusters() {
    let in_root = |url: &str| workspace_url(&url.parse().unwrap(), "root").unwrap().to_string();
    for url in ["https://h:6443", "https://h:6443/", "https://h:6443/clusters/root:espw", "https://h:6443/clusters/a/"]
    {
        assert_eq!(in_root(url), "https://h:6443/clusters/root", "{url}");
    }
    assert_eq!(in_root("https://h/kcp/clusters/x"), "https://h/kcp/clusters/root");
}

#[tokio::test]
async fn the_base_role_is_taken_and_not_needed() {
    let home = Home::with(KCP);
    let line = "--base-kubeconfig /no/such/file --base-context nope --base-cluster nope --base-user nope";
    let connections = home.load(line).await.unwrap();
    assert_eq!(url(&connections.espw), "https://127.0.0.1:6443/clusters/root:espw");
}

#[tokio::test]
async fn virtual_workspaces_are_at_any_url_and_refuse_what_is_none() {
    let connection = Connection::bare(Config::new("http://127.0.0.1:1".parse().unwrap()));
    let url = "http://h:1/services/apiexport/root/edge.kcp.io/clusters/*";
    assert!(connection.at(url).unwrap().client().is_ok());
    for url in ["", "/services", "ftp://h", "http://", "h:1"] {
        assert!(matches!(connection.at(url), Err(ClientError::Url { .. })), "{url}");
    }
}

#[test]
fn the_workspace_is_in_the_url() {
    let at = |url: &str| Connection::bare(Config::new(url.parse().unwrap()));
    for (url, workspace, other) in [
        ("https://host:6443/clusters/root:espw", "root:espw", "https://host:6443/clusters/b"),
        ("https://host:6443", "", "https://host:6443/clusters/b"),
        ("https://host/proxy/clusters/a/", "a", "https://host/proxy/clusters/b"),
    ] {
        let connection = at(url);
        assert_eq!(connection.workspace(), workspace);
        assert_eq!(super::tests::url(&connection.in_workspace("b").unwrap()), other);
    }
}
