//! libFuzzer over [`proofhouse_fuzz::coap_message`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| proofhouse_fuzz::coap_message(data));
