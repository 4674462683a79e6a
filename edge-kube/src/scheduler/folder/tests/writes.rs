//! Writes and their preconditions.

use std::sync::atomic::{AtomicBool, Ordering};

use edge_core::object::Condition;
use edge_core::publisher::{Failure, StatusWrite};

use super::*;

fn slice_of(outcome: Outcome) -> SinglePlacementSlice {
    match outcome {
        Outcome::Slice(slice) => slice,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn writes_answer_as_an_api_server_does() {
    let world = World::with(&[]).await;
    let key = ObjectKey::new("c", "a");
    let first = world.create("c", "a", 2).await;
    assert_eq!((first.metadata.uid.len(), first.metadata.generation), (36, 1));
    let again = world.write(Verb::Create, &key, Some(slice("c", "a", 0))).await;
    assert_eq!(again, Outcome::Failed(Failure::AlreadyExists));

    let mut changed = first.clone();
    changed.destinations.pop();
    changed.metadata.generation = 0;
    let second = slice_of(world.write(Verb::Replace, &key, Some(changed.clone())).await);
    assert_eq!((&second.metadata.uid, second.metadata.generation), (&first.metadata.uid, 2));
    assert_ne!(second.metadata.resource_version, first.metadata.resource_version);
    let stale = world.write(Verb::Replace, &key, Some(changed)).await;
    assert_eq!(stale, Outcome::Failed(Failure::Conflict));
    let text = fs::read_to_string(world.path("out/c/a.yaml")).unwrap();
    let same = slice_of(world.write(Verb::Replace, &key, Some(second.clone())).await);
    assert_eq!((&same, fs::read_to_string(world.path("out/c/a.yaml")).unwrap()), (&second, text), "no new version");
    assert_eq!(slice_of(world.folder.perform(Action::ReadSlice(key.clone())).await), second);

    assert_eq!(world.delete(&first).await, Outcome::Failed(Failure::Conflict));
    let mut other = second.clone();
    other.metadata.uid = "another".into();
    assert_eq!(world.delete(&other).await, Outcome::Failed(Failure::Conflict));
    assert_eq!(world.delete(&second).await, Outcome::Deleted);
    assert!(!world.path("out/c").exists(), "empty folders go");
    assert_eq!(world.delete(&second).await, Outcome::Failed(Failure::NotFound));
    assert_eq!(world.write(Verb::Replace, &key, Some(second)).await, Outcome::Failed(Failure::NotFound));
    assert_eq!(world.folder.perform(Action::ReadSlice(key)).await, Outcome::Failed(Failure::NotFound));
}

/// The watch may not have told yet: the write itself looks.
#[tokio::test]
async fn an_edit_is_never_overwritten() {
    let mut world = World::with(&[]).await;
    let key = ObjectKey::new("c", "a");
    for _ in 0..10 {
        let ours = world.create("c", "a", 2).await;
        let mut theirs = ours.clone();
        theirs.metadata.labels.insert("theirs".into(), "yes".into());
        world.put("out/c/a.yaml", &serde_json::to_string(&theirs).unwrap());
        let mut next = ours.clone();
        next.destinations.clear();
        assert_eq!(world.write(Verb::Replace, &key, Some(next)).await, Outcome::Failed(Failure::Conflict));
        assert_eq!(world.delete(&ours).await, Outcome::Failed(Failure::Conflict));
        let edited = slice_of(world.folder.perform(Action::ReadSlice(key.clone())).await);
        assert!(edited.metadata.labels.contains_key("theirs"));
        let told = |world: &World| matches!(world.slices.get(&key), Some(Seen::Object(slice)) if *slice == edited);
        world.until("the edit is told", told).await;
        assert_eq!(world.delete(&edited).await, Outcome::Deleted);
    }
    world.put("out/c/a.yaml", "nothing of ours");
    let taken = world.write(Verb::Create, &key, Some(slice("c", "a", 0))).await;
    assert_eq!(taken, Outcome::Failed(Failure::AlreadyExists));
    assert_eq!(fs::read_to_string(world.path("out/c/a.yaml")).unwrap(), "nothing of ours");
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let world = World::with(&[]).await;
    for (cluster, name) in [("../c", "a"), ("c", "../a"), ("c", ".a"), ("", "a"), ("c/d", "a")] {
        let outcome = world.write(Verb::Create, &ObjectKey::new(cluster, name), Some(slice(cluster, name, 0))).await;
        assert!(matches!(outcome, Outcome::Failed(Failure::Rejected(_))), "{cluster} {name}: {outcome:?}");
    }
    world.create("..", "a", 0).await;
    assert_eq!(files(world.temp.path()), ["out/%2E./a.yaml", "out/.edge-kube-lock"]);
    let longest = "n".repeat(253);
    let long = world.create("c", &longest, 1).await;
    let world = world.restart().await;
    assert_eq!(world.slices.get(&ObjectKey::new("c", longest.as_str())), Some(&Seen::Object(long)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_never_sees_half_a_slice() {
    let world = World::with(&[]).await;
    let key = ObjectKey::new("c", "a");
    let mut current = world.create("c", "a", 1000).await;
    let (path, done) = (world.path("out/c/a.yaml"), Arc::new(AtomicBool::new(false)));
    let stop = Arc::clone(&done);
    let reader = std::thread::spawn(move || {
        let mut read = 0;
        while !stop.load(Ordering::Relaxed) || read == 0 {
            let text = fs::read_to_string(&path).unwrap();
            let slice: SinglePlacementSlice = serde_yaml::from_str(&text).unwrap();
            assert!([1, 1000].contains(&slice.destinations.len()), "{}", slice.destinations.len());
            read += 1;
        }
    });
    for round in 0..30 {
        let size = if round % 2 == 0 { 1 } else { 1000 };
        let next = SinglePlacementSlice { metadata: current.metadata, ..slice("c", "a", size) };
        current = slice_of(world.write(Verb::Replace, &key, Some(next)).await);
    }
    done.store(true, Ordering::Relaxed);
    reader.join().unwrap();
    assert_eq!(files(&world.path("out")), ["c/a.yaml"], "no draft is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writes_at_once_in_folders_that_come_and_go() {
    let world = Arc::new(World::with(&[]).await);
    let tasks = (0..16).map(|i| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            for _ in 0..10 {
                let slice = world.create("c", &format!("s{i}"), i).await;
                assert_eq!(world.delete(&slice).await, Outcome::Deleted);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(files(&world.path("out")), [""; 0]);
}

fn status_write(key: &ObjectKey, uid: &str) -> StatusWrite {
    let condition = Condition { kind: "Resolved".into(), status: "True".into(), ..Condition::default() };
    StatusWrite {
        key: key.clone(),
        uid: uid.into(),
        spec_generation: Some(3),
        matching_location_count: Some(2),
        destination_count: None,
        slice_count: Some(1),
        conditions: Some(vec![condition]),
    }
}

#[tokio::test]
async fn a_status_is_kept_beside_the_slices() {
    let world = World::with(&[("p.yaml", &placement("p", "u"))]).await;
    let key = ObjectKey::new("default", "p");
    assert_eq!(world.statuses[&key], EdgePlacementStatus::default());
    let write = status_write(&key, "u");
    let other = StatusWrite { uid: "other".into(), ..write.clone() };
    assert_eq!(world.folder.perform(Action::Status(other)).await, Outcome::Failed(Failure::NotFound));
    assert_eq!(world.folder.perform(Action::Status(write.clone())).await, Outcome::StatusWritten);
    let path = world.path("out/default/p.status");
    let modified = || fs::metadata(&path).unwrap().modified().unwrap();
    let before = modified();
    assert_eq!(world.folder.perform(Action::Status(write)).await, Outcome::StatusWritten);
    assert_eq!(modified(), before, "nothing has changed");

    world.put("out/default/q.status", "left over");
    let mut world = world.restart().await;
    let status = &world.statuses[&key];
    assert_eq!((status.spec_generation, status.matching_location_count, status.slice_count), (3, 2, Some(1)));
    let time = status.conditions[0].last_transition_time.clone().unwrap();
    assert!(time.ends_with('Z') && time.len() == 20, "{time}");
    assert_eq!(files(&world.path("out")), ["default/p.status"], "what is left over goes");
    assert!(world.slices.is_empty());
    fs::remove_file(world.path("in/p.yaml")).unwrap();
    world.until("it is gone", |world| world.events.is_empty()).await;
    assert_eq!(files(&world.path("out")), [""; 0]);
}

#[tokio::test]
async fn what_others_do_to_a_status_is_told() {
    let mut world = World::with(&[("p.yaml", &placement("p", "one"))]).await;
    let key = ObjectKey::new("default", "p");
    let write = status_write(&key, "one");
    let damages: [fn(&World); 3] = [
        |world| fs::remove_file(world.path("out/default/p.status")).unwrap(),
        |world| world.put("out/default/p.status", "status: ["),
        |world| fs::remove_dir_all(world.path("out/default")).unwrap(),
    ];
    for damage in damages {
        assert_eq!(world.folder.perform(Action::Status(write.clone())).await, Outcome::StatusWritten);
        // By then the folder, which may be new, is watched.
        world.put("out/default/stranger.yaml", &serde_json::to_string(&slice("default", "stranger", 0)).unwrap());
        let stranger = ObjectKey::new("default", "stranger");
        world.until("the folder is watched", |world| world.slices.contains_key(&stranger)).await;
        world.statuses.clear();
        damage(&world);
        let missed = Some(&EdgePlacementStatus::default());
        world.until("it is missed", |world| world.statuses.get(&key) == missed).await;
        fs::remove_file(world.path("out/default/stranger.yaml")).ok();
        world.until("the stranger is gone", |world| world.slices.is_empty()).await;
    }
}
