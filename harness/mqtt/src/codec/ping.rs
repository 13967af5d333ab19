//! PINGREQ and PINGRESP: a fixed header and nothing else \[MQTT3 3.12.4-1, MQTT5 3.12.4-1\].

use alloc::vec::Vec;

use super::packet::Body;
use super::reader::Reader;
use super::{Kind, Reason, Version};

/// No body.
pub(crate) struct Empty;

/// There is nothing to read.
pub(crate) fn read(reader: Reader<'_>) -> Result<(), Reason> {
    reader.finish()
}

impl Body for Empty {
    fn check(&self, _: Version, _: Kind) -> Result<(), Reason> {
        Ok(())
    }

    fn len(&self, _: Version) -> usize {
        0
    }

    fn write(&self, _: Version, _: &mut Vec<u8>) {}
}
