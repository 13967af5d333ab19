//! What the message layer promises.
