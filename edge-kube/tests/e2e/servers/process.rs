//! Children that never outlive the test process, whatever ends it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Runs a program until the standard input ends, which it does even when the test process is killed: then the program is
/// killed, and its folder removed. Tells the program's id first, and its exit code in a file.
const SUPERVISOR: &str = r#"
log=$1; exited=$2; folder=$3; shift 3
exec 4<&0
"$@" >>"$log" 2>&1 </dev/null 4<&- &
child=$!
echo "$child"
exec >/dev/null
{ cat <&4; [ -e "$exited" ] || kill -9 "$child"; } 2>/dev/null &
watcher=$!
exec 4<&-
wait "$child"
echo "$?" >"$exited.part"
mv "$exited.part" "$exited"
wait "$watcher"
if [ -e "${exited%.exit}.keep" ]; then rm "${exited%.exit}.keep"; exit; fi
[ -z "$folder" ] || until rm -rf "$folder"; do sleep 0.1; done
"#;

/// A running program.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    supervisor: Child,
    pid: String,
    exited: PathBuf,
    log: PathBuf,
}

/// What to run.
pub(crate) struct Program<'a> {
    pub(crate) name: &'a str,
    pub(crate) path: &'a Path,
    pub(crate) args: &'a [String],
    /// Environment variables to set.
    pub(crate) env: &'a [(&'a str, &'a str)],
    /// Where it runs, and where its log goes.
    pub(crate) folder: &'a Path,
    /// Whether the folder goes when the program does.
    pub(crate) removes_folder: bool,
}

impl Process {
    pub(crate) fn spawn(program: &Program<'_>) -> Self {
        let log = program.folder.join(format!("{}.log", program.name));
        let exited = program.folder.join(format!("{}.exit", program.name));
        let _ = fs::remove_file(&exited);
        let mut supervisor = Command::new("sh")
            .arg("-c")
            .arg(SUPERVISOR)
            .arg("sh")
            .args([&log, &exited])
            .arg(if program.removes_folder { program.folder } else { Path::new("") })
            .arg(program.path)
            .args(program.args)
            .envs(program.env.iter().copied())
            .current_dir(program.folder)
            // Out of reach of Ctrl-C: the end of the input is what ends it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run sh: {error}"));
        let mut pid = String::new();
        BufReader::new(supervisor.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        let pid = pid.trim().to_owned();
        assert!(!pid.is_empty(), "{} did not start", program.name);
        Self { name: program.name.into(), supervisor, pid, exited, log }
    }

    /// Sends a signal, named as in `kill`, unless the program has ended.
    pub(crate) fn signal(&self, name: &str) {
        if self.exit_code().is_none() {
            let status = Command::new("kill").arg(format!("-{name}")).arg(&self.pid).status().unwrap();
            assert!(status.success(), "cannot send {name} to {}", self.name);
        }
    }

    /// Starts a program in the place of this one, which has ended. The folder stays.
    pub(crate) fn start_again(&mut self, program: &Program<'_>) {
        fs::write(self.exited.with_extension("keep"), "").unwrap();
        self.end();
        *self = Self::spawn(program);
    }

    fn end(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }

    /// The program's id.
    pub(crate) fn id(&self) -> &str {
        &self.pid
    }

    /// The exit code, if the program has ended: 128 and the signal's number if that ended it.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        fs::read_to_string(&self.exited).ok()?.trim().parse().ok()
    }

    /// Waits for the program's end.
    pub(crate) fn wait(&self, limit: Duration) -> i32 {
        let begin = Instant::now();
        loop {
            if let Some(code) = self.exit_code() {
                return code;
            }
            assert!(begin.elapsed() < limit, "{} has not ended after {limit:?}:\n{}", self.name, self.log_tail());
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last lines of the log.
    pub(crate) fn log_tail(&self) -> String {
        tail(&self.name, &self.log)
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.log.clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// The last 25 lines of a log file, under a heading.
pub(crate) fn tail(name: &str, log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(25)..];
    // kcp's log has lines of several kB.
    let short = last.iter().map(|line| line.chars().take(300).collect::<String>());
    format!("--- the end of the log of {name}:\n{}\n", short.collect::<Vec<_>>().join("\n"))
}
