use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
#[command(name = "scheduler")]
struct Cli {
    #[command(flatten)]
    args: SchedulerArgs,
}

fn parse(line: &str) -> Result<SchedulerArgs, String> {
    let words = std::iter::once("scheduler").chain(line.split_whitespace());
    let args = Cli::try_parse_from(words).map_err(|error| error.to_string())?.args;
    args.validate().map(|()| args)
}

/// The error names all of these.
fn refused(line: &str, names: &[&str]) {
    let error = parse(line).unwrap_err();
    for name in names {
        assert!(error.contains(name), "{line}: {name} is missing in: {error}");
    }
}

#[test]
fn no_flags_are_enough() {
    let args = parse("").unwrap();
    assert_eq!(args.mode(), Mode::Auto);
    assert_eq!(args.cluster_name(), "default");
    assert_eq!((args.kubeconfig(), &args.place.context), (None, &None));
    assert_eq!(args.watch.bind_address, Bind(Some("127.0.0.1:10261".into())));
    assert_eq!((args.watch.v, args.watch.log_format), (2, LogFormat::Text));
    assert_eq!((args.writes.max_destinations_per_slice, args.writes.write_concurrency), (100, 16));
    assert!(args.elects());
    assert_eq!(args.leader.leader_elect_lease_duration.as_secs(), 15);
    assert_eq!(args.leader.leader_elect_renew_deadline.as_secs(), 10);
    assert_eq!(args.leader.leader_elect_retry_period.as_secs(), 2);
    assert!(args.roles.espw().is_empty() && args.roles.root().is_empty() && args.roles.base().is_empty());
}

#[test]
fn the_flags_of_the_original_work_as_documented() {
    let args = parse("--kcp-kubeconfig=/kcp/admin.kubeconfig -v 2").unwrap();
    assert_eq!(args.mode(), Mode::Kcp);
    assert_eq!(args.kubeconfig(), Some(Path::new("/kcp/admin.kubeconfig")));
    for (line, v) in [("-v=4", 4), ("--v=5", 5), ("--v 6", 6), ("-v0", 0)] {
        assert_eq!(parse(line).unwrap().watch.v, v, "{line}");
    }
    for role in ["espw", "root", "base"] {
        let line = format!("--{role}-kubeconfig f --{role}-context c --{role}-cluster k --{role}-user u");
        let args = parse(&line).unwrap();
        let roles = [("espw", args.roles.espw()), ("root", args.roles.root()), ("base", args.roles.base())];
        for (name, selection) in roles {
            let expected = Selection {
                kubeconfig: Some("f".into()),
                context: Some("c".into()),
                cluster: Some("k".into()),
                user: Some("u".into()),
            };
            assert_eq!(selection, if name == role { expected } else { Selection::default() }, "{line}");
        }
        assert_eq!(args.mode(), Mode::Kcp);
    }
}

#[test]
fn the_mode_is_what_the_flags_imply() {
    assert_eq!(parse("--mode kubernetes --cluster-name prod").unwrap().mode(), Mode::Kubernetes);
    assert_eq!(parse("--mode kcp").unwrap().mode(), Mode::Kcp);
    assert_eq!(parse("--edge-export root:edge:edge.kcp.io").unwrap().mode(), Mode::Kcp);
    let folder = parse("--dir a --out b").unwrap();
    assert_eq!(folder.mode(), Mode::Folder { dir: Path::new("a"), out: Path::new("b") });
}

