//! libFuzzer over [`proofhouse_fuzz::mqtt_packet`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| proofhouse_fuzz::mqtt_packet(data));
