use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

struct Server {
    admin: Admin,
    health: Arc<Health>,
}

impl Server {
    async fn start() -> Self {
        let health = Arc::new(Health::new(Duration::from_secs(30)));
        let admin = Admin::bind("127.0.0.1:0", Arc::clone(&health), Arc::new(Metrics::new())).await.unwrap();
        Self { admin, health }
    }

    /// Status line with headers, and body.
    async fn ask(&self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.admin.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_lowercase(), body.to_owned())
    }

    async fn get(&self, path: &str) -> (String, String) {
        let (head, body) = self.ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        (head.split_whitespace().nth(1).unwrap().to_owned(), body)
    }
}

fn pair(status: &str, body: &str) -> (String, String) {
    (status.into(), body.into())
}

#[tokio::test]
async fn readiness_lists_what_is_waited_for() {
    let server = Server::start().await;
    assert_eq!(server.get("/readyz").await.0, "500", "nothing has been set up yet");
    server.health.set("lease", Ok(()));
    server.health.set("sources", Err("waiting for APIExport\nedge.kcp.io".into()));
    let body = "[+]lease ok\n[-]sources failed: waiting for APIExport edge.kcp.io\nreadyz check failed\n";
    assert_eq!(server.get("/readyz").await, pair("500", body));
    server.health.note("sources", Some("one\nof two".into()));
    assert_eq!(server.get("/readyz").await, pair("200", "ok"));
    let body = "[+]lease ok\n[+]sources ok, one of two\nreadyz check passed\n";
    assert_eq!(server.get("/readyz?verbose").await, pair("200", body));
    server.health.note("sources", None);
    let body = "[+]lease ok\n[+]sources ok\nreadyz check passed\n";
    for path in ["/readyz?verbose", "/readyz?verbose=1", "/readyz?a=b&verbose"] {
        assert_eq!(server.get(path).await, pair("200", body), "{path}");
    }
    assert_eq!(server.get("/livez?verbose").await, pair("200", "[+]engine ok\nlivez check passed\n"));
}

#[tokio::test(start_paused = true)]
async fn a_hung_engine_is_not_alive() {
    let server = Server::start().await;
    server.health.beat();
    assert_eq!(server.get("/livez").await, pair("200", "ok"));
    tokio::time::advance(Duration::from_secs(31)).await;
    let (status, body) = server.get("/livez").await;
    assert_eq!(status, "500");
    assert!(body.starts_with("[-]engine failed: no heartbeat for 31 s"), "{body}");
    assert!(body.ends_with("\nlivez check failed\n"), "{body}");
}

#[tokio::test]
async fn metrics_come_in_the_format_that_was_asked_for() {
    let server = Server::start().await;
    let (head, body) = server.ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("\nedge_scheduler_leader 0\n") && !body.contains("# EOF"));
    let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.4";
    let (head, body) = server.ask(&format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{accept}\r\n\r\n")).await;
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(body.ends_with("# EOF\n"));
}

#[tokio::test]
async fn nothing_else_is_served() {
    let server = Server::start().await;
    for path in ["/", "/healthz", "/metrics/", "/debug/pprof"] {
        assert_eq!(server.get(path).await.0, "404", "{path}");
    }
    let (head, _) = server.ask("POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await;
    assert!(head.starts_with("http/1.1 405") && head.contains("allow: get, head"), "{head}");
    server.health.set("x", Ok(()));
    let (head, body) = server.ask("HEAD /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(head.starts_with("http/1.1 200") && body.is_empty(), "{head}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_nothing_is_hung_up_on() {
    let server = Server::start().await;
    let mut silent = TcpStream::connect(server.admin.address()).await.unwrap();
    silent.write_all(b"GET /livez HT").await.unwrap();
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(20), silent.read_to_end(&mut answer)).await;
    assert!(closed.is_ok(), "still open");
    assert_eq!(server.get("/livez").await.0, "200", "others are served");
}

#[tokio::test]
async fn more_clients_than_places_wait_and_are_served() {
    let server = Server::start().await;
    let mut idle = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        idle.push(TcpStream::connect(server.admin.address()).await.unwrap());
    }
    let answer = tokio::time::timeout(Duration::from_millis(300), server.get("/livez")).await;
    assert!(answer.is_err(), "there was no place");
    drop(idle);
    assert_eq!(server.get("/livez").await.0, "200");
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_says_what_to_do() {
    let server = Server::start().await;
    let address = server.admin.address().to_string();
    let error =
        Admin::bind(&address, Arc::clone(&server.health), Arc::new(Metrics::new())).await.unwrap_err().to_string();
    assert!(error.contains(&address) && error.contains("--bind-address"), "{error}");
}
