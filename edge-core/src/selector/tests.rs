//! What the integration tests cannot see: lists of selectors, and names that are no part of a selector.

use alloc::string::ToString;
use std::vec::Vec;

use super::{Selector, compile_all, validate_cluster_name, validate_name};
use crate::object::{LabelSelector, LabelSelectorRequirement};

fn mk_selector(key: &str, operator: &str) -> LabelSelector {
    let requirement = LabelSelectorRequirement { key: key.into(), operator: operator.into(), values: Vec::new() };
    LabelSelector { match_expressions: [requirement].into(), ..LabelSelector::default() }
}

#[test]
fn a_list_compiles_in_order() {
    let list = [mk_selector("b", "Exists"), LabelSelector::default(), mk_selector("a", "DoesNotExist")];
    let compiled = compile_all(&list, "spec.locationSelectors").unwrap();
    assert_eq!(compiled.iter().map(ToString::to_string).collect::<Vec<_>>(), ["b", "everything", "!a"]);
    assert_eq!(compiled[1], Selector::EVERYTHING);
    assert_eq!(compile_all(&[], "spec.locationSelectors"), Ok(Vec::new()));
}

#[test]
fn all_errors_of_a_list_are_named_by_path() {
    let list = [mk_selector("a", "In"), mk_selector("a", "Exists"), mk_selector("", "exists")];
    let invalid = compile_all(&list, "spec.locationSelectors").unwrap_err();
    let paths: Vec<_> = invalid.errors().iter().map(|error| error.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "spec.locationSelectors[0].matchExpressions[0].values",
            "spec.locationSelectors[2].matchExpressions[0].key",
            "spec.locationSelectors[2].matchExpressions[0].operator",
        ]
    );
    let text = invalid.to_string();
    assert!(
        text.contains(
            "spec.locationSelectors[2].matchExpressions[0].operator: Invalid value: \"exists\": must be \"In\", \"NotIn\", \
             \"Exists\" or \"DoesNotExist\""
        ),
        "{text}"
    );
}

#[test]
fn names_are_dns_subdomains() {
    for good in ["a", "0", "a-b.c", &"a".repeat(253)] {
        assert_eq!(validate_name(good), Ok(()), "{good}");
    }
    for bad in ["", "A", "-a", "a-", "a..b", ".a", "a.", "a_b", "a/b", "a\n", "ä", &"a".repeat(254)] {
        validate_name(bad).expect_err(bad);
    }
}

#[test]
fn logical_clusters_have_short_names_or_paths() {
    for good in ["root", "root:compute", "1kzx8b9gkd1vl5fk", "Kind_a.b-c", &"a".repeat(253)] {
        assert_eq!(validate_cluster_name(good), Ok(()), "{good}");
    }
    for bad in ["", "a/b", "a b", "a\n", "ä", "*", &"a".repeat(254)] {
        validate_cluster_name(bad).expect_err(bad);
    }
}
