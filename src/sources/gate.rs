//! Who may come in: the [`Gate`] of one link, over the registry's snapshot.
//!
//! Called by the session in the middle of a read, so it only looks things up. What has to be written
//! (quarantine, what a terminal says about itself) is handed to the registry, which writes it later.

use std::sync::Arc;

use motorpool_protocols::{
    Admission, Gate, Protocol, Refusal, Registration, RegistrationVerdict, TerminalId, UtcMillis, gb32960,
    jt809,
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

    /// Why a device may not come in with what it shows.
    fn mistrust(
        &self,
        device: &Device,
        terminal: &TerminalId,
        protocol: Protocol,
        code: Option<&[u8]>,
    ) -> Option<Refusal> {
        let registry = &self.context.registry;
        let is_right = match needed(protocol, terminal, device, code) {
            Needed::Nothing => true,
            Needed::Code => match code {
                Some(code) => registry.check_code(device, code),
                None if device.profile.skips_authentication => true,
                None => return Some(Refusal::NotLoggedIn),
            },
            Needed::Platform => return self.platform_refusal(terminal, code),
            Needed::Secret => registry.check_mqtt_secret(device, password(protocol, terminal, code)),
        };
        (!is_right).then_some(Refusal::WrongCode)
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

/// What a terminal must show.
enum Needed {
    /// It names itself, and that is all it can do.
    Nothing,
    /// The code that it was given at its registration.
    Code,
    /// The device's secret.
    Secret,
    /// The user and password of a platform that is configured (JT/T 809).
    Platform,
}

fn needed(protocol: Protocol, terminal: &TerminalId, device: &Device, code: Option<&[u8]>) -> Needed {
    let is_secret = match protocol {
        Protocol::Jt808 => return Needed::Code,
        // A platform speaks for many vehicles: it is configured with a password, or stays out.
        Protocol::Jt809 if jt809::plate::is_platform(terminal) => return Needed::Platform,
        Protocol::Gb32960 => code.is_some() || terminal.as_str().len() <= gb32960::PLATFORM_NAME_BYTES_MAX,
        _ => false,
    };
    // Whoever was given a secret shows it. The password of Wialon is the maker's default on nearly all others, and HTTP needs none; a
    // protocol that has no password can't show it, and such a device comes in over MQTT only.
    if is_secret || device.has_secret() { Needed::Secret } else { Needed::Nothing }
}

/// The password in what came with a log-in; empty when there is none, which is nobody's secret.
fn password<'c>(protocol: Protocol, terminal: &TerminalId, code: Option<&'c [u8]>) -> &'c [u8] {
    let code = code.unwrap_or_default();
    if protocol != Protocol::Gb32960 {
        return code;
    }
    let named = code.strip_prefix(terminal.as_str().as_bytes());
    named.and_then(|rest| rest.strip_prefix(b":")).unwrap_or_default()
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
        let refusal = self.mistrust(&device, terminal, protocol, code);
        let refusal = refusal.or_else(|| self.is_taken(device.id).then_some(Refusal::AlreadyConnected));
        match refusal {
            Some(refusal) => Admission::Refused(refusal),
            None => Admission::Admitted { device: device.id.0, profile: Arc::clone(&device.profile) },
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixStream;

    use super::*;
    use crate::sources::socket::split_inner;
    use crate::sources::testing::{context, enrol};

    async fn link(context: &Context) -> Arc<Link> {
        let (inner, _outer) = UnixStream::pair().unwrap();
        let peer = std::net::SocketAddr::from(([192, 0, 2, 1], 1));
        context.links.open(split_inner(inner).1, peer, UtcMillis(0), &context.config).unwrap()
    }

    async fn secret_of(context: &Context, device: DeviceId) -> String {
        context.registry.make_mqtt_secret(device, "test", UtcMillis(0)).await.unwrap()
    }

    /// Why a terminal that shows this code stays out; `None` when it comes in.
    fn refusal_of(
        gate: &mut LinkGate<'_>,
        protocol: Protocol,
        terminal: &str,
        code: Option<&str>,
    ) -> Option<Refusal> {
        match gate.admit(&TerminalId::new(terminal).unwrap(), protocol, code.map(str::as_bytes)) {
            Admission::Refused(refusal) => Some(refusal),
            Admission::Admitted { .. } => None,
            _ => panic!("the journal is well"),
        }
    }

    #[tokio::test]
    async fn a_platform_shows_its_secret_and_others_only_what_they_can() {
        let folder = tempfile::tempdir().unwrap();
        let context = context(folder.path(), |config| {
            let platform = r#"{ "access_code": 20180920, "user": 5, "password": "secret" }"#;
            config.jt809.platforms = vec![serde_json::from_str(platform).unwrap()];
        })
        .await;
        let link = link(&context).await;
        let refusal = |protocol, terminal: &str, code: Option<&str>| {
            refusal_of(&mut LinkGate::new(&link, &context, UtcMillis(0)), protocol, terminal, code)
        };
        let wrong = Some(Refusal::WrongCode);

        enrol(&context, Protocol::Jt809, "platform-20180920").await;
        enrol(&context, Protocol::Jt809, "platform-7").await;
        enrol(&context, Protocol::Jt809, "44A12345-1").await;
        assert_eq!(refusal(Protocol::Jt809, "platform-20180920", Some("5:secret")), None);
        for code in ["", "secret", "5:guess", "6:secret"] {
            assert_eq!(refusal(Protocol::Jt809, "platform-20180920", Some(code)), wrong, "{code}");
        }
        assert_eq!(refusal(Protocol::Jt809, "platform-20180920", None), Some(Refusal::NotLoggedIn));
        assert_eq!(
            refusal(Protocol::Jt809, "platform-7", Some("5:secret")),
            Some(Refusal::Unknown),
            "not configured"
        );
        assert_eq!(refusal(Protocol::Jt809, "44A12345-1", None), None, "a vehicle has no password");

        let platform = enrol(&context, Protocol::Gb32960, "fleet").await;
        enrol(&context, Protocol::Gb32960, "LSVAU2A37N2183294").await;
        let secret = secret_of(&context, platform).await;
        assert_eq!(secret.len(), 20);
        assert_eq!(refusal(Protocol::Gb32960, "fleet", Some(&format!("fleet:{secret}"))), None);
        for code in [None, Some("fleet:"), Some(secret.as_str()), Some("fleet:guess")] {
            assert_eq!(refusal(Protocol::Gb32960, "fleet", code), wrong);
        }
        assert_eq!(refusal(Protocol::Gb32960, "LSVAU2A37N2183294", None), None);

        let terminal = enrol(&context, Protocol::Wialon, "866795030000001").await;
        assert_eq!(refusal(Protocol::Wialon, "866795030000001", Some("12345")), None, "the maker's default");
        let secret = secret_of(&context, terminal).await;
        assert_eq!(refusal(Protocol::Wialon, "866795030000001", Some(&secret)), None);
        assert_eq!(refusal(Protocol::Wialon, "866795030000001", Some("12345")), wrong);
        assert_eq!(refusal(Protocol::Wialon, "866795030000001", None), wrong);
    }

    #[tokio::test]
    async fn a_device_with_a_secret_shows_it_or_stays_out() {
        let folder = tempfile::tempdir().unwrap();
        let context = context(folder.path(), |_| {}).await;
        let link = link(&context).await;
        let refusal = |protocol, terminal: &str, code: Option<&str>| {
            refusal_of(&mut LinkGate::new(&link, &context, UtcMillis(0)), protocol, terminal, code)
        };
        let wrong = Some(Refusal::WrongCode);
        for (protocol, terminal) in
            [(Protocol::OwnTracks, "jane/phone"), (Protocol::Osmand, "866795030000002")]
        {
            let device = enrol(&context, protocol, terminal).await;
            assert_eq!(refusal(protocol, terminal, None), None, "it was given none");
            let secret = secret_of(&context, device).await;
            assert_eq!(refusal(protocol, terminal, None), wrong);
            assert_eq!(refusal(protocol, terminal, Some("guess")), wrong);
            assert_eq!(refusal(protocol, terminal, Some(&secret)), None);
        }
        // Nothing in this protocol can show a secret.
        let device = enrol(&context, Protocol::Gt06, "866795030000003").await;
        assert_eq!(refusal(Protocol::Gt06, "866795030000003", None), None);
        secret_of(&context, device).await;
        assert_eq!(refusal(Protocol::Gt06, "866795030000003", None), wrong);
    }
}
