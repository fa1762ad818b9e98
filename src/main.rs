//! The order of start-up on one screen.

fn main() {}
