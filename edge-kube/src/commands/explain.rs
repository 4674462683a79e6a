//! `edge-kube explain`.

use std::fmt;
use std::io::{self, BufWriter, Write};

use edge_core::event::{Event, Holds};
use edge_core::index::{ClauseWhy, PlacementWhy, RequirementWhy, SelectorWhy, Why};
use edge_core::object::{Kind, ObjectKey};
use edge_core::selector::Selector;

use super::{Failure, Input, Name, World, counted, parse_name};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    /// The EdgePlacement
    ///
    /// Without CLUSTER it is the one in --cluster-name, or else the only one of the name.
    #[arg(long, value_name = "[CLUSTER/]NAME", value_parser = parse_name)]
    placement: Name,
    /// The Location; without it, all are looked at
    ///
    /// Without CLUSTER it is the one in the SyncTarget's cluster or in --cluster-name, or else the only one of the name.
    #[arg(long, value_name = "[CLUSTER/]NAME", value_parser = parse_name)]
    location: Option<Name>,
    /// The SyncTarget; without it, all of the Location's logical cluster are looked at
    ///
    /// Without CLUSTER it is the one in --cluster-name, or else the only one of the name or the one in the Location's
    /// cluster.
    #[arg(long, value_name = "[CLUSTER/]NAME", value_parser = parse_name)]
    sync_target: Option<Name>,
}

pub(super) fn run(args: &Args) -> Result<World, Failure> {
    let world = World::load(&args.input)?;
    let find = |kind, name: &Name, near: Option<&ObjectKey>| find(&world, kind, name, near, &args.input.cluster_name);
    let placement = find(Kind::EdgePlacement, &args.placement, None)?;
    let sync_target = args.sync_target.as_ref().map(|name| find(Kind::SyncTarget, name, None)).transpose();
    let near = sync_target.as_ref().ok().and_then(Option::as_ref);
    let location = args.location.as_ref().map(|name| find(Kind::Location, name, near)).transpose()?;
    // Of SyncTargets with one name in several clusters, that of the Location's is meant.
    let sync_target = match (sync_target, &args.sync_target) {
        (Err(Failure::Ambiguous { .. }), Some(name)) => Some(find(Kind::SyncTarget, name, location.as_ref())?),
        (found, _) => found?,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let explain = Explain { world: &world, placement };
    match (location, sync_target) {
        (Some(location), Some(sync_target)) => explain.one(&location, &sync_target, &mut out)?,
        (Some(location), None) => explain.sync_targets_of(&location, &mut out)?,
        (None, Some(sync_target)) => explain.locations_of(&sync_target, &mut out)?,
        (None, None) => explain.locations(&mut out)?,
    }
    out.flush()?;
    drop(out);
    Ok(world)
}

/// The object that a name on the command line means.
fn find(
    world: &World,
    kind: Kind,
    name: &Name,
    near: Option<&ObjectKey>,
    default_cluster: &str,
) -> Result<ObjectKey, Failure> {
    let mut candidates: Vec<ObjectKey> = keys(world, kind)
        .filter(|key| key.name == name.name && name.cluster.as_ref().is_none_or(|cluster| *cluster == key.cluster))
        .cloned()
        .collect();
    let preferred = [near.map(|key| key.cluster.as_str()), Some(default_cluster)];
    for cluster in preferred.into_iter().flatten() {
        if let Some(key) = candidates.iter().find(|key| key.cluster == cluster) {
            return Ok(key.clone());
        }
    }
    let kind = kind.as_str();
    match candidates.pop() {
        None => Err(Failure::Missing { kind, name: name.clone() }),
        Some(only) if candidates.is_empty() => Ok(only),
        Some(last) => {
            candidates.push(last);
            Err(Failure::Ambiguous { kind, name: name.clone(), candidates })
        }
    }
}

/// The objects of a kind, by cluster and name.
fn keys(world: &World, kind: Kind) -> impl Iterator<Item = &ObjectKey> {
    world.events.iter().filter(move |event| event.kind() == kind).map(Event::key)
}

struct Explain<'a> {
    world: &'a World,
    placement: ObjectKey,
}

