//! Whom the scheduler trusts, and what it keeps to itself.

use std::fs;

use serde_json::json;

use crate::env::{Env, Flavor};
use crate::scenarios::small::Small;
use crate::servers::{Login, base64};
use crate::truth;

/// An authority that has signed nothing, valid for a hundred years.
const STRANGER: &str = "\
-----BEGIN CERTIFICATE-----
MIIBhzCCAS2gAwIBAgIUb1+E6XsYlPMkkKvSSvwaR6N1yyIwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNc29tZWJvZHkgZWxzZTAgFw0yNjExMjYwMDQzMTNaGA8yMTI2
MTEwMjAwNDMxM1owGDEWMBQGA1UEAwwNc29tZWJvZHkgZWxzZTBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABNnSdHSBcWRGag/SAxM6dTafTH4c1uvvIv7KhTxe9ywP
ogmR8Zh7qrTslsDvpu3Bv6p06gevl6usePNnd5sKS2ujUzBRMB0GA1UdDgQWBBRS
utIyFtLIdvdXmJzE+FnSCo9tUTAfBgNVHSMEGDAWgBRSutIyFtLIdvdXmJzE+FnS
Co9tUTAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQDJMEi84HiB
Q2ga4b91z7bQx9dQN/M9DBZadO1aOxY21wIgBos7kH20/3mHKPETWHIBOO+8LHW8
9c1C2LiFQ63JXFA=
-----END CERTIFICATE-----
";

/// A server whose certificate no authority has signed that the kubeconfig names, or that is for another server, is refused,
/// unless the kubeconfig says not to look.
pub(crate) fn unknown_authority(flavor: Flavor) {
    let env = Env::new(flavor, "unknown-authority");
    Small::create(&env);
    env.grant();
    let login = env.scheduler_login();
    let mut elsewhere = login.cluster.clone();
    elsewhere["tls-server-name"] = "elsewhere.example.com".into();
    let stranger = json!({"certificate-authority-data": base64(STRANGER.as_bytes())});
    for (number, cluster) in [stranger, elsewhere].into_iter().enumerate() {
        let login = Login { cluster, ..login.clone() };
        let scheduler = env.scheduler_with(&env.write_kubeconfig(&format!("refused-{number}"), &login), &[]);
        truth::wait_unready(&env, &scheduler, "certificate");
        truth::wait_logged(&env, &scheduler, "certificate");
        let (_, body) = scheduler.get("/readyz?verbose");
        let advice = if number == 0 { "certificate-authority" } else { "tls-server-name" };
        assert!(body.contains(&login.url) && body.contains(advice), "it does not say what to do: {body}");
        assert_eq!(scheduler.terminate(), 0);
    }
    assert!(env.world().slices.is_empty(), "somebody wrote");

    let login = Login { cluster: json!({"insecure-skip-tls-verify": true}), ..login };
    let scheduler = env.scheduler_with(&env.write_kubeconfig("careless", &login), &["--leader-elect=false"]);
    truth::settled(&env, &scheduler);
    assert_eq!(scheduler.terminate(), 0);
}

/// No credential is in the log at any verbosity, nor in what it serves; whether the server takes it or not.
pub(crate) fn secrets_stay_secret(flavor: Flavor) {
    let env = Env::new(flavor, "secrets");
    Small::create(&env);
    env.grant();
    let login = env.scheduler_login();
    let token = login.user["token"].as_str().unwrap().to_owned();
    let file = env.kubeconfig.with_file_name("token.txt");
    fs::write(&file, &token).unwrap();
    let plugin = |script: &str| {
        json!({"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never", "command": "sh",
            "args": ["-c", script], "env": [{"name": "PASSWORD_OF_PLUGIN", "value": "pl4gin-s3cret"}],
        }})
    };
    let credential = |token: &str| {
        let status = json!({"token": token});
        json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}).to_string()
    };
    let (text, json_lines) = ("--log-format=text", "--log-format=json");
    let wrong = json!({"token": "wr0ng-s3cret"});
    let users = [
        ("token", json!({"token": token}), text, Then::Works),
        ("token-json", json!({"token": token}), json_lines, Then::Works),
        ("token-file", json!({"tokenFile": file}), text, Then::Works),
        ("plugin", plugin(&format!("echo '{}'", credential(&token))), json_lines, Then::Works),
        ("wrong-token", wrong.clone(), text, Then::Waits),
        ("wrong-token-json", wrong, json_lines, Then::Waits),
        ("basic", json!({"username": "somebody", "password": "b4sic-s3cret"}), text, Then::Waits),
        ("plugin-fails", plugin(&format!("echo '{}'; exit 3", credential("pl4gin-s3cret"))), text, Then::Ends),
        ("plugin-rambles", plugin("echo '{pl4gin-s3cret: ['"), text, Then::Ends),
    ];
    let secrets = [&*token, "wr0ng-s3cret", "b4sic-s3cret", "pl4gin-s3cret"];
    let encoded = [&*token, "somebody:b4sic-s3cret"].map(|secret| base64(secret.as_bytes()));
    let secrets: Vec<&str> = secrets.into_iter().chain(encoded.iter().map(String::as_str)).collect();
    for (name, user, format, then) in users {
        let login = Login { user, ..login.clone() };
        let kubeconfig = env.write_kubeconfig(name, &login);
        let scheduler = env.scheduler_with(&kubeconfig, &["--leader-elect=false", "-v=10", format]);
        let mut told = String::new();
        if then == Then::Ends {
            assert_eq!(scheduler.wait(), 1, "{name}");
        } else {
            match then {
                Then::Works => truth::settled(&env, &scheduler),
                _ => truth::wait_unready(&env, &scheduler, &login.url),
            }
            told = ["/readyz?verbose", "/livez?verbose", "/metrics"].map(|path| scheduler.get(path).1).concat();
            assert_eq!(scheduler.terminate(), 0, "{name}");
        }
        told += &scheduler.log();
        assert!(told.contains("starting edge scheduler"), "{name}: {told}");
        for secret in &secrets {
            assert!(!told.contains(secret), "{name}: {secret} is told in {told}");
        }
    }
}

/// What comes of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Works,
    Waits,
    /// With the reason, since what is wrong is in the kubeconfig.
    Ends,
}
