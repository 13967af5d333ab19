//! What blocks promise.