impl Explain<'_> {
    /// Everything about one Location and one SyncTarget.
    fn one(&self, location: &ObjectKey, sync_target: &ObjectKey, out: &mut impl Write) -> io::Result<()> {
        let Some(why) = self.world.scheduler.index().why(&self.placement, location, sync_target) else { return Ok(()) };
        self.heading(&why.placement, out)?;
        if why.placement == PlacementWhy::Active {
            self.location_part(location, out)?;
            if let SelectorWhy::Frozen(invalid) = &why.sync_target.selector {
                writeln!(out, "  it is invalid: {invalid}")?;
                writeln!(out, "  so each EdgePlacement keeps the destinations that it had through it")?;
            }
            writeln!(out, "SyncTarget {sync_target}: {}", self.held(location, &why))?;
            match &why.sync_target.selector {
                SelectorWhy::Clause(clause) if why.sync_target.same_cluster && why.sync_target.labels_known => {
                    print_clause("instanceSelector", clause, out)?;
                }
                _ => {}
            }
        }
        let is = if self.is_destination(location, sync_target, &why) { "is" } else { "is not" };
        writeln!(
            out,
            "\nSyncTarget {sync_target} {is} a destination of EdgePlacement {} through Location {location}{}",
            self.placement,
            self.because(location, sync_target, &why)
        )
    }

    /// The Location, and a line for each SyncTarget of its cluster.
    fn sync_targets_of(&self, location: &ObjectKey, out: &mut impl Write) -> io::Result<()> {
        self.heading(&self.state(), out)?;
        self.location_part(location, out)?;
        writeln!(out, "SyncTargets of {}:", location.cluster)?;
        let mut sync_targets =
            keys(self.world, Kind::SyncTarget).filter(|key| key.cluster == location.cluster).peekable();
        if sync_targets.peek().is_none() {
            return writeln!(out, "  none: no SyncTarget is in the Location's logical cluster");
        }
        sync_targets.try_for_each(|key| self.line(&key.name, location, key, out))
    }

    /// A line for each Location of the SyncTarget's cluster.
    fn locations_of(&self, sync_target: &ObjectKey, out: &mut impl Write) -> io::Result<()> {
        let locations: Vec<&ObjectKey> =
            keys(self.world, Kind::Location).filter(|key| key.cluster == sync_target.cluster).collect();
        self.heading(&self.state(), out)?;
        writeln!(out, "SyncTarget {sync_target}, through the Locations of {}:", sync_target.cluster)?;
        if locations.is_empty() {
            return writeln!(out, "  none: no Location is in the SyncTarget's logical cluster");
        }
        locations.into_iter().try_for_each(|location| self.line(&location.name, location, sync_target, out))
    }

    /// A line for each Location.
    fn locations(&self, out: &mut impl Write) -> io::Result<()> {
        let index = self.world.scheduler.index();
        let locations: Vec<&ObjectKey> = keys(self.world, Kind::Location).collect();
        let state = self.state();
        self.heading(&state, out)?;
        if state != PlacementWhy::Active {
            return Ok(());
        }
        let selected = index.locations(&self.placement).unwrap_or_default();
        writeln!(out, "Locations:")?;
        if locations.is_empty() {
            return writeln!(out, "  none: the input has no Location");
        }
        for key in locations {
            let found = selected.binary_search_by_key(&(&*key.cluster, &*key.name), |have| (have.cluster, have.name));
            match found.ok().map(|at| &selected[at]) {
                Some(location) => {
                    let nothing = self.why_nothing(key).map(|why| format!("; {why}")).unwrap_or_default();
                    let frozen = location.invalid.map(|invalid| format!("; it is invalid, so these stay: {invalid}"));
                    writeln!(
                        out,
                        "  {key}: selected, {}{nothing}{}",
                        counted(location.sync_targets, "destination"),
                        frozen.unwrap_or_default()
                    )?;
                }
                None => writeln!(out, "  {key}: not selected{}", self.why_not_selected(key))?,
            }
        }
        Ok(())
    }

    fn state(&self) -> PlacementWhy {
        let index = self.world.scheduler.index();
        match index.held(&self.placement) {
            Some(invalid) => PlacementWhy::Invalid(invalid.clone()),
            None if index.location_count(&self.placement).is_none() => PlacementWhy::Deleting,
            None => PlacementWhy::Active,
        }
    }

    fn heading(&self, state: &PlacementWhy, out: &mut impl Write) -> io::Result<()> {
        let placement = &self.placement;
        match state {
            PlacementWhy::Active => writeln!(out, "EdgePlacement {placement}: selects a Location if {}", self.asks()),
            PlacementWhy::Invalid(invalid) => {
                writeln!(out, "EdgePlacement {placement}: it is invalid, so its slices stay as they are\n  {invalid}")
            }
            PlacementWhy::Deleting => {
                writeln!(out, "EdgePlacement {placement}: it is being deleted, so its slices stay as they are")
            }
        }
    }

    /// What the EdgePlacement's selectors ask, in its own order.
    fn asks(&self) -> String {
        match self.selectors() {
            [] => "any of its locationSelectors matches; it has none".into(),
            [only] => format!("its locationSelector matches: {only}"),
            many => {
                let each =
                    many.iter().enumerate().map(|(i, selector): (usize, &Selector)| format!("\n  [{i}] {selector}"));
                format!("any of its locationSelectors matches:{}", each.collect::<String>())
            }
        }
    }

    /// The EdgePlacement's selectors; none if it is invalid.
    fn selectors(&self) -> &[Selector] {
        let selectors = self.world.events.iter().find_map(|event| match event {
            Event::EdgePlacement(key, Some(record)) if *key == self.placement => record.selectors.as_ref().ok(),
            _ => None,
        });
        selectors.map_or(&[], Vec::as_slice)
    }

    /// What each selector says of a Location, with a name for the selector.
    fn clauses(&self, location: &ObjectKey) -> Vec<(String, &Selector, ClauseWhy)> {
        let labels = self.world.events.iter().find_map(|event| match event {
            Event::Location(key, Some(record)) if key == location => record.labels.as_ref(),
            _ => None,
        });
        let (Some(labels), selectors) = (labels, self.selectors()) else { return Vec::new() };
        let name = |i: usize| if selectors.len() == 1 { String::new() } else { format!("[{i}]") };
        let evaluate = |(i, selector)| (name(i), selector, ClauseWhy::evaluate(selector, labels));
        selectors.iter().enumerate().map(evaluate).collect()
    }

    fn location_part(&self, location: &ObjectKey, out: &mut impl Write) -> io::Result<()> {
        let Some(why) = self.world.scheduler.index().why_selected(&self.placement, location) else { return Ok(()) };
        writeln!(out, "Location {location}: {}", if why.selected { "selected" } else { "not selected" })?;
        if !why.labels_known {
            return writeln!(out, "  its labels cannot be read: what published slices say of it stays");
        }
        self.clauses(location).iter().try_for_each(|(name, selector, clause)| {
            if selector.contradiction().is_some() {
                return writeln!(out, "  locationSelector{name}: matches {selector}");
            }
            print_clause(&format!("locationSelector{name}"), clause, out)
        })
    }

    fn line(&self, name: &str, location: &ObjectKey, sync_target: &ObjectKey, out: &mut impl Write) -> io::Result<()> {
        let Some(why) = self.world.scheduler.index().why(&self.placement, location, sync_target) else { return Ok(()) };
        let is = if self.is_destination(location, sync_target, &why) { "destination" } else { "no destination" };
        writeln!(out, "  {name}: {is}{}", self.because(location, sync_target, &why))
    }

    /// Where the EdgePlacement cannot be resolved, its slices tell.
    fn is_destination(&self, location: &ObjectKey, sync_target: &ObjectKey, why: &Why) -> bool {
        if why.placement == PlacementWhy::Active {
            return why.is_destination;
        }
        let mut published = self.world.published.slices_of(&self.placement).flat_map(|(_, slice)| &slice.destinations);
        published.any(|destination| {
            destination.cluster == location.cluster
                && destination.location_name == location.name
                && destination.sync_target_name == sync_target.name
                && location.cluster == sync_target.cluster
        })
    }

    /// The first reason why not.
    fn because(&self, location: &ObjectKey, sync_target: &ObjectKey, why: &Why) -> String {
        if why.placement != PlacementWhy::Active {
            let none = self.world.published.slices_of(&self.placement).next().is_none();
            return String::from(if none { ": it has no slices yet" } else { ": so its slices say" });
        }
        if why.is_destination {
            return String::new();
        }
        if !why.sync_target.same_cluster {
            return format!(
                ": they are in different logical clusters, {} and {}",
                sync_target.cluster, location.cluster
            );
        }
        if !why.location.selected {
            return format!(": the Location is not selected{}", self.why_not_selected(location));
        }
        format!(": {}", self.held(location, why))
    }

    /// Whether the Location holds the SyncTarget, in a few words.
    fn held(&self, location: &ObjectKey, why: &Why) -> String {
        let part = &why.sync_target;
        if !part.same_cluster {
            return "not held, since it is in another logical cluster".into();
        }
        match &part.selector {
            SelectorWhy::Frozen(_) if why.is_destination => "kept".into(),
            SelectorWhy::Frozen(_) => "not kept, since it was not there before the Location became invalid".into(),
            SelectorWhy::Nothing => {
                let why = self.why_nothing(location).unwrap_or_else(|| "it can hold nothing".into());
                format!("not held by the Location: {why}")
            }
            _ if !part.labels_known && why.is_destination => "kept, since its labels cannot be read".into(),
            _ if !part.labels_known => "not held, since its labels cannot be read".into(),
            SelectorWhy::Clause(clause) if clause.matches => "held".into(),
            SelectorWhy::Clause(clause) => format!("not held: {}", failures(clause)),
        }
    }

    /// Why a valid Location can hold nothing at all, if it cannot.
    fn why_nothing(&self, location: &ObjectKey) -> Option<String> {
        let holds = self.world.events.iter().find_map(|event| match event {
            Event::Location(key, Some(record)) if key == location => record.holds.as_ref().ok(),
            _ => None,
        })?;
        match holds {
            // Manifests always have a selector, given or by default.
            Holds::Nothing => Some("its spec.resource is not synctargets of workload.kcp.io/v1alpha1".into()),
            Holds::Matching(selector) => {
                selector.contradiction().is_some().then(|| format!("its spec.instanceSelector matches {selector}"))
            }
        }
    }

    /// What the Location's labels lack, selector by selector.
    fn why_not_selected(&self, location: &ObjectKey) -> String {
        let Some(why) = self.world.scheduler.index().why_selected(&self.placement, location) else {
            return String::new();
        };
        if !why.labels_known {
            return ": its labels cannot be read".into();
        }
        let reason = |(name, selector, clause): &(String, &Selector, ClauseWhy)| {
            let reason = match selector.contradiction() {
                Some(_) => format!("matches {selector}"),
                None => failures(clause),
            };
            if name.is_empty() { reason } else { format!("{name} {reason}") }
        };
        let reasons: Vec<String> = self.clauses(location).iter().map(reason).collect();
        if reasons.is_empty() { ": there is no selector".into() } else { format!(": {}", reasons.join("; ")) }
    }
}

/// The requirements that do not hold.
fn failures(clause: &ClauseWhy) -> String {
    let failures: Vec<String> =
        clause.requirements.iter().filter(|requirement| !requirement.holds).map(|r| Asked(r).to_string()).collect();
    failures.join(", ")
}

fn print_clause(what: &str, clause: &ClauseWhy, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "  {what}: {}", if clause.matches { "matches" } else { "does not match" })?;
    if clause.requirements.is_empty() {
        return writeln!(out, "    yes  {{}} matches everything");
    }
    clause.requirements.iter().try_for_each(|requirement| {
        writeln!(out, "    {}  {}", if requirement.holds { "yes" } else { "no " }, Asked(requirement))
    })
}

/// A requirement and what is there: `env=prod, but env is dev`.
struct Asked<'a>(&'a RequirementWhy);

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RequirementWhy { requirement, value, holds, .. } = self.0;
        let but = if *holds { "" } else { "but " };
        match value {
            Some(value) => write!(f, "{requirement} ({but}{} is {value:?})", requirement.key),
            None => write!(f, "{requirement} ({but}there is no label {})", requirement.key),
        }
    }
}
