//! Why something failed, in words that tell no secret.

use std::error::Error;

use http::Uri;
use kube::client::AuthError;

/// An error and all that it came from: the outermost alone says `error trying to connect`, and kube's says but that it is
/// one of a service.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(text) = without_secrets(error) {
            return text;
        }
        cause = error.source();
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    let text = text.strip_prefix("ServiceError: ").map_or_else(|| text.clone(), Into::into);
    match advice(&text) {
        Some(advice) => format!("{text}; {advice}"),
        None => text,
    }
}

/// Other words for errors whose own hold what is in a kubeconfig, or what a credential plugin has printed.
fn without_secrets(error: &(dyn Error + 'static)) -> Option<String> {
    use kube::Error::{ProxyProtocolDisabled, ProxyProtocolUnsupported};
    if let Some(ProxyProtocolDisabled { proxy_url, .. } | ProxyProtocolUnsupported { proxy_url }) = error.downcast_ref()
    {
        return Some(format!("proxies are not supported, and {} is one", without_user(proxy_url)));
    }
    match error.downcast_ref()? {
        AuthError::AuthExecRun { out, .. } => {
            Some(format!("the kubeconfig's credential plugin failed ({})", out.status))
        }
        AuthError::AuthExecParse(_) => {
            Some("the kubeconfig's credential plugin does not print an ExecCredential".into())
        }
        _ => None,
    }
}

/// A URL without the name and the password in it.
fn without_user(url: &Uri) -> String {
    let authority = url.authority().map(|authority| authority.as_str()).unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{}://{host}", url.scheme_str().unwrap_or("http"))
}

/// What to do about certificates. rustls gives no type for what it says, only words; without them there is just no advice.
fn advice(text: &str) -> Option<&'static str> {
    let (_, reason) = text.split_once("invalid peer certificate: ")?;
    if reason.starts_with("certificate not valid for name") {
        return Some("the kubeconfig's `server` or `tls-server-name` has to be a name that the certificate is for");
    }
    reason.starts_with("UnknownIssuer").then_some(
        "no authority that is trusted has signed it: `certificate-authority` or `certificate-authority-data` of the kubeconfig \
         names one to trust",
    )
}
