//! What observing promises.
