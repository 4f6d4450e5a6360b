//! What is wrong with a file, told so that the person who typed it finds the cell: row and column as a spreadsheet shows them,
//! in Chinese and in English.
//!
//! The list is capped; what does not fit is counted. Nothing here decides whether a problem is an error or a warning.

use serde::Serialize;

/// Problems kept of one file; the rest is only counted.
pub const MAX_PROBLEMS: usize = 1_000;
/// Characters of a cell that a problem repeats.
pub const MAX_VALUE_CHARS: usize = 60;

/// What is wrong with one cell, row or file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The file as a whole can't be read.
    Unreadable {
        /// Why, in Chinese.
        zh: String,
        /// Why, in English.
        en: String,
    },
    /// A column that the kind needs is not there.
    MissingColumn,
    /// Two columns mean the same.
    DuplicateColumn {
        /// Header of the other one.
        other: String,
    },
    /// A column that means nothing here; it is left out.
    UnknownColumn,
    /// The header names a measure that the column can't have.
    WrongMeasure {
        /// The measure, for example `kwh`.
        measure: String,
    },
    /// A cell that must not be empty is.
    Missing,
    /// Longer than allowed.
    TooLong {
        /// Characters allowed.
        max_chars: usize,
    },
    /// Not a date or time in any form that is read.
    NotATime,
    /// A day only where a time is wanted.
    DayOnly,
    /// A local time that the clocks of the time zone skip.
    TimeSkipped,
    /// A local time that the clocks of the time zone show twice.
    TimeTwice,
    /// Before 1990 or after 2100.
    TimeOutOfRange,
    /// Not a number.
    NotANumber,
    /// A number outside its range.
    OutOfRange {
        /// The range, with its unit.
        range: String,
    },
    /// Neither yes nor no.
    NotYesOrNo,
    /// One coordinate without the other.
    HalfAPosition,
    /// Not one of the words of a closed list.
    NotOneOf {
        /// The words.
        words: String,
    },
    /// Names something that no register holds.
    Unknown {
        /// What kind of thing, Chinese and English.
        what: (&'static str, &'static str),
        /// The nearest names, if any are near.
        nearest: Vec<String>,
    },
    /// Names several things.
    Ambiguous {
        /// What kind of thing, Chinese and English.
        what: (&'static str, &'static str),
        /// Some of them.
        candidates: Vec<String>,
    },
    /// Ends before it begins, or at the same instant.
    EndsBeforeBegin,
    /// Longer than 31 days.
    LongSpan,
    /// Two orders of one car share time.
    Overlap {
        /// The other row.
        row: u32,
    },
    /// The same row, or the same number, stands in another row.
    Duplicate {
        /// The other row.
        row: u32,
    },
    /// A unit that is its own superior, directly or through others.
    Circle,
    /// Not the pattern of a plate.
    PlatePattern,
    /// A vehicle number that is not 17 letters and digits without I, O and Q.
    VinPattern,
    /// The check digit of a vehicle number is wrong.
    VinCheckDigit,
    /// The odometer on return is below the one on departure.
    OdometerBack,
    /// The rule can't be lifted by an exemption.
    NotLiftable,
    /// An outline that is no outline.
    BadShape {
        /// Why.
        why: String,
    },
}

