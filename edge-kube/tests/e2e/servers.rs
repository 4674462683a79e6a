//! The real API servers that the tests run against.

mod build;
mod kcp;
mod kubernetes;
mod login;
mod process;

use std::fmt::Write as _;
use std::net::TcpListener;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::proxy::Proxy;

pub(crate) use kcp::Kcp;
pub(crate) use kubernetes::{Kubernetes, base64};
pub(crate) use login::Login;
pub(crate) use process::{Process, Program, tail};

/// kcp of the design documents.
pub(crate) fn kcp_0_11() -> &'static Kcp {
    static SERVER: Shared<Kcp> = Shared::new();
    SERVER.get(|| Kcp::start(&build::KCP_0_11, None))
}

/// A kcp without Location and SyncTarget of its own.
pub(crate) fn kcp_0_22() -> &'static Kcp {
    static SERVER: Shared<Kcp> = Shared::new();
    SERVER.get(|| Kcp::start(&build::KCP_0_22, None))
}

/// A Kubernetes API server that the tests share, one at a time.
pub(crate) fn kubernetes() -> &'static Kubernetes {
    static SERVER: Shared<Kubernetes> = Shared::new();
    SERVER.get(|| Kubernetes::start(false))
}

/// A kcp for one test alone, which shows its virtual workspaces behind a proxy.
pub(crate) fn own_kcp_0_22(proxy: &Proxy) -> Kcp {
    Kcp::start(&build::KCP_0_22, Some(proxy))
}

/// A Kubernetes API server for one test alone, which keeps a record of what the schedulers ask it to write.
pub(crate) fn own_kubernetes() -> Kubernetes {
    Kubernetes::start(true)
}

/// A server that several tests use, or that ends with the one test that does.
pub(crate) enum Held<T: 'static> {
    Shared(&'static T),
    Own(Box<T>),
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Shared(server) => server,
            Self::Own(server) => server,
        }
    }
}

/// A server that the first who needs it starts. It ends with the test process: see [`Process`].
struct Shared<T> {
    server: OnceLock<T>,
    starting: Mutex<()>,
}

impl<T> Shared<T> {
    const fn new() -> Self {
        Self { server: OnceLock::new(), starting: Mutex::new(()) }
    }

    fn get(&'static self, start: impl FnOnce() -> T) -> &'static T {
        // If a start fails, its test does; the next test tries again.
        let _starting = self.starting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.server.get_or_init(start)
    }
}

/// A folder that is removed by [`Process`] or by whoever has it.
fn folder(name: &str) -> PathBuf {
    tempfile::Builder::new().prefix(&format!("edge-kube-e2e-{name}-")).tempdir().unwrap().keep()
}

/// Ports on which nobody listens at this moment.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    // All are held until all are known, so they differ.
    let listeners: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Starts something on free ports, with others if somebody else was quicker to take one.
fn on_free_ports<const N: usize, T>(start: impl Fn([u16; N]) -> Result<T, StartError>) -> T {
    let mut failures = String::new();
    for _ in 0..3 {
        match start(free_ports()) {
            Ok(server) => return server,
            Err(StartError(reason)) if reason.contains("address already in use") => {
                let _ = writeln!(failures, "{reason}");
            }
            Err(StartError(reason)) => panic!("{reason}"),
        }
    }
    panic!("{failures}")
}

/// Why a server did not start, with the end of its log.
struct StartError(String);

/// Waits until a server that was just started is ready.
fn wait_ready(process: &Process, limit: Duration, ready: impl Fn() -> Result<(), String>) -> Result<(), StartError> {
    let begin = Instant::now();
    loop {
        let Err(reason) = ready() else { return Ok(()) };
        if let Some(code) = process.exit_code() {
            return Err(StartError(format!("it exited with {code}\n{}", process.log_tail())));
        }
        if begin.elapsed() > limit {
            return Err(StartError(format!("not ready after {limit:?}: {reason}\n{}", process.log_tail())));
        }
        thread::sleep(Duration::from_millis(100));
    }
}
