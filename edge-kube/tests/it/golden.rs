//! Each folder of `testdata` is a case: manifests, and what the commands must print for them. See `testdata/README.md`.
//!
//! Besides the expected files, some laws are checked that hold for every input: see [`laws`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use edge_core::slices::DEFAULT_DESTINATIONS_PER_SLICE;
use serde::Deserialize as _;
use serde_json::Value;

/// What stands in `testdata` besides cases. The selectors' vectors are read by the tests of edge-core.
const OTHERS: [&str; 2] = ["README.md", "selectors"];

#[test]
fn every_case_answers_as_expected() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut report = String::new();
    let cases: Vec<String> = names(&root).into_iter().filter(|name| !OTHERS.contains(&name.as_str())).collect();
    assert!(cases.len() > 50, "only {} cases in {}", cases.len(), root.display());
    for name in cases {
        let mut problems = Vec::new();
        match Case::open(root.join(&name)) {
            Ok(case) => {
                if update {
                    case.update();
                }
                case.compare(&mut problems);
                laws(&case, &mut problems);
            }
            Err(problem) => problems.push(problem),
        }
        for problem in problems {
            let _ = writeln!(report, "\ntestdata/{name}: {problem}");
        }
    }
    assert!(report.is_empty(), "{report}\nUPDATE_GOLDEN=1 rewrites the expected files; read the difference then.");
}

/// The entries of a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A folder of `testdata`.
struct Case {
    folder: PathBuf,
    /// The paths of the manifests, as they are given to the commands.
    manifests: Vec<&'static str>,
    /// More arguments, for all commands.
    args: Vec<String>,
    exit: i32,
    /// The files with what is printed; each stands for a run.
    outputs: Vec<String>,
}

