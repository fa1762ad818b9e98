//! launch tests.
