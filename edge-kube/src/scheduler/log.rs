//! Log lines on stderr, as Kubernetes' own components write them.
//!
//! ```text
//! I0418 00:23:58.516391    6754 kcp.rs:212] "Found APIExport view" exportName="edge.kcp.io" serverURL="https://…"
//! {"ts":1681777438516.391,"level":"info","caller":"kcp.rs:212","v":0,"msg":"Found APIExport view","exportName":"edge.kcp.io",…}
//! ```
//!
//! Strings are quoted; what is recorded with `%` or `?` is not if it is one word. An event of level INFO may have a field
//! `v`: it is written from that verbosity on. DEBUG is written from 4 on, TRACE from 6 on.
//!
//! **Libraries are heard as far as they tell no secret**: of kube's client, from 8 on, method and URL of each request; never
//! headers, which it logs at TRACE. What hyper, rustls and others log below WARN is dropped.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::{io, process};

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber, span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::flags::LogFormat;

/// From this verbosity on, requests are logged.
const REQUESTS: u8 = 8;

/// Writes the process's log from now on. A second call changes nothing.
pub(crate) fn init(format: LogFormat, verbosity: u8) {
    let write = |line: &str| {
        // There is nobody left to tell.
        let _ = io::stderr().lock().write_all(line.as_bytes());
    };
    let subscriber = tracing_subscriber::registry().with(Klog { format, verbosity, process: process::id(), write });
    let _ = tracing::subscriber::set_global_default(subscriber);
}

struct Klog<W> {
    format: LogFormat,
    verbosity: u8,
    process: u32,
    write: W,
}

impl<W> Klog<W> {
    fn allows(&self, metadata: &Metadata<'_>) -> bool {
        let (target, level) = (metadata.target(), *metadata.level());
        if target.starts_with("edge_kube") || target.starts_with("edge_core") {
            return match level {
                Level::TRACE => self.verbosity >= 6,
                Level::DEBUG => self.verbosity >= 4,
                _ => true,
            };
        }
        match target {
            // It warns of certificates that are not checked, or cannot be read again.
            "kube_client::client::tls" => level <= Level::WARN,
            // Failures come back as errors, and are told with what they were for, and without what a plugin has printed.
            _ if target.starts_with("kube") => {
                self.verbosity >= REQUESTS && level <= Level::DEBUG && level != Level::ERROR
            }
            _ => level <= Level::WARN,
        }
    }
}

impl<S, W> Layer<S> for Klog<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&str) + 'static,
{
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.allows(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.verbosity {
            0..4 => LevelFilter::INFO,
            4..6 => LevelFilter::DEBUG,
            6.. => LevelFilter::TRACE,
        })
    }

    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        fields.pairs.retain(|(key, _)| !key.starts_with("otel."));
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        // The client says of each request when it begins and when its answer has ended: once is enough.
        let echo = event.metadata().target().starts_with("kube") && fields.message == "stream closed";
        if echo || fields.verbosity > self.verbosity {
            return;
        }
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.pairs.extend(outer.pairs.iter().cloned());
            }
        }
        let line = match self.format {
            LogFormat::Text => self.text(event.metadata(), &fields, Timestamp::now()),
            LogFormat::Json => json(event.metadata(), fields, Timestamp::now()),
        };
        (self.write)(&line);
    }
}

impl<W> Klog<W> {
    fn text(&self, metadata: &Metadata<'_>, fields: &Fields, now: Timestamp) -> String {
        let letter = match *metadata.level() {
            Level::ERROR => 'E',
            Level::WARN => 'W',
            _ => 'I',
        };
        let mut line = String::with_capacity(200);
        // Writing to a string does not fail.
        let time = now.strftime("%m%d %H:%M:%S%.6f");
        let _ = write!(line, "{letter}{time} {:7} {}] {}", self.process, caller(metadata), quoted(&fields.message));
        for (key, value) in &fields.pairs {
            let _ = match value {
                Logged::Text(text) => write!(line, " {key}={}", quoted(text)),
                Logged::Plain(text) if is_word(text) => write!(line, " {key}={text}"),
                Logged::Plain(text) => write!(line, " {key}={}", quoted(text)),
                Logged::Json(value) => write!(line, " {key}={value}"),
            };
        }
        line.push('\n');
        line
    }
}