/// What a run printed.
struct Run {
    exit: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Case {
    /// Takes in a folder; fails if a file in it has no meaning.
    fn open(folder: PathBuf) -> Result<Self, String> {
        if !folder.is_dir() {
            return Err("expected a folder".into());
        }
        let files: BTreeSet<String> = names(&folder).into_iter().collect();
        let has = |name: &str| files.contains(name);
        let words = |name: &str| -> Result<Vec<String>, String> {
            let words = read(&folder.join(name)).split_whitespace().map(String::from).collect::<Vec<_>>();
            if has(name) && words.is_empty() { Err(format!("{name} is empty: leave it out")) } else { Ok(words) }
        };
        let mut manifests: Vec<&'static str> = ["input.yaml", "input"].into_iter().filter(|name| has(name)).collect();
        if manifests.len() != 1 {
            return Err("expected either input.yaml or the folder input".into());
        }
        manifests.extend(has("published.yaml").then_some("published.yaml"));
        let exit = match words("exit")?.as_slice() {
            [] => 0,
            [code] if code == "1" || code == "2" => code.parse().unwrap_or_default(),
            _ => return Err("exit: expected 1 or 2; 0 is left out".into()),
        };
        let mut case = Self { args: words("args")?, folder: folder.clone(), manifests, exit, outputs: Vec::new() };
        for name in &files {
            let is_run = match (name.split_once('.'), name.as_str()) {
                (_, "resolve.yaml.out" | "resolve.json.out" | "resolve.txt" | "plan.txt" | "plan.json.out") => true,
                (Some((stem, "txt")), _) if is_explain(stem) => words(&format!("{stem}.args"))? != [""; 0],
                (Some((stem, "args")), _) if is_explain(stem) => {
                    case.outputs.extend((!has(&format!("{stem}.txt"))).then(|| format!("{stem}.txt")));
                    false
                }
                (_, "input.yaml" | "input" | "published.yaml" | "args" | "exit" | "stderr.txt") => false,
                _ if name.strip_suffix(".stderr").is_some_and(has) => false,
                _ => return Err(format!("{name} is read by no run")),
            };
            case.outputs.extend(is_run.then(|| name.clone()));
        }
        for (path, text) in case.texts() {
            let readable = path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
            if !readable {
                return Err(format!("{} is read by no run", path.display()));
            }
            let first = path.ends_with("input.yaml") || path.ends_with("published.yaml");
            if first && !text.starts_with("# ") {
                return Err(format!("{}: expected a comment first that tells the rule", path.display()));
            }
        }
        if case.outputs.is_empty() {
            case.outputs = vec!["plan.txt".into(), "resolve.yaml.out".into()];
        }
        Ok(case)
    }

    /// The manifests with their paths.
    fn texts(&self) -> Vec<(PathBuf, String)> {
        let mut waiting: Vec<PathBuf> = self.manifests.iter().map(|name| self.folder.join(name)).collect();
        let mut texts = Vec::new();
        while let Some(path) = waiting.pop() {
            if path.is_dir() {
                waiting.extend(names(&path).iter().rev().map(|name| path.join(name)));
            } else {
                texts.push((path.clone(), read(&path)));
            }
        }
        texts
    }

    /// The run that an expected file stands for.
    fn run(&self, output: &str) -> Run {
        let output = output.strip_suffix(".out").unwrap_or(output);
        let (stem, format) = output.split_once('.').unwrap_or((output, ""));
        let mut args: Vec<String> = self.manifests.iter().copied().map(String::from).collect();
        let command = match output {
            "resolve.txt" => {
                args.extend(["-o".into(), "table".into()]);
                "resolve"
            }
            "resolve.json" | "plan.json" => {
                args.extend(["-o".into(), format.into()]);
                stem
            }
            "resolve.yaml" | "plan.txt" => stem,
            _ => {
                args.extend(read(&self.folder.join(format!("{stem}.args"))).split_whitespace().map(String::from));
                "explain"
            }
        };
        self.command(command, &args)
    }

    fn command(&self, command: &str, args: &[String]) -> Run {
        let mut process = Command::new(env!("CARGO_BIN_EXE_edge-kube"));
        let output = process.current_dir(&self.folder).arg(command).args(args).args(&self.args).output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        Run { exit: output.status.code(), stdout, stderr }
    }

    fn compare(&self, problems: &mut Vec<String>) {
        for output in &self.outputs {
            let run = self.run(output);
            let own = format!("{output}.stderr");
            let stderr = if self.folder.join(&own).exists() { &own } else { "stderr.txt" };
            for (file, found) in [(output.as_str(), &run.stdout), (stderr, &run.stderr)] {
                let expected = read(&self.folder.join(file));
                if *found != expected {
                    problems.push(format!("{file}, as the run of {output} prints it:\n{}", diff(&expected, found)));
                }
            }
            if run.exit != Some(self.exit) {
                problems.push(format!("{output}: expected exit code {}, found {:?}", self.exit, run.exit));
            }
        }
    }

    /// Makes what the runs print the expectation; the exit code is for a person to say.
    fn update(&self) {
        let runs: Vec<(String, Run)> = self.outputs.iter().map(|output| (output.clone(), self.run(output))).collect();
        for name in names(&self.folder).iter().filter(|name| name.ends_with(".stderr") || *name == "stderr.txt") {
            fs::remove_file(self.folder.join(name)).unwrap();
        }
        let Some((_, first)) = runs.first() else { return };
        let same = runs.iter().all(|(_, run)| run.stderr == first.stderr);
        for (output, run) in &runs {
            fs::write(self.folder.join(output), &run.stdout).unwrap();
            if !run.stderr.is_empty() {
                let file = if same { "stderr.txt".into() } else { format!("{output}.stderr") };
                fs::write(self.folder.join(file), &run.stderr).unwrap();
            }
        }
    }

    /// The value of an argument in `args`.
    fn arg(&self, name: &str) -> Option<&str> {
        let at = self.args.iter().position(|arg| arg == name)?;
        self.args.get(at + 1).map(String::as_str)
    }
}

fn is_explain(stem: &str) -> bool {
    stem == "explain" || stem.starts_with("explain-")
}

/// A file's text; of a file that does not exist, none.
fn read(path: &Path) -> String {
    if path.exists() { fs::read_to_string(path).unwrap() } else { String::new() }
}

/// The lines that differ, with two before and after.
fn diff(expected: &str, found: &str) -> String {
    let [expected, found] = [expected, found].map(|text| text.split_inclusive('\n').collect::<Vec<_>>());
    let least = expected.len().min(found.len());
    let same = (0..least).take_while(|&i| expected[i] == found[i]).count();
    let end = (0..least - same).take_while(|i| expected[expected.len() - 1 - i] == found[found.len() - 1 - i]).count();
    let context = same.saturating_sub(2);
    let mut text = format!("  at line {}, - expected, + found\n", same + 1);
    let mut add = |sign: char, lines: &[&str]| {
        for line in lines {
            let _ = writeln!(text, "  {sign}{}", line.strip_suffix('\n').unwrap_or(&format!("{line}\\")));
        }
    };
    add(' ', &expected[context..same]);
    add('-', &expected[same..expected.len() - end]);
    add('+', &found[same..found.len() - end]);
    add(' ', &expected[expected.len() - end..(expected.len() - end + 2).min(expected.len())]);
    text
}

/// What holds for every input that can be read:
///
/// * JSON holds the same objects as YAML;
/// * the whole folder can be given in place of its manifests;
/// * the order of documents, and how they are spread over files, changes nothing;
/// * what `resolve` prints, taken as the published slices, is resolved to itself, and `plan` has nothing to do;
/// * the writes of `plan`, one after the other, lead to what `resolve` prints, and keep the promises of [`Server`].
fn laws(case: &Case, problems: &mut Vec<String>) {
    let yaml = case.run("resolve.yaml");
    if yaml.exit == Some(2) {
        return;
    }
    let mut law = |holds: bool, problem: &dyn Fn() -> String| {
        if !holds {
            problems.push(problem());
        }
    };
    let json: Value = serde_json::from_str(&case.run("resolve.json").stdout).unwrap();
    let resolved = documents(&yaml.stdout);
    let folder = case.command("resolve", &[".".into()]);
    law(folder.stdout == yaml.stdout, &|| "resolve prints something else for the folder than for its files".into());
    law(json["items"] == Value::Array(resolved.clone()), &|| {
        "resolve prints other objects as JSON than as YAML".into()
    });

    let parts: Vec<String> =
        case.texts().iter().flat_map(|(_, text)| text.split("\n---\n").map(String::from).collect::<Vec<_>>()).collect();
    let count = parts.len();
    // Backwards, and so that what stood together stands apart.
    let orders = [(0..count).rev().collect::<Vec<_>>(), (0..count).map(|i| (i * 7 + 3) % count).collect()];
    for order in orders.iter().filter(|order| order.iter().collect::<BTreeSet<_>>().len() == count) {
        let folder = Scratch::new();
        for (file, &part) in order.iter().enumerate() {
            fs::write(folder.0.join(format!("{file:04}.yaml")), &parts[part]).unwrap();
        }
        let run = case.command("resolve", &[folder.0.display().to_string()]);
        law((run.exit, &run.stdout) == (yaml.exit, &yaml.stdout), &|| {
            format!("the order of the input matters:\n{}", diff(&yaml.stdout, &run.stdout))
        });
    }

    // A slice that cannot be decoded keeps its name from others, but cannot be printed.
    if !yaml.stderr.contains(": SinglePlacementSlice ") {
        let folder = Scratch::new();
        let published = folder.0.join("published.yaml");
        fs::write(&published, &yaml.stdout).unwrap();
        let paths = [case.manifests[0].into(), published.display().to_string()];
        let plan = case.command("plan", &paths).stdout;
        law(plan == "nothing to do\n", &|| format!("what resolve printed is planned to be changed:\n{plan}"));
        let again = case.command("resolve", &paths).stdout;
        law(again == yaml.stdout, &|| format!("resolve changes what it printed:\n{}", diff(&yaml.stdout, &again)));
    }

    let plan: Value = serde_json::from_str(&case.run("plan.json").stdout).unwrap();
    let slices = documents(&read(&case.folder.join("published.yaml")));
    let server = Server::new(case.arg("--cluster-name").unwrap_or("default"), slices, &resolved);
    if let Err(problem) = server.replay(plan["writes"].as_array().unwrap(), &resolved) {
        law(false, &|| format!("plan: {problem}"));
    }
    let max =
        case.arg("--max-destinations-per-slice").map_or(DEFAULT_DESTINATIONS_PER_SLICE, |max| max.parse().unwrap());
    if let Err(problem) = well_formed(plan["writes"].as_array().unwrap(), max, case.exit == 0) {
        law(false, &|| format!("plan: {problem}"));
    }
}

/// The objects of a text; those of lists, one by one.
fn documents(text: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap());
    documents
        .filter(|object| !object.is_null())
        .flat_map(|object| match &object["items"] {
            Value::Array(items) => items.clone(),
            _ => vec![object],
        })
        .collect()
}

