//! A bad network between a scheduler and its server: a TCP proxy that delays, breaks, holds back and refuses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use benches::Random;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::RUNTIME;

/// How the network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    Good,
    /// Each piece of at most 4 KiB takes so long, in either direction.
    Slow(Duration),
    /// Each connection breaks after some bytes of answers, at most so many: in a handshake, between answers or within one.
    Lossy(u64),
    /// Nothing gets through, and nobody is told. What was sent arrives when that is over.
    Silent,
    /// The same for what clients send; what was answered before gets through.
    Unheard,
    /// Connections are cut and refused.
    Away,
}

/// Listens on a port of its own, until dropped.
pub(crate) struct Proxy {
    port: u16,
    target: Arc<AtomicU16>,
    network: watch::Sender<Network>,
    broken: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) fn start() -> Self {
        let listener = RUNTIME.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (network, seen) = watch::channel(Network::Good);
        let (target, broken) = (Arc::<AtomicU16>::default(), Arc::<AtomicUsize>::default());
        let task = RUNTIME.spawn(serve(listener, target.clone(), seen, broken.clone()));
        Self { port, target, network, broken, task }
    }

    /// The URL of what listens on another port of this machine, through this proxy.
    pub(crate) fn leads_to(&self, port: u16) -> String {
        self.target.store(port, Ordering::SeqCst);
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The network is like this from now on.
    pub(crate) fn set(&self, network: Network) {
        self.network.send_replace(network);
    }

    /// How many connections were broken off in the middle.
    pub(crate) fn broken(&self) -> usize {
        self.broken.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        // Whoever is connected finds that out by this.
        self.network.send_replace(Network::Away);
    }
}

async fn serve(
    listener: TcpListener,
    target: Arc<AtomicU16>,
    network: watch::Receiver<Network>,
    broken: Arc<AtomicUsize>,
) {
    let mut random = Random::new(1);
    while let Ok((client, _)) = listener.accept().await {
        if *network.borrow() == Network::Away {
            continue;
        }
        let (port, lot) = (target.load(Ordering::SeqCst), random.next_u64());
        let (network, broken) = (network.clone(), broken.clone());
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            if connected(client, server, network, lot).await {
                broken.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
}

/// Serves a connection until its end; whether it was broken off.
async fn connected(mut client: TcpStream, mut server: TcpStream, network: watch::Receiver<Network>, lot: u64) -> bool {
    let broken = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::select! {
            broken = pump(from_client, to_server, network.clone(), None) => broken,
            broken = pump(from_server, to_client, network, Some(lot)) => broken,
        }
    };
    // Some networks say that a connection is no more, and some just end it.
    if broken && lot.is_multiple_of(2) {
        let _ = client.set_zero_linger();
    }
    broken
}

/// Carries bytes one way. `lot` says, for answers, when a lossy network breaks the connection; whether it was broken.
async fn pump(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut network: watch::Receiver<Network>,
    lot: Option<u64>,
) -> bool {
    let mut buffer = vec![0; 4096];
    let mut passed = 0;
    loop {
        let mut changes = network.clone();
        let size = tokio::select! {
            size = from.read(&mut buffer) => size,
            _ = changes.wait_for(|network| *network == Network::Away) => return true,
        };
        let Ok(size @ 1..) = size else { return false };
        let holds = |network: Network| network == Network::Silent || network == Network::Unheard && lot.is_none();
        let now = match network.wait_for(|network| !holds(*network)).await {
            Ok(now) => *now,
            Err(_) => return true,
        };
        let mut piece = &buffer[..size];
        match (now, lot) {
            (Network::Away, _) => return true,
            (Network::Slow(each), _) => tokio::time::sleep(each).await,
            (Network::Lossy(most), Some(lot)) => {
                let left = usize::try_from(lot % most).unwrap().saturating_sub(passed);
                piece = &piece[..left.min(size)];
                passed += size;
            }
            _ => {}
        }
        if to.write_all(piece).await.is_err() {
            return false;
        }
        if piece.len() < size {
            return true;
        }
    }
}
