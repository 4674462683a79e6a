//! One JSON object, as far as it can be decoded.

use edge_core::selector::FieldError;
use serde::Deserialize;

use super::decode::decode;
use super::json;
use super::node::{Entry, Node, Sink};

/// The object that `text` holds, with empty values where something is wrong, and all that is wrong.
///
/// For objects of an API server, whose text is known to be one JSON object. Of fields with one name the last counts, as it
/// does to Go.
pub(crate) fn decode_json<T: Default + for<'n> Deserialize<'n>>(text: &str) -> (T, Vec<FieldError>) {
    let whole = |reason| (T::default(), vec![FieldError { path: String::new(), reason }]);
    read(text).unwrap_or_else(|reason| {
        let each_once = serde_json::from_str::<serde_json::Value>(text).map(|value| value.to_string());
        each_once.ok().and_then(|text| read(&text).ok()).unwrap_or_else(|| whole(reason))
    })
}

/// The error is the reason why the text is no JSON, or has a field twice.
fn read<T: Default + for<'n> Deserialize<'n>>(text: &str) -> Result<(T, Vec<FieldError>), String> {
    let mut root = Root(None);
    json::parse(text, &mut root).map_err(|malformed| malformed.reason)?;
    let node = root.0.ok_or("expected an object, found null")?;
    let (object, mut wrong) = decode::<T>(&node);
    wrong.sort();
    wrong.dedup();
    Ok((object, wrong.into_iter().map(|wrong| FieldError { path: wrong.path, reason: wrong.reason }).collect()))
}

/// Takes the first value; a field `items` means nothing here.
struct Root<'a>(Option<Node<'a>>);

impl<'a> Sink<'a> for Root<'a> {
    fn begin_items(&mut self, _root: &[Entry<'a>]) {}

    fn item(&mut self, _node: Node<'a>) -> bool {
        false
    }

    fn document(&mut self, root: Node<'a>) {
        self.0.get_or_insert(root);
    }
}