fn json(metadata: &Metadata<'_>, fields: Fields, now: Timestamp) -> String {
    let level = match *metadata.level() {
        Level::ERROR => "error",
        Level::WARN => "warning",
        _ => "info",
    };
    let microseconds = now.as_microsecond();
    let mut line = String::with_capacity(300);
    // Writing to a string does not fail.
    let _ = write!(
        line,
        "{{\"ts\":{}.{:03},\"level\":\"{level}\",\"caller\":{},\"v\":{},\"msg\":{}",
        microseconds / 1000,
        microseconds % 1000,
        quoted(&caller(metadata)),
        fields.verbosity,
        quoted(&fields.message)
    );
    // One key must not come twice, and the inner one counts.
    let mut seen = BTreeMap::new();
    for (key, value) in fields.pairs {
        if matches!(key, "ts" | "level" | "caller" | "msg") || seen.insert(key, ()).is_some() {
            continue;
        }
        let _ = match value {
            Logged::Text(text) | Logged::Plain(text) => write!(line, ",{}:{}", quoted(key), quoted(&text)),
            Logged::Json(value) => write!(line, ",{}:{value}", quoted(key)),
        };
    }
    line.push_str("}\n");
    line
}

/// File and line.
fn caller(metadata: &Metadata<'_>) -> String {
    let file = metadata.file().and_then(|path| path.rsplit(['/', '\\']).next()).unwrap_or("unknown");
    format!("{file}:{}", metadata.line().unwrap_or(0))
}

/// In double quotes, with the escapes of JSON: a line stays a line, whatever is in it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/|+%".contains(c))
}

#[derive(Debug, Clone)]
enum Logged {
    /// A string.
    Text(String),
    /// Whatever has a textual form.
    Plain(String),
    /// A number or a boolean.
    Json(Value),
}

/// The fields of an event or a span.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    verbosity: u8,
    pairs: Vec<(&'static str, Logged)>,
}

impl Fields {
    fn push(&mut self, field: &Field, value: Logged) {
        self.pairs.push((field.name(), value));
    }

