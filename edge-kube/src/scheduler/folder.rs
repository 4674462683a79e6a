//! Folders in place of a cluster: manifests are read from one, slices are kept in another.
//!
//! ```text
//!  IN/**.yaml .yml .json ──► tree ──► incoming ──► manifests ──► SyncTargets, Locations, EdgePlacements
//!                             ▲ notify, pending                                   │ engine
//!  OUT/<cluster>/<name>.yaml ─┴─────► outgoing ──► slices ◄── create, replace, delete
//!  OUT/<cluster>/<name>.status ◄──────────────── status
//! ```
//!
//! IN is read as `edge-kube resolve` reads it. **A file that cannot be read takes nothing away**: its former content
//! stays in force, and so does that of the whole folder when it is gone. A file that could not be read since the start
//! holds back whatever takes something away ([`Input::Incomplete`]).
//!
//! OUT holds one file for each slice. Replacing one is atomic: whoever reads it sees the former or the new content. Files
//! with several slices, and files of other names, are split when they are found; what was there is kept beside as
//! `<file>.adopted`.

mod content;
mod files;
mod incoming;
mod layout;
mod manifests;
mod outgoing;
mod pending;
mod slices;
mod status;
#[cfg(test)]
mod tests;
mod tree;
mod watched;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use edge_core::object::{Kind, ObjectKey};
use edge_core::publisher::{Action, Failure, Outcome, StatusFields, StatusWrite};
use tokio::sync::{mpsc, oneshot};

use super::backend::{Backend, Input, SourceId};
use crate::input::{InputError, Options};
use incoming::Incoming;
use layout::Layout;
use outgoing::Outgoing;
use pending::{Changes, Pending};
use slices::Slices;
use watched::{Asked, follow, lock, take_in};

/// The source of SinglePlacementSlices.
const OUTGOING: SourceId = SourceId(0);
/// The source of everything else.
const INCOMING: SourceId = SourceId(1);

/// Why the folders cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// One is in the other: what is written would be read.
    #[error("--dir {} and --out {}: expected two folders, neither of them in the other", .dir.display(), .out.display())]
    Nested {
        /// IN.
        dir: PathBuf,
        /// OUT.
        out: PathBuf,
    },
    /// A path names something else.
    #[error("{}: expected a folder, found something else", .0.display())]
    NotAFolder(PathBuf),
    /// Another process keeps its slices there.
    #[error("--out {}: another edge-kube scheduler writes to this folder; stop it first, or choose another folder", .0.display())]
    Taken(PathBuf),
    /// OUT cannot be made, or not be written to.
    #[error("--out {}: {error}", .path.display())]
    Output {
        /// OUT.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl OpenError {
    /// Whether the folders were named wrongly: the mistake is in the command line, not in the world.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, Self::Nested { .. } | Self::NotAFolder(_))
    }
}

/// The backend that keeps everything in folders.
pub(crate) struct Folder {
    slices: Arc<Slices>,
    incoming: Arc<Mutex<Incoming>>,
    outgoing: Arc<Mutex<Outgoing>>,
    /// Changes of IN and of OUT.
    pending: [Arc<Pending>; 2],
    /// To whoever follows IN.
    ask: mpsc::UnboundedSender<Asked>,
    /// What was noticed while writing, on its way to the engine.
    noticed: mpsc::UnboundedSender<Input>,
    receivers: Mutex<Option<Receivers>>,
}

struct Receivers {
    asked: mpsc::UnboundedReceiver<Asked>,
    noticed: mpsc::UnboundedReceiver<Input>,
}

impl Folder {
    /// Takes hold of the folders: `dir` is read, and may not exist yet; `out` is written, and is made if need be. Objects
    /// without the annotation `kcp.io/cluster` are in `cluster_name`.
    ///
    /// Reads and writes a few files; what OUT holds is read by [`Self::watch`].
    ///
    /// # Errors
    ///
    /// The folders are in each other, or are no folders, or OUT cannot be written or is written by another process.
    pub(crate) fn open(dir: &Path, out: &Path, cluster_name: &str) -> Result<Self, OpenError> {
        for path in [dir, out] {
            if fs::metadata(path).is_ok_and(|metadata| !metadata.is_dir()) {
                return Err(OpenError::NotAFolder(path.into()));
            }
        }
        let (real_dir, real_out) = (real(dir), real(out));
        if real_dir.starts_with(&real_out) || real_out.starts_with(&real_dir) {
            return Err(OpenError::Nested { dir: dir.into(), out: out.into() });
        }
        let output = |error| OpenError::Output { path: out.into(), error };
        fs::create_dir_all(out).map_err(output)?;
        let lock = files::Lock::take(out).map_err(output)?.ok_or_else(|| OpenError::Taken(out.into()))?;
        files::clean(out).map_err(output)?;

        let layout = Layout::new(out.into());
        let slices = Arc::new(Slices::new(layout.clone(), cluster_name));
        let pending = [Arc::default(), Arc::default()];
        let options = Options { default_cluster: cluster_name.into() };
        let incoming = Incoming::new(dir.into(), options, layout, Arc::clone(&pending[0]));
        let outgoing = Outgoing::new(Arc::clone(&slices), Arc::clone(&pending[1]), Arc::clone(&pending[0]), lock);
        let (ask, asked) = mpsc::unbounded_channel();
        let (noticed, noticed_by) = mpsc::unbounded_channel();
        Ok(Self {
            slices,
            incoming: Arc::new(Mutex::new(incoming)),
            outgoing: Arc::new(Mutex::new(outgoing)),
            pending,
            ask,
            noticed,
            receivers: Mutex::new(Some(Receivers { asked, noticed: noticed_by })),
        })
    }

