//! What a server does not let us do at present: by logical cluster and verb, so that nobody else waits.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};

use super::Time;
use super::book::backoff;
use crate::object::ObjectKey;

/// What a request needs to be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    Create,
    Update,
    Delete,
    Read,
    Status,
}

impl Access {
    fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Read => "get",
            Self::Status => "patch status",
        }
    }
}

#[derive(Debug)]
pub(super) struct Block {
    pub(super) until: Time,
    pub(super) reason: String,
    attempts: u32,
    /// What waits for it to go.
    waiting: BTreeSet<ObjectKey>,
}

/// All that is blocked.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: BTreeMap<(String, Access), Block>,
}

impl Blocks {
    /// Until when something may not be tried; what asks then is woken when it may. One request is let through each time.
    pub(super) fn wait(&mut self, key: &ObjectKey, access: Access, now: Time) -> Option<Time> {
        if self.blocks.is_empty() {
            return None;
        }
        let block = self.blocks.get_mut(&(key.cluster.clone(), access))?;
        if now >= block.until {
            // This one finds out; the others wait for what it finds.
            block.until = now + Time::from_secs(30);
            return None;
        }
        if !block.waiting.contains(key) {
            block.waiting.insert(key.clone());
        }
        Some(block.until)
    }

    pub(super) fn block(&mut self, key: &ObjectKey, access: Access, reason: &str, after: Option<Time>, now: Time) {
        let id = ObjectKey::new(key.cluster.as_str(), access.as_str());
        let blank = || Block { until: now, reason: String::new(), attempts: 0, waiting: BTreeSet::new() };
        let block = self.blocks.entry((key.cluster.clone(), access)).or_insert_with(blank);
        block.attempts += 1;
        block.reason = reason.to_string();
        block.until = now + after.unwrap_or_else(|| Time::from_millis(500) + backoff(&id, block.attempts));
    }

    /// It works again: what waited may go.
    pub(super) fn lift(&mut self, cluster: &str, access: Access) -> BTreeSet<ObjectKey> {
        if self.blocks.is_empty() {
            return BTreeSet::new();
        }
        self.blocks.remove(&(cluster.to_string(), access)).map(|block| block.waiting).unwrap_or_default()
    }

    /// Why something may not be tried at present.
    pub(super) fn reason(&self, cluster: &str, access: Access) -> Option<String> {
        if self.blocks.is_empty() {
            return None;
        }
        let block = self.blocks.get(&(cluster.to_string(), access))?;
        Some(format!("cannot {}: {}", access.as_str(), block.reason))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'static str, &Block)> {
        self.blocks.iter().map(|((cluster, access), block)| (cluster.as_str(), access.as_str(), block))
    }
}
