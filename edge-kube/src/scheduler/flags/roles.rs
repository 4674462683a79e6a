//! `--{espw,root,base}-{kubeconfig,context,cluster,user}`: the kubeconfig entry of each role.

use std::path::PathBuf;

use clap::Args;

/// What overrides a kubeconfig, as the `ConfigOverrides` of client-go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Another file.
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Another context than the current one.
    pub(crate) context: Option<String>,
    /// Another cluster than that of the context.
    pub(crate) cluster: Option<String>,
    /// Another user than that of the context.
    pub(crate) user: Option<String>,
}

impl Selection {
    /// Whether nothing is overridden.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

macro_rules! role {
    ($name:ident, $role:literal, $env:literal, $what:literal, $context:literal) => {
        #[doc = concat!("Overrides for ", $what, ".")]
        #[derive(Debug, Clone, Args)]
        #[command(next_help_heading = "Kubeconfig entries of kcp's workspaces")]
        struct $name {
            #[arg(id = concat!($role, "-kubeconfig"), long = concat!($role, "-kubeconfig"), value_name = "FILE")]
            #[arg(env = concat!("EDGE_KUBE_", $env, "_KUBECONFIG"), hide_env_values = true)]
            #[arg(help = concat!("Kubeconfig file for ", $what, " [default: that of all]"))]
            kubeconfig: Option<PathBuf>,
            #[arg(id = concat!($role, "-context"), long = concat!($role, "-context"), value_name = "NAME")]
            #[arg(env = concat!("EDGE_KUBE_", $env, "_CONTEXT"), hide_env_values = true)]
            #[arg(help = concat!("Context for ", $what, " [default: ", $context, "]"))]
            context: Option<String>,
            #[arg(id = concat!($role, "-cluster"), long = concat!($role, "-cluster"), value_name = "NAME")]
            #[arg(env = concat!("EDGE_KUBE_", $env, "_CLUSTER"), hide_env_values = true)]
            #[arg(help = concat!("Cluster entry for ", $what, " [default: that of the context]"))]
            cluster: Option<String>,
            #[arg(id = concat!($role, "-user"), long = concat!($role, "-user"), value_name = "NAME")]
            #[arg(env = concat!("EDGE_KUBE_", $env, "_USER"), hide_env_values = true)]
            #[arg(help = concat!("User entry for ", $what, " [default: that of the context]"))]
            user: Option<String>,
        }

        impl $name {
            fn selection(&self) -> Selection {
                // An empty environment variable is as good as none.
                let text = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
                Selection {
                    kubeconfig: self.kubeconfig.clone().filter(|path| !path.as_os_str().is_empty()),
                    context: text(&self.context),
                    cluster: text(&self.cluster),
                    user: text(&self.user),
                }
            }

            fn used(&self) -> Option<String> {
                let Selection { kubeconfig, context, cluster, user } = self.selection();
                let flags = [
                    (kubeconfig.is_some(), "kubeconfig"),
                    (context.is_some(), "context"),
                    (cluster.is_some(), "cluster"),
                    (user.is_some(), "user"),
                ];
                flags.iter().find(|(used, _)| *used).map(|(_, flag)| format!("--{}-{flag}", $role))
            }
        }
    };
}

role!(EspwArgs, "espw", "ESPW", "the edge service provider workspace", "the current context");
role!(RootArgs, "root", "ROOT", "the workspace root", "root if there is one, else root of the same server");
role!(BaseArgs, "base", "BASE", "all workspaces; not needed, since writes go through the APIExport", "none");

/// The flags of all roles.
#[derive(Debug, Clone, Args)]
pub(crate) struct RoleArgs {
    #[command(flatten)]
    espw: EspwArgs,
    #[command(flatten)]
    root: RootArgs,
    #[command(flatten)]
    base: BaseArgs,
}

impl RoleArgs {
    /// The edge service provider workspace.
    pub(crate) fn espw(&self) -> Selection {
        self.espw.selection()
    }

    /// The workspace `root`.
    pub(crate) fn root(&self) -> Selection {
        self.root.selection()
    }

    /// All workspaces.
    pub(crate) fn base(&self) -> Selection {
        self.base.selection()
    }

    /// A flag in use.
    pub(super) fn used(&self) -> Option<String> {
        self.espw.used().or_else(|| self.root.used()).or_else(|| self.base.used())
    }
}
