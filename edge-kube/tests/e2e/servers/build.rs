//! Builds the servers with Go, once for each version: the binaries are kept in the user's cache directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use std::{env, io};

/// A folder of `tests/servers` and what is built in it.
pub(crate) struct Module {
    pub(crate) name: &'static str,
    builds: &'static [Build],
}

/// One `go build`.
struct Build {
    /// Where the binary goes, relative to the module's folder in the cache; a folder if it ends in a slash.
    output: &'static str,
    packages: &'static [&'static str],
    ldflags: &'static str,
}

pub(crate) const KCP_0_11: Module = Module { name: "kcp-0.11", builds: KCP };
pub(crate) const KCP_0_22: Module = Module { name: "kcp-0.22", builds: KCP };
pub(crate) const KUBERNETES: Module = Module {
    name: "kubernetes",
    builds: &[
        Build {
            output: "./",
            packages: &["k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kube-controller-manager"],
            // Without these the server reports a version that clients cannot parse.
            ldflags: "-X k8s.io/component-base/version.gitVersion=v1.36.1 \
                      -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36",
        },
        Build { output: "etcd", packages: &["go.etcd.io/etcd/server/v3"], ldflags: "" },
    ],
};
const KCP: &[Build] = &[Build { output: "kcp", packages: &["github.com/kcp-dev/kcp/cmd/kcp"], ldflags: "" }];

impl Module {
    /// The folder with the module's binaries, built if they are not there yet. Ends the test if that fails.
    pub(crate) fn binaries(&self) -> PathBuf {
        self.find_or_build().unwrap_or_else(|reason| panic!("no binaries of {}: {reason}", self.name))
    }

    fn find_or_build(&self) -> Result<PathBuf, String> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers").join(self.name);
        let cache = cache_dir()?;
        let done = cache.join(self.key(&source)?);
        if done.is_dir() {
            return Ok(done);
        }
        fs::create_dir_all(&cache).map_err(|error| format!("cannot create {}: {error}", cache.display()))?;
        // The kernel drops the lock with the process, so a killed build holds up nobody.
        let lock = cache.join(format!("{}.lock", self.name));
        let lock = File::create(&lock).map_err(|error| format!("cannot create {}: {error}", lock.display()))?;
        lock.lock().map_err(|error| format!("cannot lock {}: {error}", cache.display()))?;
        if done.is_dir() {
            return Ok(done);
        }
        check_go()?;
        let part = cache.join(format!("{}.part", self.name));
        remove(&part)?;
        fs::create_dir_all(&part).map_err(|error| format!("cannot create {}: {error}", part.display()))?;
        let begin = Instant::now();
        say(&format!("building {} with Go, once: this takes some minutes", self.name));
        for build in self.builds {
            build.run(&source, &part)?;
        }
        fs::rename(&part, &done).map_err(|error| format!("cannot rename to {}: {error}", done.display()))?;
        say(&format!("built {} in {} s; kept in {}", self.name, begin.elapsed().as_secs(), done.display()));
        Ok(done)
    }

    /// Changes with whatever could change a binary, other than the compiler.
    fn key(&self, source: &Path) -> Result<String, String> {
        let mut hash = Fnv::default();
        for file in ["go.mod", "go.sum"] {
            let path = source.join(file);
            hash.add(&fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?);
        }
        for build in self.builds {
            for text in [build.output, build.ldflags].iter().chain(build.packages) {
                hash.add(text.as_bytes());
            }
        }
        Ok(format!("{}-{}-{}-{:016x}", self.name, env::consts::OS, env::consts::ARCH, hash.0))
    }
}

impl Build {
    fn run(&self, source: &Path, target: &Path) -> Result<(), String> {
        let mut output = target.join(self.output).into_os_string();
        if self.output.ends_with('/') {
            output = target.as_os_str().to_owned();
            output.push("/");
        }
        let mut command = Command::new("go");
        command.current_dir(source).arg("build").arg("-o").arg(output);
        // Whatever a developer has set for other modules does not belong here.
        command.env_remove("GOFLAGS").env("GOWORK", "off");
        if !self.ldflags.is_empty() {
            command.arg("-ldflags").arg(self.ldflags);
        }
        let output = command.args(self.packages).output().map_err(|error| format!("cannot run go: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!(
            "go build {} in {} failed ({}):\n{}",
            self.packages.join(" "),
            source.display(),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

fn check_go() -> Result<(), String> {
    match Command::new("go").arg("version").output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("`go version` failed: {}", String::from_utf8_lossy(&output.stderr))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err("there is no `go` in PATH. The end-to-end tests build real API servers: install Go 1.26 or newer \
             (https://go.dev/dl/), or leave these tests out: `cargo test --workspace` needs Rust alone"
                .into())
        }
        Err(error) => Err(format!("cannot run `go version`: {error}")),
    }
}

fn cache_dir() -> Result<PathBuf, String> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("edge-kube-e2e"))
        .ok_or_else(|| "neither XDG_CACHE_HOME nor HOME names a folder for the binaries".into())
}

fn remove(path: &Path) -> Result<(), String> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {error}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Past the test harness, which would show it only after a failure.
fn say(text: &str) {
    use io::Write as _;
    let _ = writeln!(io::stderr(), "{text}");
}

/// FNV-1a: it names a folder, nothing depends on its strength.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&[0xff]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
