//! Who is admitted on a link of JT/T 808: registration, log-in, and what becomes of frames of strangers.
//!
//! Asks the gate and remembers what it said; acts upon no other message.

use std::sync::Arc;

use super::{BAD_MESSAGE, Call, DONE, FAILED, Jt808Session, Terminal, end_of};
use crate::jt808::downlink::Downlink;
use crate::jt808::frame::{BODY_BYTES_MAX, Wire};
use crate::jt808::header::{Frame, IdBytes, Version};
use crate::jt808::ids::{self, Answer};
use crate::jt808::registration::decode_registration;
use crate::{
    Accepted, Admission, Outbox, Profile, Protocol, Refusal, RegistrationVerdict, RejectReason, TerminalId,
};

impl Jt808Session {
    /// A terminal that is admitted, by its name.
    pub(super) fn admitted(&self, terminal: &TerminalId) -> Option<&Terminal> {
        self.terminals.iter().find(|known| known.id.terminal(Default::default()).key() == terminal.key())
    }

    pub(super) fn find(&self, id: &IdBytes) -> Option<usize> {
        self.terminals.iter().position(|terminal| terminal.id == *id)
    }

    /// Lets a frame with a fault pass when the terminal's profile says so.
    pub(super) fn forgive(
        &mut self,
        frame: &Frame<'_>,
        fault: RejectReason,
        call: &mut Call<'_>,
    ) -> Result<(), RejectReason> {
        let is_forgiven = |profile: &Profile| match fault {
            RejectReason::Checksum | RejectReason::Escape => profile.lenient_checksum,
            RejectReason::Length | RejectReason::Truncated => profile.lenient_length,
            _ => false,
        };
        let lenient = match self.find(&frame.id).and_then(|at| self.terminals.get(at)) {
            Some(terminal) => is_forgiven(&terminal.profile),
            // A damaged id must not fill the registry with terminals that don't exist: ask only before anybody
            // is admitted here.
            None if self.terminals.is_empty() => {
                let code = (frame.message_id == ids::LOG_IN).then(|| log_in_code(frame));
                match call.gate.admit(&frame.id.terminal(Default::default()), Protocol::Jt808, code) {
                    Admission::Admitted { device, profile } if is_forgiven(&profile) => {
                        self.remember(frame.id, device, profile, call.out)?;
                        true
                    }
                    Admission::Unavailable => return Err(RejectReason::Unavailable),
                    _ => false,
                }
            }
            None => false,
        };
        if !lenient {
            return Err(fault);
        }
        call.out.lenient_frames += 1;
        Ok(())
    }

    pub(super) fn register(
        &mut self,
        frame: &Frame<'_>,
        known: Option<usize>,
        wire: Wire<'_>,
        call: &mut Call<'_>,
    ) -> Result<(), RejectReason> {
        let Some((registration, _)) = decode_registration(frame.body, frame.id.version) else {
            self.ours.answer(&frame.id, frame.serial, frame.message_id, BAD_MESSAGE, &mut call.out.immediate);
            return Err(RejectReason::Truncated);
        };
        let terminal = frame.id.terminal(Default::default());
        let [s0, s1] = frame.serial.to_be_bytes();
        let result = match call.gate.register(&terminal, &registration) {
            RegistrationVerdict::Accepted { device, profile, code } => {
                if let Some(terminal) = known.and_then(|at| self.terminals.get_mut(at)) {
                    terminal.device = device;
                    terminal.profile = profile;
                }
                wire.copy_to(&mut call.out.raw);
                call.out.messages.push(Accepted { end: end_of(&call.out.raw), device });
                let mut body = vec![s0, s1, 0];
                body.extend_from_slice(code.as_bytes());
                body.truncate(BODY_BYTES_MAX);
                self.ours.write(&frame.id, ids::REGISTER_ANSWER, &body, &mut call.out.replies);
                return Ok(());
            }
            RegistrationVerdict::VehicleTaken => 1,
            RegistrationVerdict::NoSuchVehicle => 2,
            RegistrationVerdict::TerminalTaken => 3,
            RegistrationVerdict::NoSuchTerminal => 4,
            RegistrationVerdict::Unavailable => return Err(RejectReason::Unavailable),
        };
        self.ours.write(&frame.id, ids::REGISTER_ANSWER, &[s0, s1, result], &mut call.out.immediate);
        Err(if result == 4 { RejectReason::UnknownTerminal } else { RejectReason::NotAdmitted })
    }

