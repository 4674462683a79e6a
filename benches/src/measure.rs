//! Times of one engine on one workload.
