use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::channel::mpsc::{UnboundedSender, unbounded};
use tokio::sync::watch;

use super::*;
use crate::scheduler::testing::{Asked, Reply, Server};

const SOURCE: SourceId = SourceId(3);

fn object(name: &str, version: u32) -> String {
    format!(r#"{{"metadata":{{"name":"{name}","uid":"uid-{name}","resourceVersion":"{version}"}}}}"#)
}

fn event(kind: &str, object: &str) -> String {
    format!(r#"{{"type":"{kind}","object":{object}}}"#)
}

fn page(items: &[&str], version: &str, token: &str) -> Reply {
    let items: Vec<String> = items.iter().map(|name| object(name, 1)).collect();
    let metadata = format!(r#"{{"resourceVersion":"{version}","continue":"{token}","remainingItemCount":3}}"#);
    Reply::new(200, format!(r#"{{"kind":"List","metadata":{metadata},"items":[{}]}}"#, items.join(",")))
}

/// A watch whose lines are sent later.
fn open() -> (UnboundedSender<String>, Reply) {
    let (lines, stream) = unbounded();
    (lines, Reply::lines(stream))
}

/// Answers lists and watches from two queues; what is missing never comes.
async fn server(lists: Vec<Reply>, watches: Vec<Reply>) -> Server {
    let queues = Mutex::new((lists.into_iter(), watches.into_iter()));
    Server::start(move |asked| {
        let (lists, watches) = &mut *queues.lock().unwrap();
        let next = if asked.path.contains("watch=1") { watches.next() } else { lists.next() };
        next.unwrap_or_else(Reply::never)
    })
    .await
}

struct Told {
    inputs: mpsc::Receiver<Input>,
    relist: watch::Sender<Option<Instant>>,
    listed: ListedAt,
}

fn watch_with(server: &Server, kind: Kind, after: Option<After>) -> Told {
    let (input, inputs) = mpsc::channel(100);
    let (relist, relisted) = watch::channel(None);
    let (listed, listed_at) = watch::channel(None);
    let watcher = Watcher {
        source: SOURCE,
        kind,
        client: server.client(),
        prefix: String::new(),
        clusters: Clusters::One("c".into()),
        input,
        order: Order { relist: relisted, listed, after, waited: None },
        route: None,
    };
    tokio::spawn(watcher.run());
    Told { inputs, relist, listed: listed_at }
}

fn watch(server: &Server) -> Told {
    watch_with(server, Kind::SyncTarget, None)
}

impl Told {
    /// The next thing that is told, in few words.
    async fn next(&mut self) -> String {
        let input = tokio::time::timeout(Duration::from_secs(10), self.inputs.recv()).await.expect("nothing is told");
        match input.expect("it has ended") {
            Input::Listing { .. } => "listing".into(),
            Input::Listed { .. } => "listed".into(),
            Input::Object { object: Observed::Spec(event), .. } => format!("+{}", event.key().name),
            Input::Object { object: Observed::Slice(key, _), .. } => format!("+{}", key.name),
            Input::Gone { key, uid, .. } => format!("-{} {}", key.name, uid.unwrap_or_default()),
            Input::Failing { reason, .. } => format!("failing: {reason}"),
            Input::Watching { .. } => "watching".into(),
            other => format!("{other:?}"),
        }
    }

    async fn expect(&mut self, expected: &[&str]) {
        for expected in expected {
            assert_eq!(self.next().await, *expected);
        }
    }
}

fn queries(server: &Server) -> Vec<String> {
    let query =
        |asked: Asked| asked.path.split_once('?').unwrap().1.split("&timeoutSeconds").next().unwrap().to_string();
    server.requests().into_iter().map(query).collect()
}

#[tokio::test]
async fn pages_are_listed_and_then_watched_from_the_last_version() {
    let (lines, first) = open();
    let (_more, second) = open();
    let server = server(vec![page(&["a", "b"], "5", "t=1"), page(&["c"], "5", "")], vec![first, second]).await;
    let mut told = watch(&server);
    told.expect(&["listing", "+a", "+b", "+c", "listed"]).await;
    for line in [event("ADDED", &object("d", 7)), event("DELETED", &object("a", 8)), event("BOOKMARK", &object("", 11))]
    {
        lines.unbounded_send(line).unwrap();
    }
    told.expect(&["+d", "-a uid-a"]).await;
    // The server ends the watch: it goes on from the bookmark, without a list.
    drop(lines);
    while server.requests().len() < 4 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let watched = "watch=1&allowWatchBookmarks=true&resourceVersion";
    assert_eq!(
        queries(&server),
        ["limit=50", "limit=5000&continue=t%3D1", &format!("{watched}=5"), &format!("{watched}=11")]
    );
    assert!(server.requests()[0].path.starts_with("/apis/workload.kcp.io/v1alpha1/synctargets?"));
}

/// What we write comes back in the answer: once is enough.
#[tokio::test]
async fn slices_are_listed_as_a_whole_and_their_changes_are_asked_for_as_metadata() {
    for kind in [Kind::SinglePlacementSlice, Kind::EdgePlacement] {
        let (lines, stream) = open();
        let metadata = object("b", 7).replacen('{', r#"{"kind":"PartialObjectMetadata","#, 1);
        lines.unbounded_send(event("ADDED", &metadata)).unwrap();
        let server = server(vec![page(&["a"], "5", "")], vec![stream]).await;
        let mut told = watch_with(&server, kind, None);
        told.expect(&["listing"]).await;
        if kind == Kind::SinglePlacementSlice {
            told.expect(&["+a", "listed", "+b"]).await;
        }
        while server.requests().len() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let accepted: Vec<String> = server.requests().into_iter().map(|asked| asked.accept).collect();
        let of_changes = if kind == Kind::SinglePlacementSlice { METADATA_ALONE } else { "application/json" };
        assert_eq!(accepted, ["application/json", of_changes]);
    }
}

#[tokio::test]
async fn of_objects_that_are_far_larger_than_the_last_ones_fewer_are_asked_for() {
    let large = || Reply::new(200, format!(r#"{{"items":[{}]}}"#, " ".repeat(2 << 20)));
    let lists = vec![page(&["a"], "5", "t"), large(), large(), page(&["b"], "5", "u"), page(&["c"], "5", "")];
    let server = server(lists, vec![]).await;
    let mut told = watch(&server);
    told.expect(&["listing", "+a", "+b", "+c", "listed"]).await;
    let pages = ["limit=50", "limit=5000&continue=t", "limit=500&continue=t", "limit=50&continue=t"];
    assert_eq!(queries(&server)[..4], pages);
    assert_eq!(queries(&server)[4], "limit=5000&continue=u");
}

#[tokio::test]
async fn one_object_that_is_too_large_is_told() {
    let large = || Reply::new(200, " ".repeat(2 << 20));
    let server = server((0..4).map(|_| large()).collect(), vec![]).await;
    let mut told = watch(&server);
    told.expect(&["listing"]).await;
    assert!(told.next().await.ends_with("synctargets.workload.kcp.io has an object that is too large"));
    assert_eq!(queries(&server)[..3], ["limit=50", "limit=5", "limit=1"]);
}

#[tokio::test]
async fn a_version_that_is_too_old_leads_to_a_list() {
    let (lines, stream) = open();
    let expired = r#"{"kind":"Status","code":410,"reason":"Expired","message":"too old"}"#;
    lines.unbounded_send(event("ERROR", expired)).unwrap();
    let lists = vec![page(&["a"], "5", ""), page(&["b"], "6", ""), page(&["c"], "7", "")];
    let server = server(lists, vec![Reply::new(410, expired), stream]).await;
    let mut told = watch(&server);
    told.expect(&["listing", "+a", "listed", "listing", "+b", "listed", "listing", "+c", "listed"]).await;
}

#[tokio::test]
async fn a_list_that_breaks_off_starts_over() {
    let broken = vec![
        page(&["a"], "5", "t"),
        Reply::new(410, r#"{"kind":"Status","reason":"Expired","message":"the token is too old"}"#),
        page(&["a"], "5", "").cut_off(),
        Reply::new(200, "{"),
        page(&["a", "b"], "", ""),
        page(&["a", "b"], "6", ""),
    ];
    let server = server(broken, vec![]).await;
    let mut told = watch(&server);
    told.expect(&["listing", "+a"]).await;
    assert!(told.next().await.ends_with("synctargets.workload.kcp.io (410: the token is too old)"));
    told.expect(&["listing"]).await;
    assert!(told.next().await.starts_with("failing: no connection"));
    told.expect(&["listing"]).await;
    assert!(told.next().await.contains("cannot be read"));
    told.expect(&["listing", "+a", "+b"]).await;
    assert!(told.next().await.ends_with("has no resourceVersion"));
    told.expect(&["listing", "+a", "+b", "listed"]).await;
}

#[tokio::test]
async fn what_a_person_can_do_is_told() {
    let status = |code| Reply::new(code, r#"{"kind":"Status","message":"because"}"#);
    let server = server(vec![status(401), status(403), status(404), status(500), Reply::hang_up()], vec![]).await;
    let mut told = watch(&server);
    for expected in [
        "failing: the server does not accept the credentials (401: because)",
        "failing: the right to list synctargets.workload.kcp.io is missing (403: because)",
        "failing: the server has no synctargets.workload.kcp.io: its definition has to be applied (404: because)",
        "failing: the server cannot list synctargets.workload.kcp.io (500: because)",
    ] {
        told.expect(&["listing", expected]).await;
    }
    told.expect(&["listing"]).await;
    assert!(told.next().await.starts_with("failing: no connection to the server for synctargets.workload.kcp.io: "));
}

#[tokio::test]
async fn a_watch_that_failed_goes_on_where_it_was() {
    let (lines, stream) = open();
    let away = || Reply::new(503, "{}");
    let server = server(vec![page(&["a"], "5", "")], vec![away(), away(), stream]).await;
    let mut told = watch(&server);
    told.expect(&["listing", "+a", "listed"]).await;
    for _ in 0..2 {
        assert!(told.next().await.starts_with("failing: the server cannot watch"));
    }
    told.expect(&["watching"]).await;
    lines.unbounded_send(event("MODIFIED", &object("a", 6))).unwrap();
    told.expect(&["+a"]).await;
    assert!(queries(&server)[3].ends_with("resourceVersion=5"));
}

#[tokio::test]
async fn a_list_that_is_asked_for_does_not_wait_for_the_next_attempt() {
    let failing = (0..50).map(|_| Reply::new(500, "{}"));
    let server = server(vec![page(&["a"], "1", ""), page(&["a"], "9", "")], failing.collect()).await;
    let mut told = watch(&server);
    // Waits are long when it has failed often.
    while server.requests().len() < 6 {
        tokio::time::timeout(Duration::from_millis(100), told.inputs.recv()).await.ok();
    }
    let asked = Instant::now();
    told.relist.send_replace(Some(asked));
    while told.listed.borrow().is_none_or(|began| began < asked) {
        tokio::time::timeout(Duration::from_millis(20), told.inputs.recv()).await.ok();
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", queries(&server));
    }
}

#[tokio::test]
async fn a_line_that_is_cut_off_comes_again_and_one_that_makes_no_sense_leads_to_a_list() {
    let (lines, first) = open();
    let (other_lines, second) = open();
    let server = server(vec![page(&[], "5", ""), page(&["z"], "9", "")], vec![first, second]).await;
    let mut told = watch(&server);
    told.expect(&["listing", "listed"]).await;
    lines.unbounded_send(event("ADDED", &object("a", 6))).unwrap();
    let cut = event("ADDED", &object("b", 7));
    lines.unbounded_send(cut[..cut.len() - 5].to_string()).unwrap();
    drop(lines);
    told.expect(&["+a"]).await;
    other_lines.unbounded_send(cut).unwrap();
    told.expect(&["+b"]).await;
    other_lines.unbounded_send("{]".into()).unwrap();
    assert!(told.next().await.contains("cannot be read"));
    told.expect(&["listing", "+z", "listed"]).await;
    assert!(queries(&server)[2].ends_with("resourceVersion=6"));
}

#[tokio::test]
async fn an_object_that_cannot_be_decoded_exists() {
    let body = r#"{"metadata":{"resourceVersion":"5"},"items":[
        {"metadata":{"name":"odd","labels":[]}}, {"metadata":{"name":"even"}}]}"#;
    let server = server(vec![Reply::new(200, body)], vec![]).await;
    watch(&server).expect(&["listing", "+odd", "+even", "listed"]).await;
}

#[tokio::test]
async fn everything_is_listed_again_when_that_is_asked_for_and_slices_go_first() {
    let (_lines, stream) = open();
    let server = server(vec![page(&[], "5", ""), page(&["new"], "6", "")], vec![stream]).await;
    let (slices, slices_listed) = watch::channel(None);
    let (all, all_known) = watch::channel(None);
    let after = After { all: all_known, own: None, later: false };
    let mut told = watch_with(&server, Kind::SyncTarget, Some(after));
    let quiet = |told: &mut Told| told.inputs.try_recv().is_err();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(quiet(&mut told), "not all sources are known");
    all.send_replace(Some(vec![slices_listed]));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(quiet(&mut told), "slices are not listed");
    slices.send_replace(Some(Instant::now()));
    told.expect(&["listing", "listed"]).await;
    let asked = Instant::now();
    told.relist.send_replace(Some(asked));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(quiet(&mut told), "the list of slices is too old");
    slices.send_replace(Some(Instant::now()));
    told.expect(&["listing", "+new", "listed"]).await;
    told.listed.wait_for(|listed| *listed >= Some(asked)).await.unwrap();
}

#[tokio::test]
async fn a_later_source_is_held_up_by_no_other() {
    let server = server(vec![page(&[], "5", "")], vec![]).await;
    let (_slices, never) = watch::channel(None);
    let (_all, all) = watch::channel(Some(vec![never]));
    let after = After { all, own: None, later: true };
    watch_with(&server, Kind::SyncTarget, Some(after)).expect(&["listing", "listed"]).await;
}

#[tokio::test]
async fn it_ends_when_nobody_listens() {
    let (_lines, stream) = open();
    let server = server(vec![page(&[], "5", "")], vec![stream]).await;
    let mut told = watch(&server);
    told.expect(&["listing", "listed"]).await;
    drop(told.inputs);
    let ended = told.listed.wait_for(|listed| listed.is_none());
    assert!(tokio::time::timeout(Duration::from_secs(5), ended).await.expect("it goes on").is_err());
}

#[tokio::test]
async fn a_watch_that_ends_at_once_makes_no_storm() {
    let watches = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&watches);
    let server = Server::start(move |asked| {
        if asked.path.contains("watch=1") {
            count.fetch_add(1, Ordering::Relaxed);
            Reply::new(200, "")
        } else {
            page(&[], "5", "")
        }
    })
    .await;
    let mut told = watch(&server);
    told.expect(&["listing", "listed"]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!((1..8).contains(&watches.load(Ordering::Relaxed)), "{watches:?}");
}

#[test]
fn pages_have_about_the_same_size() {
    assert_eq!(page_of(50, 50 * 13_000), 322);
    // However large the objects are, a list has to get on.
    assert_eq!(page_of(50, 50 * 700_000), FIRST_PAGE);
    assert_eq!(page_of(50, 50 * 80), LAST_PAGE);
    assert_eq!(page_of(0, 100), LAST_PAGE);
}
