//! The two ends of JT/T 809 against each other over links that are cut anywhere, with everything that was under way
//! lost: nothing that is confirmed is missing, and everything arrives in the end.

use std::collections::{BTreeMap, BTreeSet};

use motorpool_protocols::jt809::lower::{CloseReason, LowerEvent, LowerOutbox, LowerSettings, Offer, Queued};
use motorpool_protocols::jt809::message::Link as Link809;
use motorpool_protocols::jt809::message::link::{LogInReply, PositionCount, SubLogIn};
use motorpool_protocols::jt809::message::vehicle::{Position, Position2011, Position2019};
use motorpool_protocols::jt809::superior::SuperiorSettings;
use motorpool_protocols::jt809::wire::UtcSeconds;
use motorpool_protocols::jt809::{Cipher, Edition, Header, Lower, Message, Superior, Vehicle, encode_frame};
use motorpool_protocols::{
    Fix, Observations, OpenGate, Outbox, Profile, Protocol, Quality, Session, SessionLimits, Status,
    UtcMillis, observe,
};
use proptest::prelude::*;

const START: i64 = 1_780_000_000_000;
const CIPHER: Cipher = Cipher { modulus: 30_000_001, factor: 20_000_003, addend: 1_234_567 };

fn vehicle(number: u64) -> Vehicle {
    Vehicle::new(&format!("粤A0000{}", number % 3), 1)
}

/// The position with that number: its time tells which one it is.
fn queued(edition: Edition, number: u64) -> Queued {
    let taken = UtcMillis(START + i64::try_from(number).expect("a small number") * 1_000);
    let mut fix = Fix::new(taken, 231_000_000, 1_132_000_000);
    fix.status = Status::POSITIONED;
    let position = match edition {
        Edition::E2011 => Position::E2011(Position2011::of(&fix, 28_800)),
        Edition::E2019 => {
            let mut location = Vec::new();
            motorpool_protocols::jt808::encode_location(&fix, &[], &Profile::default(), &mut location);
            Position::E2019(Position2019 { location, ..Position2019::default() })
        }
    };
    Queued { number, vehicle: vehicle(number), position, taken }
}

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// So many positions are taken.
    Record(u8),
    /// So many bytes of each link arrive at either end.
    Deliver(u16),
    /// Time passes, milliseconds.
    Wait(i64),
    /// The main link breaks.
    BreakMain,
    /// The sub link breaks.
    BreakSub,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_u8..12).prop_map(Step::Record),
        8 => (1_u16..2_000).prop_map(Step::Deliver),
        3 => (1_i64..40_000).prop_map(Step::Wait),
        1 => Just(Step::BreakMain),
        1 => Just(Step::BreakSub),
    ]
}

/// Bytes under way in one direction.
#[derive(Debug, Default)]
struct Pipe {
    under_way: Vec<u8>,
    /// Arrived, and not yet taken.
    held: Vec<u8>,
}

impl Pipe {
    fn arrive(&mut self, bytes: usize) {
        let bytes = bytes.min(self.under_way.len());
        self.held.extend(self.under_way.drain(..bytes));
    }
}

/// The superior end of one main link, with its two directions and those of the sub link.
struct Link {
    superior: Superior,
    up: Pipe,
    down: Pipe,
    sub: Option<(Pipe, Pipe)>,
}

struct World {
    edition: Edition,
    cipher: Option<Cipher>,
    now: i64,
    lower: Lower,
    link: Option<Link>,
    links: u32,
    /// Numbers that exist, and where offering goes on.
    recorded: u64,
    next: u64,
    confirmed: u64,
    /// How often each number arrived, and how often as back-fill.
    arrived: BTreeMap<u64, (u32, u32)>,
    refused: Vec<CloseReason>,
}

impl World {
    fn new(edition: Edition, is_encrypted: bool) -> Self {
        let cipher = is_encrypted.then_some(CIPHER);
        let settings = LowerSettings {
            edition,
            access_code: 77,
            user: 1,
            password: "secret".to_owned(),
            sub_address: "192.0.2.7".to_owned(),
            sub_port: 9_000,
            cipher: cipher.map(|cipher| (cipher, 4_711)),
            live_within_ms: i64::MAX,
            ..LowerSettings::default()
        };
        Self {
            edition,
            cipher,
            now: START,
            lower: Lower::new(settings),
            link: None,
            links: 0,
            recorded: 0,
            next: 1,
            confirmed: 0,
            arrived: BTreeMap::new(),
            refused: Vec::new(),
        }
    }

