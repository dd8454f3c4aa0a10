//! Benchmarks live in this package, with the peers they compare against, so that no other crate carries their dependencies.
