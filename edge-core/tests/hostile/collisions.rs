//! Names and labels made to collide in what hashes them.
//!
//! | hash | who can make collisions | what one costs |
//! |---|---|---|
//! | order of destinations: SipHash-2-4, 64 bits, published key | anybody, in about 2³² steps each | names break ties; a comparison of names |
//! | names of slices: the same, over cluster, EdgePlacement and fence | anybody, as above | who comes later takes its next name, as if a stranger had it (`further-name-is-squatted` in `testdata`) |
//! | signature of labels: a bit of 64 for each label | anybody, with 64 labels and more | an evaluation of the selector, which is exact |
//! | tables (foldhash, seeded by where the process lies in memory) | nobody who cannot tell the seeds; nothing does, since no table is iterated for an output, but its makers promise no more than that | a comparison of keys |
//! | digest of a slice: SipHash-2-4, 128 bits, published key | nobody: 2⁶⁴ steps for any two lists, 2¹²⁸ for a given one | a foreign edit that stays |

use std::hash::Hasher;
use std::sync::atomic::{AtomicUsize, Ordering};

use edge_core::event::Event;
use edge_core::object::{LabelSelector, ObjectKey};
use edge_core::scheduler::Scheduler;
use siphasher::sip::SipHasher24;

use crate::cost::{Cost, alone};
use crate::{bare, everywhere, expression, location, options, publish, scheduler, sync_target};

fn siphash(parts: &[&[u8]]) -> u64 {
    let mut hasher = SipHasher24::new_with_keys(0, 0);
    parts.iter().for_each(|part| hasher.write(part));
    hasher.finish()
}

/// Signatures have 64 bits: objects with so many labels that all are set pass every filter, and are matched rightly.
#[test]
fn labels_that_set_every_bit_of_the_signature() {
    let _alone = alone();
    let full = || (0..400).map(|i| (format!("k{i}"), format!("v{i}")));
    let mut events: Vec<_> = (0..200).map(|i| sync_target("c", &format!("s{i}"), full().skip(i))).collect();
    let asks = |i: usize| LabelSelector {
        match_labels: [(format!("k{i}"), format!("v{i}")), ("k399".into(), "v399".into())].into(),
        ..LabelSelector::default()
    };
    events.extend((0..200).map(|i| location("c", &format!("l{i}"), asks(i))));
    events.push(everywhere("c", "everywhere"));
    let (mut scheduler, cost) = Cost::of(|| scheduler(1000, &events));
    // Sixty thousand labels: sixteen bytes each, and a place in a list.
    cost.is_at_most("200 SyncTargets of up to 400 labels", 60_000 * 40, 60_000 * 60);
    // The i-th asks for a label that those up to the i-th have.
    let count = scheduler.index().destination_count(&ObjectKey::new("c", "everywhere"));
    assert_eq!(count, Some((1..=200).sum()));
    // A label that goes and comes again is one that a single Location asks for.
    for i in 0..200 {
        for labels in [full().filter(|(key, _)| *key != format!("k{i}")).collect::<Vec<_>>(), full().collect()] {
            assert_eq!(scheduler.apply(&sync_target("c", "s0", labels.into_iter())).rows().count(), 1, "k{i}");
        }
    }
    for value in ["w", "v"] {
        let labels = full().map(|(key, _)| (key.clone(), key.replace('k', value)));
        assert_eq!(scheduler.apply(&sync_target("c", "s0", labels)).rows().count(), 200, "all labels at once");
    }
    // Where there is one label, its bit and its key's may be the same.
    for (i, label) in full().enumerate() {
        let asks = LabelSelector { match_labels: [label.clone()].into(), ..LabelSelector::default() };
        assert_eq!(scheduler.apply(&location("one", &format!("l{i}"), asks)).rows().count(), 0);
        assert_eq!(scheduler.apply(&sync_target("one", &format!("s{i}"), [label].into_iter())).rows().count(), 1);
    }
    // A key that none of them has, asked for alone, and with more expressions than there are labels.
    let missing = || expression("missing".into(), "Exists", &[]);
    let alone = LabelSelector { match_expressions: vec![missing()], ..LabelSelector::default() };
    assert_eq!(scheduler.apply(&location("c", "none", alone)).rows().count(), 0);
    let mut selector = LabelSelector { match_labels: full().collect(), ..LabelSelector::default() };
    selector.match_expressions.push(expression("another".into(), "NotIn", &["x".into()]));
    assert_eq!(scheduler.apply(&location("c", "all", selector.clone())).rows().count(), 1);
    selector.match_expressions.push(missing());
    assert_eq!(scheduler.apply(&location("c", "all", selector)).rows().count(), 1, "it goes again");
}