/// Cluster and name, of a slice or of an EdgePlacement.
type Key = (String, String);
/// Cluster, Location and SyncTarget.
type Destination = [String; 3];

fn destinations(slice: &Value) -> Vec<Destination> {
    let entries = slice["destinations"].as_array().map_or(&[][..], Vec::as_slice);
    let fields = ["cluster", "locationName", "syncTargetName"];
    entries.iter().map(|entry| fields.map(|field| entry[field].as_str().unwrap().to_owned())).collect()
}

/// The EdgePlacement that a slice belongs to; none if it is not the scheduler's, or cannot be decoded.
fn placement(slice: &Value) -> Option<&str> {
    const SOURCE: &str = "edge.kcp.io/source-placement";
    if !slice["destinations"].is_array() {
        return None;
    }
    let metadata = &slice["metadata"];
    let owners = metadata["ownerReferences"].as_array().map_or(&[][..], Vec::as_slice);
    let owner = owners.iter().find(|owner| owner["kind"] == "EdgePlacement");
    let label = metadata["labels"][SOURCE].as_str();
    let annotation = metadata["annotations"][SOURCE].as_str().filter(|_| label.is_some());
    owner.and_then(|owner| owner["name"].as_str()).or(annotation).or(label)
}

/// An API server that holds slices, and what it must hold at all times: **of each EdgePlacement, what is wanted and was
/// published stands in some slice**; and what is not the scheduler's is not touched.
struct Server<'a> {
    default_cluster: &'a str,
    slices: BTreeMap<Key, Value>,
    keep: BTreeMap<Key, BTreeSet<Destination>>,
}

