//! The report of a pack: one HTML page for the screen and for paper, Chinese first and English beside it.
//!
//! Every text from outside is escaped; the page has no script and loads nothing.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{PackInputs, svg};
use crate::UtcMillis;
use crate::finding::{Colour, Finding};
use crate::ids::VehicleId;
use crate::rules::{Lang, describe};
use crate::trips::Segment;

const STYLE: &str = "body{font:14px/1.6 'Noto Sans SC','Microsoft YaHei',sans-serif;max-width:50rem;margin:2rem auto;\
color:#1c1f23;padding:0 1rem}h1{font-size:1.5rem}h2{font-size:1.1rem;border-bottom:1px solid #ccd;margin-top:1.6rem}\
table{border-collapse:collapse;width:100%}th,td{border:1px solid #ccd;padding:.2rem .5rem;text-align:left;vertical-align:top}\
th{background:#f2f4f7}.red{color:#b3261e}.yellow{color:#8a5a00}.grey{color:#5f6368}.note{background:#fff7e0;padding:.6rem 1rem}\
.en{color:#5f6368;font-size:.92em}svg{width:100%;height:auto}@media print{body{margin:0;max-width:none}h2{break-after:avoid}\
table,svg,section{break-inside:avoid}}";

/// `text` with the five characters that mean something in HTML replaced.
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

/// A page in the making.
struct Page<'a> {
    inputs: &'a PackInputs,
    zone: TimeZone,
    html: String,
}

/// The whole page.
pub(super) fn html(inputs: &PackInputs, is_masked: bool) -> String {
    let zone = TimeZone::get(&inputs.judgement.time_zone).unwrap_or(TimeZone::UTC);
    let mut page = Page { inputs, zone, html: String::new() };
    page.head(is_masked);
    page.findings();
    page.drawings();
    page.orders();
    page.track();
    page.vehicle();
    page.foot();
    page.html
}

