//! What is tested, on whichever server.

mod walkthrough;

pub(crate) use walkthrough::{dev_and_prod, florin_and_guilder};
