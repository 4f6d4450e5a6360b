//! The command line keeps its contract: help with an example, JSON where a program reads it, exit codes.

use std::fs;

use crate::support::{Served, motorpool, motorpool_ok, scratch};

/// The subcommands that a help lists.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    listed
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_has_help_with_an_example() {
    let mut commands: Vec<Vec<String>> =
        subcommands(&motorpool_ok(&["--help"])).into_iter().map(|name| vec![name]).collect();
    let mut seen = Vec::new();
    while let Some(command) = commands.pop() {
        let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        let name = arguments.join(" ");
        arguments.push("--help");
        let help = motorpool_ok(&arguments);
        assert!(help.contains("Example"), "{name}: {help}");
        assert!(help.contains(&format!("motorpool {name} ")), "{name}: {help}");
        let nested = subcommands(&help);
        commands.extend(nested.into_iter().map(|sub| [command.as_slice(), &[sub]].concat()));
        seen.push(name);
    }
    for expected in [
        "serve",
        "demo",
        "decode",
        "replay",
        "simulate",
        "audit",
        "evidence verify",
        "journal verify",
        "journal dump",
        "tracks verify",
        "tracks export",
        "registry device list",
        "registry device approve",
        "registry device block",
        "token create",
        "token list",
        "token revoke",
        "check-config",
        "doctor",
    ] {
        assert!(seen.iter().any(|name| name == expected), "{expected} is not among {seen:?}");
    }
}

#[test]
fn approving_and_blocking_say_one_line_for_each_terminal() {
    let folder = scratch();
    let data = folder.path().to_str().unwrap();
    Served::start(folder.path()).stop();
    let devices = |command: &str, rest: &[&str]| {
        let arguments = [&["registry", "device", command, "--data", data], rest].concat();
        motorpool_ok(&arguments)
    };
    let text = devices("approve", &["013900000001", "013900000002"]);
    let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words, [["1", "013900000001", "approved"], ["2", "013900000002", "approved"]]);
    let json = devices("block", &["--json", "2"]);
    let json: serde_json::Value = serde_json::from_str(json.trim_end()).unwrap();
    assert_eq!(
        json,
        serde_json::json!({ "id": 2, "protocol": "jt808", "terminal": "013900000002", "state": "blocked" })
    );
    let json = devices("approve", &["--json", "013900000002"]);
    assert!(json.contains("\"state\":\"approved\""), "{json}");
}

#[test]
fn check_config_names_every_mistake_and_ends_with_1() {
    let folder = scratch();
    let file = folder.path().join("motorpool.toml");
    fs::write(&file, "[trackers]\nlisten = \"nowhere\"\n").unwrap();
    let output = motorpool(&["check-config", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 2"));
    let missing = motorpool(&["check-config", "--config", "/nowhere/motorpool.toml"]);
    assert_eq!(missing.status.code(), Some(2));
    motorpool_ok(&["check-config"]);
}

#[test]
fn doctor_measures_the_disk() {
    let folder = scratch();
    let findings = motorpool(&["doctor", "--data", folder.path().to_str().unwrap(), "--json"]);
    assert!(findings.status.code().is_some_and(|code| code <= 1));
    let checks: serde_json::Value = serde_json::from_slice(&findings.stdout).unwrap();
    let sync = checks.as_array().unwrap().iter().find(|check| check["check"] == "sync").unwrap();
    assert!(sync["finding"].as_str().unwrap().contains("fdatasync p50"), "{sync}");
}

#[test]
fn decode_answers_the_example_of_the_contract() {
    let folder = scratch();
    let file = folder.path().join("frames.txt");
    // A heartbeat of 2013 made by hand: 0x0002, no body, terminal 013812345678, serial 7.
    let body = [0x00, 0x02, 0x00, 0x00, 0x01, 0x38, 0x12, 0x34, 0x56, 0x78, 0x00, 0x07];
    let check = body.iter().fold(0_u8, |check, byte| check ^ byte);
    let hex: String = body.iter().chain([&check]).map(|byte| format!("{byte:02x}")).collect();
    fs::write(&file, format!("# a comment\n\n7e{hex}7e\n7e00027e\n")).unwrap();
    let output = motorpool(&["decode", "--protocol", "jt808", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "the fourth line is wrong");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["line"], 3);
    assert_eq!(lines[0]["terminal"], "013812345678");
    assert_eq!(lines[0]["message"], "0x0002");
    assert_eq!(lines[0]["serial"], 7);
    assert_eq!(lines[0]["fixes"], serde_json::json!([]));
    assert!(lines[0]["reply"].as_str().unwrap().starts_with("7e8001"));
    assert_eq!(lines[1]["line"], 4);
    assert_eq!(lines[1]["error"]["kind"], "rejected");
}
