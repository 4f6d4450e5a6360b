//! The report of an audit that a person can read: one page without script, in Chinese with English beside it.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use motorpool_supervision::finding::{Colour, Finding, Nature, Outcome};
use motorpool_supervision::rules::{Lang, describe};

use super::Summary;

/// More findings than this are counted but not listed; `flags.csv` has all.
const MAX_LISTED: usize = 2_000;

const STYLE: &str = "body{font:14px/1.6 'Noto Sans SC','Microsoft YaHei',sans-serif;max-width:64rem;margin:2rem auto;\
padding:0 1rem;color:#1c1f23}table{border-collapse:collapse;width:100%}th,td{border:1px solid #ccd;padding:.2rem .5rem;\
text-align:left;vertical-align:top}th{background:#f2f4f7}.red{color:#b3261e}.yellow{color:#8a5a00}.grey{color:#5f6368}\
.note{background:#fff7e0;padding:.6rem 1rem}.en{color:#5f6368;font-size:.92em}@media print{tr{break-inside:avoid}}";

/// `text` with the characters that mean something in HTML replaced.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
        out
    })
}

/// The whole page.
pub(super) fn html(summary: &Summary<'_>, findings: &[(&str, &Finding)], zone: &TimeZone) -> String {
    let mut html = format!(
        "<!doctype html><html lang=zh-CN><meta charset=utf-8><title>公务用车轨迹核查</title><style>{STYLE}</style>\
         <h1>公务用车轨迹核查 <span class=en>audit of tracks</span></h1>\
         <p class=note>线索不等于结论：是否存在问题由核查人员决定。<span class=en>A clue is not a finding of guilt. People decide.</span></p>"
    );
    overview(&mut html, summary);
    rules(&mut html, summary);
    conduct(&mut html, findings, zone);
    html.push_str("</html>");
    html
}

fn overview(html: &mut String, summary: &Summary<'_>) {
    let time = |at: Option<motorpool_protocols::UtcMillis>| at.map(|at| at.to_string()).unwrap_or_default();
    // Writing to a string can't fail, here and below.
    let _infallible = write!(
        html,
        "<p>{} 台终端，{} 个定位点，{} 次行程，{} 次挪车，{:.1} km；{} 至 {}（{}）。\
         <span class=en>{} devices, {} fixes, {} trips, {} moves.</span></p>",
        summary.devices,
        summary.fixes,
        summary.trips,
        summary.moves,
        summary.distance_km,
        time(summary.first_fix),
        time(summary.last_fix),
        escaped(summary.time_zone),
        summary.devices,
        summary.fixes,
        summary.trips,
        summary.moves,
    );
    if summary.provisional {
        html.push_str(
            "<p class=grey>所涉年份只有周末信息，节假日规则无法判断。<span class=en>Only weekends are known for these years; \
             holiday rules are undecidable.</span></p>",
        );
    }
    if summary.bad_rows > 0 {
        let _infallible = write!(
            html,
            "<p class=red>有 {} 行数据无法使用，见 summary.json。<span class=en>{} rows could not be used.</span></p>",
            summary.bad_rows, summary.bad_rows
        );
    }
}

fn rules(html: &mut String, summary: &Summary<'_>) {
    html.push_str(
        "<h2>规则 <span class=en>rules</span></h2><table><tr><th>规则<th>预警<th>其中疑点<th>无法判断</tr>",
    );
    for (rule, counted) in &summary.rules {
        let _infallible = write!(
            html,
            "<tr><td>{rule} {} <span class=en>{}</span><td>{}<td>{}<td>{}</tr>",
            rule.zh(),
            rule.en(),
            counted.flags,
            counted.red,
            counted.undecidable
        );
    }
    html.push_str("</table>");
    let not_evaluated: Vec<_> =
        summary.not_evaluated.iter().map(|rule| format!("{rule} {}", rule.zh())).collect();
    if !not_evaluated.is_empty() {
        let _infallible = write!(
            html,
            "<p class=grey>未提供所需资料、未评估的规则：{}。<span class=en>Not evaluated, inputs not given.</span></p>",
            not_evaluated.join("、")
        );
    }
}

/// The flags about how cars were used, red first; statistics and equipment are in the table file.
fn conduct(html: &mut String, findings: &[(&str, &Finding)], zone: &TimeZone) {
    let mut listed: Vec<_> = findings
        .iter()
        .filter(|(_, finding)| {
            finding.outcome == Outcome::Flag && matches!(finding.nature, Nature::Conduct | Nature::Paperwork)
        })
        .collect();
    listed.sort_by_key(|(name, finding)| (std::cmp::Reverse(finding.colour), *name, finding.from));
    html.push_str("<h2>预警 <span class=en>flags</span></h2><table><tr><th>终端<th>规则<th>说明</tr>");
    for (name, finding) in listed.iter().take(MAX_LISTED) {
        let class = if finding.colour == Colour::Red { "red" } else { "yellow" };
        let _infallible = write!(
            html,
            "<tr><td>{}<td class={class}>{} {}<td>{}<br><span class=en>{}</span></tr>",
            escaped(name),
            finding.rule,
            finding.rule.zh(),
            escaped(&describe(finding, Lang::Zh, zone).text),
            escaped(&describe(finding, Lang::En, zone).text)
        );
    }
    html.push_str("</table>");
    if listed.len() > MAX_LISTED {
        let _infallible = write!(html, "<p>另有 {} 条，见 flags.csv。</p>", listed.len() - MAX_LISTED);
    }
}
