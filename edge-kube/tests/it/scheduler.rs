//! The scheduler as a process: exit codes, probes, signals.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// Without the environment's own flags and kubeconfig.
fn scheduler(home: &TempDir, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edge-kube"));
    for (name, _) in std::env::vars_os() {
        let of_ours = name.to_string_lossy().starts_with("EDGE_KUBE_");
        if of_ours || name == "KUBECONFIG" || name == "KUBERNETES_SERVICE_HOST" {
            command.env_remove(name);
        }
    }
    command.arg("scheduler").args(args).env("HOME", home.path()).current_dir(home.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ends(output: &Output, code: i32, says: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(output.stdout.is_empty(), "the log is on stderr");
    for part in says {
        assert!(stderr.contains(part), "{part} is missing in: {stderr}");
    }
}

#[test]
fn a_wrong_use_ends_with_2_and_names_both_flags() {
    let home = tempfile::tempdir().unwrap();
    let uses: [(&[&str], [&str; 2]); 4] = [
        (&["--dir", "a"], ["--dir", "--out"]),
        (&["--dir", "a", "--out", "b", "--context", "c"], ["--dir", "--context"]),
        (&["--mode", "kubernetes", "--edge-export", "e"], ["--mode kubernetes", "--edge-export"]),
        (&["--leader-elect-renew-deadline", "1h"], ["--leader-elect-lease-duration", "--leader-elect-renew-deadline"]),
    ];
    for (args, says) in uses {
        ends(&scheduler(&home, args).output().unwrap(), 2, &says);
    }
    let by_environment = scheduler(&home, &["--dir", "a", "--out", "b"]).env("EDGE_KUBE_MODE", "kcp").output().unwrap();
    ends(&by_environment, 2, &["--dir", "--mode"]);
}

#[test]
fn a_variable_that_is_set_to_nothing_is_as_good_as_not_set() {
    let home = tempfile::tempdir().unwrap();
    let names = ["EDGE_KUBE_DIR", "EDGE_KUBE_V", "EDGE_KUBE_MODE", "EDGE_KUBE_LEADER_ELECT"];
    let run = |args: &[&str]| scheduler(&home, args).envs(names.map(|name| (name, ""))).output().unwrap();
    ends(&run(&["--kubeconfig", "nowhere"]), 1, &["nowhere"]);
    ends(&run(&["--out", "b"]), 2, &["--dir"]);
}

#[test]
fn what_does_not_mend_itself_ends_with_1_and_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let nothing = scheduler(&home, &["--bind-address=0"]).output().unwrap();
    ends(&nothing, 1, &["error: no API server", ".kube/config", "--kubeconfig"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    ends(&scheduler(&home, &["--bind-address", &address]).output().unwrap(), 1, &[&address, "--bind-address=0"]);
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, if all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[cfg(unix)]
#[test]
fn it_answers_probes_and_ends_with_0_at_a_signal() {
    for signal in ["-TERM", "-INT"] {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("in")).unwrap();
        let args = ["--dir", "in", "--out", "out", "--bind-address", "127.0.0.1:0", "--log-format", "json"];
        let mut running = Running(scheduler(&home, &args).spawn().unwrap());
        let mut log = BufReader::new(running.0.stderr.take().unwrap()).lines();
        let address = log
            .by_ref()
            .map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap())
            .find_map(|line| line["address"].as_str().map(str::to_owned))
            .unwrap();
        // Nobody reads the log otherwise, and it must not block.
        let drain = std::thread::spawn(move || log.for_each(drop));
        assert!(get(&address, "/livez").starts_with("HTTP/1.1 200"));
        assert!(get(&address, "/metrics").contains("\nedge_scheduler_build_info{version="));
        assert!(get(&address, "/nothing").starts_with("HTTP/1.1 404"));
        let sent = Command::new("kill").args([signal, &running.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert_eq!(running.0.wait().unwrap().code(), Some(0), "{signal}");
        drain.join().unwrap();
    }
}

/// Where a process listens, as Linux says it: in hexadecimal, the address in reverse.
#[cfg(target_os = "linux")]
fn listens_on(process: u32) -> Vec<String> {
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let sockets: Vec<String> = open
        .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let tables = ["tcp", "tcp6"].map(|table| std::fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap());
    let mut addresses = Vec::new();
    for line in tables.iter().flat_map(|table| table.lines().skip(1)) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[3] == "0A" && sockets.iter().any(|socket| socket == words[9]) {
            addresses.push(words[1].to_owned());
        }
    }
    addresses
}

#[cfg(target_os = "linux")]
#[test]
fn it_listens_on_loopback_alone_unless_told_otherwise() {
    let uses: [(&[&str], Option<&str>); 3] = [
        (&[], Some("0100007F:2815")),
        (&["--bind-address=0.0.0.0:0"], Some("00000000:")),
        (&["--bind-address=0"], None),
    ];
    for (more, expected) in uses {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("in")).unwrap();
        let args = [&["--dir", "in", "--out", "out"], more].concat();
        let mut running = Running(scheduler(&home, &args).spawn().unwrap());
        let mut log = BufReader::new(running.0.stderr.take().unwrap()).lines().map(Result::unwrap);
        let mut told = String::new();
        while let Some(line) = log.next().filter(|_| !told.contains("all is known")) {
            told += &line;
        }
        if more.is_empty() && told.contains("in use") {
            // Another scheduler has the default port; where this one wanted to listen, it says.
            assert!(told.contains("127.0.0.1:10261"), "{told}");
            continue;
        }
        let drain = std::thread::spawn(move || log.for_each(drop));
        let addresses = listens_on(running.0.id());
        assert_eq!(addresses.len(), usize::from(expected.is_some()), "{more:?}: {addresses:?}");
        assert!(addresses.iter().zip(expected).all(|(found, expected)| found.starts_with(expected)), "{addresses:?}");
        drop(running);
        drain.join().unwrap();
    }
}
