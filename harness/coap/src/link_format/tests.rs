//! What the link format promises.
