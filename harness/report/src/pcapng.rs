//! The pcapng container and the headers of IPv4, TCP and UDP: bytes only, no thought of trials.
//!
//! One section, one interface of raw IPv4 packets, times in nanoseconds.
use proofhouse_core::connection::Addr;

/// LINKTYPE_RAW: a packet begins with its IP header.
const RAW: u16 = 101;
/// The largest IPv4 packet.
const SNAP: u32 = 65_535;
const COMMENT: u16 = 1;
const IF_NAME: u16 = 2;
/// Resolution of time stamps: 10 to the power of minus this.
const IF_TSRESOL: u16 = 9;
const SHB_USERAPPL: u16 = 4;

/// FIN, SYN, RST, PSH and ACK, as the TCP header has them.
pub(crate) mod flag {
    pub(crate) const FIN: u8 = 0x01;
    pub(crate) const SYN: u8 = 0x02;
    pub(crate) const RST: u8 = 0x04;
    pub(crate) const PSH: u8 = 0x08;
    pub(crate) const ACK: u8 = 0x10;
}

/// A capture that is being written.
pub(crate) struct Pcapng {
    bytes: Vec<u8>,
}

impl Pcapng {
    /// Section header with a comment, and the one interface.
    pub(crate) fn new(application: &str, comment: &str) -> Pcapng {
        let mut file = Pcapng { bytes: Vec::new() };
        let mut section = Vec::new();
        section.extend(0x1a2b_3c4d_u32.to_le_bytes());
        section.extend([1, 0, 0, 0]); // version 1.0
        section.extend(u64::MAX.to_le_bytes()); // length of the section: not said
        option(&mut section, COMMENT, comment.as_bytes());
        option(&mut section, SHB_USERAPPL, application.as_bytes());
        file.block(0x0a0d_0d0a, section);
        let mut interface = Vec::new();
        interface.extend(RAW.to_le_bytes());
        interface.extend([0, 0]);
        interface.extend(SNAP.to_le_bytes());
        option(&mut interface, IF_NAME, b"trial");
        option(&mut interface, IF_TSRESOL, &[9]);
        file.block(1, interface);
        file
    }

    /// One packet, `at` nanoseconds after the epoch, with its comments.
    pub(crate) fn packet(&mut self, at: u64, packet: &[u8], comments: &[String]) {
        let len = u32::try_from(packet.len()).expect("an IPv4 packet has at most 65,535 bytes");
        let mut body = Vec::with_capacity(packet.len() + 64);
        body.extend(0_u32.to_le_bytes());
        body.extend(((at >> 32) as u32).to_le_bytes());
        body.extend((at as u32).to_le_bytes());
        body.extend(len.to_le_bytes());
        body.extend(len.to_le_bytes());
        body.extend(packet);
        pad(&mut body);
        for comment in comments {
            option(&mut body, COMMENT, comment.as_bytes());
        }
        self.block(6, body);
    }

    /// The file.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Type, length, body with the end of its options, length again.
    fn block(&mut self, kind: u32, mut body: Vec<u8>) {
        body.extend([0; 4]);
        let len = u32::try_from(body.len() + 12).expect("a block is a packet and its comments");
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(len.to_le_bytes());
        self.bytes.extend(&body);
        self.bytes.extend(len.to_le_bytes());
    }
}

/// An option; longer ones are cut at the last whole character that fits.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let mut len = value.len().min(usize::from(u16::MAX));
    while len < value.len() && value[len] & 0xc0 == 0x80 {
        len -= 1;
    }
    body.extend(code.to_le_bytes());
    body.extend((len as u16).to_le_bytes());
    body.extend(&value[..len]);
    pad(body);
}

/// To a multiple of four. Every block's fixed part is one already.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

/// What a TCP header says beside the ports.
#[derive(Clone, Copy)]
pub(crate) struct Tcp {
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
}

/// An IPv4 packet with a TCP segment.
pub(crate) fn tcp(from: Addr, to: Addr, head: Tcp, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::with_capacity(20 + payload.len());
    segment.extend(from.port.to_be_bytes());
    segment.extend(to.port.to_be_bytes());
    segment.extend(head.seq.to_be_bytes());
    segment.extend(head.ack.to_be_bytes());
    segment.extend([5 << 4, head.flags]); // five words of header
    segment.extend(u16::MAX.to_be_bytes()); // window
    segment.extend([0; 4]); // checksum, urgent pointer
    segment.extend(payload);
    ip(from, to, 6, segment, 16)
}

/// An IPv4 packet with a UDP datagram.
pub(crate) fn udp(from: Addr, to: Addr, payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(8 + payload.len());
    datagram.extend(from.port.to_be_bytes());
    datagram.extend(to.port.to_be_bytes());
    datagram.extend(u16::try_from(payload.len() + 8).unwrap_or(u16::MAX).to_be_bytes());
    datagram.extend([0; 2]);
    datagram.extend(payload);
    ip(from, to, 17, datagram, 6)
}

/// Puts the IP header before a segment whose checksum stands at `sum_at`.
fn ip(from: Addr, to: Addr, protocol: u8, mut segment: Vec<u8>, sum_at: usize) -> Vec<u8> {
    let len = u16::try_from(segment.len() + 20).expect("callers cut payloads to fit an IPv4 packet");
    let mut pseudo = Vec::with_capacity(12 + segment.len());
    pseudo.extend(from.ip.to_be_bytes());
    pseudo.extend(to.ip.to_be_bytes());
    pseudo.extend([0, protocol]);
    pseudo.extend((len - 20).to_be_bytes());
    pseudo.extend(&segment);
    let sum = match checksum(&pseudo) {
        0 if protocol == 17 => 0xffff, // RFC 768: zero says that there is none
        sum => sum,
    };
    segment[sum_at..sum_at + 2].copy_from_slice(&sum.to_be_bytes());
    let mut packet = Vec::with_capacity(usize::from(len));
    packet.extend([0x45, 0]);
    packet.extend(len.to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]); // do not fragment, 64 hops
    packet.extend(from.ip.to_be_bytes());
    packet.extend(to.ip.to_be_bytes());
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend(segment);
    packet
}

/// RFC 1071: the complement of the one's complement sum of 16-bit words.
fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        // Its example: 0001 f203 f4f5 f6f7 sum to ddf2.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!(checksum(&[0x01]), !0x0100);
    }

    #[test]
    fn a_header_with_its_checksum_sums_to_zero() {
        let (a, b) = (Addr::new([127, 0, 0, 1], 1), Addr::new([127, 0, 0, 2], 2));
        let packet = udp(a, b, b"odd");
        assert_eq!(checksum(&packet[..20]), 0);
        assert_eq!(packet.len(), 31);
    }

    #[test]
    fn a_long_comment_is_cut_at_a_whole_character() {
        let mut body = Vec::new();
        option(&mut body, COMMENT, "ö".repeat(40_000).as_bytes());
        assert_eq!(&body[2..4], 65_534_u16.to_le_bytes());
        assert_eq!(body.len(), 4 + 65_536);
    }
}