impl Fault {
    /// A stable code, snake case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "unreadable",
            Self::MissingColumn => "missing_column",
            Self::DuplicateColumn { .. } => "duplicate_column",
            Self::UnknownColumn => "unknown_column",
            Self::WrongMeasure { .. } => "wrong_measure",
            Self::Missing => "missing",
            Self::TooLong { .. } => "too_long",
            Self::NotATime => "not_a_time",
            Self::DayOnly => "day_only",
            Self::TimeSkipped => "time_skipped",
            Self::TimeTwice => "time_twice",
            Self::TimeOutOfRange => "time_out_of_range",
            Self::NotANumber => "not_a_number",
            Self::OutOfRange { .. } => "out_of_range",
            Self::NotYesOrNo => "not_yes_or_no",
            Self::HalfAPosition => "half_a_position",
            Self::NotOneOf { .. } => "not_one_of",
            Self::Unknown { .. } => "unknown",
            Self::Ambiguous { .. } => "ambiguous",
            Self::EndsBeforeBegin => "ends_before_begin",
            Self::LongSpan => "long_span",
            Self::Overlap { .. } => "overlap",
            Self::Duplicate { .. } => "duplicate",
            Self::Circle => "circle",
            Self::PlatePattern => "plate_pattern",
            Self::VinPattern => "vin_pattern",
            Self::VinCheckDigit => "vin_check_digit",
            Self::OdometerBack => "odometer_back",
            Self::NotLiftable => "not_liftable",
            Self::BadShape { .. } => "bad_shape",
        }
    }

    fn zh(&self) -> String {
        match self {
            Self::Unreadable { zh, .. } => format!("文件无法读取：{zh}"),
            Self::MissingColumn => "缺少必需的列".into(),
            Self::DuplicateColumn { other } => format!("与“{other}”列含义相同"),
            Self::UnknownColumn => "不认识的列，未导入".into(),
            Self::WrongMeasure { measure } => format!("不支持的计量单位：{measure}"),
            Self::Missing => "不能为空".into(),
            Self::TooLong { max_chars } => format!("超过{max_chars}个字符"),
            Self::NotATime => "不是可识别的日期时间".into(),
            Self::DayOnly => "只有日期，没有时刻".into(),
            Self::TimeSkipped => "该时区不存在这一时刻（夏令时跳过）".into(),
            Self::TimeTwice => "该时区这一时刻出现两次（夏令时回拨），请写明时差".into(),
            Self::TimeOutOfRange => "时间不在1990年至2100年之间".into(),
            Self::NotANumber => "不是数字".into(),
            Self::OutOfRange { range } => format!("超出范围：{range}"),
            Self::NotYesOrNo => "应为“是”或“否”".into(),
            Self::HalfAPosition => "经度、纬度应同时填写".into(),
            Self::NotOneOf { words } => format!("应为下列之一：{words}"),
            Self::Unknown { what, nearest } => {
                format!("{}不存在{}", what.0, list("；相近的有：", "、", nearest))
            }
            Self::Ambiguous { what, candidates } => {
                format!("对应多个{}{}", what.0, list("：", "、", candidates))
            }
            Self::EndsBeforeBegin => "结束不晚于开始".into(),
            Self::LongSpan => "超过31天".into(),
            Self::Overlap { row } => format!("与第{row}行同一车辆的派车时间重叠"),
            Self::Duplicate { row } => format!("与第{row}行重复"),
            Self::Circle => "上级单位成环".into(),
            Self::PlatePattern => "不符合号牌格式".into(),
            Self::VinPattern => "车架号应为17位字母数字，不含I、O、Q".into(),
            Self::VinCheckDigit => "车架号校验位不符".into(),
            Self::OdometerBack => "返回里程小于出车里程".into(),
            Self::NotLiftable => "该规则不可豁免".into(),
            Self::BadShape { why } => format!("区域图形有误：{why}"),
        }
    }

    fn en(&self) -> String {
        match self {
            Self::Unreadable { en, .. } => format!("the file can't be read: {en}"),
            Self::MissingColumn => "a required column is missing".into(),
            Self::DuplicateColumn { other } => format!("means the same as column \"{other}\""),
            Self::UnknownColumn => "unknown column, left out".into(),
            Self::WrongMeasure { measure } => format!("can't be measured in {measure}"),
            Self::Missing => "must not be empty".into(),
            Self::TooLong { max_chars } => format!("longer than {max_chars} characters"),
            Self::NotATime => "not a date and time".into(),
            Self::DayOnly => "a day without a time".into(),
            Self::TimeSkipped => "the clocks of the time zone skip this time".into(),
            Self::TimeTwice => "the clocks of the time zone show this time twice; write the offset".into(),
            Self::TimeOutOfRange => "not between the years 1990 and 2100".into(),
            Self::NotANumber => "not a number".into(),
            Self::OutOfRange { range } => format!("out of range: {range}"),
            Self::NotYesOrNo => "neither yes nor no".into(),
            Self::HalfAPosition => "latitude and longitude must both be given".into(),
            Self::NotOneOf { words } => format!("not one of: {words}"),
            Self::Unknown { what, nearest } => {
                format!("no such {}{}", what.1, list("; near: ", ", ", nearest))
            }
            Self::Ambiguous { what, candidates } => {
                format!("names more than one {}{}", what.1, list(": ", ", ", candidates))
            }
            Self::EndsBeforeBegin => "does not end after it begins".into(),
            Self::LongSpan => "longer than 31 days".into(),
            Self::Overlap { row } => format!("overlaps the order of the same car in row {row}"),
            Self::Duplicate { row } => format!("the same as row {row}"),
            Self::Circle => "the superior units form a circle".into(),
            Self::PlatePattern => "not the pattern of a plate".into(),
            Self::VinPattern => "not 17 letters and digits without I, O and Q".into(),
            Self::VinCheckDigit => "the check digit is wrong".into(),
            Self::OdometerBack => "the odometer on return is below the one on departure".into(),
            Self::NotLiftable => "this rule can't be lifted".into(),
            Self::BadShape { why } => format!("not an outline: {why}"),
        }
    }
}

fn list(before: &str, between: &str, names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("{before}{}", names.join(between)) }
}

/// One problem, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Problem {
    /// Row, 1 = first line of the sheet; `None` when it is about the whole file.
    pub row: Option<u32>,
    /// Header of the column as the file has it, or the column's usual name when the file lacks it; empty for a whole row.
    pub column: String,
    /// What stands in the cell, shortened.
    pub value: String,
    /// Stable code, [`Fault::code`].
    pub code: &'static str,
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

impl Problem {
    /// `fault` in this cell.
    #[must_use]
    pub fn new(row: Option<u32>, column: &str, value: &str, fault: &Fault) -> Self {
        let (column, value) = (shorten(column), shorten(value));
        Self { row, column, value, code: fault.code(), zh: fault.zh(), en: fault.en() }
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_VALUE_CHARS) {
        None => text.to_owned(),
        Some(_) => text.chars().take(MAX_VALUE_CHARS - 1).chain(['…']).collect(),
    }
}

/// A capped list of problems.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Problems {
    /// The first [`MAX_PROBLEMS`].
    pub list: Vec<Problem>,
    /// How many more there were.
    pub more: u64,
}

impl Problems {
    /// Adds one. `make` runs only while there is room, so costly hints are not worked out for nobody.
    pub fn push_with(&mut self, make: impl FnOnce() -> Problem) {
        if self.list.len() < MAX_PROBLEMS {
            self.list.push(make());
        } else {
            self.more += 1;
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many, kept or not.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.more + u64::try_from(self.list.len()).unwrap_or(u64::MAX)
    }
}