#[test]
fn contradictions_name_both_flags() {
    refused("--dir a", &["--out"]);
    refused("--out a", &["--dir"]);
    refused("--dir a --out b --mode kcp", &["--dir", "--mode"]);
    refused("--dir a --out b --kubeconfig c", &["--dir", "--kubeconfig"]);
    refused("--dir a --out b --context c", &["--dir", "--context"]);
    refused("--dir a --out b --workload-export c", &["--dir", "--workload-export"]);
    refused("--dir a --out b --espw-user c", &["--dir", "--espw-user"]);
    refused("--dir a --out b --leader-elect", &["--dir", "--leader-elect"]);
    refused("--kubeconfig a --kcp-kubeconfig b", &["--kubeconfig", "--kcp-kubeconfig"]);
    refused("--context a --espw-context b", &["--context", "--espw-context"]);
    refused("--mode kubernetes --edge-export a", &["--mode kubernetes", "--edge-export"]);
    refused("--mode kubernetes --base-user a", &["--mode kubernetes", "--base-user"]);
    refused("--mode kcp --cluster-name a", &["--mode kcp", "--cluster-name"]);
    refused("--root-context r --cluster-name a", &["--root-context", "--cluster-name"]);
    let (deadline, lease) = ("--leader-elect-renew-deadline", "--leader-elect-lease-duration");
    refused("--leader-elect-renew-deadline=20s", &[deadline, lease, "20s", "15s"]);
    refused("--leader-elect-retry-period=9s", &[deadline, "--leader-elect-retry-period", "9s"]);
}

#[test]
fn leader_election_can_be_turned_off() {
    for (line, on) in
        [("", true), ("--leader-elect", true), ("--leader-elect=false", false), ("--leader-elect=1", true)]
    {
        assert_eq!(parse(line).unwrap().elects(), on, "{line}");
    }
    assert!(!parse("--dir a --out b").unwrap().elects());
    let election = parse("--leader-elect-lease-duration=1m30s").unwrap().leader.election("me".into()).unwrap();
    assert_eq!(election.request_timeout().as_secs(), 5);
}

#[test]
fn exports_are_split_at_the_last_colon() {
    let export =
        |workspace: Option<&str>, name: &str| ExportName { workspace: workspace.map(Into::into), name: name.into() };
    for (text, expected) in [
        ("edge.kcp.io", export(None, "edge.kcp.io")),
        ("root:edge.kcp.io", export(Some("root"), "edge.kcp.io")),
        ("root:org:espw:edge.kcp.io", export(Some("root:org:espw"), "edge.kcp.io")),
    ] {
        let parsed: ExportName = text.parse().unwrap();
        assert_eq!(parsed, expected);
        assert_eq!(parsed.to_string(), text);
    }
    for text in ["", ":", "root:", ":edge.kcp.io", "root::edge", "Edge", "a/b", "root:-x:e"] {
        assert!(text.parse::<ExportName>().is_err(), "{text}");
    }
}

#[test]
fn addresses_are_checked_before_anything_starts() {
    let bind = |text: &str| text.parse::<Bind>();
    for off in ["", "0"] {
        assert_eq!(bind(off), Ok(Bind(None)));
    }
    for (text, address) in
        [("127.0.0.1:80", "127.0.0.1:80"), ("localhost:0", "localhost:0"), ("[::1]:8", "[::1]:8"), (":9", "[::]:9")]
    {
        assert_eq!(bind(text), Ok(Bind(Some(address.into()))));
    }
    for text in ["127.0.0.1", "8080", "a:b", "1:65536", "::1:80", "http://a:80/"] {
        assert!(bind(text).is_err(), "{text}");
    }
}

#[test]
fn each_flag_has_an_environment_variable_named_after_it() {
    let command = <Cli as clap::CommandFactory>::command();
    command.clone().debug_assert();
    let mut flags = 0;
    for arg in command.get_arguments() {
        let Some(long) = arg.get_long() else { continue };
        let expected = format!("EDGE_KUBE_{}", long.to_uppercase().replace('-', "_"));
        assert_eq!(arg.get_env().and_then(|env| env.to_str()), Some(&*expected), "--{long}");
        assert!(arg.is_hide_env_values_set(), "--{long}: the help must not show what is set");
        assert!(arg.get_help().is_some(), "--{long}");
        flags += 1;
    }
    assert_eq!(flags, 33);
}

#[test]
fn numbers_out_of_range_are_refused() {
    for line in ["--write-concurrency 0", "--write-concurrency 257", "--max-destinations-per-slice 1001", "-v 256"] {
        assert!(parse(line).is_err(), "{line}");
    }
}
