//! PINGREQ and PINGRESP: a fixed header and nothing else \[MQTT3 3.12.4-1, MQTT5 3.12.4-1\].

use super::Reason;
use super::reader::Reader;

/// There is no body to read.
pub(crate) fn read(reader: Reader<'_>) -> Result<(), Reason> {
    reader.finish()
}
