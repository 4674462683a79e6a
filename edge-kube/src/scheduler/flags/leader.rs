//! The leader election flags, with the names and defaults of kube-scheduler.

use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use edge_core::lease::{Config, ConfigError};

use super::super::duration::parse_duration;

/// `--leader-elect…`.
///
/// It is on by default, as in kube-scheduler. A run by hand against a server that a deployment works on as well then stands
/// by instead of fighting it over every slice; it costs one small object, which is given back at Ctrl-C.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Leader election")]
pub(crate) struct LeaderArgs {
    /// Write only while holding a Lease, so that several replicas can run [default: true, but false with --dir]
    ///
    /// After a crash the next one writes when the Lease has run out, after Ctrl-C or SIGTERM at once. Without rights to
    /// Leases, use --leader-elect=false and run one replica.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(env = "EDGE_KUBE_LEADER_ELECT", hide_env_values = true, value_parser = BoolishValueParser::new())]
    pub(crate) leader_elect: Option<bool>,
    /// How long a standby waits for a leader that does not renew; whole seconds
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = parse_duration)]
    #[arg(env = "EDGE_KUBE_LEADER_ELECT_LEASE_DURATION", hide_env_values = true)]
    pub(crate) leader_elect_lease_duration: Duration,
    /// How long a leader that cannot renew goes on; less than the lease duration
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    #[arg(env = "EDGE_KUBE_LEADER_ELECT_RENEW_DEADLINE", hide_env_values = true)]
    pub(crate) leader_elect_renew_deadline: Duration,
    /// How often a leader renews; a standby looks four times as often
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_duration)]
    #[arg(env = "EDGE_KUBE_LEADER_ELECT_RETRY_PERIOD", hide_env_values = true)]
    pub(crate) leader_elect_retry_period: Duration,
    /// Name of the Lease
    #[arg(long, value_name = "NAME", default_value = "edge-scheduler", value_parser = parse_name)]
    #[arg(env = "EDGE_KUBE_LEADER_ELECT_RESOURCE_NAME", hide_env_values = true)]
    pub(crate) leader_elect_resource_name: String,
    /// Namespace of the Lease [default: on kcp `default` of the edge service provider workspace; else that of the pod, else
    /// `default`]
    #[arg(long, value_name = "NAMESPACE", value_parser = parse_name)]
    #[arg(env = "EDGE_KUBE_LEADER_ELECT_RESOURCE_NAMESPACE", hide_env_values = true)]
    pub(crate) leader_elect_resource_namespace: Option<String>,
}

impl LeaderArgs {
    /// What the election goes by.
    ///
    /// # Errors
    ///
    /// Durations that do not fit together, with the flags to change.
    pub(crate) fn election(&self, identity: String) -> Result<Config, String> {
        let (lease, deadline, retry) =
            (self.leader_elect_lease_duration, self.leader_elect_renew_deadline, self.leader_elect_retry_period);
        Config::new(identity, lease, deadline, retry).map_err(|error| {
            let (lease, deadline, retry) = (
                format!("--leader-elect-lease-duration ({lease:?})"),
                format!("--leader-elect-renew-deadline ({deadline:?})"),
                format!("--leader-elect-retry-period ({retry:?})"),
            );
            match error {
                ConfigError::LeaseDuration => format!("{lease} must be longer than {deadline}"),
                ConfigError::RenewDeadline => format!("{deadline} must be longer than 1.2 times {retry}"),
                ConfigError::RetryPeriod => format!("{retry} must be at least 10ms"),
                ConfigError::TooLong => format!("{lease} is too long"),
                other => other.to_string(),
            }
        })
    }
}

/// A DNS subdomain, as names of Leases and namespaces are.
fn parse_name(text: &str) -> Result<String, String> {
    if super::values::is_subdomain(text) {
        return Ok(text.into());
    }
    Err("expected a name of lower case letters, digits, '-' and '.'".into())
}
