//! The clients of a history.
