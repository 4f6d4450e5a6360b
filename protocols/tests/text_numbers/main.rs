//! Whatever number a terminal writes in a text protocol, of up to 30 digits, reading it does not panic.
//!
//! Each number of a good frame is replaced in turn. (Overflow is checked in the builds that tests run in.)

use motorpool_protocols::{
    Observations, OpenGate, Outbox, Profile, Protocol, SessionLimits, Transport, UtcMillis, describe, observe,
};
use proptest::prelude::*;

const NOW: UtcMillis = UtcMillis(1_760_000_000_000);

/// A frame of each kind that has numbers; what stands for its length and its checksum is put right by [`framed`].
const FRAMES: &[(Protocol, &str)] = &[
    (
        Protocol::Gl200,
        "+RESP:GTERI,F10415,860000000000017,,00000003,,50,1,1,0.0,274,29.1,114.252500,22.505000,20240301101510,,,,,,0.0,,,100,210100,,1,1,01DF,2,28000000000000A1,1,FFE2,20240301101512,009D$",
    ),
    (
        Protocol::Gl200,
        "+RESP:GTCAN,310603,860000000000017,gv65,00,1,C000FFFF,,2,H12345,100.5,1440,44.5,77,M23,P35.50,1810,5,42.25,1.5,2.5,3.5,900,1,42.7,263,27.2,114.252500,22.505000,20240301101510,0460,0000,18D8,6141,00,20240301101512,0B28$",
    ),
    (
        Protocol::H02,
        "*HQ,7000000001,V1,101510,A,3030.3000,S,11415.1500,W,19.60,90,010324,FFFFFFFF,12000,-5,45.5,88,51,5#",
    ),
    (Protocol::H02, "*HQ,7000000001,NBR,101510,460,0,1,2,9338,3692,150,9338,3691,145,010324,FFFFFBFD,5#"),
    (Protocol::H02, "*HQ,7000000001,LINK,101510,20,8,67,15,0,010324,FFFFFBFF#"),
    (Protocol::Wialon, "#SD#010324;101500;3030.3000;N;11415.1500;E;36;90;25;9\r\n"),
    (
        Protocol::Wialon,
        "#D#010324;101510.5;3030.3000;S;11415.1500;W;36.27;359.7;-25.4;9;0.9;5;1;12.5,NA,3.3;AB12;pwr_ext:2:13.80,SOS:1:1,gear:1:4\r\n",
    ),
    (Protocol::Wialon, "#B#010324;101520;3030.3000;N;11415.1500;E;36;90;25;9|\r\n"),
    (Protocol::Wialon, "#I#4;0;1;010324;101500;a.jpg\r\nabcd"),
    (
        Protocol::Meitrack,
        "860000000000017,AAA,37,-12.345678,98.500000,180715021010,A,9,21,36.5,271,0.8,-7,123456,7200,460|0|2795|0E57,0503,0001|0002||02D3|0103,00A1B2C3,,3,0000",
    ),
    (
        Protocol::Suntech,
        "ST300STT;900000017;40;313;20180715;02:10:10;c99e48;-12.345678;+098.500000;036.512;271.77;7;1;997100;14.10;110010;2;8384;003634;4.1;0;0.00;;00A1B2C3D4E5F6;1;28AA000000000001:+13.7;:;2:-2.5\r",
    ),
    (
        Protocol::Suntech,
        "ST600UEX;900000017;20;568;20180715;02:10:10;0bf1;334;20;2f19;18;+20.500000;-100.700000;000.004;000.00;10;1;10377861;12.96;000000;25;N_0=0010.0;N_1=000F.0\r;\r\n;B4;000060;4.1;1\r",
    ),
    (
        Protocol::Suntech,
        "ALT;0900000017;FFFFFF;95;1.0.11;0;20180715;02:10:10;02F2F402;334;20;5B11;28;-12.345678;+98.500000;36.50;271.77;17;1;00000101;00000001;42;2;1440;;00000005;+23.0;0002\r",
    ),
    (
        Protocol::Suntech,
        "ST910;Emergency;900017;410;20180715;02:10:10;7574;-12.345678;+098.500000;036.512;271.77;0;228638;1\r",
    ),
    (
        Protocol::Osmand,
        "id=901&lat=-12.3456789&lon=98.5&timestamp=1531620610&speed=10&bearing=271.6&altitude=7.4&accuracy=5.5&batt=80&hdop=0.9&charge=1&ignition=1&odometer=1234&rpm=900",
    ),
    (
        Protocol::Osmand,
        r#"{"location":{"is_moving":true,"timestamp":"2018-07-15T02:10:10.250Z","odometer":1234.5,"coords":{"latitude":-12.3456789,"longitude":98.5,"accuracy":4.1,"speed":10,"heading":90.2,"altitude":12.6},"battery":{"is_charging":false,"level":0.87}},"device_id":"901"}"#,
    ),
    (
        Protocol::Osmand,
        r#"{"location":{"timestamp":"1531620610","odometer":"1234.5","coords":{"latitude":"-12.3456789","longitude":"98.5","accuracy":"4.1","speed":"10.5","heading":"90.2","altitude":"12.6"},"battery":{"level":"0.87"}},"device_id":"901"}"#,
    ),
    (
        Protocol::Gps103,
        "imei:900000000000017,tracker,180715101010,,F,021010.250,A,1220.74068,S,09830.0000,E,19.73,271.77,12,1,1,31.37%,51442,+11;",
    ),
    (
        Protocol::Gps103,
        "imei:900000000000017,OBD,180715101010,195874,,8.5,808,66,30.5%,+87,13.0%,02444,14.3,P0021,,,;",
    ),
    (
        Protocol::Gps103,
        "imei:900000000000017,Car 1,---,------,----,021010,150718,14,1,-12.345678,98.500000,036,271,0012,0.9,07,1,1,---,*",
    ),
    (
        Protocol::Tk103,
        "(090000000017BR00180715A1220.74068S09830.0000E036.5021010271.7701000000L0001E240+017.5)",
    ),
    (Protocol::Tk103, "(900000000000017,DW3B,150718,A,1220.74068S,9830.00000E,36.54,021010,271.77,-7.10,4)"),
    (Protocol::Tk103, "(900000000017,ZC20,150718,021010,6,392,65535,255)"),
    (
        Protocol::Xexun,
        "180715101010,+860000,GNRMC,021010.250,A,1220.74068,S,09830.0000,E,19.73,271.77,150718,,,A*71,F,help me!, imei:900000000000017,03,-50.7,L:3.69V/ADC1=0.20V,1,128,65337,460,00,177A,119F\r",
    ),
    (
        Protocol::Totem,
        "900000000000017|01$GPRMC,021010.000,A,1220.7407,S,09830.0000,E,19.73,271.77,150718,,,A*52|02.3|01.3|01.9|000000000000|20180715021010|14041402|00000000|002E2171|0000|0.2172|8902",
    ),
    (
        Protocol::Totem,
        "10900000000000017|50001000180715021010401203270321032103270189000027BA0E4E072027203601.000001231220.7407S09830.0000E0957",
    ),
    (Protocol::Totem, "E2900000000000017|180715021010,98.5,-12.345678,1122334455|"),
    (Protocol::Jt600, "(3120000017,W01,09830.0000,E,1220.7407,S,A,150718,021010,36,272,20,6,31,5,20,20)"),
    (
        Protocol::Jt600,
        "(3300000017,U06,11,150718,021010,T,12.345678,S,98.500000,E,22.7,272,9,87%,00000001000000,11012,10,30,7,0,126,0,30)",
    ),
    (
        Protocol::Jt600,
        "(2050000017,P45,150718,021010,12.345678,S,98.500000,E,A,23,272,1,1,0012260888,0,0,9,5)",
    ),
    (
        Protocol::Json,
        r#"{"time":1531620610,"lat":12.2222220,"lon":-132.4444445,"altitude_m":40.4,"speed_kmh":6.04,"course_deg":360,"satellites":9,"signal":31,"odometer_m":1234500,"fuel_l":41.2,"vehicle_speed_kmh":6.5,"rpm":1225}"#,
    ),
    (Protocol::Json, r#"{"time":"2026-04-01T16:00:00.25+08:00","lat":12.2222220,"lon":-132.4444445}"#),
    (
        Protocol::EmqxJt808,
        r#"{"header":{"msg_id":512,"encrypt":0,"len":40,"phone":"00000000000123456789","msg_sn":200,"proto_ver":1},"body":{"alarm":0,"status":262144,"latitude":20019815,"longitude":110323793,"altitude":14,"speed":50,"direction":39,"time":"260121103045","extra":{"mileage":7}}}"#,
    ),
    (
        Protocol::EmqxGb32960,
        r#"{"Cmd":2,"Encrypt":1,"Vin":"1G1BL52P7TR115520","Data":{"Time":{"Year":16,"Month":1,"Day":1,"Hour":2,"Minute":59,"Second":0},"Infos":[{"Type":"Vehicle","Status":1,"Charging":1,"Mode":1,"Speed":2000,"Mileage":999999,"Voltage":5000,"Current":15000,"SOC":50},{"Type":"Location","Status":2,"Longitude":119085960,"Latitude":33572300}]}}"#,
    ),
    (
        Protocol::OwnTracks,
        r#"{"_type":"location","tst":1531620610,"lat":-12.3456789,"lon":98.5,"acc":12,"alt":-3,"vel":54,"cog":360,"batt":87,"bs":2,"tid":"k9","t":"u","odometer":1234.5,"rpm":900,"uext":12.1}"#,
    ),
];

/// The frame around a content, with the length and the checksum that are right for it.
fn framed(protocol: Protocol, content: &str) -> Vec<u8> {
    let sum = |line: &str| line.bytes().fold(0_u8, |sum, byte| sum.wrapping_add(byte));
    match protocol {
        Protocol::Meitrack => {
            let line = format!("$$K{},{content}*", content.len() + 6);
            format!("{line}{:02X}\r\n", sum(&line)).into_bytes()
        }
        Protocol::Totem if content.contains("$GPRMC") => {
            let line = format!("$${:02X}{content}|", content.len() + 9);
            let sum = crc::Crc::<u16>::new(&crc::CRC_16_MODBUS).checksum(line.as_bytes());
            format!("{line}{sum:04X}").into_bytes()
        }
        Protocol::Totem => {
            let line = format!("$${:04}{content}", content.len() + 8);
            let sum = line.bytes().fold(0, |sum, byte| sum ^ byte);
            format!("{line}{sum:02X}").into_bytes()
        }
        _ => content.as_bytes().to_vec(),
    }
}

/// The same content with each of its numbers, in turn, replaced by `number`.
fn replaced(content: &str, number: &str) -> Vec<String> {
    let is_digit = |at: usize| content.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let starts = (0..content.len()).filter(|at| is_digit(*at) && (*at == 0 || !is_digit(*at - 1)));
    let mut all = Vec::new();
    for start in starts {
        let end = (start..content.len()).find(|at| !is_digit(*at)).unwrap_or(content.len());
        all.push([&content[..start], number, &content[end..]].concat());
    }
    all
}

/// Reads a frame in every way there is.
fn read(protocol: Protocol, raw: &[u8]) -> bool {
    let profile = Profile::default();
    let mut out = Observations::default();
    let is_read = observe(protocol, raw, &profile, &mut out).is_ok();
    drop(describe(protocol, raw, &profile));
    for transport in [Transport::Stream, Transport::Datagram] {
        let mut session = protocol.session(transport, SessionLimits::default());
        let _outcome = session.receive(NOW, raw, &mut OpenGate::default(), &mut Outbox::default());
    }
    for fix in &out.fixes {
        drop(fix.fix_time.to_string());
    }
    is_read
}

#[test]
fn every_frame_can_be_read_as_it_is() {
    for (protocol, content) in FRAMES {
        assert!(read(*protocol, &framed(*protocol, content)), "{content}");
    }
}

#[test]
fn the_largest_numbers_of_each_length_do_no_harm() {
    for (protocol, content) in FRAMES {
        for digits in 1..=30 {
            for digit in ["9", "1", "4"] {
                for damaged in replaced(content, &digit.repeat(digits)) {
                    read(*protocol, &framed(*protocol, &damaged));
                }
            }
        }
        for number in ["498022248210", "25620477880152", "9223372036854775807", "18446744073709551615"] {
            for damaged in replaced(content, number) {
                read(*protocol, &framed(*protocol, &damaged));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_number_of_up_to_thirty_digits_panics(number in "-?[0-9]{1,30}(\\.[0-9]{0,12})?") {
        for (protocol, content) in FRAMES {
            for damaged in replaced(content, &number) {
                read(*protocol, &framed(*protocol, &damaged));
            }
        }
    }
}
