//! What the cases take, against what they took.

use std::env;
use std::error::Error;
use std::process::{Command, Stdio};

use benches::report::{Counts, Table, grouped};
use benches::workload::Case;
use serde_json::Value;

/// Has gungraun tell its results in lines of JSON.
pub(super) const JSON: &str = "--output-format=json";

/// Writes what is counted to the file.
const WRITE: &str = "--write";

/// What a case may take more than it did. Two runs differ by up to three thousandths, as hash tables are seeded anew; and
/// an unrelated function may change what the compiler inlines.
const TOLERANCE: f64 = 0.02;

/// The same, where another compiler has counted.
const TOLERANCE_OF_COMPILERS: f64 = 0.10;

const RENEW: &str = "run `cargo bench -p benches --features instructions --bench instructions -- --write`";

/// With an argument, only the cases whose name is like it, `*` being any part of a name.
pub(super) fn run(args: &[String]) -> Result<(), Box<dyn Error>> {
    let (options, only): (Vec<&String>, Vec<&String>) = args.iter().partition(|arg| arg.starts_with("--"));
    let write = options.iter().any(|option| *option == WRITE);
    if write && !only.is_empty() {
        return Err(format!("{WRITE} wants all cases").into());
    }
    let now = Counts { compiler: compiler()?, cases: count(&only)? };
    if write {
        now.write()?;
    }
    let before = Counts::read()?;
    let same_compiler = now.compiler == before.compiler;
    let tolerance = if same_compiler { TOLERANCE } else { TOLERANCE_OF_COMPILERS };

    let mut table = Table::new(["one event", "instructions", "before", "change"].map(Into::into));
    let (mut more, mut less) = (Vec::new(), Vec::new());
    for (name, count) in &now.cases {
        let Some(known) = before.of(name) else {
            return Err(format!("benches/instructions.txt lacks {name}: {RENEW}").into());
        };
        let change = *count as f64 / known as f64 - 1.0;
        if change > tolerance {
            more.push(name.as_str());
        } else if change < -tolerance {
            less.push(name.as_str());
        }
        table.row([name.clone(), grouped(*count), grouped(known), format!("{:+.1} %", change * 100.0)]);
    }
    // Nothing passes because nothing was counted.
    if let Some((name, _)) = before.cases.iter().find(|(name, _)| only.is_empty() && now.of(name).is_none()) {
        return Err(format!("{name} is in benches/instructions.txt, but was not counted").into());
    }
    println!("{}", table.markdown());
    let (smallest, largest) = (now.of("constant output 1000"), now.of("constant output 1000000"));
    if let (Some(smallest), Some(largest)) = (smallest, largest) {
        println!("Of constant output, a million SyncTargets take {:.2}× a thousand.", largest as f64 / smallest as f64);
    }
    let percent = tolerance * 100.0;
    if !same_compiler {
        println!("Counted with {} now, and with {} before.", now.compiler, before.compiler);
    }
    if !less.is_empty() {
        println!("More than {percent:.0} % less: {}. To hold that, {RENEW}", less.join(", "));
    }
    if !more.is_empty() {
        return Err(format!("more than {percent:.0} % more: {}. If it has to be, {RENEW}", more.join(", ")).into());
    }
    Ok(())
}

/// What the compiler calls itself.
fn compiler() -> Result<String, Box<dyn Error>> {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let output = Command::new(rustc).arg("--version").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().into())
}

/// Runs the suite.
fn count(only: &[&String]) -> Result<Vec<(String, usize)>, Box<dyn Error>> {
    let suite = Command::new(env::current_exe()?)
        .args(["--bench", "--parallel=auto", JSON])
        .args(only)
        .stderr(Stdio::inherit())
        .output()?;
    if !suite.status.success() {
        return Err("the suite failed: it wants valgrind, and gungraun-runner of the version in Cargo.toml".into());
    }
    String::from_utf8(suite.stdout)?.lines().filter(|line| line.starts_with('{')).map(summary).collect()
}

/// What the suite tells of a case.
fn summary(line: &str) -> Result<(String, usize), Box<dyn Error>> {
    let value: Value = serde_json::from_str(line)?;
    let name = value["id"].as_str().unwrap_or_default().replace('_', " ");
    let metrics = &value["profiles"][0]["data"]["total"]["metrics"];
    let instructions = metrics["Ir"]["values"]["new"].as_u64();
    let Some(instructions) = instructions.and_then(|count| usize::try_from(count).ok()) else {
        return Err(format!("gungraun tells no instructions of {name}: {metrics}").into());
    };
    Ok((name, instructions / Case::COUNTED))
}