    fn at(&self) -> UtcMillis {
        UtcMillis(self.now)
    }

    /// Lets the lower end do something, and does what it wants.
    fn lower(&mut self, act: impl FnOnce(&mut Lower, UtcMillis, &mut LowerOutbox)) {
        let mut out = LowerOutbox::default();
        let now = self.at();
        act(&mut self.lower, now, &mut out);
        if let Some(link) = &mut self.link {
            link.up.under_way.extend_from_slice(&out.main);
            if let Some((up, _)) = &mut link.sub {
                up.under_way.extend_from_slice(&out.sub);
            }
        }
        for event in out.events {
            match event {
                LowerEvent::Connect => self.connect(),
                LowerEvent::LoggedIn => self.next = self.confirmed + 1,
                LowerEvent::Confirmed { up_to } => {
                    assert!(up_to > self.confirmed, "a confirmation goes forward");
                    self.confirmed = up_to;
                    for number in 1..=up_to {
                        assert!(self.arrived.contains_key(&number), "{number} is confirmed and missing");
                    }
                }
                LowerEvent::CloseMain(reason) => {
                    self.refused.push(reason);
                    self.break_main();
                }
                LowerEvent::CloseSub(_) => self.break_sub(),
                event => panic!("{event:?}"),
            }
        }
    }

    fn connect(&mut self) {
        self.links += 1;
        let settings = SuperiorSettings {
            verify_code: self.links,
            count_every: 7,
            cipher: self.cipher,
            ..SuperiorSettings::default()
        };
        let superior = Superior::new(settings, SessionLimits::default());
        self.link = Some(Link { superior, up: Pipe::default(), down: Pipe::default(), sub: None });
        self.lower(Lower::main_opened);
    }

    fn break_main(&mut self) {
        if self.link.take().is_some() {
            self.lower(Lower::main_closed);
            self.lower.sub_closed();
        }
    }

    fn break_sub(&mut self) {
        let now = self.at();
        if let Some(link) = &mut self.link
            && link.sub.take().is_some()
        {
            link.superior.sub_closed(now, &mut link.down.under_way);
            self.lower.sub_closed();
        }
    }

    /// Offers what is recorded, as an owner of a queue does.
    fn offer(&mut self) {
        while self.next <= self.recorded {
            let queued = queued(self.edition, self.next);
            let mut offer = Offer::Full;
            self.lower(|lower, now, out| offer = lower.offer(now, queued, out));
            match offer {
                Offer::Taken => self.next += 1,
                Offer::Full => return,
                Offer::Unfit => panic!("every position fits"),
            }
        }
    }

    fn deliver(&mut self, bytes: usize) {
        self.superior_hears(bytes);
        self.lower_hears(bytes);
        self.offer();
    }

    fn superior_hears(&mut self, bytes: usize) {
        let (now, cipher) = (self.at(), self.cipher);
        let Some(link) = &mut self.link else { return };
        link.up.arrive(bytes);
        let mut out = Outbox::default();
        let mut gate = OpenGate::default();
        let used = link.superior.receive(now, &link.up.held, &mut gate, &mut out).expect("no limit");
        assert!(out.rejected.is_empty(), "{:?}", out.rejected);
        link.up.held.drain(..used);
        // Durable at once: then the replies go out.
        link.down.under_way.extend_from_slice(&out.replies);
        link.down.under_way.extend_from_slice(&out.immediate);
        if link.sub.is_none() && link.superior.sub_link().is_some() {
            let mut pipes = (Pipe::default(), Pipe::default());
            link.superior.sub_opened(now, &mut pipes.1.under_way);
            link.sub = Some(pipes);
        }
        let replies = link.superior.take_sub_replies();
        let mut is_refused = false;
        if let Some((up, down)) = &mut link.sub {
            down.under_way.extend_from_slice(&replies);
            up.arrive(bytes);
            match link.superior.sub_received(now, &up.held, &mut down.under_way) {
                Ok(used) => drop(up.held.drain(..used)),
                Err(_) => is_refused = true,
            }
            link.superior.sub_timeout(now, &mut down.under_way);
        }
        let profile = Profile { cipher, ..Profile::default() };
        let mut begin = 0;
        for message in &out.messages {
            let raw = &out.raw[begin..message.end as usize];
            begin = message.end as usize;
            let mut seen = Observations::default();
            observe(Protocol::Jt809, raw, &profile, &mut seen).expect("our own message");
            for fix in seen.fixes {
                let number = u64::try_from((fix.fix_time.0 - START) / 1_000).expect("one of ours");
                let times = self.arrived.entry(number).or_default();
                times.0 += 1;
                times.1 += u32::from(fix.quality.contains(Quality::BACKFILL));
            }
        }
        if is_refused {
            self.break_sub();
        }
    }

