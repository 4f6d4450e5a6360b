//! Text to the driver, events, questions, information services and the phone book.
//!
//! Everything but 0x8300, 0x8400 and 0x8401 was removed in 2019; terminals of either edition still send it.

use super::value::Text;
use super::wire::{
    Body, Byte, List8, ListRest, Nested, Reader, Rest, Text8, Text16, Wire, Word, Writer, body,
};
use super::{Edition, EncodeError};
use crate::DecodeError;

/// Text message, 0x8300 (JT/T 808-2019 8.25, table 31): flags BYTE, type BYTE (2019), text STRING.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct TextMessage {
    /// Bits: 0 urgent (2019: 0 and 1 together are 01 service, 10 urgent, 11 notice), 2 display, 3 read aloud,
    /// 4 advertising screen, 5: 0 navigation, 1 CAN fault code.
    pub flags: u8,
    /// 1 notice, 2 service (2019).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_type: Option<u8>,
    /// At most 1,024 bytes.
    pub text: Text,
}

impl Body for TextMessage {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = r.u8()?;
        let text_type = if r.edition() == Edition::E2019 { Some(r.u8()?) } else { None };
        Ok(Self { flags, text_type, text: Rest::read(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u8(self.flags);
        if w.edition() == Edition::E2019 {
            w.u8(self.text_type.unwrap_or(1));
        }
        Rest::write(&self.text, w)
    }
}

body! {
    /// Event settings, 0x8301 (JT/T 808-2013 table 29).
    EventSettings {
        /// 0 delete all, 1 replace, 2 append, 3 change, 4 delete these.
        action: u8 = Byte,
        /// The events.
        events: Vec<Event> = List8<Nested>,
    }
}

body! {
    /// One event of 0x8301.
    Event {
        /// Number of the event.
        id: u8 = Byte,
        /// What the driver sees.
        content: Text = Text8,
    }
}

body! {
    /// Event report, 0x0301 (JT/T 808-2013 table 31): the driver chose an event.
    EventReport {
        /// Number of the event.
        event_id: u8 = Byte,
    }
}

body! {
    /// Question, 0x8302 (JT/T 808-2013 table 32).
    Question {
        /// Bits: 0 urgent, 3 read aloud, 4 advertising screen.
        flags: u8 = Byte,
        /// The question.
        question: Text = Text8,
        /// The possible answers.
        answers: Vec<Answer> = ListRest<Nested>,
    }
}

body! {
    /// One possible answer of 0x8302.
    Answer {
        /// Number of the answer.
        id: u8 = Byte,
        /// The answer.
        content: Text = Text16,
    }
}

body! {
    /// Answer to a question, 0x0302 (JT/T 808-2013 table 35).
    QuestionReply {
        /// Serial number of the question.
        answered_serial: u16 = Word,
        /// Number of the answer.
        answer_id: u8 = Byte,
    }
}

body! {
    /// Menu of information services, 0x8303 (JT/T 808-2013 table 36).
    InformationMenu {
        /// 0 delete all, 1 replace, 2 append, 3 change.
        action: u8 = Byte,
        /// The services.
        services: Vec<InformationService> = List8<Nested>,
    }
}

body! {
    /// One service of 0x8303.
    InformationService {
        /// Number of the service.
        information_type: u8 = Byte,
        /// Its name.
        name: Text = Text16,
    }
}

body! {
    /// Information service request or cancellation, 0x0303 (JT/T 808-2013 table 38).
    InformationRequest {
        /// Number of the service.
        information_type: u8 = Byte,
        /// 0 cancel, 1 subscribe.
        action: u8 = Byte,
    }
}

body! {
    /// Information service, 0x8304 (JT/T 808-2013 table 39).
    Information {
        /// Number of the service.
        information_type: u8 = Byte,
        /// The information.
        content: Text = Text16,
    }
}

body! {
    /// Call back, 0x8400 (JT/T 808-2019 8.33, table 39).
    CallBack {
        /// 0 ordinary call, 1 listening in.
        mode: u8 = Byte,
        /// At most 20 bytes.
        phone_number: Text = Rest,
    }
}

body! {
    /// Phone book, 0x8401 (JT/T 808-2019 8.34, table 40).
    PhoneBook {
        /// 0 delete all, 1 replace, 2 append, 3 change by name.
        action: u8 = Byte,
        /// The contacts.
        contacts: Vec<Contact> = List8<Nested>,
    }
}

body! {
    /// One contact of 0x8401.
    Contact {
        /// 1 calls in, 2 calls out, 3 both.
        direction: u8 = Byte,
        /// Phone number.
        phone_number: Text = Text8,
        /// Name.
        name: Text = Text8,
    }
}
