//! A terminal of JT/T 808-2013 made by hand, independent of the codec under test.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::support::{PATIENCE, Served};

/// A JT/T 808-2013 frame made here, independent of the codec under test.
pub(crate) fn frame(message_id: u16, terminal: &str, serial: u16, body: &[u8]) -> Vec<u8> {
    let mut plain = message_id.to_be_bytes().to_vec();
    plain.extend((body.len() as u16).to_be_bytes());
    plain.extend(terminal.as_bytes().chunks(2).map(|pair| ((pair[0] - b'0') << 4) | (pair[1] - b'0')));
    plain.extend(serial.to_be_bytes());
    plain.extend(body);
    plain.push(plain.iter().fold(0, |check, byte| check ^ byte));
    let mut frame = vec![0x7e];
    for byte in plain {
        match byte {
            0x7e => frame.extend([0x7d, 0x02]),
            0x7d => frame.extend([0x7d, 0x01]),
            _ => frame.push(byte),
        }
    }
    frame.push(0x7e);
    frame
}

/// A position body: 31.2304 N, 121.4737 E, 2024-05-06 07:08:`second` GMT+8.
pub(crate) fn position(second: u8) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0, 0, 0, 0, 3];
    body.extend(31_230_400_u32.to_be_bytes());
    body.extend(121_473_700_u32.to_be_bytes());
    body.extend([0, 10, 1, 0x90, 0, 90]);
    body.extend([0x24, 0x05, 0x06, 0x07, 0x08, ((second / 10) << 4) | (second % 10)]);
    body
}

/// A terminal that speaks only when told to.
pub(crate) struct Terminal {
    pub(crate) socket: TcpStream,
    pending: Vec<u8>,
}

impl Terminal {
    pub(crate) fn connect(server: &Served) -> Self {
        let socket = TcpStream::connect(server.trackers).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, pending: Vec::new() }
    }

    /// Connects, registers and logs in with the code it gets.
    pub(crate) fn logged_in(server: &Served, terminal: &str) -> Self {
        let mut link = Self::connect(server);
        link.log_in(terminal);
        link
    }

    /// Registers and logs in, perhaps as one of several on this link.
    pub(crate) fn log_in(&mut self, terminal: &str) {
        let link = self;
        let mut body = vec![0; 37];
        body[36] = 1;
        body.extend(b"TEST");
        link.send(&frame(0x0100, terminal, 0, &body));
        let answer = link.receive();
        assert_eq!((&answer[..2], answer[14]), (&[0x81, 0x00][..], 0), "{answer:02x?}");
        let code = answer[15..answer.len() - 1].to_vec();
        link.send(&frame(0x0102, terminal, 1, &code));
        assert_eq!(link.result(), 0);
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// The next frame of the server, unescaped, without delimiters.
    pub(crate) fn receive(&mut self) -> Vec<u8> {
        self.try_receive().expect("a reply before the end of the stream")
    }

    pub(crate) fn try_receive(&mut self) -> Option<Vec<u8>> {
        loop {
            let begin = self.pending.iter().position(|byte| *byte == 0x7e);
            if let Some(begin) = begin {
                let end = self.pending[begin + 1..].iter().position(|byte| *byte == 0x7e);
                if let Some(length) = end {
                    let escaped: Vec<u8> = self.pending.drain(..begin + length + 2).collect();
                    return Some(unescape(&escaped[begin + 1..begin + 1 + length]));
                }
            }
            let mut chunk = [0; 4_096];
            match self.socket.read(&mut chunk) {
                Ok(0) => return None,
                Ok(count) => self.pending.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The result of the general reply (0x8001) that comes next.
    pub(crate) fn result(&mut self) -> u8 {
        let reply = self.receive();
        assert_eq!(&reply[..2], [0x80, 0x01], "{reply:02x?}");
        reply[16]
    }

    /// Whether the server ends the stream, whatever it says before.
    pub(crate) fn is_closed(&mut self) -> bool {
        while self.try_receive().is_some() {}
        true
    }
}

pub(crate) fn unescape(escaped: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut bytes = escaped.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            0x7d => plain.push(if bytes.next() == Some(&0x02) { 0x7e } else { 0x7d }),
            byte => plain.push(*byte),
        }
    }
    plain
}
