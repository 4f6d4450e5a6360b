//! Values of the source, and the comparison with ours.

use motorpool_protocols::UtcMillis;
use motorpool_protocols::time::Civil;
use serde_json::{Value, json};

/// Names that say nothing about the message.
const IGNORED: &[&str] = &[
    // The length of the content, compared when it is encoded again.
    "DataLength",
];

/// Numbers and texts behind the names of the source's enumerations and constants.
const NAMES: &[(&str, i64)] = &[
    ("主链路登录请求消息", 0x1001),
    ("主链路车辆动态信息交换业务", 0x1200),
    ("从链路报警信息交互消息", 0x9400),
    ("从链路静态信息交换消息", 0x9600),
    ("上传车辆注册信息", 0x1201),
    ("平台查岗应答消息", 0x1301),
    ("报警督办请求消息", 0x9401),
    ("补报车辆静态信息应答", 0x1601),
    ("主动上传音视频资源目录信息应答消息", 0x9901),
    ("主动上传音视频资源目录信息消息", 0x1901),
    ("主动请求停止实时音视频传输消息", 0x9802),
    ("实时音视频请求应答消息", 0x1801),
    ("实时音视频请求消息", 0x9801),
    ("时效口令请求消息", 0x1702),
    ("查询音视频资源目录应答消息", 0x1902),
    ("查询音视频资源目录请求消息", 0x9902),
    ("远程录像下载完成通知应答消息", 0x9b02),
    ("远程录像下载控制消息", 0x9b03),
    ("远程录像下载请求应答消息", 0x1b01),
    ("远程录像下载请求消息", 0x9b01),
    ("远程录像下载通知消息", 0x1b02),
    ("远程录像回放控制应答消息", 0x1a02),
    ("远程录像回放控制消息", 0x9a02),
    ("远程录像回放请求应答消息", 0x1a01),
    ("蓝色", 1),
    ("黄色", 2),
    ("白色", 4),
    ("其他", 9),
    ("成功", 0),
    ("失败", 1),
    ("主链路断开", 0),
    ("当前连接的下级平台", 1),
    ("下级平台所属单一平台", 0),
    ("下级平台所属单一业户", 2),
    ("处理中", 0),
    ("将来处理", 3),
    ("完成拍照", 1),
    ("下发成功", 0),
    ("审核通过_完成注册", 1),
    ("应急状态下车辆定位信息回传", 2),
    ("紧急监控完成", 2),
    ("申请成功", 0),
    ("其它", 2),
    ("成功_上级平台即刻补发", 0),
    ("jpg", 1),
    ("_320x240", 1),
    ("已加密", 1),
    ("未加密", 0),
    ("车载终端", 1),
    ("偏离路线报警", 11),
    ("劫警", 10),
    ("疲劳驾驶报警", 2),
    ("记录仪唯一性编号", 7),
    ("采集记录仪事故疑点记录", 16),
    ("暂停回放", 1),
    ("_1倍", 1),
    ("Common", 1),
    ("None", 0),
];

/// The field behind a path `(byte)package.Header.Field.ToString()`; nothing for one that says nothing.
pub(crate) fn name(path: &str) -> Option<String> {
    let path = path.replace(".ToString()", "").replace(".ToByteValue()", "");
    let path =
        path.rsplit_once(')').filter(|(cast, _)| cast.starts_with('(')).map_or(&*path, |(_, rest)| rest);
    // A variable, but not the class of a field.
    let field = match path.split_once('.') {
        Some((first, rest)) if first != "Header" => rest,
        _ => path,
    };
    (!IGNORED.contains(&field)).then(|| field.to_owned())
}

/// `a[].b` and 3 of `a[3].b`.
pub(crate) fn without_index(name: &str) -> (String, Option<usize>) {
    let parts = name.split_once('[').and_then(|(list, rest)| Some((list, rest.split_once(']')?)));
    match parts.map(|(list, (index, rest))| (list, index.parse(), rest)) {
        Some((list, Ok(index), rest)) => (format!("{list}[]{rest}"), Some(index)),
        _ => (name.to_owned(), None),
    }
}

