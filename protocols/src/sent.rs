//! Commands that were sent over a link of frames and not answered yet, and what terminals' answers have in common.
//!
//! Each protocol says by what its answers are known: `T` is what it keeps of a command for that. The list is bounded:
//! the oldest command is forgotten, and will never be confirmed, when there are too many.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use crate::command::{CommandError, CommandKey, CommandResult};
use crate::framed::{Heard, Kind};
use crate::{Command, TerminalId};

/// Commands of one link that wait for an answer.
const SENT_MAX: usize = 64;

/// The commands of one link that wait for an answer, the oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Sent<T> {
    list: VecDeque<(CommandKey, TerminalId, T)>,
    last: u16,
}

impl<T> Default for Sent<T> {
    fn default() -> Self {
        Self { list: VecDeque::new(), last: 0 }
    }
}

impl<T> Sent<T> {
    /// The number of the next message to a terminal, for those that repeat it in their answers. From 1.
    pub(crate) fn next_serial(&mut self) -> u16 {
        self.last = self.last.checked_add(1).unwrap_or(1);
        self.last
    }

    /// Remembers the command that was written with the last number.
    pub(crate) fn remember(&mut self, terminal: &TerminalId, what: T) -> CommandKey {
        let key = CommandKey(u32::from(self.last));
        if self.list.len() >= SENT_MAX {
            self.list.pop_front();
        }
        self.list.push_back((key, *terminal, what));
        key
    }

    /// Remembers a command that has no number on the wire.
    pub(crate) fn remember_next(&mut self, terminal: &TerminalId, what: T) -> CommandKey {
        self.next_serial();
        self.remember(terminal, what)
    }

    /// The key of a command that nothing will answer.
    pub(crate) fn next_key(&mut self) -> CommandKey {
        CommandKey(u32::from(self.next_serial()))
    }

    /// The oldest command to the terminal that spoke which `is_it` holds for: it is answered. A frame without a name is of
    /// the terminal that logged in.
    pub(crate) fn answered(&mut self, heard: &Heard, is_it: impl Fn(&T) -> bool) -> Option<CommandKey> {
        let at = self.list.iter().position(|(_, terminal, what)| {
            heard.terminal.is_none_or(|speaker| speaker.key() == terminal.key()) && is_it(what)
        })?;
        self.list.remove(at).map(|(key, ..)| key)
    }

    /// On a link whose frames have no names: what was sent to others than the one that logs in is never answered.
    pub(crate) fn logged_in(&mut self, heard: &Heard) {
        if let (Kind::LogIn, Some(newcomer)) = (heard.kind, heard.terminal) {
            self.list.retain(|(_, terminal, _)| terminal.key() == newcomer.key());
        }
    }
}

/// An interval for a terminal that keeps it until it is given another, in whole units of so many seconds.
///
/// # Errors
/// When it is to end by itself, which such a terminal can't do, or is not one that it knows.
pub(crate) fn lasting_interval(
    seconds: u16,
    valid_for_s: u32,
    unit_s: u16,
    units: RangeInclusive<u16>,
) -> Result<u16, CommandError> {
    if valid_for_s != 0 {
        return Err(CommandError::Invalid(
            "the terminal keeps an interval until it is given another: the validity must be 0",
        ));
    }
    if !seconds.is_multiple_of(unit_s) || !units.contains(&(seconds / unit_s)) {
        return Err(CommandError::Invalid("the terminal has no such interval"));
    }
    Ok(seconds / unit_s)
}

/// What a terminal made of a command that it answers with a text for people.
pub(crate) fn result_in_words(text: &[u8]) -> CommandResult {
    let words: Vec<u8> = text.iter().filter(|byte| **byte != 0).map(u8::to_ascii_lowercase).collect();
    let says = |word: &[u8]| memchr::memmem::find(&words, word).is_some();
    if [&b"error"[..], b"fail", b"invalid", b"illegal", b"denied"].into_iter().any(says) {
        CommandResult::Failed
    } else {
        CommandResult::Done
    }
}

