//! When lists are made, and in which order.

use tokio::sync::watch;
use tokio::time::Instant;

/// What one kind of one source has to know of others, and tells them.
pub(crate) struct Order {
    /// A list that began before this time is not enough; `None` at first.
    pub(crate) relist: watch::Receiver<Option<Instant>>,
    /// When the last list that came to its end began.
    pub(crate) listed: watch::Sender<Option<Instant>>,
    /// The lists of slices that go first; `None` for slices themselves.
    pub(crate) after: Option<After>,
    /// The value of `relist` for which the others were waited for.
    pub(crate) waited: Option<Option<Instant>>,
}

/// When a list that came to its end began.
pub(crate) type ListedAt = watch::Receiver<Option<Instant>>;

/// The lists of slices that have to come to their ends before other kinds are listed.
#[derive(Clone)]
pub(crate) struct After {
    /// Of all sources; `None` as long as they are not all known.
    pub(crate) all: watch::Receiver<Option<Vec<ListedAt>>>,
    /// Of the same source, if it has slices. Enough for the first list of a source that comes later, so that no other
    /// source holds it up.
    pub(crate) own: Option<ListedAt>,
    /// Whether the source comes later.
    pub(crate) later: bool,
}

impl Order {
    /// What is published has to be known before what is wanted, or else what is new would seem to be unwanted. An error says
    /// that the other source is no more.
    pub(super) async fn wait_for_others(&mut self, since: Option<Instant>) {
        let Some(after) = &mut self.after else { return };
        // A list that is made again for other reasons waits for nobody.
        if self.waited == Some(since) {
            return;
        }
        let others: Vec<ListedAt> = if after.later && since.is_none() {
            after.own.iter().cloned().collect()
        } else {
            after.all.wait_for(Option::is_some).await.ok().and_then(|all| all.clone()).unwrap_or_default()
        };
        for mut other in others {
            let _ = other.wait_for(|listed| listed.is_some() && *listed >= since).await;
        }
        self.waited = Some(since);
    }
}
