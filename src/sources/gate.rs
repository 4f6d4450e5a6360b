//! Who may come in: the [`Gate`] of one link, over the registry's snapshot.
//!
//! Called by the session in the middle of a read, so it only looks things up. What has to be written
//! (quarantine, what a terminal says about itself) is handed to the registry, which writes it later.

use std::sync::Arc;

use motorpool_protocols::{
    Admission, Gate, Protocol, Refusal, Registration, RegistrationVerdict, TerminalId, UtcMillis,
};

use subtle::ConstantTimeEq as _;

use crate::config::SecondLink;
use crate::ids::DeviceId;
use crate::journal::Health;
use crate::registry::{Device, DeviceState};

use super::connection::Link;
use super::listener::Context;

/// How the name of a platform begins, in front of its access code.
const PLATFORM: &str = "platform-";

/// The gate of one read of one link.
pub(super) struct LinkGate<'a> {
    link: &'a Arc<Link>,
    context: &'a Context,
    now: UtcMillis,
}

impl<'a> LinkGate<'a> {
    pub(super) const fn new(link: &'a Arc<Link>, context: &'a Context, now: UtcMillis) -> Self {
        Self { link, context, now }
    }

    /// The approved device of a terminal; an unknown one is noted for the quarantine.
    fn lookup(
        &self,
        terminal: &TerminalId,
        protocol: Protocol,
        registration: Option<&Registration>,
    ) -> Result<Arc<Device>, Refusal> {
        let registry = &self.context.registry;
        let snapshot = registry.snapshot();
        match snapshot.find(protocol, terminal) {
            Some(device) if device.state == DeviceState::Approved => Ok(Arc::clone(device)),
            Some(_) => Err(Refusal::Blocked),
            None => {
                let peer = self.link.peer.ip();
                registry.quarantine_seen(protocol, terminal, peer, self.now, registration);
                Err(Refusal::Unknown)
            }
        }
    }

    /// Why a platform (JT/T 809) may not log in; `None` when it may. It must be configured, with this user and password.
    fn platform_refusal(&self, terminal: &TerminalId, code: Option<&[u8]>) -> Option<Refusal> {
        let access_code = terminal.as_str().strip_prefix(PLATFORM)?;
        let known = access_code.parse().ok().and_then(|number| self.context.jt809.platform(number));
        let (Some(platform), Some(code)) = (known, code) else {
            return Some(if known.is_none() { Refusal::Unknown } else { Refusal::NotLoggedIn });
        };
        let expected = format!("{}:{}", platform.user, platform.password.expose());
        let is_right = bool::from(expected.as_bytes().ct_eq(code));
        (!is_right).then_some(Refusal::WrongCode)
    }

    fn is_taken(&self, device: DeviceId) -> bool {
        self.context.config.second_link == SecondLink::Refuse
            && self.context.links.has_other(device, self.link.id)
    }
}

impl Gate for LinkGate<'_> {
    fn register(&mut self, terminal: &TerminalId, registration: &Registration) -> RegistrationVerdict {
        if self.context.journal.health() != Health::Ok {
            return RegistrationVerdict::Unavailable;
        }
        match self.lookup(terminal, Protocol::Jt808, Some(registration)) {
            Err(Refusal::Blocked) => RegistrationVerdict::NoSuchVehicle,
            Err(_) => RegistrationVerdict::NoSuchTerminal,
            Ok(device) if self.is_taken(device.id) => RegistrationVerdict::TerminalTaken,
            Ok(device) => {
                self.context.registry.registered(device.id, registration, self.now);
                RegistrationVerdict::Accepted {
                    device: device.id.0,
                    code: self.context.registry.code_for(&device),
                    profile: Arc::clone(&device.profile),
                }
            }
        }
    }

    fn admit(&mut self, terminal: &TerminalId, protocol: Protocol, code: Option<&[u8]>) -> Admission {
        if self.context.journal.health() != Health::Ok {
            return Admission::Unavailable;
        }
        let device = match self.lookup(terminal, protocol, None) {
            Ok(device) => device,
            Err(refusal) => return Admission::Refused(refusal),
        };
        // Only JT/T 808 gives a terminal a code of ours. The others name themselves, and that is all they can do;
        // the password that some of them send is the maker's default on nearly all. Platforms have one that is configured.
        let has_code = protocol == Protocol::Jt808;
        if let (Protocol::Jt809, Some(refusal)) = (protocol, self.platform_refusal(terminal, code)) {
            return Admission::Refused(refusal);
        }
        let refusal = match code.filter(|_| has_code) {
            Some(code) if !self.context.registry.check_code(&device, code) => Some(Refusal::WrongCode),
            None if has_code && !device.profile.skips_authentication => Some(Refusal::NotLoggedIn),
            _ if self.is_taken(device.id) => Some(Refusal::AlreadyConnected),
            _ => None,
        };
        match refusal {
            Some(refusal) => Admission::Refused(refusal),
            None => Admission::Admitted { device: device.id.0, profile: Arc::clone(&device.profile) },
        }
    }
}
