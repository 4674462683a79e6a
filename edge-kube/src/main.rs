//! The edge scheduler's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    edge_kube::commands::run()
}
