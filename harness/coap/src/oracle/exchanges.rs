//! Requests with their responses, as a transcript shows them.
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::oracle::record::{Crossing, Moment, Record};
use proofhouse_core::oracle::sockets::Sockets;
use proofhouse_core::transcript::Packet;
use proofhouse_core::value::Value;

/// A request of ours and everything that answered it.
pub(super) struct Exchange<'a> {
    pub(super) conn: u32,
    pub(super) asked: Moment,
    pub(super) request: &'a Packet,
    /// Responses with its token on its association, in order; repeated ones too.
    pub(super) responses: Vec<(Moment, &'a Packet)>,
    /// An Empty ACK of its message id: a response follows \[RFC 7252 §5.2.2\].
    pub(super) acked: Option<Moment>,
    /// A RST of its message id.
    pub(super) reset: Option<Moment>,
}

/// A response that a client may not take for the answer to anything: it came from another address than the one that was asked, or under a
/// token that nobody has used there \[RFC 7252 §5.3.2\]. It was on the wire all the same.
pub(super) struct Astray<'a> {
    pub(super) moment: Moment,
    /// The association that we began at the socket to which it came.
    pub(super) conn: u32,
    /// It came from the address that was asked.
    pub(super) from_asked: bool,
    pub(super) packet: &'a Packet,
    /// The place of the exchange that it belongs to, by token or by message id.
    pub(super) of: Option<usize>,
}

/// Every request with its answers, in order. A repeated CON is one request; a token that is used again begins a new one.
pub(super) fn exchanges<'a>(record: &Record<'a>) -> Vec<Exchange<'a>> {
    paired(record).0
}

/// [`exchanges`], and the responses that belong to none of them.
pub(super) fn paired<'a>(record: &Record<'a>) -> (Vec<Exchange<'a>>, Vec<Astray<'a>>) {
    let sockets = Sockets::of(record);
    let (mut all, mut astray): (Vec<Exchange<'a>>, Vec<Astray<'a>>) = (Vec::new(), Vec::new());
    let mut by_token: BTreeMap<(u32, String), usize> = BTreeMap::new();
    let mut by_mid: BTreeMap<(u32, i64), usize> = BTreeMap::new();
    for crossing in record.packets() {
        let Crossing { moment, conn, packet, .. } = crossing;
        let (token, mid) = (packet.fields.text("token"), packet.fields.int("mid").unwrap_or(-1));
        match (crossing.sent, packet.kind.as_str(), token) {
            (true, "request", Some(token)) => {
                let repeated = by_mid.get(&(conn, mid)).is_some_and(|at| all[*at].request.fields == packet.fields);
                if !repeated {
                    by_token.insert((conn, token.to_string()), all.len());
                    by_mid.insert((conn, mid), all.len());
                    let (responses, acked, reset) = (Vec::new(), None, None);
                    all.push(Exchange { conn, asked: moment, request: packet, responses, acked, reset });
                }
            }
            (false, "response", Some(token)) => {
                let asked = sockets.asked(conn);
                let by_mid = by_mid.get(&(asked, mid)).filter(|_| packet.fields.text(Packet::MESSAGE) == Some("ack"));
                let by_token = by_token.get(&(asked, token.to_string()));
                let same = by_mid.filter(|at| all[**at].request.fields.text("token") == Some(token));
                match same.or(by_token) {
                    Some(at) if asked == conn => all[*at].responses.push((moment, packet)),
                    at => {
                        let of = at.or(by_mid).copied();
                        astray.push(Astray { moment, conn: asked, from_asked: asked == conn, packet, of });
                    }
                }
            }
            (false, "rst" | "ack", _) => {
                if let Some(at) = by_mid.get(&(conn, mid)) {
                    let exchange = &mut all[*at];
                    let kept = if packet.kind == "rst" { &mut exchange.reset } else { &mut exchange.acked };
                    *kept = Some(moment);
                }
            }
            _ => {}
        }
    }
    (all, astray)
}

impl Exchange<'_> {
    /// Neither response nor RST came.
    pub(super) fn is_unanswered(&self) -> bool {
        self.responses.is_empty() && self.reset.is_none()
    }

    /// Why it is not known that no answer would have come: one was promised, or we stopped listening before the target answers others.
    pub(super) fn unheard(&self, record: &Record<'_>) -> Option<String> {
        if self.acked.is_some() {
            return Some(String::from("was acknowledged, and the response that follows was not waited for"));
        }
        let closed = record.connections.get(&self.conn).and_then(|connection| connection.closed);
        let until = closed.map_or(record.end, |(moment, ..)| moment.at);
        record.hides_an_answer(until.since(self.asked.at)).map(|why| alloc::format!("was not answered, but {why}"))
    }

    /// The path that was asked for.
    pub(super) fn path(&self) -> String {
        path(self.request)
    }

    /// The method in capitals, or the code of one that has no name.
    pub(super) fn method(&self) -> String {
        let fields = &self.request.fields;
        fields.text("method").map_or_else(|| code(self.request).to_string(), str::to_uppercase)
    }
}

/// `/a/b`, also where the segments had to be told apart.
pub(super) fn path(packet: &Packet) -> String {
    match packet.fields.find("path") {
        Some(Value::List(segments)) => segments.iter().map(|segment| alloc::format!("/{segment}")).collect(),
        Some(path) => path.to_string(),
        None => String::from("/"),
    }
}

/// The code as digits: `2.05`.
pub(super) fn code(packet: &Packet) -> &str {
    packet.fields.text("code").unwrap_or("")
}

/// 2.xx.
pub(super) fn is_success(packet: &Packet) -> bool {
    code(packet).starts_with("2.")
}

/// Whether a path is one of a list, where `/a/#` stands for all below `/a` and `/a` itself.
pub(super) fn is_listed(path: &str, list: &[&str]) -> bool {
    let path = path.split('?').next().unwrap_or(path);
    list.iter().any(|listed| match listed.strip_suffix("/#") {
        Some(root) => path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/')),
        None => path.trim_end_matches('/') == listed.trim_end_matches('/'),
    })
}
