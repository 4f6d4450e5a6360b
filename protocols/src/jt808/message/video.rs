//! Signalling of JT/T 1078-2016 (video): what the terminal says and is told. Media itself never comes here.

use super::value::{BcdTime, Text};
use super::wire::{Byte, Dword, List32, Nested, Text8, Time, Word, body};

body! {
    /// Audio and video properties, 0x1003 (JT/T 1078-2016 table 11).
    VideoProperties {
        /// Audio codec, JT/T 1078-2016 table 12.
        audio_codec: u8 = Byte,
        /// Channels.
        audio_channels: u8 = Byte,
        /// 0 8 kHz, 1 22.05 kHz, 2 44.1 kHz, 3 48 kHz.
        audio_sample_rate: u8 = Byte,
        /// 0 8 bits, 1 16 bits, 2 32 bits.
        audio_sample_bits: u8 = Byte,
        /// Bytes of one frame.
        audio_frame_bytes: u16 = Word,
        /// 0 no, 1 yes.
        supports_audio_output: u8 = Byte,
        /// Video codec, JT/T 1078-2016 table 12.
        video_codec: u8 = Byte,
        /// Physical audio channels.
        audio_channels_max: u8 = Byte,
        /// Physical video channels.
        video_channels_max: u8 = Byte,
    }
}

body! {
    /// Passenger flow, 0x1005 (JT/T 1078-2016 table 15).
    PassengerFlow {
        /// Beginning.
        start: BcdTime = Time,
        /// End.
        end: BcdTime = Time,
        /// People who got in.
        boarded: u16 = Word,
        /// People who got out.
        alighted: u16 = Word,
    }
}

body! {
    /// Live sound and video, 0x9101 (JT/T 1078-2016 table 17).
    LiveRequest {
        /// Address of the media server.
        server: Text = Text8,
        /// TCP port.
        tcp_port: u16 = Word,
        /// UDP port.
        udp_port: u16 = Word,
        /// Logical channel.
        channel: u8 = Byte,
        /// 0 both, 1 video, 2 talk, 3 listen, 4 broadcast, 5 pass-through.
        media_type: u8 = Byte,
        /// 0 main, 1 sub stream.
        stream: u8 = Byte,
    }
}

body! {
    /// Control of live sound and video, 0x9102 (JT/T 1078-2016 table 18).
    LiveControl {
        /// Logical channel.
        channel: u8 = Byte,
        /// 0 close, 1 change stream, 2 pause, 3 resume, 4 end talk.
        command: u8 = Byte,
        /// 0 close both, 1 sound, 2 video.
        close: u8 = Byte,
        /// 0 main, 1 sub stream.
        stream: u8 = Byte,
    }
}

body! {
    /// State of live sound and video, 0x9105 (JT/T 1078-2016 table 20).
    LiveState {
        /// Logical channel.
        channel: u8 = Byte,
        /// Packets lost, percent.
        loss_percent: u8 = Byte,
    }
}

body! {
    /// Playback, 0x9201 (JT/T 1078-2016 table 24).
    PlaybackRequest {
        /// Address of the media server.
        server: Text = Text8,
        /// TCP port.
        tcp_port: u16 = Word,
        /// UDP port.
        udp_port: u16 = Word,
        /// Logical channel.
        channel: u8 = Byte,
        /// 0 both, 1 sound, 2 video, 3 either.
        media_type: u8 = Byte,
        /// 0 main or sub, 1 main, 2 sub stream.
        stream: u8 = Byte,
        /// 0 main or backup, 1 main, 2 backup storage.
        storage: u8 = Byte,
        /// 0 normal, 1 fast forward, 2 key frames back, 3 key frames, 4 one frame.
        mode: u8 = Byte,
        /// 0 none, 1 x1, 2 x2, 3 x4, 4 x8, 5 x16.
        speed: u8 = Byte,
        /// Beginning.
        start: BcdTime = Time,
        /// End.
        end: BcdTime = Time,
    }
}

