use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use clap::Parser;

use super::super::{Connections, Environment};
use super::*;
use crate::scheduler::flags::SchedulerArgs;
use crate::scheduler::rest::{get, send};
use crate::scheduler::testing::{Reply, Server};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: SchedulerArgs,
}

const LIMIT: Duration = Duration::from_secs(10);

/// A server that knows one token at a time, and a kubeconfig for it.
struct World {
    server: Server,
    token: Arc<std::sync::Mutex<String>>,
    folder: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let token = Arc::new(std::sync::Mutex::new("one".to_owned()));
        let known = Arc::clone(&token);
        let server = Server::start(move |asked| {
            let accepted = asked.authorization == format!("Bearer {}", known.lock().unwrap());
            if accepted { Reply::new(200, asked.body.clone()) } else { Reply::new(401, "{}") }
        })
        .await;
        let world = Self { server, token, folder: tempfile::tempdir().unwrap() };
        world.kubeconfig("one");
        world
    }

    fn kubeconfig(&self, token: &str) {
        let url = self.server.config().cluster_url;
        let text = format!(
            "current-context: c\nclusters: [{{name: s, cluster: {{server: '{url}'}}}}]\n\
             contexts: [{{name: c, context: {{cluster: s, user: u}}}}]\nusers: [{{name: u, user: {{token: {token}}}}}]\n"
        );
        fs::write(self.folder.path().join("config"), text).unwrap();
    }

    async fn client(&self) -> Client {
        let file = self.folder.path().join("config");
        let cli = Cli::parse_from(["x", "--kubeconfig", file.to_str().unwrap()]);
        Connections::load(&cli.args, &Environment::default()).await.unwrap().espw.client().unwrap()
    }

    async fn post(client: &Client, body: &str) -> (u16, String) {
        let request = Request::post("/x").body(Body::from(body.as_bytes().to_vec())).unwrap();
        let answer = send(client, request, LIMIT).await.unwrap();
        (answer.status.as_u16(), String::from_utf8(answer.body.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn a_token_that_was_replaced_is_read_again_and_the_request_repeated() {
    let world = World::start().await;
    let client = world.client().await;
    assert_eq!(World::post(&client, "a").await, (200, "a".into()));
    *world.token.lock().unwrap() = "two".into();
    world.kubeconfig("two");
    assert_eq!(World::post(&client, "b").await, (200, "b".into()));
    let bodies: Vec<String> = world.server.requests().into_iter().map(|asked| asked.body).collect();
    assert_eq!(bodies, ["a", "b", "b"]);
}

#[tokio::test]
async fn what_is_still_refused_is_not_read_again_at_once() {
    let world = World::start().await;
    let client = world.client().await;
    *world.token.lock().unwrap() = "two".into();
    assert_eq!(World::post(&client, "a").await.0, 401);
    assert_eq!(World::post(&client, "b").await.0, 401);
    assert_eq!(world.server.requests().len(), 3, "only the first was repeated");
    fs::remove_file(world.folder.path().join("config")).unwrap();
    assert_eq!(World::post(&client, "c").await.0, 401);
}

#[tokio::test]
async fn many_that_are_refused_at_once_share_one_renewal() {
    let world = World::start().await;
    let client = world.client().await;
    *world.token.lock().unwrap() = "two".into();
    world.kubeconfig("two");
    let succeeded = AtomicU32::new(0);
    futures::future::join_all((0..20).map(|_| async {
        let answer = send(&client, get("/x").unwrap(), LIMIT).await.unwrap();
        succeeded.fetch_add(u32::from(answer.status.is_success()), Ordering::Relaxed);
    }))
    .await;
    assert_eq!(succeeded.into_inner(), 20);
}
