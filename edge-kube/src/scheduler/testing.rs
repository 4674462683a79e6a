//! An API server that answers as it is told, on loopback.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::{Client, Config};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::client::Connection;

/// What was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    pub(crate) accept: String,
    pub(crate) content_type: String,
    pub(crate) authorization: String,
    pub(crate) body: String,
}

/// What to answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    code: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Whole(String),
    /// As much as half of it, then the connection ends.
    Half(String),
    /// Lines as they come; the answer ends with the sender.
    Lines(Arc<Mutex<Option<UnboundedReceiver<String>>>>),
    HangUp,
    Never,
}

impl Reply {
    pub(crate) fn new(code: u16, body: impl Into<String>) -> Self {
        Self { code, headers: Vec::new(), body: Body::Whole(body.into()) }
    }

    pub(crate) fn lines(lines: UnboundedReceiver<String>) -> Self {
        Self { code: 200, headers: Vec::new(), body: Body::Lines(Arc::new(Mutex::new(Some(lines)))) }
    }

    /// The connection ends without an answer.
    pub(crate) fn hang_up() -> Self {
        Self { code: 200, headers: Vec::new(), body: Body::HangUp }
    }

    /// The connection stays open without an answer.
    pub(crate) fn never() -> Self {
        Self { code: 200, headers: Vec::new(), body: Body::Never }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn cut_off(mut self) -> Self {
        if let Body::Whole(body) = self.body {
            self.body = Body::Half(body);
        }
        self
    }
}

pub(crate) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let answer: Arc<dyn Fn(&Asked) -> Reply + Send + Sync> = Arc::new(answer);
        let log = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                let service = service_fn(move |request| serve(request, Arc::clone(&answer), Arc::clone(&log)));
                connections.spawn(async move {
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { address, asked, task }
    }

    pub(crate) fn config(&self) -> Config {
        Config::new(format!("http://{}", self.address).parse().unwrap())
    }

    pub(crate) fn client(&self) -> Client {
        Connection::bare(self.config()).client().unwrap()
    }

    /// All requests until now.
    pub(crate) fn requests(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Ends it, with its connections.
    pub(crate) async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

async fn serve(
    request: Request<Incoming>,
    answer: Arc<dyn Fn(&Asked) -> Reply + Send + Sync>,
    log: Arc<Mutex<Vec<Asked>>>,
) -> Result<Answer, std::io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let header = |name| parts.headers.get(name).map(|value| value.to_str().unwrap().into()).unwrap_or_default();
    let asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        accept: header("accept"),
        content_type: header("content-type"),
        authorization: header("authorization"),
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    log.lock().unwrap().push(asked.clone());
    let reply = answer(&asked);
    let body = match reply.body {
        Body::Whole(body) => Full::new(Bytes::from(body)).map_err(|error: Infallible| match error {}).boxed_unsync(),
        Body::Half(body) => {
            let half = Bytes::copy_from_slice(&body.as_bytes()[..body.len() / 2]);
            let broken = || std::io::Error::other("cut off");
            let stream = futures::stream::iter([Ok(Frame::data(half))]).chain(futures::stream::once(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(broken())
            }));
            StreamBody::new(stream).boxed_unsync()
        }
        Body::Lines(lines) => {
            let lines = lines.lock().unwrap().take().unwrap();
            StreamBody::new(lines.map(|line| Ok(Frame::data(Bytes::from(line + "\n"))))).boxed_unsync()
        }
        Body::HangUp => return Err(std::io::Error::other("hung up")),
        Body::Never => std::future::pending().await,
    };
    let response = reply.headers.into_iter().fold(Response::builder().status(reply.code), |b, (k, v)| b.header(k, v));
    Ok(response.body(body).unwrap())
}
