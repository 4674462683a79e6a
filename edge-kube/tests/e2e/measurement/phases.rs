//! What is measured, one after another.

use std::thread;
use std::time::{Duration, Instant};

use benches::Random;
use serde_json::{Value, json};

use super::api::{Api, Pace};
use super::model::Model;
use super::running::{Running, latency_bound};
use super::slices::Slices;
use super::usage::Cpu;
use super::world::Size;
use crate::client::RUNTIME;
use crate::cluster::{Cluster, EDGE_PLACEMENT, LOCATION, SLICE, SYNC_TARGET};
use crate::env::Env;

/// An event is written within this time, or something is wrong.
const EVENT_LIMIT: Duration = Duration::from_secs(60);

/// A server that uses less than so much of a core for so long is quiet.
const QUIET: f64 = 0.15;
const BREATH: Duration = Duration::from_secs(5);
/// A server that is not quiet by then never is.
const QUIET_LIMIT: Duration = Duration::from_secs(900);

/// Where and how all of it is measured.
pub(super) struct Bench {
    pub(super) env: &'static Env,
    pub(super) api: Api,
    pub(super) size: Size,
    pub(super) model: Model,
    pub(super) clusters: Vec<Cluster>,
    pub(super) concurrency: usize,
}

/// The first publication.
pub(super) struct Publication {
    /// From the start of the process to the answer of the last write.
    pub(super) total: Duration,
    /// From the first answer to the last.
    pub(super) writes: Pace,
    pub(super) cpu: Cpu,
    pub(super) server_cpu: Cpu,
    pub(super) peak_mb: f64,
    /// How many, and their bytes as the server has them.
    pub(super) slices: usize,
    pub(super) bytes: usize,
}

/// Events, one at a time.
#[derive(Default)]
pub(super) struct Events {
    /// From the answer to the change until a watch showed the last slice that it changes.
    pub(super) latency: Vec<Duration>,
    /// What the watch showed: slices and their bytes.
    pub(super) slices: usize,
    pub(super) bytes: usize,
    pub(super) cpu: Cpu,
    pub(super) server_cpu: Cpu,
    /// Bounds of the scheduler's own histogram, in seconds: p50 and p99.
    pub(super) own: [f64; 2],
}

/// Which events.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// They change one destination.
    One,
    /// They change some destination.
    Any,
}

fn server_cpu(env: &Env) -> Cpu {
    Cpu::of(env.server_process_ids().iter().map(String::as_str))
}

/// Waits until the server does next to nothing: kcp's controllers are at work for long after many objects were made.
pub(super) fn quiesce(env: &Env) {
    let begin = Instant::now();
    loop {
        let before = server_cpu(env);
        thread::sleep(BREATH);
        let busy = (server_cpu(env) - before).0.as_secs_f64() / BREATH.as_secs_f64();
        if busy < QUIET || begin.elapsed() > QUIET_LIMIT {
            eprintln!("  the server uses {busy:.2} cores by itself after {:.0?}", begin.elapsed());
            return;
        }
    }
}

impl Bench {
    fn server_cpu(&self) -> Cpu {
        server_cpu(self.env)
    }

    /// Starts a scheduler where there are no slices; the slices are checked.
    pub(super) fn publish(&self, max: usize) -> (Running, Publication) {
        let server = self.server_cpu();
        let running = Running::start(self.env, max, self.concurrency);
        running.ready();
        let written = running.settle();
        let (slices, _) = Slices::read(&self.api, &self.model);
        let publication = Publication {
            total: written.last - running.began,
            writes: Pace::new("slices published", written.count - written.before, written.last - written.first),
            cpu: running.cpu(),
            server_cpu: self.server_cpu() - server,
            peak_mb: running.peak_mb(),
            slices: slices.count(),
            bytes: slices.bytes(),
        };
        slices.check(&self.model, max);
        assert_eq!(slices.count(), written.count, "some slices were written more than once");
        eprintln!("  {}, {:.1} s after the start", publication.writes, publication.total.as_secs_f64());
        (running, publication)
    }

