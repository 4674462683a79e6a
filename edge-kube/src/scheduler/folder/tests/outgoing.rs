//! What is in OUT already, and what others do there.

use super::*;

fn text(slice: &SinglePlacementSlice) -> String {
    serde_json::to_string(slice).unwrap()
}

fn seen<'w>(world: &'w World, cluster: &str, name: &str) -> Option<&'w SinglePlacementSlice> {
    match world.slices.get(&ObjectKey::new(cluster, name)) {
        Some(Seen::Object(slice)) => Some(slice),
        _ => None,
    }
}

#[tokio::test]
async fn a_restart_finds_what_was_written_and_writes_nothing() {
    let world = World::with(&[]).await;
    let mut written = Vec::new();
    for name in ["a", "b"] {
        written.push(world.create("c", name, 3).await);
    }
    let texts =
        |world: &World| ["a", "b"].map(|name| fs::read_to_string(world.path(&format!("out/c/{name}.yaml"))).unwrap());
    let before = texts(&world);
    assert!(before[0].starts_with("apiVersion: edge.kcp.io/v1alpha1\ndestinations:\n- cluster: c\n"), "{}", before[0]);
    let world = world.restart().await;
    assert_eq!([seen(&world, "c", "a"), seen(&world, "c", "b")], [Some(&written[0]), Some(&written[1])]);
    assert_eq!(texts(&world), before);
    let next = world.create("c", "next", 0).await;
    let version = |slice: &SinglePlacementSlice| slice.metadata.resource_version.parse::<u64>().unwrap();
    assert!(version(&next) > version(&written[1]), "versions go on");
}

#[tokio::test]
async fn our_own_writes_are_not_told_back() {
    let mut world = World::with(&[]).await;
    let first = world.create("c", "a", 1).await;
    let mut next = first.clone();
    next.destinations.clear();
    assert!(matches!(world.write(Verb::Replace, &ObjectKey::new("c", "a"), Some(next)).await, Outcome::Slice(_)));
    world.put("out/c/stranger.yaml", &text(&slice("c", "stranger", 0)));
    world.until("the stranger is seen", |world| seen(world, "c", "stranger").is_some()).await;
    assert!(seen(&world, "c", "a").is_none(), "{:?}", world.log);
}

#[tokio::test]
async fn what_others_do_is_seen_under_a_new_version() {
    let mut world = World::with(&[]).await;
    let ours = world.create("c", "a", 2).await;
    let mut theirs = ours.clone();
    theirs.destinations.pop();
    world.put("out/c/a.yaml", &text(&theirs));
    world.until("the edit is seen", |world| seen(world, "c", "a").is_some()).await;
    let edited = seen(&world, "c", "a").unwrap().clone();
    assert_eq!((edited.destinations.len(), &edited.metadata.uid), (1, &ours.metadata.uid));
    assert_ne!(edited.metadata.resource_version, ours.metadata.resource_version);

    world.put("out/c/a.yaml", "destinations: [");
    world.until("it cannot be read", |world| matches!(world.slices.values().next(), Some(Seen::Unreadable(_)))).await;
    let Some(Seen::Unreadable(metadata)) = world.slices.values().next().cloned() else { panic!() };
    assert_eq!((&metadata.uid, &metadata.labels), (&ours.metadata.uid, &ours.metadata.labels), "it is still ours");
    let repaired = SinglePlacementSlice { metadata, ..ours.clone() };
    let repaired = world.write(Verb::Replace, &ObjectKey::new("c", "a"), Some(repaired)).await;
    assert!(matches!(repaired, Outcome::Slice(slice) if slice.destinations == ours.destinations));

    fs::remove_file(world.path("out/c/a.yaml")).unwrap();
    world.until("the deletion is seen", |world| world.slices.is_empty()).await;
    world.put("out/c/a.yaml", &text(&ours));
    world.until("it is back", |world| seen(world, "c", "a").is_some()).await;
    assert_ne!(seen(&world, "c", "a").unwrap().metadata.uid, ours.metadata.uid, "the deleted one stays dead");
}

#[tokio::test]
async fn slices_of_other_files_get_files_of_their_own() {
    let temp = temp();
    let both = format!("{}\n---\n{}", text(&slice("c", "a", 2)), text(&slice("d", "b", 1)));
    put(&temp.path().join("out/all.yaml"), &both);
    put(&temp.path().join("out/c/other-name.json"), &text(&slice("c", "x", 1)));
    put(&temp.path().join("out/notes.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n");
    let mut world = World::start(temp);
    world.until("everything is listed", |world| world.listed.len() == 4).await;
    let destinations = |slice: Option<&SinglePlacementSlice>| slice.map(|slice| slice.destinations.len());
    assert_eq!(["a", "x"].map(|name| destinations(seen(&world, "c", name))), [Some(2), Some(1)]);
    assert_eq!(destinations(seen(&world, "d", "b")), Some(1));
    let expected = ["all.yaml.adopted", "c/a.yaml", "c/other-name.json.adopted", "c/x.yaml", "d/b.yaml", "notes.yaml"];
    assert_eq!(files(&world.path("out")), expected);
    let world = world.restart().await;
    assert_eq!((files(&world.path("out")), world.slices.len()), (expected.map(str::to_owned).to_vec(), 3));
}

#[tokio::test]
async fn what_a_crash_left_is_cleaned_and_nothing_else() {
    let temp = temp();
    for name in ["out/.edge-kube-1-2.tmp", "out/c/.edge-kube-7-0.tmp", "out/c/.mine", "out/keep.txt"] {
        put(&temp.path().join(name), "x");
    }
    let world = World::start(temp);
    assert_eq!(files(&world.path("out")), ["c/.mine", "keep.txt"]);
}

#[tokio::test]
async fn the_output_folder_comes_back() {
    let mut world = World::with(&[]).await;
    world.create("c", "a", 1).await;
    world.put("out/d/b.yaml", &text(&slice("d", "b", 0)));
    world.until("it is seen", |world| seen(world, "d", "b").is_some()).await;
    fs::remove_dir_all(world.path("out")).unwrap();
    world
        .until("all is gone", |world| world.log.iter().filter(|line| line.starts_with("gone slice")).count() == 2)
        .await;
    world.create("c", "a", 1).await;
    assert_eq!(files(&world.path("out")), ["c/a.yaml"]);
    // And so does its lock.
    let second = Folder::open(&world.path("in"), &world.path("out"), "default").err().unwrap();
    assert!(second.to_string().contains("another edge-kube scheduler"), "{second}");
}

#[test]
fn folders_that_cannot_be_used_are_refused() {
    let temp = TempDir::new().unwrap();
    let at = |name: &str| temp.path().join(name);
    fs::create_dir_all(at("a/b")).unwrap();
    std::os::unix::fs::symlink("a", at("link")).unwrap();
    put(&at("file"), "");
    for (dir, out) in [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a", "link/new"), ("a", "a/../a/x"), ("none", "none/x")]
    {
        let error = Folder::open(&at(dir), &at(out), "default").err().unwrap();
        assert!(error.is_usage() && error.to_string().contains("neither of them in the other"), "{dir} {out}: {error}");
    }
    for (dir, out) in [("file", "a"), ("a", "file")] {
        assert!(matches!(Folder::open(&at(dir), &at(out), "default"), Err(super::super::OpenError::NotAFolder(_))));
    }
    let _first = Folder::open(&at("a"), &at("out"), "default").ok().unwrap();
    let second = Folder::open(&at("a"), &at("out"), "default").err().unwrap();
    assert!(!second.is_usage() && second.to_string().contains("another edge-kube scheduler"), "{second}");
}