    pub(super) fn log_in(
        &mut self,
        frame: &Frame<'_>,
        wire: Wire<'_>,
        call: &mut Call<'_>,
    ) -> Result<(), RejectReason> {
        let terminal = frame.id.terminal(Default::default());
        match call.gate.admit(&terminal, Protocol::Jt808, Some(log_in_code(frame))) {
            Admission::Admitted { device, profile } => {
                self.remember(frame.id, device, profile, call.out)?;
                wire.copy_to(&mut call.out.raw);
                call.out.messages.push(Accepted { end: end_of(&call.out.raw), device });
                self.ours.answer(&frame.id, frame.serial, frame.message_id, DONE, &mut call.out.replies);
                Ok(())
            }
            Admission::Refused(refusal) => {
                self.forget(&frame.id);
                Err(self.refuse_terminal(frame, refusal, call))
            }
            Admission::Unavailable => Err(RejectReason::Unavailable),
        }
    }

    pub(super) fn admit_without_code(
        &mut self,
        frame: &Frame<'_>,
        call: &mut Call<'_>,
    ) -> Result<usize, RejectReason> {
        match call.gate.admit(&frame.id.terminal(Default::default()), Protocol::Jt808, None) {
            Admission::Admitted { device, profile } => self.remember(frame.id, device, profile, call.out),
            Admission::Refused(refusal) => Err(self.refuse_terminal(frame, refusal, call)),
            Admission::Unavailable => Err(RejectReason::Unavailable),
        }
    }

    fn refuse_terminal(&mut self, frame: &Frame<'_>, refusal: Refusal, call: &mut Call<'_>) -> RejectReason {
        let out = &mut call.out.immediate;
        match ids::answer_to(frame.message_id) {
            Answer::Nothing => {}
            _ if frame.has_byte_serial => {
                Downlink::answer_short(&frame.id, frame.serial, frame.message_id, FAILED, out);
            }
            _ => self.ours.answer(&frame.id, frame.serial, frame.message_id, FAILED, out),
        }
        if refusal == Refusal::Unknown { RejectReason::UnknownTerminal } else { RejectReason::NotAdmitted }
    }

    /// Admits a terminal on this link and says where it is kept.
    fn remember(
        &mut self,
        id: IdBytes,
        device: u32,
        profile: Arc<Profile>,
        out: &mut Outbox,
    ) -> Result<usize, RejectReason> {
        let at = match self.find(&id) {
            Some(at) => at,
            None if self.terminals.len() >= self.limits.terminals_per_link_max => {
                return Err(RejectReason::Limit);
            }
            None => self.terminals.len(),
        };
        let terminal = Terminal { id, device, profile };
        match self.terminals.get_mut(at) {
            Some(known) => *known = terminal,
            None => self.terminals.push(terminal),
        }
        self.current = at;
        self.last_logged_in = Some(id.terminal(Default::default()));
        out.logged_in.push(device);
        Ok(at)
    }

    pub(super) fn forget(&mut self, id: &IdBytes) {
        self.terminals.retain(|terminal| terminal.id != *id);
        self.outstanding.forget(id);
        self.current = 0;
    }
}

/// The code of a log-in: the whole body, in 2019 the first string of it. Padding zeros at the end don't count.
fn log_in_code<'a>(frame: &Frame<'a>) -> &'a [u8] {
    let mut code = frame.body;
    if let (Version::V2019 { .. }, Some((&len, rest))) = (frame.id.version, code.split_first()) {
        // A length that can't be one: the code alone, as in 2013 (seen in the field).
        code = rest.get(..usize::from(len)).unwrap_or(code);
    }
    while let Some((0, rest)) = code.split_last() {
        code = rest;
    }
    code
}