    /// Lists both folders, OUT first, and follows them. Ends when nobody receives `inputs` any more. To be called once.
    pub(crate) async fn watch(&self, inputs: mpsc::Sender<Input>) {
        let Some(receivers) = lock(&self.receivers).take() else { return };
        // It ends only when nobody listens.
        let _ = self.tell(receivers, inputs).await;
    }

    async fn tell(&self, receivers: Receivers, inputs: mpsc::Sender<Input>) -> Option<()> {
        let Receivers { mut asked, mut noticed } = receivers;
        let name = |path: &Path| path.display().to_string();
        let out = name(self.slices.layout.root());
        let dir = name(lock(&self.incoming).root());
        let first = [
            Input::StatusFields(StatusFields::All),
            Input::SourceAdded { source: OUTGOING, name: out, kinds: vec![Kind::SinglePlacementSlice] },
            Input::SourceAdded { source: INCOMING, name: dir, kinds: incoming::KINDS.into() },
            Input::Sources(Ok(())),
        ];
        for input in first {
            inputs.send(input).await.ok()?;
        }
        let out_unwatched = take_in(&self.outgoing, Changes::everything(), &inputs).await?;
        let unwatched = take_in(&self.incoming, Changes::everything(), &inputs).await?;
        // Nobody asks this one.
        let (_never, mut never) = mpsc::unbounded_channel();
        let forward = async {
            while let Some(input) = noticed.recv().await {
                inputs.send(input).await.ok()?;
            }
            Some(())
        };
        let [incoming, outgoing] = &self.pending;
        tokio::select! {
            done = follow(&self.incoming, incoming, unwatched, &mut asked, &inputs) => done,
            done = follow(&self.outgoing, outgoing, out_unwatched, &mut never, &inputs) => done,
            done = forward => done,
        }
    }

    /// Waits until everything that has happened in IN so far is taken in.
    async fn catch_up(&self) -> Result<(), Failure> {
        let (asked, answer) = oneshot::channel();
        let away = || Failure::NotDone("the manifests are not watched".into());
        self.ask.send(asked).map_err(|_| away())?;
        answer.await.map_err(|_| away())
    }

    async fn read_placement(&self, key: ObjectKey) -> Result<Outcome, Failure> {
        self.catch_up().await?;
        let incoming = Arc::clone(&self.incoming);
        blocking(move || {
            let incoming = lock(&incoming);
            match (incoming.manifests.uid(&key), incoming.doubt()) {
                (Some(uid), _) => Outcome::Placement { uid: uid.into() },
                (None, None) => Outcome::Failed(Failure::NotFound),
                (None, Some(doubt)) => Outcome::Failed(Failure::NotDone(doubt)),
            }
        })
        .await
    }

    async fn write_status(&self, write: StatusWrite) -> Result<Outcome, Failure> {
        let (incoming, slices) = (Arc::clone(&self.incoming), Arc::clone(&self.slices));
        blocking(move || {
            let uid = lock(&incoming).manifests.uid(&write.key).map(str::to_owned);
            match uid {
                Some(uid) => status::write(&slices.layout, write, &uid),
                None => Outcome::Failed(Failure::NotFound),
            }
        })
        .await
    }

    async fn on_slices(
        &self,
        act: impl FnOnce(&Slices, &mut slices::Noticed) -> Outcome + Send + 'static,
    ) -> Result<Outcome, Failure> {
        let (slices, tell) = (Arc::clone(&self.slices), self.noticed.clone());
        blocking(move || {
            let mut noticed = Vec::new();
            let outcome = act(&slices, &mut noticed);
            for sight in noticed {
                // Nobody listens any more when everything ends.
                let _ = tell.send(outgoing::input(sight));
            }
            outcome
        })
        .await
    }
}

impl Backend for Folder {
    async fn perform(&self, action: Action) -> Outcome {
        let done = match action {
            Action::Write(write) => self.on_slices(|slices, noticed| slices.write(write, noticed)).await,
            Action::ReadSlice(key) => self.on_slices(move |slices, noticed| slices.read(&key, noticed)).await,
            Action::ReadPlacement(key) => self.read_placement(key).await,
            Action::Status(write) => self.write_status(write).await,
        };
        done.unwrap_or_else(Outcome::Failed)
    }
}

async fn blocking(act: impl FnOnce() -> Outcome + Send + 'static) -> Result<Outcome, Failure> {
    tokio::task::spawn_blocking(act).await.map_err(|error| Failure::Unknown(error.to_string()))
}

/// The path without links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let existing = absolute.ancestors().find_map(|part| Some((fs::canonicalize(part).ok()?, part)));
    match existing {
        Some((real, part)) => real.join(absolute.strip_prefix(part).unwrap_or(Path::new(""))),
        None => absolute,
    }
}

/// The first of the problems, and how many more there are.
fn first_line(error: &InputError) -> String {
    let text = error.to_string();
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    match lines.count() {
        0 => first.to_owned(),
        more => format!("{first} (and {more} more problems)"),
    }
}
