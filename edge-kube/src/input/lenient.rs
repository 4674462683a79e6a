//! One JSON object, as far as it can be decoded.

use edge_core::selector::FieldError;
use serde::Deserialize;

use super::decode::decode;
use super::json;
use super::node::{Entry, Node, Sink};

/// The object that `text` holds, with empty values where something is wrong, and all that is wrong.
///
/// For objects of an API server, whose text is known to be one JSON object.
pub(crate) fn decode_json<T: Default + for<'n> Deserialize<'n>>(text: &str) -> (T, Vec<FieldError>) {
    let mut root = Root(None);
    if let Err(malformed) = json::parse(text, &mut root) {
        return (T::default(), vec![FieldError { path: String::new(), reason: malformed.reason }]);
    }
    let Some(node) = root.0 else {
        return (
            T::default(),
            vec![FieldError { path: String::new(), reason: "expected an object, found null".into() }],
        );
    };
    let (object, mut wrong) = decode::<T>(&node);
    wrong.sort();
    wrong.dedup();
    (object, wrong.into_iter().map(|wrong| FieldError { path: wrong.path, reason: wrong.reason }).collect())
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