body! {
    /// Control of playback, 0x9202 (JT/T 1078-2016 table 25).
    PlaybackControl {
        /// Logical channel.
        channel: u8 = Byte,
        /// 0 start, 1 pause, 2 end, 3 fast forward, 4 key frames back, 5 drag, 6 key frames.
        mode: u8 = Byte,
        /// 0 none, 1 x1, 2 x2, 3 x4, 4 x8, 5 x16.
        speed: u8 = Byte,
        /// Where to drag to.
        position: BcdTime = Time,
    }
}

body! {
    /// What a recording holds, or is asked to hold.
    RecordingSpan {
        /// Logical channel; in a question 0 = all.
        channel: u8 = Byte,
        /// Beginning.
        start: BcdTime = Time,
        /// End.
        end: BcdTime = Time,
        /// Video alarm bits, high half.
        alarms_high: u32 = Dword,
        /// Alarm bits of 0x0200, low half.
        alarms_low: u32 = Dword,
        /// 0 both, 1 sound, 2 video; in a question 3 either.
        media_type: u8 = Byte,
        /// 1 main, 2 sub stream; in a question 0 all.
        stream: u8 = Byte,
        /// 1 main, 2 backup storage; in a question 0 all.
        storage: u8 = Byte,
    }
}

body! {
    /// Query of recordings, 0x9205 (JT/T 1078-2016 table 22).
    RecordingQuery {
        /// Of what.
        #[serde(flatten)]
        span: RecordingSpan = Nested,
    }
}

body! {
    /// List of recordings, 0x1205 (JT/T 1078-2016 table 23).
    RecordingList {
        /// Serial number of the query.
        answered_serial: u16 = Word,
        /// The recordings.
        recordings: Vec<Recording> = List32<Nested>,
    }
}

body! {
    /// One recording of 0x1205.
    Recording {
        /// What it holds.
        #[serde(flatten)]
        span: RecordingSpan = Nested,
        /// Bytes.
        size: u32 = Dword,
    }
}

body! {
    /// Upload of recordings by FTP, 0x9206 (JT/T 1078-2016 table 26).
    RecordingUpload {
        /// Address of the FTP server.
        server: Text = Text8,
        /// Port.
        port: u16 = Word,
        /// User.
        user: Text = Text8,
        /// Password.
        password: Text = Text8,
        /// Path on the server.
        path: Text = Text8,
        /// Of what.
        #[serde(flatten)]
        span: RecordingSpan = Nested,
        /// Bits: 0 over Wi-Fi, 1 over LAN, 2 over mobile network.
        condition: u8 = Byte,
    }
}

body! {
    /// An upload has ended, 0x1206 (JT/T 1078-2016 table 27).
    RecordingUploadDone {
        /// Serial number of the command.
        answered_serial: u16 = Word,
        /// 0 ok, 1 failed.
        result: u8 = Byte,
    }
}

body! {
    /// Control of an upload, 0x9207 (JT/T 1078-2016 table 28).
    RecordingUploadControl {
        /// Serial number of the upload command.
        answered_serial: u16 = Word,
        /// 0 pause, 1 resume, 2 cancel.
        command: u8 = Byte,
    }
}

body! {
    /// Turning of a camera, 0x9301 (JT/T 1078-2016 table 29).
    CameraTurn {
        /// Logical channel.
        channel: u8 = Byte,
        /// 0 stop, 1 up, 2 down, 3 left, 4 right.
        direction: u8 = Byte,
        /// 0 to 255.
        speed: u8 = Byte,
    }
}

body! {
    /// Adjustment of a camera: 0x9302 focus, 0x9303 iris, 0x9304 wiper, 0x9305 infra-red, 0x9306 zoom
    /// (JT/T 1078-2016 tables 30 to 34).
    CameraAdjustment {
        /// Logical channel.
        channel: u8 = Byte,
        /// 0 or 1: which way, or off and on.
        value: u8 = Byte,
    }
}