    fn number(&mut self, field: &Field, value: Value) {
        match (field.name(), value.as_u64().and_then(|level| u8::try_from(level).ok())) {
            ("v", Some(level)) => self.verbosity = level,
            _ => self.push(field, Logged::Json(value)),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = value.to_owned();
        } else {
            self.push(field, Logged::Text(value.to_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
        } else {
            // The Debug form of a string is quoted already.
            let string = if text.starts_with('"') { serde_json::from_str::<String>(&text).ok() } else { None };
            self.push(field, string.map_or(Logged::Plain(text), Logged::Text));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.number(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, Logged::Json(value.into()));
    }

    /// With all that it came from.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            let cause = error.to_string();
            if !text.contains(&cause) {
                let _ = write!(text, ": {cause}");
            }
            source = error.source();
        }
        self.push(field, Logged::Text(text));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// The lines that `log` makes at this verbosity.
    fn lines(format: LogFormat, verbosity: u8, log: impl FnOnce()) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let write = move |line: &str| sink.lock().unwrap().push(line.to_owned());
        let layer = Klog { format, verbosity, process: 6754, write };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let lines = lines.lock().unwrap().clone();
        assert!(lines.iter().all(|line| line.ends_with('\n') && line.matches('\n').count() == 1));
        lines
    }

    fn example() {
        let error = io::Error::other("broken\npipe \"x\"");
        tracing::info!(
            exportName = "edge.kcp.io",
            triggeringKind = %"Location",
            why = %"two words",
            kind = ?Some(1),
            text = ?"quoted",
            count = 3,
            ok = true,
            err = &error as &dyn Error,
            "Found APIExport view"
        );
    }

    #[test]
    fn text_lines_are_those_of_klog() {
        let lines = lines(LogFormat::Text, 0, example);
        let (header, rest) = lines[0].split_once("] ").unwrap();
        let words: Vec<&str> = header.split_whitespace().collect();
        assert_eq!((words.len(), words[0].len(), words[1].len(), words[2]), (4, 5, 15, "6754"), "{header}");
        assert!(words[0].starts_with('I') && header.contains("    6754 ") && words[3].starts_with("log.rs:"));
        assert_eq!(
            rest,
            "\"Found APIExport view\" exportName=\"edge.kcp.io\" triggeringKind=Location why=\"two words\" \
             kind=\"Some(1)\" text=\"quoted\" count=3 ok=true err=\"broken\\npipe \\\"x\\\"\"\n"
        );
    }

    #[test]
    fn times_have_six_places_and_are_utc() {
        let klog = Klog { format: LogFormat::Text, verbosity: 0, process: 1, write: |_: &str| {} };
        let lines = Arc::new(Mutex::new(String::new()));
        struct Take<W>(Klog<W>, Arc<Mutex<String>>);
        impl<S: Subscriber, W: 'static> Layer<S> for Take<W> {
            fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
                let now = "2023-11-21T00:32:14.000123Z".parse().unwrap();
                *self.1.lock().unwrap() = self.0.text(event.metadata(), &Fields::default(), now);
            }
        }
        let layer = Take(klog, Arc::clone(&lines));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || tracing::warn!("x"));
        assert!(lines.lock().unwrap().starts_with("W1121 00:32:14.000123       1 log.rs:"));
    }

    #[test]
    fn json_lines_are_objects_with_the_keys_of_kubernetes() {
        let lines = lines(LogFormat::Json, 4, || {
            example();
            tracing::error!(msg = "not this one", v = 2, "x");
        });
        let object: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!((&object["level"], &object["msg"]), (&"info".into(), &"Found APIExport view".into()));
        assert_eq!((&object["count"], &object["ok"], &object["v"]), (&3.into(), &true.into(), &0.into()));
        assert_eq!((&object["triggeringKind"], &object["err"]), (&"Location".into(), &"broken\npipe \"x\"".into()));
        assert!(object["ts"].as_f64().unwrap() > 1.6e12 && object["caller"].as_str().unwrap().starts_with("log.rs:"));
        let error: Value = serde_json::from_str(&lines[1]).unwrap();
        assert_eq!((&error["level"], &error["msg"], &error["v"]), (&"error".into(), &"x".into(), &2.into()));
    }

    #[test]
    fn verbosity_decides_what_is_written() {
        let written = |verbosity| {
            let all = || {
                tracing::error!("e");
                tracing::warn!("w");
                tracing::info!("i");
                tracing::info!(v = 2, "i2");
                tracing::debug!("d");
                tracing::trace!("t");
            };
            lines(LogFormat::Text, verbosity, all).len()
        };
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 9].map(written), [3, 3, 4, 4, 5, 5, 6, 6]);
    }

    #[test]
    fn libraries_tell_no_headers_at_any_verbosity() {
        let written = |verbosity| {
            let all = || {
                tracing::trace!(target: "kube_client::client", "headers: authorization");
                tracing::trace!(target: "hyper::proto::h1", "headers");
                tracing::debug!(target: "hyper::proto::h1", "parsed 5 headers");
                tracing::debug!(target: "rustls::client", "secret");
                tracing::warn!(target: "kube_client::client", "a whole body");
                tracing::error!(target: "kube_client::client::builder", "failed with error: what a plugin has printed");
                let span = tracing::debug_span!(target: "kube_client::client::builder", "HTTP", http.url = "/x", otel.kind = "c");
                span.in_scope(|| {
                    tracing::debug!(target: "kube_client::client::builder", "requesting");
                    tracing::debug!(target: "kube_client::client::builder", "stream closed");
                });
            };
            lines(LogFormat::Text, verbosity, all)
        };
        assert!(written(7).is_empty());
        let lines = written(255);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[1].ends_with("\"requesting\" http.url=\"/x\"\n"), "{lines:?}");
        assert!(!lines.concat().contains("header") && !lines.concat().contains("plugin"), "{lines:?}");
    }
}
