//! Benchmark over pipes.

fn main() {}