    /// Writes the same bodies as there are slices, under other names, and deletes them; and the bytes of them.
    pub(super) fn bare_writes(&self) -> (Pace, usize) {
        let mut requests = Vec::new();
        self.api.list(SLICE, |text| requests.push(self.copy(text)));
        let bytes = requests.iter().map(|(_, body)| body.len()).sum();
        let paths: Vec<String> =
            requests.iter().enumerate().map(|(number, (path, _))| format!("{path}/{}", copy_name(number))).collect();
        let named = requests.into_iter().enumerate();
        let named = named.map(|(number, (path, body))| (path, body.replacen(COPY, &copy_name(number), 1)));
        let pace = self.api.write(named, "bare writes");
        eprintln!("  {pace}");
        eprintln!("  {}", self.api.delete(paths.into_iter(), "of them deleted"));
        (pace, bytes)
    }

    /// Where a slice's copy goes, and its body: as the scheduler sends it, but a stranger to it.
    fn copy(&self, text: &str) -> (String, String) {
        let mut slice: Value = serde_json::from_str(text).unwrap();
        let metadata = slice["metadata"].as_object_mut().unwrap();
        let cluster = metadata.get("annotations").and_then(|all| all["kcp.io/cluster"].as_str()).unwrap_or("default");
        let path = self.api.collection(SLICE, cluster);
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kcp.io/cluster");
        }
        let sent = ["name", "labels", "annotations", "ownerReferences"];
        metadata.retain(|field, _| sent.contains(&field.as_str()));
        let length = slice.to_string().len();
        let metadata = slice["metadata"].as_object_mut().unwrap();
        metadata.remove("labels");
        metadata.remove("ownerReferences");
        metadata.insert("name".into(), COPY.into());
        slice["metadata"]["annotations"]["example.com/fill"] = "".into();
        let fill = "x".repeat(length.saturating_sub(slice.to_string().len()));
        slice["metadata"]["annotations"]["example.com/fill"] = fill.into();
        (path, slice.to_string())
    }

    /// Deletes all slices; no scheduler may be running.
    pub(super) fn delete_slices(&self) {
        let mut paths = Vec::new();
        self.api.list(SLICE, |text| {
            let slice: Value = serde_json::from_str(text).unwrap();
            let metadata = &slice["metadata"];
            let cluster = metadata["annotations"]["kcp.io/cluster"].as_str().unwrap_or("default");
            paths.push(format!("{}/{}", self.api.collection(SLICE, cluster), metadata["name"].as_str().unwrap()));
        });
        eprintln!("  {}", self.api.delete(paths.into_iter(), "slices deleted"));
    }

    /// How long bare lists of the four kinds take: one after another, and as the scheduler does it, slices first and then
    /// the rest at once.
    pub(super) fn bare_lists(&self) -> [Duration; 2] {
        let others = [SYNC_TARGET, LOCATION, EDGE_PLACEMENT];
        RUNTIME.block_on(async {
            let begin = Instant::now();
            for resource in [SLICE].into_iter().chain(others) {
                self.api.list_bare(resource).await;
            }
            let serial = begin.elapsed();
            let begin = Instant::now();
            self.api.list_bare(SLICE).await;
            futures::future::join_all(others.map(|resource| self.api.list_bare(resource))).await;
            [serial, begin.elapsed()]
        })
    }

    /// Starts a scheduler where nothing has changed, and checks that it writes nothing.
    pub(super) fn restart(&self, max: usize) -> (Running, Duration) {
        let before = self.versions();
        let running = Running::start(self.env, max, self.concurrency);
        let ready = running.ready();
        let written = running.settle();
        assert_eq!(written.count, 0, "slices were written though nothing had changed");
        assert_eq!(self.versions(), before, "something was written though nothing had changed");
        eprintln!("  ready {:.2} s after the start", ready.as_secs_f64());
        (running, ready)
    }

    /// Of all slices and EdgePlacements.
    fn versions(&self) -> Vec<(String, String)> {
        let mut versions = Vec::new();
        for resource in [SLICE, EDGE_PLACEMENT] {
            self.api.list(resource, |text| {
                let Object { metadata } = serde_json::from_str(text).unwrap();
                versions.push((metadata.uid, metadata.resource_version));
            });
        }
        versions.sort_unstable();
        versions
    }

    /// Relabels SyncTargets one at a time, each when the last has come through.
    pub(super) fn events(&mut self, running: &Running, count: usize, width: Width, max: usize) -> Events {
        let (mut slices, version) = Slices::read(&self.api, &self.model);
        let mut watch = self.api.watch(SLICE, &version);
        let mut random = Random::new(if width == Width::One { 4 } else { 5 });
        let mut events = Events::default();
        let (metrics, cpu, server) = (running.metrics(), running.cpu(), self.server_cpu());
        for _ in 0..count {
            let (target, key, value) = self.plan(&mut random, width);
            let mut labels = self.model.sync_targets[target as usize].labels.clone();
            labels[key] = value.clone().into();
            let affected = self.model.affected(target, &labels);
            self.model.relabel(target, labels);
            let mut open: Vec<u32> = affected.into_iter().map(|(placement, _)| placement).collect();
            open.retain(|placement| !self.is_right(&slices, *placement, target));
            let home = &self.model.sync_targets[target as usize];
            let cluster = self.clusters.iter().find(|cluster| cluster.name == home.cluster).unwrap();
            cluster.patch(SYNC_TARGET, &home.name, &json!({"metadata": {"labels": {key: value}}}));
            let answered = Instant::now();
            let mut last = answered;
            while !open.is_empty() {
                let Some((arrived, line)) = watch.next(EVENT_LIMIT) else {
                    panic!("{} EdgePlacements are not right after {EVENT_LIMIT:?}", open.len());
                };
                let placement = self.take(&mut slices, &line);
                events.slices += 1;
                events.bytes += line.len();
                let before = open.len();
                open.retain(|open| *open != placement || !self.is_right(&slices, placement, target));
                if open.len() < before {
                    last = last.max(arrived);
                }
            }
            events.latency.push(last - answered);
            // So that the next does not meet what is left of this one.
            thread::sleep(Duration::from_millis(20));
        }
        (events.cpu, events.server_cpu) = (running.cpu() - cpu, self.server_cpu() - server);
        let after = running.metrics();
        events.own = [0.5, 0.99].map(|part| latency_bound(&metrics, &after, part));
        while let Some((_, line)) = watch.next(Duration::from_secs(1)) {
            self.take(&mut slices, &line);
            events.slices += 1;
            events.bytes += line.len();
        }
        slices.check(&self.model, max);
        events
    }

    /// A SyncTarget, the label that it gets, and its value; another than it has.
    fn plan(&self, random: &mut Random, width: Width) -> (u32, &'static str, String) {
        for _ in 0..1_000_000 {
            let target = usize::try_from(random.below(self.model.sync_targets.len() as u64)).unwrap();
            let (key, value) = self.size.relabel(random);
            let mut labels = self.model.sync_targets[target].labels.clone();
            labels[key] = value.clone().into();
            let target = u32::try_from(target).unwrap();
            let changes: usize = self.model.affected(target, &labels).iter().map(|(_, count)| count).sum();
            if changes == 1 || changes > 0 && width == Width::Any {
                return (target, key, value);
            }
        }
        panic!("this world has no such event");
    }

    fn is_right(&self, slices: &Slices, placement: u32, target: u32) -> bool {
        slices.locations_of(&self.model, placement, target) == self.model.wanted_of(placement, target)
    }

    /// Takes in a line of a watch of slices; returns the EdgePlacement of the slice.
    fn take(&self, slices: &mut Slices, line: &str) -> u32 {
        let change: Change<'_> = serde_json::from_str(line).unwrap();
        match change.kind {
            "ADDED" | "MODIFIED" => slices.observe(&self.model, change.object.get()),
            "DELETED" => slices.forget(&self.model, change.object.get()),
            _ => panic!("{line:.1000}"),
        }
    }

    /// Does nothing for some time, and checks that nothing is written; the CPU time that this takes.
    pub(super) fn rest(&self, running: &Running, time: Duration) -> Cpu {
        running.settle();
        let before = self.versions();
        let cpu = running.cpu();
        thread::sleep(time);
        let used = running.cpu() - cpu;
        assert_eq!(self.versions(), before, "something was written at rest");
        used
    }
}

/// Stands for the name of a copy, and is as long.
const COPY: &str = "bare-write-000000";

fn copy_name(number: usize) -> String {
    format!("bare-write-{number:06}")
}

#[derive(serde::Deserialize)]
struct Object {
    metadata: Metadata,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: String,
    resource_version: String,
}

#[derive(serde::Deserialize)]
struct Change<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    object: &'a serde_json::value::RawValue,
}