static HASHED: AtomicUsize = AtomicUsize::new(0);

/// Every name has the same hash. A name is hashed when it comes, and never to find it: what an event hashes does not depend
/// on how many others there are.
#[test]
fn names_that_all_collide() {
    fn collide(_: &str) -> u64 {
        HASHED.fetch_add(1, Ordering::Relaxed);
        7
    }
    const COUNT: usize = 5_000;
    let _alone = alone();
    let mut scheduler = Scheduler::with_hash(options(100), collide);
    let _ = scheduler.apply(&everywhere("c", "everywhere"));
    let _ = scheduler.apply(&location("c", "l", LabelSelector::default()));
    let before = HASHED.load(Ordering::Relaxed);
    let ((), cost) = Cost::of(|| {
        for i in 0..COUNT {
            assert_eq!(scheduler.apply(&bare("c", &format!("s{i}"))).rows().count(), 1);
        }
    });
    assert!(HASHED.load(Ordering::Relaxed) - before <= 2 * COUNT, "{} names hashed", HASHED.load(Ordering::Relaxed));
    cost.is_at_most("5000 names of one hash", 240 * COUNT, 470 * COUNT);
    let published = publish(&mut scheduler);
    assert_eq!(published.iter().map(|(_, slice)| slice.destinations.len()).sum::<usize>(), COUNT);
    assert!(published.iter().count() <= 4 * COUNT / 100 + 1);
    let before = HASHED.load(Ordering::Relaxed);
    let _ = scheduler.apply(&bare("c", "one-more"));
    let writes = scheduler.plan(&published);
    assert!(writes.len() <= 2, "{} writes for one more", writes.len());
    let hashed = HASHED.load(Ordering::Relaxed) - before;
    assert!(hashed <= 50, "{hashed} names hashed for one more");
}

/// Two names whose published hashes are equal, as clusters, Locations and SyncTargets. To find them took 4.2 · 10⁹ hashes, two
/// minutes of one core.
#[test]
fn names_whose_published_hashes_are_equal() {
    const TWINS: [&str; 2] = ["dfi6ttnm4jcmn", "qzkslqdafx5vf"];
    let _alone = alone();
    assert_eq!(siphash(&[TWINS[0].as_bytes()]), siphash(&[TWINS[1].as_bytes()]));
    let mut events = vec![everywhere("c", "everywhere")];
    for cluster in TWINS {
        for name in TWINS {
            events.push(location(cluster, name, LabelSelector::default()));
            events.push(bare(cluster, name));
        }
    }
    for max in 1..=9 {
        let mut first = scheduler(max, &events);
        let published = publish(&mut first);
        let mut rows: Vec<_> = published.iter().flat_map(|(_, slice)| slice.destinations.clone()).collect();
        rows.sort();
        rows.dedup();
        assert_eq!(rows.len(), 8, "each once");
        assert!(published.iter().all(|(_, slice)| slice.destinations.len() <= max));
        assert!(scheduler(max, &events).plan(&published).is_empty(), "a restart writes nothing");
        // One of the twins goes, and the other stays.
        let gone = Event::SyncTarget(ObjectKey::new(TWINS[0], TWINS[1]), None);
        assert_eq!(first.apply(&gone).rows().count(), 2);
        first.settle(&published);
        first.internal_validate();
    }
}