/// What terminals that understand short texts are told, where makers agree on the words.
pub(crate) struct Words {
    /// For the position.
    pub(crate) ask_position: Option<&'static str>,
    /// For make and versions.
    pub(crate) attributes: Option<&'static str>,
    /// For an interval: what stands before and behind the seconds, and which are allowed.
    pub(crate) interval: Option<(&'static str, &'static str, RangeInclusive<u16>)>,
}

impl Words {
    /// The text of a command.
    ///
    /// # Errors
    /// When there are no words for it.
    pub(crate) fn of(&self, command: &Command) -> Result<String, CommandError> {
        let text = match command {
            Command::AskPosition => self.ask_position.map(str::to_owned),
            Command::QueryAttributes => self.attributes.map(str::to_owned),
            Command::Interval { seconds, valid_for_s } => match &self.interval {
                Some((before, behind, range)) => {
                    let seconds = lasting_interval(*seconds, *valid_for_s, 1, range.clone())?;
                    Some(format!("{before}{seconds}{behind}"))
                }
                None => None,
            },
            _ => None,
        };
        text.ok_or(CommandError::NotSupported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> TerminalId {
        TerminalId::new(text).unwrap()
    }

    #[test]
    fn the_oldest_command_to_the_speaker_is_answered_once() {
        let mut sent = Sent::default();
        let (a, b) = (id("860000000000001"), id("860000000000002"));
        let first = sent.remember_next(&a, "x");
        let other = sent.remember_next(&b, "x");
        let second = sent.remember_next(&a, "x");
        let of = |terminal| Heard::report(Some(terminal));
        assert_eq!(sent.answered(&of(a), |what| *what == "y"), None);
        assert_eq!(sent.answered(&of(a), |what| *what == "x"), Some(first));
        assert_eq!(sent.answered(&of(a), |what| *what == "x"), Some(second));
        assert_eq!(sent.answered(&of(a), |_| true), None);
        assert_eq!(sent.answered(&Heard::report(None), |_| true), Some(other));
    }

    #[test]
    fn the_list_is_bounded_and_a_newcomer_answers_nothing_of_others() {
        let mut sent = Sent::default();
        let keys: Vec<_> = (0..=SENT_MAX).map(|_| sent.remember_next(&id("1000"), ())).collect();
        assert_eq!(sent.answered(&Heard::report(None), |()| true), Some(keys[1]), "the first is forgotten");
        sent.logged_in(&Heard::report(Some(id("2000"))));
        assert_eq!(sent.answered(&Heard::report(None), |()| true), Some(keys[2]), "a report is no log-in");
        sent.logged_in(&Heard::log_in(id("2000")));
        assert_eq!(sent.answered(&Heard::report(None), |()| true), None);
    }

    #[test]
    fn serials_go_on_from_one_and_are_never_zero() {
        let mut sent = Sent::<()> { last: u16::MAX - 1, ..Sent::default() };
        assert_eq!([sent.next_serial(), sent.next_serial(), sent.next_serial()], [u16::MAX, 1, 2]);
    }

    #[test]
    fn an_interval_lasts_and_is_one_that_the_terminal_knows() {
        assert_eq!(lasting_interval(60, 0, 10, 1..=10), Ok(6));
        for (seconds, valid_for_s) in [(60, 3_600), (65, 0), (110, 0), (0, 0)] {
            let refused = lasting_interval(seconds, valid_for_s, 10, 1..=10);
            assert!(matches!(refused, Err(CommandError::Invalid(_))), "{seconds} {valid_for_s}");
        }
    }

    #[test]
    fn a_text_says_whether_it_was_done() {
        for (text, result) in [
            (&b"TIMER OK"[..], CommandResult::Done),
            (b"Error! Unknown command", CommandResult::Failed),
            (b"\0F\0a\0i\0l\0!", CommandResult::Failed),
            (b"", CommandResult::Done),
        ] {
            assert_eq!(result_in_words(text), result);
        }
    }
}
