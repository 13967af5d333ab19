//! Finds canaries in received bytes: before any cut, and across segments.
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use memchr::memmem;

use crate::ids::Conn;

/// The trial's canaries, and for each connection the bytes that may be the beginning of one.
pub(super) struct Canaries {
    all: Vec<(String, Vec<u8>)>,
    longest: usize,
    /// Only connections whose last bytes begin a canary have one, so a quiet fleet costs nothing.
    tails: BTreeMap<Conn, Vec<u8>>,
}

impl Canaries {
    pub(super) fn new(canaries: &[(String, String)]) -> Canaries {
        let all: Vec<_> = canaries.iter().map(|(name, text)| (name.clone(), text.clone().into_bytes())).collect();
        Canaries { longest: all.iter().map(|(_, text)| text.len()).max().unwrap_or(0), all, tails: BTreeMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn name(&self, place: usize) -> &str {
        &self.all[place].0
    }

    /// Pushes the place of every canary that these bytes complete, each once.
    pub(super) fn seek(&mut self, conn: Conn, bytes: &[u8], found: &mut Vec<usize>) {
        let mut seam = self.tails.remove(&conn).unwrap_or_default();
        seam.extend_from_slice(&bytes[..bytes.len().min(self.longest)]);
        for (place, (_, text)) in self.all.iter().enumerate() {
            if memmem::find(&seam, text).is_some() || memmem::find(bytes, text).is_some() {
                found.push(place);
            }
        }
        // The seam holds all bytes of a short message, and the end of a long one holds no part of the tail.
        let end = if bytes.len() > self.longest { bytes } else { &seam };
        if let Some(tail) = self.beginning(end) {
            let tail = tail.to_vec();
            self.tails.insert(conn, tail);
        }
    }

    pub(super) fn forget(&mut self, conn: Conn) {
        self.tails.remove(&conn);
    }

    /// The longest end of `bytes` with which some canary begins, but does not end.
    fn beginning<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let most = bytes.len().min(self.longest - 1);
        (1..=most)
            .rev()
            .map(|len| &bytes[bytes.len() - len..])
            .find(|end| self.all.iter().any(|(_, text)| text.len() > end.len() && text.starts_with(end)))
    }
}