    fn lower_hears(&mut self, bytes: usize) {
        let Some(link) = &mut self.link else { return };
        link.down.arrive(bytes);
        let held = std::mem::take(&mut link.down.held);
        let held_sub = link.sub.as_mut().map(|(_, down)| {
            down.arrive(bytes);
            std::mem::take(&mut down.held)
        });
        let links = self.links;
        let mut used = 0;
        self.lower(|lower, now, out| used = lower.main_received(now, &held, out));
        if let Some(link) = self.link.as_mut().filter(|_| links == self.links) {
            link.down.held.extend_from_slice(&held[used..]);
        }
        let Some(held) = held_sub.filter(|_| self.link.as_ref().is_some_and(|link| link.sub.is_some()))
        else {
            return;
        };
        self.lower(|lower, now, out| used = lower.sub_received(now, &held, out));
        if let Some((_, down)) = self.link.as_mut().and_then(|link| link.sub.as_mut()) {
            down.held.extend_from_slice(&held[used..]);
        }
    }

    fn wait(&mut self, ms: i64) {
        let until = self.now + ms;
        while let Some(due) = self.lower.next_timeout().filter(|due| due.0 <= until) {
            self.now = self.now.max(due.0);
            self.lower(Lower::handle_timeout);
        }
        self.now = until;
        self.offer();
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Record(count) => {
                self.recorded += u64::from(*count);
                self.offer();
            }
            Step::Deliver(bytes) => self.deliver(usize::from(*bytes)),
            Step::Wait(ms) => self.wait(*ms),
            Step::BreakMain => self.break_main(),
            Step::BreakSub => self.break_sub(),
        }
    }

    /// Lets everything settle without another break.
    fn settle(&mut self) {
        for _ in 0..400 {
            if self.confirmed == self.recorded {
                return;
            }
            self.wait(5_000);
            self.deliver(usize::MAX);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_confirmed_has_arrived_and_everything_does(
        is_2019: bool,
        is_encrypted: bool,
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let edition = if is_2019 { Edition::E2019 } else { Edition::E2011 };
        let mut world = World::new(edition, is_encrypted);
        for step in &steps {
            world.take(step);
        }
        world.settle();
        prop_assert_eq!(world.confirmed, world.recorded);
        let all: BTreeSet<u64> = world.arrived.keys().copied().collect();
        prop_assert_eq!(all, (1..=world.recorded).collect::<BTreeSet<_>>());
        prop_assert!(world.refused.iter().all(|reason| *reason == CloseReason::Silent));
    }
}

#[test]
fn on_a_link_that_never_breaks_every_position_arrives_once_and_live() {
    let mut world = World::new(Edition::E2011, false);
    for _ in 0..40 {
        world.take(&Step::Record(5));
        world.take(&Step::Wait(1_000));
        world.take(&Step::Deliver(u16::MAX));
    }
    world.settle();
    assert_eq!((world.confirmed, world.links), (200, 1));
    assert!(world.arrived.values().all(|times| *times == (1, 0)));
}

#[test]
fn what_a_break_left_open_comes_again_as_back_fill_in_fives() {
    let mut world = World::new(Edition::E2011, false);
    for _ in 0..3 {
        world.take(&Step::Wait(1_000));
        world.take(&Step::Deliver(u16::MAX));
    }
    world.take(&Step::Record(30));
    world.take(&Step::BreakMain);
    world.settle();
    assert_eq!((world.confirmed, world.links), (30, 2));
    assert!(world.arrived.values().all(|times| *times == (1, 1)));
}

/// A count of a superior platform, as a frame.
fn count(count: u32, from: i64) -> Vec<u8> {
    let at = |ms: i64| UtcSeconds::of(UtcMillis(ms));
    let count = PositionCount { count, from: at(from), until: at(START + 900_000) };
    frame_of(&Message::Link(Link809::PositionsReceived(count)))
}

fn frame_of(message: &Message) -> Vec<u8> {
    let (mut body, mut raw) = (Vec::new(), Vec::new());
    message.encode(Edition::E2011, &mut body).expect("it fits");
    encode_frame(&Header { message_id: message.message_id(), ..Header::default() }, &body, None, &mut raw);
    raw
}

/// Connects, logs in and offers the positions 1 to 3.
fn three_in_flight(lower: &mut Lower, now: UtcMillis) {
    let mut out = LowerOutbox::default();
    lower.handle_timeout(now, &mut out);
    lower.main_opened(now, &mut out);
    let reply = frame_of(&Message::Link(Link809::LogInReply(LogInReply { result: 0, verify_code: 1 })));
    lower.main_received(now, &reply, &mut out);
    for number in 1..=3 {
        assert_eq!(lower.offer(now, queued(Edition::E2011, number), &mut out), Offer::Taken);
    }
    lower.flush(now, &mut out);
}

#[test]
fn a_count_that_began_before_the_link_confirms_no_more_than_it_must_have_seen() {
    for (counted, confirmed) in [(3, None), (5, Some(2)), (6, Some(3))] {
        let settings = LowerSettings { live_within_ms: i64::MAX, ..LowerSettings::default() };
        let (mut lower, mut out) = (Lower::new(settings), LowerOutbox::default());
        three_in_flight(&mut lower, UtcMillis(START));
        lower.main_closed(UtcMillis(START + 10_000), &mut out);
        three_in_flight(&mut lower, UtcMillis(START + 60_000));
        out.clear();
        lower.main_received(UtcMillis(START + 70_000), &count(counted, START), &mut out);
        let wanted: Vec<_> = confirmed.map(|up_to| LowerEvent::Confirmed { up_to }).into_iter().collect();
        assert_eq!(out.events, wanted, "counted {counted}");
    }
}

#[test]
fn a_sub_link_without_the_code_is_not_heard() {
    let settings = LowerSettings { live_within_ms: i64::MAX, ..LowerSettings::default() };
    let (mut lower, mut out) = (Lower::new(settings), LowerOutbox::default());
    three_in_flight(&mut lower, UtcMillis(START));
    lower.sub_received(UtcMillis(START), &count(3, START), &mut out);
    assert!(out.events.is_empty() && out.sub.is_empty());
    let show = |verify_code| frame_of(&Message::Link(Link809::SubLogIn(SubLogIn { verify_code })));
    lower.sub_received(UtcMillis(START), &show(2), &mut out);
    assert_eq!(out.events, [LowerEvent::CloseSub(CloseReason::WrongCode)]);
    out.clear();
    lower.sub_received(UtcMillis(START), &show(1), &mut out);
    lower.sub_received(UtcMillis(START), &count(3, START), &mut out);
    assert_eq!(out.events, [LowerEvent::Confirmed { up_to: 3 }]);
}

#[test]
fn a_refused_log_in_waits_longest_before_it_is_tried_again() {
    let mut lower = Lower::new(LowerSettings { access_code: 5, ..LowerSettings::default() });
    let mut out = LowerOutbox::default();
    lower.handle_timeout(UtcMillis(START), &mut out);
    assert_eq!(out.events, [LowerEvent::Connect]);
    out.clear();
    lower.main_opened(UtcMillis(START), &mut out);
    let mut superior = Superior::new(SuperiorSettings::default(), SessionLimits::default());
    let mut answer = Outbox::default();
    superior.receive(UtcMillis(START), &out.main, &mut Closed, &mut answer).expect("no limit");
    out.clear();
    lower.main_received(UtcMillis(START), &answer.immediate, &mut out);
    assert_eq!(out.events, [LowerEvent::CloseMain(CloseReason::Refused(4))]);
    lower.main_closed(UtcMillis(START), &mut out);
    assert_eq!(lower.next_timeout(), Some(UtcMillis(START + 60_000)));
}

/// A gate that nobody passes.
struct Closed;

impl motorpool_protocols::Gate for Closed {
    fn register(
        &mut self,
        _terminal: &motorpool_protocols::TerminalId,
        _registration: &motorpool_protocols::Registration,
    ) -> motorpool_protocols::RegistrationVerdict {
        motorpool_protocols::RegistrationVerdict::NoSuchTerminal
    }

    fn admit(
        &mut self,
        _terminal: &motorpool_protocols::TerminalId,
        _protocol: Protocol,
        _code: Option<&[u8]>,
    ) -> motorpool_protocols::Admission {
        motorpool_protocols::Admission::Refused(motorpool_protocols::Refusal::WrongCode)
    }
}
