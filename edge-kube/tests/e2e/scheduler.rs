//! `edge-kube scheduler`, run as users do.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::servers::{Process, Program, free_ports};

/// A running scheduler; killed when dropped.
pub(crate) struct Scheduler {
    process: Process,
    address: String,
}

impl Scheduler {
    /// `folder` is where its log goes, `KUBECONFIG` is what it has in its environment.
    pub(crate) fn start(folder: &Path, number: usize, kubeconfig: &Path, args: &[&str]) -> Self {
        let [port] = free_ports();
        let address = format!("127.0.0.1:{port}");
        let mut all: Vec<String> = vec!["scheduler".into(), format!("--bind-address={address}")];
        all.extend(args.iter().map(|arg| (*arg).into()));
        let program = Program {
            name: &format!("scheduler-{number}"),
            path: Path::new(env!("CARGO_BIN_EXE_edge-kube")),
            args: &all,
            env: &[("KUBECONFIG", kubeconfig.to_str().unwrap())],
            folder,
            removes_folder: false,
        };
        Self { process: Process::spawn(&program), address }
    }

    /// GET from its own endpoints: code and body; 0 if it does not listen.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let get = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(&self.address)?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = get().unwrap_or_default();
        let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        (code, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    /// Waits until it says that it is ready.
    pub(crate) fn wait_ready(&self) {
        let begin = Instant::now();
        while self.get("/readyz").0 != 200 {
            let why = || format!("{:?}\n{}", self.get("/readyz?verbose"), self.process.log_tail());
            assert!(self.process.exit_code().is_none(), "the scheduler has ended: {}", why());
            assert!(begin.elapsed() < Duration::from_secs(60), "the scheduler is not ready after 60 s: {}", why());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks it to end, and waits for that: its exit code.
    pub(crate) fn terminate(&self) -> i32 {
        self.process.signal("TERM");
        self.process.wait(Duration::from_secs(60))
    }

    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    pub(crate) fn wait(&self) -> i32 {
        self.process.wait(Duration::from_secs(60))
    }

    pub(crate) fn process_id(&self) -> &str {
        self.process.id()
    }

    pub(crate) fn exit_code(&self) -> Option<i32> {
        self.process.exit_code()
    }

    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.process.log_file()
    }
}