impl Page<'_> {
    fn push(&mut self, html: &str) {
        self.html.push_str(html);
    }

    fn heading(&mut self, zh: &str, en: &str) {
        self.push(&format!("<h2>{zh} <span class=en>{en}</span></h2>"));
    }

    fn table(&mut self, header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let mut table = String::from("<table><tr>");
        for cell in header {
            // Writing to a string can't fail, here and below.
            let _infallible = write!(table, "<th>{cell}</th>");
        }
        table.push_str("</tr>");
        for row in rows {
            table.push_str("<tr>");
            for cell in row {
                let _infallible = write!(table, "<td>{}</td>", escaped(&cell));
            }
            table.push_str("</tr>");
        }
        table.push_str("</table>");
        self.push(&table);
    }

    fn local(&self, at: UtcMillis) -> String {
        Timestamp::from_millisecond(at.0).map_or_else(
            |_| at.to_string(),
            |instant| self.zone.to_datetime(instant).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        )
    }

    fn head(&mut self, is_masked: bool) {
        let judgement = &self.inputs.judgement;
        let plate = self.plate(judgement.vehicle);
        let title = format!("{plate} · {}", judgement.first_day);
        let title = escaped(&title);
        let copy = if is_masked {
            "单位副本（已脱敏）<span class=en>masked copy for the unit</span>"
        } else {
            ""
        };
        self.push(&format!(
            "<!doctype html><html lang=zh-CN><meta charset=utf-8><title>{title}</title><style>{STYLE}</style>\
             <h1>公务用车核查证据 {title}</h1><p class=en>Evidence on the use of an official car</p><p>{copy}</p>\
             <p class=note>线索不等于结论：本材料列出需要核实的疑问及其依据，是否存在问题由核查人员决定。\
             <br><span class=en>A clue is not a finding of guilt. People decide.</span></p>"
        ));
    }

    fn plate(&self, vehicle: VehicleId) -> String {
        let row = self.inputs.register.vehicles.iter().find(|row| VehicleId(row.id) == vehicle);
        row.map_or_else(|| vehicle.to_string(), |row| row.row.plate.clone())
    }

    fn findings(&mut self) {
        self.heading("疑点与依据", "What was found, and why");
        for finding in &self.inputs.findings {
            let html = self.finding(finding);
            self.push(&html);
        }
    }

    fn finding(&self, finding: &Finding) -> String {
        let class = match finding.colour {
            Colour::Red => "red",
            Colour::Yellow => "yellow",
            Colour::Grey | Colour::Green => "grey",
        };
        let zh = describe(finding, Lang::Zh, &self.zone);
        let en = describe(finding, Lang::En, &self.zone);
        let mut html = format!(
            "<section><h3 class={class}>{} {}</h3><p>{}</p><p class=en>{}</p>",
            finding.rule.code(),
            escaped(&zh.title),
            escaped(&zh.text),
            escaped(&en.text)
        );
        let list = |items: &[String]| {
            let items: String = items.iter().map(|item| format!("<li>{}</li>", escaped(item))).collect();
            format!("<ul>{items}</ul>")
        };
        if !zh.measures.is_empty() {
            html += &list(&zh.measures);
        }
        if !zh.orders.is_empty() {
            html += "<p>考虑过的派车单 <span class=en>orders considered</span></p>";
            html += &list(&zh.orders);
        }
        html += "<p>对当事人有利的情况 <span class=en>what speaks for the person</span></p>";
        if zh.excuses.is_empty() {
            html += "<p class=grey>未发现 <span class=en>none found</span></p>";
        } else {
            html += &list(&zh.excuses);
        }
        let used = finding.fixes;
        html += &format!(
            "<p class=en>{} fixes used, {} marked and not used, {} s without fixes, confidence {} %; rule version {}, calendar {}; {}</p></section>",
            used.fixes,
            used.marked,
            used.gap_s,
            used.confidence_pct,
            finding.rule_version,
            escaped(&finding.versions.calendar),
            finding.id()
        );
        html
    }

    fn drawings(&mut self) {
        self.heading("轨迹", "Track, WGS-84, north up");
        let marks: Vec<_> = self.inputs.findings.iter().filter_map(|finding| finding.at).collect();
        self.push(&svg::map(&self.inputs.points, &self.inputs.segments, &marks));
        self.push(&svg::speed(&self.inputs.points));
    }

    fn orders(&mut self) {
        self.heading("派车单", "Orders of these days");
        let vehicle = self.inputs.judgement.vehicle;
        let orders = self.inputs.register.orders.iter().filter(|order| order.row.vehicle == vehicle);
        let rows: Vec<_> = orders
            .map(|order| {
                let row = &order.row;
                vec![
                    row.no.clone(),
                    self.local(row.planned_out),
                    self.local(row.planned_in),
                    self.local(row.entered_at.unwrap_or(order.recorded_at)),
                    row.user.clone(),
                    row.driver.clone(),
                    row.destinations.iter().map(|place| place.text.as_str()).collect::<Vec<_>>().join("、"),
                    row.purpose.clone(),
                ]
            })
            .collect();
        self.table(&["单号", "计划出车", "计划返回", "登记时间", "用车人", "驾驶员", "目的地", "事由"], rows);
    }

    fn track(&mut self) {
        self.heading("行程、停留与信号中断", "Trips, stops and gaps");
        let (first, last) = (self.inputs.points.first(), self.inputs.points.last());
        let from = first.map_or(UtcMillis(0), |point| point.time);
        let to = last.map_or(UtcMillis(0), |point| point.time);
        let rows: Vec<_> =
            self.inputs.segments.iter().filter_map(|segment| self.segment(segment, from, to)).collect();
        self.table(&["", "起", "止", "说明"], rows);
        let clock = self.inputs.judgement.clock_offset_s.map_or_else(
            || "终端时钟偏差未知 (clock offset not known)".to_owned(),
            |offset| format!("终端时钟相对服务器偏差 {offset} 秒 (clock offset {offset} s)"),
        );
        self.push(&format!("<p>{clock}</p>"));
    }

    fn segment(&self, segment: &Segment, from: UtcMillis, to: UtcMillis) -> Option<Vec<String>> {
        let (start, end, what, text) = match segment {
            Segment::Trip(trip) => (
                trip.start,
                trip.end,
                "行程 trip",
                format!("{} m ({:?}), {} %", trip.distance_m, trip.distance_source, trip.confidence_pct),
            ),
            Segment::Stop(stop) => {
                (stop.start, stop.end, "停留 stop", format!("{:.6}, {:.6}", stop.at.lat(), stop.at.lon()))
            }
            Segment::Gap(gap) => (
                gap.start,
                gap.end,
                "信号中断 gap",
                format!("位移 {} m; {:?}; 断电 {}", gap.displacement_m, gap.place, gap.power_lost),
            ),
        };
        (start <= to && end >= from).then(|| vec![what.to_owned(), self.local(start), self.local(end), text])
    }

    fn vehicle(&mut self) {
        self.heading("终端绑定历史", "Devices on this vehicle");
        let vehicle = self.inputs.judgement.vehicle;
        let bindings = self.inputs.register.bindings.iter().filter(|binding| binding.row.vehicle == vehicle);
        let rows: Vec<_> = bindings
            .map(|binding| {
                let valid = binding.valid;
                vec![
                    binding.row.device.to_string(),
                    if valid.from == crate::register::Span::ALWAYS.from {
                        String::new()
                    } else {
                        self.local(valid.from)
                    },
                    valid.to.map(|to| self.local(to)).unwrap_or_default(),
                    if binding.row.is_primary { "主用 primary" } else { "" }.to_owned(),
                    binding.row.work_order.clone(),
                ]
            })
            .collect();
        self.table(&["终端", "自", "至", "", "工单"], rows);
    }

    fn foot(&mut self) {
        let made_at = self.local(self.inputs.made_at);
        let program = escaped(&self.inputs.program);
        self.push(&format!(
            "<hr><p class=en>{program}, {made_at}. 校验: motorpool evidence verify. Every entry of this pack has its SHA-256 in \
             manifest.json; judging the inputs again gives the same findings.</p></html>"
        ));
    }
}