impl<'a> Server<'a> {
    fn new(default_cluster: &'a str, slices: Vec<Value>, resolved: &[Value]) -> Self {
        let mut server = Self { default_cluster, slices: BTreeMap::new(), keep: BTreeMap::new() };
        server.slices = slices.into_iter().map(|slice| (server.key(&slice), slice)).collect();
        let wanted = server.by_placement(resolved.iter());
        server.keep = server.by_placement(server.slices.values());
        for (placement, keep) in &mut server.keep {
            keep.retain(|destination| wanted.get(placement).is_some_and(|wanted| wanted.contains(destination)));
        }
        server
    }

    fn key(&self, slice: &Value) -> Key {
        let metadata = &slice["metadata"];
        let cluster = metadata["annotations"]["kcp.io/cluster"].as_str().unwrap_or(self.default_cluster);
        (cluster.into(), metadata["name"].as_str().unwrap().into())
    }

    fn by_placement<'s>(&self, slices: impl Iterator<Item = &'s Value>) -> BTreeMap<Key, BTreeSet<Destination>> {
        let mut all: BTreeMap<Key, BTreeSet<Destination>> = BTreeMap::new();
        for slice in slices {
            if let Some(placement) = placement(slice) {
                all.entry((self.key(slice).0, placement.into())).or_default().extend(destinations(slice));
            }
        }
        all
    }

    fn replay(mut self, writes: &[Value], resolved: &[Value]) -> Result<(), String> {
        for write in writes {
            let [verb, cluster, name] = ["verb", "cluster", "name"].map(|field| write[field].as_str().unwrap());
            let what = format!("{verb} {cluster}/{name}");
            let key = (cluster.to_owned(), name.to_owned());
            match (verb, self.slices.get(&key)) {
                ("create", None) => {}
                ("replace" | "delete", Some(slice)) if placement(slice).is_some() => {}
                ("replace" | "delete", Some(_)) => return Err(format!("{what}: the slice is not the scheduler's")),
                (_, found) => return Err(format!("{what}: there is {found:?}")),
            }
            if verb == "delete" {
                self.slices.remove(&key);
            } else {
                self.slices.insert(key, write["object"].clone());
            }
            let present = self.by_placement(self.slices.values());
            for (placement, keep) in self.keep.iter().filter(|(_, keep)| !keep.is_empty()) {
                let missing = match present.get(placement) {
                    Some(present) => keep.difference(present).collect::<Vec<_>>(),
                    None => keep.iter().collect(),
                };
                if !missing.is_empty() {
                    return Err(format!("after {what}, {placement:?} is without {missing:?}"));
                }
            }
        }
        let holds = |slice: &Value| (self.key(slice), slice["destinations"].clone());
        let found: BTreeMap<_, _> =
            self.slices.values().filter(|slice| slice["destinations"].is_array()).map(holds).collect();
        let expected: BTreeMap<_, _> = resolved.iter().map(holds).collect();
        if found == expected { Ok(()) } else { Err(format!("it leads to {found:#?}, but resolve says {expected:#?}")) }
    }
}

/// Whether each slice that is written is ordered, holds nothing twice and not too much, and has names that a server takes.
/// The slices of an invalid EdgePlacement stay as they are, so they are held to this only if no object is invalid.
fn well_formed(writes: &[Value], max: usize, all_valid: bool) -> Result<(), String> {
    for object in writes.iter().map(|write| &write["object"]).filter(|object| !object.is_null()) {
        let name = object["metadata"]["name"].as_str().unwrap();
        let destinations = destinations(object);
        let label = object["metadata"]["labels"]["edge.kcp.io/source-placement"].as_str();
        if name.len() > 253 || label.is_none_or(|label| label.len() > 63) {
            return Err(format!("{name}: a server refuses its name or label"));
        }
        if all_valid && (destinations.len() > max || !destinations.is_sorted_by(|a, b| a < b)) {
            return Err(format!("{name}: more than {max} destinations, or not in order: {destinations:?}"));
        }
    }
    Ok(())
}

/// A folder that goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("golden-{}", std::process::id()));
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
