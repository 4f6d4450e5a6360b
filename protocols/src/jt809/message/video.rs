//! Signalling of JT/T 1078 between platforms (1700 to 1B00, 9700 to 9B00). Addresses and names are filled with zero
//! bytes at either end.

use super::Text;
use crate::jt808::message::value::as_hex;
use crate::jt808::message::wire::{Array, Byte, Dword, Fixed, FixedBytes, List32, Nested, Word, body};
use crate::jt809::wire::{Platform, PlatformNumber, Utc, UtcSeconds, as_secret};

/// A position of 2011, as the video messages carry it.
type Gnss = FixedBytes<36>;

body! {
    /// By what right a platform asks.
    Access {
        /// The password.
        #[serde(serialize_with = "as_secret")]
        password: Text = Fixed<64>,
        /// Where the vehicle is.
        #[serde(serialize_with = "as_hex")]
        position: Vec<u8> = Gnss,
    }
}

body! {
    /// What a recording holds, or is asked to hold.
    Span {
        /// Number of the channel.
        channel: u8 = Byte,
        /// From.
        from: UtcSeconds = Utc,
        /// Until.
        until: UtcSeconds = Utc,
        /// Alarm bits of JT/T 808 and 1078.
        #[serde(serialize_with = "as_hex")]
        alarms: [u8; 8] = Array,
        /// 0 audio and video, 1 audio, 2 video; in a question 3 video or both.
        media: u8 = Byte,
        /// 1 main stream, 2 sub stream; in a question 0 any.
        stream: u8 = Byte,
        /// 1 main memory, 2 spare memory; in a question 0 any.
        memory: u8 = Byte,
    }
}

body! {
    /// Passwords of the day.
    Password {
        /// The platform.
        platform: PlatformNumber = Platform,
        /// For the region's own platform.
        #[serde(serialize_with = "as_secret")]
        own: Text = Fixed<64>,
        /// For platforms of other regions.
        #[serde(serialize_with = "as_secret")]
        others: Text = Fixed<64>,
    }
}

body! {
    /// Show live video.
    Live {
        /// Number of the channel.
        channel: u8 = Byte,
        /// 0 audio and video, 1 audio, 2 video.
        media: u8 = Byte,
        /// By what right.
        #[serde(flatten)]
        access: Access = Nested,
    }
}

body! {
    /// Stop live video.
    StopLive {
        /// Number of the channel.
        channel: u8 = Byte,
        /// 0 audio and video, 1 audio, 2 video.
        media: u8 = Byte,
    }
}

body! {
    /// Where live video is.
    LiveReply {
        /// 0 success, 1 failure, 2 not supported, 3 session over, 4 password wrong, 5 not allowed.
        result: u8 = Byte,
        /// Address.
        address: Text = Fixed<32>,
        /// Port.
        port: u16 = Word,
    }
}

body! {
    /// Recordings of a vehicle.
    Recordings {
        /// Each.
        recordings: Vec<Recording> = List32<Nested>,
    }
}

body! {
    /// Recordings of a vehicle, on request.
    RecordingsReply {
        /// 0 success, 1 failure, and more.
        result: u8 = Byte,
        /// Each.
        recordings: Vec<Recording> = List32<Nested>,
    }
}

body! {
    /// One recording.
    Recording {
        /// What it holds.
        #[serde(flatten)]
        span: Span = Nested,
        /// Size.
        bytes: u32 = Dword,
    }
}

body! {
    /// The list of recordings has arrived.
    RecordingsReceived {
        /// 0 success, 1 failure.
        result: u8 = Byte,
        /// How many.
        count: u8 = Byte,
    }
}

body! {
    /// Which recordings are there?
    QueryRecordings {
        /// Of what.
        #[serde(flatten)]
        span: Span = Nested,
        /// By what right.
        #[serde(flatten)]
        access: Access = Nested,
    }
}

body! {
    /// Play a recording.
    Playback {
        /// Number of the channel.
        channel: u8 = Byte,
        /// 0 audio and video, 1 audio, 2 video, 3 video or both.
        media: u8 = Byte,
        /// 0 any, 1 main stream, 2 sub stream.
        stream: u8 = Byte,
        /// 0 any, 1 main memory, 2 spare memory.
        memory: u8 = Byte,
        /// From.
        from: UtcSeconds = Utc,
        /// Until.
        until: UtcSeconds = Utc,
        /// By what right.
        #[serde(flatten)]
        access: Access = Nested,
    }
}

body! {
    /// Where the recording plays.
    PlaybackReply {
        /// Address.
        address: Text = Fixed<32>,
        /// Port.
        port: u16 = Word,
        /// 0 success, 1 failure, and more.
        result: u8 = Byte,
    }
}

body! {
    /// Steer a playback.
    PlaybackControl {
        /// 0 play, 1 pause, 2 stop, 3 fast, 4 back, 5 jump, 6 key frames.
        control: u8 = Byte,
        /// How fast: 0 as it is, 1 once, 2 twice, 3 four times, and so on.
        pace: u8 = Byte,
        /// Where to jump to.
        to: UtcSeconds = Utc,
    }
}

body! {
    /// Download a recording.
    Download {
        /// Of what.
        #[serde(flatten)]
        span: Span = Nested,
        /// Greatest size.
        bytes: u32 = Dword,
        /// By what right.
        #[serde(flatten)]
        access: Access = Nested,
    }
}

body! {
    /// A download is accepted, or its end is known.
    DownloadReply {
        /// 0 success, 1 failure, and more.
        result: u8 = Byte,
        /// Number of the download.
        session: u16 = Word,
    }
}

body! {
    /// A download is done.
    DownloadDone {
        /// 0 success, 1 failure.
        result: u8 = Byte,
        /// Number of the download.
        session: u16 = Word,
        /// Address of the file.
        address: Text = Fixed<32>,
        /// Port.
        port: u16 = Word,
        /// User.
        user: Text = Fixed<49>,
        /// Password.
        #[serde(serialize_with = "as_secret")]
        password: Text = Fixed<22>,
        /// Path.
        path: Text = Fixed<200>,
    }
}

body! {
    /// Steer a download.
    DownloadControl {
        /// Number of the download.
        session: u16 = Word,
        /// 0 pause, 1 go on, 2 cancel.
        control: u8 = Byte,
    }
}
