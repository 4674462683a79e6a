//! A folder that is followed: changes come to rest, are looked at, and are told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::pending::{Changes, Pending};
use crate::scheduler::backend::Input;

/// Where not everything can be watched, everything is looked at so often.
const UNWATCHED: Duration = Duration::from_secs(10);
/// The watcher's thread may need so long to tell what has happened.
const LAG: Duration = Duration::from_millis(20);

/// What is to be told, and what is to be done next.
pub(super) struct Step {
    pub(super) inputs: Vec<Input>,
    /// There is more to be done at once.
    pub(super) more: bool,
    /// Not everything is watched.
    pub(super) unwatched: bool,
}

/// A folder and what is known of it. Its methods read files: not for a thread that must not block.
pub(super) trait Watched: Send + 'static {
    /// Looks at what has changed.
    fn step(&mut self, changes: Changes) -> Step;
}

pub(super) fn lock<W>(watched: &Mutex<W>) -> MutexGuard<'_, W> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Somebody who wants everything that has happened so far to be taken in.
pub(super) type Asked = oneshot::Sender<()>;

/// Looks at the changes and all that follows from them, and tells it. `None` if nobody listens any more.
pub(super) async fn take_in<W: Watched>(
    watched: &Arc<Mutex<W>>,
    mut changes: Changes,
    inputs: &mpsc::Sender<Input>,
) -> Option<bool> {
    loop {
        let watched = Arc::clone(watched);
        let step = tokio::task::spawn_blocking(move || lock(&watched).step(changes)).await.ok()?;
        for input in step.inputs {
            inputs.send(input).await.ok()?;
        }
        if !step.more {
            return Some(step.unwatched);
        }
        changes = Changes::default();
    }
}

/// Follows the folder until nobody listens any more.
pub(super) async fn follow<W: Watched>(
    watched: &Arc<Mutex<W>>,
    pending: &Pending,
    mut unwatched: bool,
    asked: &mut mpsc::UnboundedReceiver<Asked>,
    inputs: &mpsc::Sender<Input>,
) -> Option<()> {
    loop {
        let mut waiting = Vec::new();
        let changes = tokio::select! {
            changes = pending.rest() => changes,
            () = tokio::time::sleep(UNWATCHED), if unwatched => Changes::everything(),
            Some(first) = asked.recv() => {
                tokio::time::sleep(LAG).await;
                waiting.push(first);
                waiting.extend(std::iter::from_fn(|| asked.try_recv().ok()));
                pending.take()
            }
            () = inputs.closed() => return None,
        };
        unwatched = take_in(watched, changes, inputs).await?;
        for asked in waiting {
            // Who gave up waiting needs no answer.
            let _ = asked.send(());
        }
    }
}
