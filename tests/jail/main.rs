//! x
mod locks;
