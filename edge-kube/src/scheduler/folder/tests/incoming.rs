//! What happens to manifests.

use std::os::unix::fs::symlink;

use edge_core::publisher::Failure;

use super::*;

const BROKEN: &str = "apiVersion: [\n";

#[tokio::test]
async fn manifests_appear_change_and_go() {
    let mut world = World::with(&[("a.yaml", &sync_target("a", "dev")), ("sub/b.yml", &sync_target("b", ""))]).await;
    assert_eq!(world.names(Kind::SyncTarget), ["a", "b"]);
    assert_eq!(world.log[..2], ["listing SinglePlacementSlice", "listed SinglePlacementSlice"]);

    world.put("in/c.json", r#"{"apiVersion":"workload.kcp.io/v1alpha1","kind":"SyncTarget","metadata":{"name":"c"}}"#);
    world.put("in/new/deep/d.yaml", &sync_target("d", ""));
    world.put("in/.hidden.yaml", &sync_target("hidden", ""));
    world.put("in/notes.txt", &sync_target("notes", ""));
    world.put("in/a.yaml", &sync_target("a", "prod"));
    world.until("all is there", |world| world.names(Kind::SyncTarget).len() == 4 && world.env("a") == "prod").await;

    world.put("in/new/deep/e.yaml", &sync_target("e", ""));
    world.until("a file in a new folder is seen", |world| world.names(Kind::SyncTarget).contains(&"e")).await;
    fs::remove_file(world.path("in/sub/b.yml")).unwrap();
    fs::remove_dir_all(world.path("in/new")).unwrap();
    world.until("it is gone", |world| world.names(Kind::SyncTarget) == ["a", "c"]).await;
}

#[tokio::test]
async fn only_what_changed_is_told() {
    let text = |changed: &str| {
        let env = |i: usize| if i == 7 { changed } else { "" };
        (0..100).map(|i| sync_target(&format!("s{i}"), env(i))).collect::<Vec<_>>().join("---\n")
    };
    let mut world = World::with(&[("all.yaml", &text("dev"))]).await;
    assert_eq!(world.names(Kind::SyncTarget).len(), 100);
    let before = world.log.len();
    world.put("in/all.yaml", &text("prod"));
    world.until("the change is seen", |world| world.env("s7") == "prod").await;
    world.put("in/all.yaml", &text("prod"));
    world.settle().await;
    assert_eq!(world.log[before..before + 1], ["SyncTarget default/s7"]);
    assert_eq!(world.log.len(), before + 2, "{:?}", &world.log[before..]);
}

#[tokio::test]
async fn a_broken_file_keeps_its_content_in_force() {
    let mut world = World::with(&[("a.yaml", &sync_target("a", "dev")), ("b.yaml", &sync_target("b", "dev"))]).await;
    world.put("in/a.yaml", BROKEN);
    world.until("it fails", |world| world.failing.is_some()).await;
    let reason = world.failing.clone().unwrap();
    assert!(reason.contains("in/a.yaml:"), "{reason}");
    world.put("in/b.yaml", &sync_target("b", "prod"));
    world.until("others go on", |world| world.env("b") == "prod").await;
    assert_eq!((world.env("a"), &world.incomplete), ("dev", &None));

    world.put("in/a.yaml", &sync_target("a", "prod"));
    world.until("it is mended", |world| world.failing.is_none() && world.env("a") == "prod").await;
    fs::write(world.path("in/a.yaml"), "").unwrap();
    world.until("an empty file is broken", |world| world.failing.is_some()).await;
    fs::remove_file(world.path("in/a.yaml")).unwrap();
    world.until("a file that is gone is not", |world| world.failing.is_none() && world.env("a").is_empty()).await;
}

#[tokio::test]
async fn mending_a_file_with_its_former_content_ends_the_failure() {
    let mut world = World::with(&[("a.yaml", &sync_target("a", "dev"))]).await;
    let before = world.log.len();
    world.put("in/a.yaml", BROKEN);
    world.until("it fails", |world| world.failing.is_some()).await;
    world.put("in/a.yaml", &sync_target("a", "dev"));
    world.until("it is mended", |world| world.failing.is_none()).await;
    assert_eq!(world.log.len(), before);
}

#[tokio::test]
async fn a_file_that_is_broken_at_the_start_holds_back_what_takes_away() {
    let mut world = World::with(&[("a.yaml", BROKEN), ("b.yaml", &sync_target("b", ""))]).await;
    assert!(world.incomplete.as_ref().unwrap().contains("in/a.yaml:"));
    assert_eq!(world.names(Kind::SyncTarget), ["b"]);
    let read = world.folder.perform(Action::ReadPlacement(ObjectKey::new("default", "p"))).await;
    assert!(matches!(read, Outcome::Failed(Failure::NotDone(_))), "it may be in the broken file: {read:?}");
    world.put("in/a.yaml", &placement("p", "uid-p"));
    world.until("all is known", |world| world.incomplete.is_none() && world.failing.is_none()).await;
    let read = world.folder.perform(Action::ReadPlacement(ObjectKey::new("default", "p"))).await;
    assert_eq!(read, Outcome::Placement { uid: "uid-p".into() });
}

#[tokio::test]
async fn a_link_that_leads_to_nothing_keeps_its_content_in_force() {
    let temp = temp();
    put(&temp.path().join("elsewhere/a.yaml"), &sync_target("a", "dev"));
    put(&temp.path().join("single"), &sync_target("b", "dev"));
    symlink("../elsewhere", temp.path().join("in/sub")).unwrap();
    symlink("../single", temp.path().join("in/b.yaml")).unwrap();
    let mut world = World::start(temp);
    world.until("everything is listed", |world| world.listed.len() == 4).await;
    world.put("single", &sync_target("b", "prod"));
    world.put("elsewhere/c.yaml", &sync_target("c", ""));
    world
        .until("both are followed", |world| world.env("b") == "prod" && world.names(Kind::SyncTarget).len() == 3)
        .await;
    for name in ["elsewhere", "single"] {
        fs::rename(world.path(name), world.path("away")).unwrap();
        world.until("it is missed", |world| world.failing.is_some()).await;
        world.settle().await;
        assert_eq!(world.names(Kind::SyncTarget), ["a", "b", "c"]);
        fs::rename(world.path("away"), world.path(name)).unwrap();
        world.until("it is back", |world| world.failing.is_none()).await;
    }
    assert!(!world.log.iter().any(|line| line.starts_with("gone")), "{:?}", world.log);
}

#[tokio::test]
async fn a_renamed_file_changes_nothing() {
    let mut world = World::with(&[("z.yaml", &sync_target("a", "dev"))]).await;
    let before = world.log.len();
    fs::rename(world.path("in/z.yaml"), world.path("in/b.yaml")).unwrap();
    world.settle().await;
    fs::create_dir(world.path("in/sub")).unwrap();
    fs::rename(world.path("in/b.yaml"), world.path("in/sub/b.yaml")).unwrap();
    world.settle().await;
    fs::rename(world.path("in/sub"), world.path("in/bus")).unwrap();
    world.settle().await;
    assert_eq!(world.log.len(), before + 3, "only the markers: {:?}", &world.log[before..]);
    world.put("in/bus/b.yaml", &sync_target("a", "prod"));
    world.until("a file in a renamed folder is seen", |world| world.env("a") == "prod").await;
}

#[tokio::test]
async fn editors_replace_files() {
    let mut world = World::with(&[("a.yaml", &sync_target("a", "dev"))]).await;
    for round in 0..5 {
        let env = format!("e{round}");
        world.put("in/.a.yaml.swp", &sync_target("a", &env));
        fs::rename(world.path("in/a.yaml"), world.path("in/a.yaml~")).unwrap();
        fs::rename(world.path("in/.a.yaml.swp"), world.path("in/a.yaml")).unwrap();
        world.until("the change is seen", |world| world.env("a") == env).await;
    }
    assert!(!world.log.iter().any(|line| line.starts_with("gone")), "{:?}", world.log);
}

#[tokio::test]
async fn a_file_that_is_still_written_waits() {
    use std::io::Write;
    let mut world = World::with(&[("a.yaml", &sync_target("a", "dev"))]).await;
    let text = sync_target("a", "prod") + "---\n" + &sync_target("b", "prod");
    let mut file = fs::File::create(world.path("in/a.yaml")).unwrap();
    let (first, rest) = text.split_at(30);
    file.write_all(first.as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    file.write_all(rest.as_bytes()).unwrap();
    drop(file);
    world.until("all of it is read", |world| world.names(Kind::SyncTarget) == ["a", "b"]).await;
    assert_eq!(world.env("a"), "prod");
    assert!(!world.log.iter().any(|line| line.starts_with("gone")), "{:?}", world.log);
}

#[tokio::test]
async fn of_two_files_with_one_object_the_first_counts() {
    let mut world =
        World::with(&[("a.yaml", &sync_target("x", "first")), ("b.yaml", &sync_target("x", "second"))]).await;
    assert_eq!(world.env("x"), "first");
    world.put("in/b.yaml", &sync_target("x", "other"));
    world.settle().await;
    assert_eq!(world.env("x"), "first");
    fs::remove_file(world.path("in/a.yaml")).unwrap();
    world.until("the second counts", |world| world.env("x") == "other").await;
    world.put("in/a.yaml", &sync_target("x", "again"));
    world.until("the first counts again", |world| world.env("x") == "again").await;
    fs::remove_file(world.path("in/b.yaml")).unwrap();
    fs::remove_file(world.path("in/a.yaml")).unwrap();
    world.until("it is gone", |world| world.env("x").is_empty()).await;
}

#[tokio::test]
async fn a_mounted_config_map_changes_by_a_link() {
    let temp = temp();
    let dir = temp.path().join("in");
    put(&dir.join("..v1/a.yaml"), &sync_target("a", "one"));
    put(&dir.join("..v1/b.yaml"), &sync_target("b", "one"));
    symlink("..v1", dir.join("..data")).unwrap();
    symlink("..data/a.yaml", dir.join("a.yaml")).unwrap();
    symlink("..data/b.yaml", dir.join("b.yaml")).unwrap();
    let mut world = World::start(temp);
    world.until("everything is listed", |world| world.listed.len() == 4).await;
    assert_eq!(world.names(Kind::SyncTarget), ["a", "b"]);
    for (round, env) in ["two", "three"].into_iter().enumerate() {
        let (old, new) = (dir.join(format!("..v{}", round + 1)), format!("..v{}", round + 2));
        put(&dir.join(&new).join("a.yaml"), &sync_target("a", env));
        put(&dir.join(&new).join("b.yaml"), &sync_target("b", env));
        symlink(&new, dir.join("..data_tmp")).unwrap();
        fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
        fs::remove_dir_all(old).unwrap();
        world.until("both change", |world| world.env("a") == env && world.env("b") == env).await;
    }
    assert!(!world.log.iter().any(|line| line.starts_with("gone")), "{:?}", world.log);
}

#[tokio::test]
async fn the_folder_itself_may_be_a_link_that_is_replaced() {
    let temp = TempDir::new().unwrap();
    for (version, env) in [("v1", "one"), ("v2", "two")] {
        put(&temp.path().join(version).join("a.yaml"), &sync_target("a", env));
    }
    symlink("v1", temp.path().join("in")).unwrap();
    let mut world = World::start(temp);
    world.until("it is read", |world| world.env("a") == "one").await;
    symlink("v2", world.path("next")).unwrap();
    fs::rename(world.path("next"), world.path("in")).unwrap();
    world.until("the other is read", |world| world.env("a") == "two").await;
    world.put("v2/a.yaml", &sync_target("a", "three"));
    world.until("and followed", |world| world.env("a") == "three").await;
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_awaited() {
    let temp = TempDir::new().unwrap();
    let mut world = World::start(temp);
    world.until("it waits", |world| world.failing.is_some()).await;
    assert!(world.failing.as_ref().unwrap().contains("does not exist"));
    assert_eq!(world.listed, [Kind::SinglePlacementSlice]);
    world.put("in/a.yaml", &sync_target("a", "dev"));
    world.until("it is read", |world| world.env("a") == "dev" && world.failing.is_none()).await;

    fs::rename(world.path("in"), world.path("away")).unwrap();
    world.until("it is missed", |world| world.failing.is_some()).await;
    assert_eq!(world.env("a"), "dev", "what was read stays in force");
    world.put("away/a.yaml", &sync_target("a", "prod"));
    fs::rename(world.path("away"), world.path("in")).unwrap();
    world.until("it goes on", |world| world.env("a") == "prod" && world.failing.is_none()).await;
}

#[tokio::test]
async fn a_read_of_a_placement_sees_what_has_just_happened() {
    let world = World::with(&[]).await;
    let key = ObjectKey::new("default", "p");
    for round in 0..5 {
        let uid = format!("uid-{round}");
        world.put("in/p.yaml", &placement("p", &uid));
        assert_eq!(world.folder.perform(Action::ReadPlacement(key.clone())).await, Outcome::Placement { uid });
        fs::remove_file(world.path("in/p.yaml")).unwrap();
        let read = world.folder.perform(Action::ReadPlacement(key.clone())).await;
        assert_eq!(read, Outcome::Failed(Failure::NotFound));
    }
}

#[tokio::test]
async fn an_invalid_object_is_data() {
    let invalid = placement("p", "u").replace("[{}]", "[{matchExpressions: [{key: a, operator: Nope}]}]");
    let world = World::with(&[("p.yaml", &invalid)]).await;
    assert!(world.events.values().all(|event| event.invalid().is_some()));
    assert_eq!((world.names(Kind::EdgePlacement), &world.failing), (vec!["p"], &None));
}
