//! A server on coap-lite 0.13.3 as a child of our own binary: its messages, its block handler, its observer list, on one UDP socket.
//!
//! What runs here is coap-lite and nothing of ours: no check that it does not make, no memory of message ids, no retransmission,
//! no observer forgotten that it keeps. A datagram that it cannot read is left alone. A finding is a finding about coap-lite.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use coap_lite::error::HandlingError;
use coap_lite::link_format::LinkFormatWrite;
use coap_lite::{
    BlockHandler, BlockHandlerConfig, CoapRequest, ContentFormat, MessageClass, MessageType, ObserveOption, Packet,
    RequestType as Method, ResponseType as Status, Subject, create_notification,
};

type Request = CoapRequest<SocketAddr>;

/// How often `/time` changes, and its observers are told.
const EVERY: Duration = Duration::from_secs(1);

/// Serves on 127.0.0.1 and does not return while it serves: `/time` (observable), `/large` (blocks), `/counter` (POST adds one),
/// `/actuator` (PUT `on` or `off`), `/store` (keeps what is PUT) and `/.well-known/core`. It has no security, and no resource that pretends.
///
/// # Errors
/// A port that is taken.
#[expect(clippy::disallowed_methods, reason = "a served target lives by the real clock")]
pub fn serve(port: u16) -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
    eprintln!("coap-lite listening on 127.0.0.1:{port}");
    let (mut app, mut blocks) = (App::default(), BlockHandler::new(BlockHandlerConfig::default()));
    let (mut bytes, mut next) = (vec![0; 1 << 16], Instant::now() + EVERY);
    loop {
        let wait = next.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            next += EVERY;
            app.tick(&socket);
        } else {
            socket.set_read_timeout(Some(wait))?;
            // An error is a time that is over, or the closed port of one peer: no reason to stop serving the others.
            if let Ok((len, from)) = socket.recv_from(&mut bytes)
                && let Some(Ok(reply)) = reply(&bytes[..len], from, &mut app, &mut blocks).map(|one| one.to_bytes())
            {
                let _ = socket.send_to(&reply, from);
            }
        }
    }
}

fn reply(bytes: &[u8], from: SocketAddr, app: &mut App, blocks: &mut BlockHandler<SocketAddr>) -> Option<Packet> {
    let mut request = CoapRequest::from_packet(Packet::from_bytes(bytes).ok()?, from);
    if request.response.is_none() {
        app.observers.acknowledge(&request); // ACK and RST alike: it has one word for both
    } else if request.message.header.code == MessageClass::Empty {
        let mut pong = Packet::new();
        pong.header.set_type(MessageType::Reset);
        pong.header.code = MessageClass::Empty;
        pong.header.message_id = request.message.header.message_id;
        return Some(pong);
    } else if let Err(error) = handle(&mut request, app, blocks) {
        request.apply_from_error(error);
    }
    request.response.map(|response| response.message)
}

fn handle(request: &mut Request, app: &mut App, blocks: &mut BlockHandler<SocketAddr>) -> Result<(), HandlingError> {
    if blocks.intercept_request(request)? {
        return Ok(());
    }
    let (status, format, payload) = app.serve(request)?;
    let observed = app.observe(request);
    if let Some(response) = &mut request.response {
        response.set_status(status);
        response.message.set_content_format(format);
        response.message.payload = payload.into_bytes();
        observed.into_iter().for_each(|sequence| response.message.set_observe_value(sequence));
    }
    blocks.intercept_response(request).map(drop)
}

/// The resources.
#[derive(Default)]
struct App {
    seconds: u32,
    counter: u32,
    on: bool,
    store: String,
    observers: Subject<SocketAddr>,
}

impl App {
    fn serve(&mut self, request: &Request) -> Result<(Status, ContentFormat, String), HandlingError> {
        let text = |status, text: String| Ok((status, ContentFormat::TextPlain, text));
        let on_off = |on| String::from(if on { "on" } else { "off" });
        match (*request.get_method(), request.get_path().as_str(), request.message.payload.as_slice()) {
            (Method::Get, "time", _) => text(Status::Content, self.seconds.to_string()),
            (Method::Get, "large", _) => text(Status::Content, "0123456789".repeat(500)),
            (Method::Get, "counter", _) => text(Status::Content, self.counter.to_string()),
            (Method::Post, "counter", _) => {
                self.counter += 1;
                text(Status::Changed, self.counter.to_string())
            }
            (Method::Get, "actuator", _) => text(Status::Content, on_off(self.on)),
            (Method::Put, "actuator", to @ (b"on" | b"off")) => {
                self.on = to == b"on";
                text(Status::Changed, on_off(self.on))
            }
            (Method::Get, "store", _) => text(Status::Content, self.store.clone()),
            (Method::Put, "store", body) => {
                self.store = String::from_utf8_lossy(body).into_owned();
                // Never empty: where a client asks for blocks of a certain size, it refuses to send an empty answer.
                text(Status::Changed, self.store.len().to_string())
            }
            (Method::Put, "actuator", _) => Err(HandlingError::bad_request("on or off")),
            (Method::Get, ".well-known/core", _) => {
                Ok((Status::Content, ContentFormat::ApplicationLinkFormat, links()))
            }
            (_, "time" | "large" | "counter" | "actuator" | "store" | ".well-known/core", _) => {
                Err(HandlingError::method_not_supported())
            }
            _ => Err(HandlingError::not_found()),
        }
    }

    /// Registers or forgets an observer of `/time`; the sequence number, if it is one now.
    fn observe(&mut self, request: &Request) -> Option<u32> {
        match (request.get_path().as_str(), request.get_observe_flag()?) {
            ("time", Ok(ObserveOption::Register)) => self.observers.register(request),
            ("time", Ok(ObserveOption::Deregister)) => {
                self.observers.deregister(request);
                return None;
            }
            _ => return None,
        }
        self.observers.get_resource("time").map(|resource| resource.sequence)
    }

    /// `/time` has changed: whoever observes it is told, confirmably.
    fn tick(&mut self, socket: &UdpSocket) {
        self.seconds += 1;
        let mid = self.seconds as u16;
        self.observers.resource_changed("time", mid, true);
        let Some(resource) = self.observers.get_resource("time") else { return };
        for one in &resource.observers {
            let payload = self.seconds.to_string().into_bytes();
            let notice = create_notification(mid, one.token.clone(), resource.sequence, payload, true);
            let _ = notice.to_bytes().map(|bytes| socket.send_to(&bytes, one.endpoint));
        }
    }
}

fn links() -> String {
    let mut text = String::new();
    let mut links = LinkFormatWrite::new(&mut text);
    let _ = links.link("/time").attr_quoted("obs", "").finish();
    let _ = links.link("/large").attr_u32("sz", 5_000).finish();
    let _ = links.link("/counter").finish();
    let _ = links.link("/actuator").finish();
    let _ = links.link("/store").finish();
    text
}