/// A source's value as plain JSON: names as numbers, times as our UTC text.
pub(crate) fn plain(value: &Value) -> Value {
    if let Some(text) = value["datetime"].as_str() {
        return json!(local_time(text).expect("a time"));
    }
    let Some(expr) = value["expr"].as_str() else { return value.clone() };
    match expr {
        "GnssDatas" => return json!((0..36).map(|byte| format!("{byte:02x}")).collect::<String>()),
        "AuthorizeCodes" => return json!("a password"),
        "new JT809Header_Version().ToString()" => return json!("1.0.0"),
        _ => {}
    }
    if let Some(hex) = expr.strip_suffix(".ToHexBytes()") {
        return json!(hex.trim_matches('"').to_lowercase());
    }
    let name = expr.split(".To").next().and_then(|name| name.rsplit('.').next()).unwrap_or("");
    let known = NAMES.iter().find(|(known, _)| *known == name);
    json!(known.unwrap_or_else(|| panic!("`{expr}` is not known")).1)
}

/// Our UTC text of a local time `2018-07-15 10:10:10` or `2018-07-15`.
fn local_time(text: &str) -> Option<String> {
    let mut parts = text.split(['-', ' ', ':']).map(|part| part.parse::<u16>().ok());
    let mut next = || parts.next().flatten();
    let (year, month, day) = (next()?, next()?, next()?);
    let mut small = || next().map_or(0, |part| u8::try_from(part).unwrap_or(0));
    let civil = Civil {
        year: i32::from(year),
        month: u8::try_from(month).ok()?,
        day: u8::try_from(day).ok()?,
        hour: small(),
        minute: small(),
        second: small(),
        millisecond: 0,
    };
    UtcMillis::from_civil(civil, 28_800).map(|instant| instant.to_string())
}

/// Whether our value says what theirs says.
pub(crate) fn same(ours: Option<&Value>, how: &str, theirs: &Value) -> bool {
    match (how, ours) {
        // The source prints a default where nothing was sent.
        ("absent", ours) => return ours.is_none(),
        // The source's class has fields that this edition does not write.
        ("if_sent", None) => return true,
        ("or_null", None) => return theirs.is_null(),
        // Passwords are not shown; their bytes are compared when the message is encoded again.
        ("secret", Some(ours)) => return *ours == "***",
        (_, None) => return false,
        _ => {}
    }
    let Some(ours) = ours else { return false };
    match how {
        "day" | "month" | "year" | "hour" | "minute" | "second" => local_part(ours, how) == theirs.as_i64(),
        "count" => {
            ours.as_array().map(Vec::len) == theirs.as_u64().and_then(|count| usize::try_from(count).ok())
        }
        "bytes" => {
            let text = ours.as_str().unwrap_or("");
            // GBK: two bytes for what is not ASCII.
            let bytes: usize = text.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
            Some(bytes) == theirs.as_u64().and_then(|count| usize::try_from(count).ok())
        }
        "half" => Some(ours.as_str().unwrap_or("").len() as u64 / 2) == theirs.as_u64(),
        "hex" => ours.as_u64().map(|number| format!("{number:X}")) == theirs.as_str().map(str::to_owned),
        "number" => u64::from_str_radix(ours.as_str().unwrap_or(""), 16).ok() == theirs.as_u64(),
        _ if ours == theirs => true,
        // Texts of numbers, and the other way round.
        _ => ours.as_str().map(str::to_owned).or_else(|| Some(ours.to_string())) == text_of(theirs),
    }
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| value.is_number().then(|| value.to_string()))
}

fn local_part(time: &Value, part: &str) -> Option<i64> {
    let Civil { year, month, day, hour, minute, second, .. } =
        UtcMillis::from_rfc3339(time.as_str()?)?.civil(28_800);
    Some(match part {
        "day" => i64::from(day),
        "month" => i64::from(month),
        "year" => i64::from(year),
        "hour" => i64::from(hour),
        "minute" => i64::from(minute),
        _ => i64::from(second),
    })
}
