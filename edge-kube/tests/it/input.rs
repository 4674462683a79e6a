//! Manifests on disk, and what comes of them.

mod mistakes;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use edge_core::event::{Event, Holds};
use edge_kube::input::{InputError, Loaded, Options, load};
use proptest::prelude::*;

/// A folder of its own for a test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("edge-kube-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn load(&self, paths: &[&str]) -> Result<Loaded, InputError> {
        let paths: Vec<PathBuf> = paths.iter().map(|path| self.0.join(path)).collect();
        load(&paths, &Options { default_cluster: "root".into() })
    }

    /// Without the folder, which differs from run to run.
    fn relative(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn load_text(content: impl AsRef<[u8]>) -> Result<Loaded, InputError> {
    let folder = Folder::new();
    folder.write("a.yaml", content);
    folder.load(&["a.yaml"])
}

fn keys(loaded: &Loaded) -> Vec<String> {
    loaded.events.iter().map(|event| format!("{} {}", event.kind(), event.key())).collect()
}

fn target(name: &str) -> String {
    format!(
        "apiVersion: workload.kcp.io/v1alpha1\nkind: SyncTarget\nmetadata: {{name: {name}, labels: {{env: prod}}}}\n"
    )
}

fn location(rest: &str) -> String {
    format!("apiVersion: scheduling.kcp.io/v1alpha1\nkind: Location\nmetadata:\n  name: l\n{rest}")
}

#[test]
fn one_file_holds_all_kinds() {
    let loaded = load_text(format!(
        "# comment\n---\n---\n{}---\n{}---\napiVersion: edge.kcp.io/v1alpha1\nkind: EdgePlacement\nmetadata: {{name: p, generation: 3, uid: u}}\n\
         spec: {{locationSelectors: [{{}}]}}\n---\napiVersion: edge.kcp.io/v1alpha1\nkind: SinglePlacementSlice\nmetadata: {{name: p}}\n\
         destinations: [{{cluster: c, locationName: l, syncTargetName: t, syncTargetUID: u}}]\n---\n# end\n---\n\
         apiVersion: edge.kcp.io/v1alpha2\nkind: EdgePlacement\n---\napiVersion: v1\nkind: SyncTarget\n---\napiVersion: v1\nkind: SyncTarget\n",
        target("t"),
        location("  annotations: {kcp.io/cluster: 'root:c'}\nspec: {resource: {version: v1alpha1, resource: synctargets}, instanceSelector: ~}\n"),
    ))
    .unwrap();
    assert_eq!(keys(&loaded), ["SyncTarget root/t", "Location root:c/l", "EdgePlacement root/p"]);
    assert!(loaded.invalid.is_empty() && loaded.undecodable_slices.is_empty());
    let Event::Location(_, Some(record)) = &loaded.events[1] else { panic!() };
    assert!(
        matches!(&record.holds, Ok(Holds::Matching(selector)) if selector.requirements().is_empty()),
        "defaulted to everything"
    );
    assert_eq!(loaded.slices[0].metadata.cluster(), Some("root"));
    assert_eq!(loaded.slices[0].destinations[0].sync_target_uid, "u");
    let skipped: Vec<_> = loaded.skipped.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    assert_eq!(skipped, ["edge.kcp.io/v1alpha2/EdgePlacement 1", "v1/SyncTarget 2"]);
}

#[test]
fn nothing_is_fine() {
    for text in [
        "",
        "\n",
        "# comment\n",
        "---\n---\n...\n",
        "\u{feff}",
        "null\n",
        "{}{}".get(..0).unwrap(),
        "\u{feff}# x\r\n---\r\n",
    ] {
        assert_eq!(load_text(text).unwrap(), Loaded::default(), "{text:?}");
    }
    assert_eq!(load(&[], &Options { default_cluster: "root".into() }).unwrap(), Loaded::default());
}

#[test]
fn json_and_yaml_say_the_same() {
    let object = |name: &str| {
        format!(
            "{{\"apiVersion\":\"workload.kcp.io/v1alpha1\",\"kind\":\"SyncTarget\",\"metadata\":{{\"name\":\"{name}\"}}}}"
        )
    };
    let bare = |name: &str| format!("{{\"metadata\":{{\"name\":\"{name}\"}}}}");
    let (a, b) = (object("a"), object("b"));
    let (bare_a, bare_b) = (bare("a"), bare("b"));
    for text in [
        format!("{a}{b}"),
        format!("\u{feff}\r\n {a}\n\n{b}\r\n"),
        format!("{a}\n---\n{b}\n"),
        format!("---\n{a}\n---\n{b}\n"),
        format!("{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{a},{b}]}}"),
        format!("{{\"apiVersion\":\"v1\",\"items\":[{a},{b}],\"kind\":\"List\"}}"),
        format!("{{apiVersion: v1, items: [{a}, {b}], kind: List}}"),
        format!("apiVersion: v1\nkind: List\nitems:\n- {a}\n- apiVersion: v1\n  kind: List\n  items: [{b}]\n"),
        format!(
            "{{\"kind\":\"SyncTargetList\",\"apiVersion\":\"workload.kcp.io/v1alpha1\",\"items\":[{bare_a},{bare_b}]}}"
        ),
        format!("{{\"items\":[{bare_a},{b}],\"kind\":\"SyncTargetList\",\"apiVersion\":\"workload.kcp.io/v1alpha1\"}}"),
        format!("apiVersion: workload.kcp.io/v1alpha1\nitems:\n- {bare_a}\n- {bare_b}\nkind: SyncTargetList\n"),
        format!("{}---\r\n{}", target("a").replace('\n', "\r\n"), target("b")),
    ] {
        let loaded = load_text(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(keys(&loaded), ["SyncTarget root/a", "SyncTarget root/b"], "{text}");
        assert!(loaded.skipped.is_empty());
    }
    for empty in ["{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[]}", "apiVersion: v1\nkind: List\nitems: []\n"] {
        assert_eq!(load_text(empty).unwrap(), Loaded::default());
    }
}

#[test]
fn items_of_what_is_no_list_are_its_own() {
    let loaded =
        load_text(format!("apiVersion: x/v1\nkind: Box\nitems:\n- {{a: 1}}\n---\n{}items: [{{b: 1}}]\n", target("a")))
            .unwrap();
    assert_eq!(keys(&loaded), ["SyncTarget root/a"]);
    assert_eq!(loaded.skipped.into_iter().collect::<Vec<_>>(), [("x/v1/Box".to_owned(), 1)]);
    assert!(loaded.invalid.is_empty());
}

#[test]
fn folders_are_read_once_and_in_order() {
    let folder = Folder::new();
    folder.write("d/b.yml", target("b"));
    folder.write(
        "d/sub/c.json",
        "{\"apiVersion\":\"workload.kcp.io/v1alpha1\",\"kind\":\"SyncTarget\",\"metadata\":{\"name\":\"c\"}}",
    );
    folder.write("d/a.yaml", target("a"));
    folder.write("d/.hidden.yaml", "[");
    folder.write("d/.git/x.yaml", "[");
    folder.write("d/notes.txt", "[");
    folder.write("other.txt", target("other"));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.0.join("d"), folder.0.join("d/sub/loop")).unwrap();
        std::os::unix::fs::symlink(folder.0.join("d/a.yaml"), folder.0.join("d/z.yaml")).unwrap();
    }
    let all = folder.load(&["d", "other.txt"]).unwrap();
    assert_eq!(keys(&all), ["SyncTarget root/a", "SyncTarget root/b", "SyncTarget root/c", "SyncTarget root/other"]);
    for paths in [
        &["other.txt", "d"][..],
        &["d/sub", "d", "d/../other.txt", "d/a.yaml", "other.txt"],
        &["d/a.yaml", "d/./sub/../sub", "other.txt", "d/b.yml"],
    ] {
        assert_eq!(folder.load(paths).unwrap(), all, "{paths:?}");
    }
    let error = folder.load(&["none", "d/.hidden.yaml"]).unwrap_err().to_string();
    let lines: Vec<_> = error.lines().map(|line| folder.relative(line)).collect();
    assert!(lines[0].starts_with("d/.hidden.yaml:1:"), "{lines:?}");
    assert!(lines[1].starts_with("none: cannot be read: "), "{lines:?}");
}

#[test]
fn an_object_is_there_once() {
    let folder = Folder::new();
    folder.write("a.yaml", format!("# a\n{}", location("")));
    folder.write("b.yaml", format!("\n\n{}", location("  annotations: {kcp.io/cluster: root}\n  labels: {x: 5}\n")));
    folder.write("c.yaml", location("  annotations: {kcp.io/cluster: other}\n"));
    let slice = "apiVersion: edge.kcp.io/v1alpha1\nkind: SinglePlacementSlice\nmetadata: {name: s}\n";
    folder.write("s.yaml", format!("{slice}---\n{slice}destinations: 5\n"));
    for paths in [["a.yaml", "b.yaml", "c.yaml", "s.yaml"], ["s.yaml", "c.yaml", "b.yaml", "a.yaml"]] {
        let error = folder.load(&paths).unwrap_err().to_string();
        assert_eq!(
            folder.relative(&error),
            "b.yaml:3:1: Location root/l: already defined at a.yaml:2:1\ns.yaml:5:1: SinglePlacementSlice root/s: already defined at s.yaml:1:1"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = load_text(&bytes);
    }
}
