//! Bodies that come in blocks.
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use proofhouse_coap::block::{Assembly, Block, OUT_OF_ORDER, PAYLOAD_SIZE, Progress, Refusal, Sort, TOO_LARGE};
use proofhouse_coap::codec::Code;
use proofhouse_core::ids::Conn;
use proofhouse_core::time::Time;

use super::Limits;
use super::site::Resource;
use crate::flaw::{Flaw, Flaws};

/// One body for each peer, and few of them at a time.
#[derive(Debug, Default)]
pub(super) struct Uploads(BTreeMap<Conn, Upload>);

#[derive(Debug)]
struct Upload {
    resource: Resource,
    /// When its last block came.
    at: Time,
    assembly: Assembly,
    /// What flaws put together instead.
    loose: Vec<u8>,
    /// What a flaw has reserved.
    reserved: Vec<u8>,
}

/// One block of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) block: Block,
    pub(super) payload: &'a [u8],
    pub(super) sort: Sort,
    /// Size1.
    pub(super) announced: Option<u32>,
}

impl Uploads {
    /// Takes one block; the body once it is whole.
    pub(super) fn push(
        &mut self,
        conn: Conn,
        resource: Resource,
        part: Part<'_>,
        now: Time,
        limits: &Limits,
        flaws: Flaws,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        if self.0.get(&conn).is_none_or(|upload| upload.resource != resource) {
            self.begin(conn, resource, now, limits);
        }
        let Some(upload) = self.0.get_mut(&conn) else { return Ok(None) };
        upload.at = now;
        if flaws.has(Flaw::BlockNumAllocates) && upload.reserve(part) {
            return Ok(None);
        }
        let bends = [
            Flaw::BlockGapAccepted,
            Flaw::BlockMiddleGapAccepted,
            Flaw::BlockOverlapAccepted,
            Flaw::ShortBlockAccepted,
        ];
        let (progress, body) = if bends.into_iter().any(|flaw| flaws.has(flaw)) {
            (upload.push_loose(part, limits, flaws)?, &mut upload.loose)
        } else {
            let pushed =
                upload.assembly.push(part.block, part.payload, part.sort, part.announced, limits.body as usize);
            if !upload.assembly.is_begun() {
                self.0.remove(&conn);
                return pushed.map(|_| None);
            }
            let progress = pushed?;
            if progress == Progress::Whole {
                upload.loose = upload.assembly.take();
            }
            (progress, &mut upload.loose)
        };
        if progress == Progress::More {
            return Ok(None);
        }
        let body = core::mem::take(body);
        self.0.remove(&conn);
        Ok(Some(body))
    }

    fn begin(&mut self, conn: Conn, resource: Resource, now: Time, limits: &Limits) {
        if self.0.len() >= limits.uploads as usize
            && let Some(oldest) = self.0.iter().min_by_key(|(conn, upload)| (upload.at, **conn)).map(|(conn, _)| *conn)
        {
            self.0.remove(&oldest);
        }
        let fresh = Upload { resource, at: now, assembly: Assembly::new(), loose: Vec::new(), reserved: Vec::new() };
        self.0.insert(conn, fresh);
    }

    /// Forgets what a peer has begun.
    pub(super) fn drop_of(&mut self, conn: Conn) {
        self.0.remove(&conn);
    }

    pub(super) fn bytes(&self) -> usize {
        let of = |upload: &Upload| {
            size_of::<(Conn, Upload)>()
                + upload.assembly.body().len()
                + upload.loose.capacity()
                + upload.reserved.capacity()
        };
        self.0.values().map(of).sum()
    }
}

/// More than this no flaw reserves: a twin shall fail its oracle, not the machine.
const RESERVED_MAX: usize = 1 << 20;

impl Upload {
    /// What a flaw does with a block that announces more than has come.
    fn reserve(&mut self, part: Part<'_>) -> bool {
        let come = self.assembly.body().len() + part.payload.len();
        let end = part.block.offset() as usize + part.payload.len();
        let announced = end.max(part.announced.unwrap_or(0) as usize);
        if announced <= come.max(Limits::default().body as usize) {
            return false;
        }
        // Written to, so that the system has to find it.
        self.reserved.resize(announced.min(RESERVED_MAX), 0xA5);
        true
    }

    fn push_loose(&mut self, part: Part<'_>, limits: &Limits, flaws: Flaws) -> Result<Progress, Refusal> {
        let refuse = |code, rule| Err(Refusal { code, rule });
        let (block, payload, full) = (part.block, part.payload, part.block.size().bytes());
        let short = block.more() && payload.len() < full && !flaws.has(Flaw::ShortBlockAccepted);
        if payload.len() > full || short {
            return refuse(Code::BAD_REQUEST, &PAYLOAD_SIZE);
        }
        let gap = flaws.has(Flaw::BlockGapAccepted) || block.more() && flaws.has(Flaw::BlockMiddleGapAccepted);
        if block.num() == 0 && !flaws.has(Flaw::BlockOverlapAccepted) {
            self.loose.clear();
        }
        let at = match block.offset() as usize {
            // Behind a block that was not full, offsets mean nothing any more.
            _ if flaws.has(Flaw::ShortBlockAccepted) && !self.loose.len().is_multiple_of(full) => self.loose.len(),
            at if at > self.loose.len() && !gap => {
                return refuse(Code::REQUEST_ENTITY_INCOMPLETE, &OUT_OF_ORDER);
            }
            at if at < self.loose.len() && !flaws.has(Flaw::BlockOverlapAccepted) => {
                return refuse(Code::REQUEST_ENTITY_INCOMPLETE, &OUT_OF_ORDER);
            }
            at => at,
        };
        if at + payload.len() > limits.body as usize || part.announced.is_some_and(|size| size > limits.body) {
            return refuse(Code::REQUEST_ENTITY_TOO_LARGE, &TOO_LARGE);
        }
        let end = (at + payload.len()).max(self.loose.len());
        self.loose.resize(end, 0);
        self.loose[at..at + payload.len()].copy_from_slice(payload);
        Ok(if block.more() { Progress::More } else { Progress::Whole })
    }
}
