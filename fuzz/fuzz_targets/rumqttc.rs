//! libFuzzer over [`proofhouse_fuzz::rumqttc`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| proofhouse_fuzz::rumqttc(data));
