//! Dispatch orders (派车审批单), duty rosters, emergencies.

use super::super::headers::{Columns, Field, Wanted, optional, required};
use super::super::import::{Draft, Kind, Numbered};
use super::super::names::key;
use super::super::problem::{Fault, Problem, Problems};
use super::super::row_reader::{RowReader, Words, set, set_some};
use super::goes_back;
use crate::UtcMillis;
use crate::ids::VehicleId;
use crate::register::{Approval, Duty, Emergency, Order, OrderState, PlaceText};

/// Orders longer than this are asked about.
const LONG_ORDER_MS: i64 = 31 * 86_400_000;

const STATES: Words<OrderState> = &[
    (&["申请", "已申请", "待审批", "审批中", "未审批", "待审核", "applied", "pending"], OrderState::Applied),
    (
        &[
            "已批准",
            "批准",
            "同意",
            "已审批",
            "审批通过",
            "已通过",
            "通过",
            "已派车",
            "派车",
            "出车中",
            "已出车",
            "approved",
        ],
        OrderState::Approved,
    ),
    (
        &["已完成", "完成", "已归队", "已结束", "已结算", "已返回", "已收车", "归档", "settled", "done"],
        OrderState::Settled,
    ),
    (&["驳回", "已驳回", "不同意", "未通过", "退回", "已退回", "refused", "rejected"], OrderState::Refused),
    (&["取消", "已取消", "作废", "已作废", "撤销", "已撤销", "cancelled", "canceled"], OrderState::Cancelled),
];

impl Kind for Order {
    const WANTED: &'static [Wanted] = &[
        required(Field::No, "派车单号"),
        optional(Field::Unit, "用车单位"),
        required(Field::Plate, "车牌号"),
        required(Field::PlannedOut, "计划出车时间"),
        required(Field::PlannedIn, "计划返回时间"),
        optional(Field::Applicant, "申请人"),
        optional(Field::User, "用车人"),
        optional(Field::Phone, "联系电话"),
        optional(Field::Driver, "驾驶员"),
        optional(Field::Dispatcher, "调度员"),
        optional(Field::Approver, "审批人"),
        optional(Field::ApprovedAt, "审批时间"),
        optional(Field::Opinion, "审批意见"),
        optional(Field::Passengers, "乘车人数"),
        optional(Field::Purpose, "用车事由"),
        optional(Field::Departure, "出发地"),
        optional(Field::DepartureLat, "出发地纬度"),
        optional(Field::DepartureLon, "出发地经度"),
        optional(Field::Destination, "目的地"),
        optional(Field::DestinationLat, "目的地纬度"),
        optional(Field::DestinationLon, "目的地经度"),
        optional(Field::Via, "途经"),
        optional(Field::Area, "用车范围"),
        optional(Field::AppliedAt, "申请时间"),
        optional(Field::EnteredAt, "登记时间"),
        optional(Field::State, "状态"),
        optional(Field::IsEmergency, "是否应急"),
        optional(Field::Replaces, "原单号"),
        optional(Field::OdometerOut, "出车里程"),
        optional(Field::OdometerIn, "返回里程"),
        optional(Field::Distance, "行驶里程"),
        optional(Field::ActualOut, "实际出车时间"),
        optional(Field::ActualIn, "实际返回时间"),
        optional(Field::Remarks, "备注"),
    ];

    fn key(draft: &Draft<Self>) -> Option<String> {
        Some(format!("{} {}", draft.row.unit, key(&draft.row.no)))
    }

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let order = &mut draft.row;
        set(&mut order.no, row.text(Field::No));
        order.unit = row.unit_or_own(Field::Unit, order.unit);
        set(&mut order.vehicle, row.vehicle(Field::Plate));
        read_people(row, order);
        read_places(row, order);
        read_times(row, order);
        set_some(&mut order.passengers, row.count(Field::Passengers, 1_000.0));
        set(&mut order.purpose, row.text(Field::Purpose));
        set(&mut order.state, row.word(Field::State, STATES));
        set(&mut order.is_emergency, row.flag(Field::IsEmergency));
        set(&mut order.replaces, row.text(Field::Replaces));
        set_some(&mut order.odometer_out_m, row.metres(Field::OdometerOut));
        set_some(&mut order.odometer_in_m, row.metres(Field::OdometerIn));
        set_some(&mut order.distance_m, row.metres(Field::Distance));
        if goes_back(order.odometer_out_m, order.odometer_in_m) {
            row.warn(Field::OdometerIn, &Fault::OdometerBack);
        }
        set(&mut order.remarks, row.text(Field::Remarks));
    }

    /// Orders of one car that share time are asked about, each with the first it shares time with.
    fn compare(rows: &Numbered<Self>, columns: &Columns, _errors: &mut Problems, warnings: &mut Problems) {
        let column = columns.name(Field::PlannedOut);
        let mut orders: Vec<(VehicleId, UtcMillis, UtcMillis, u32, &str)> = rows
            .iter()
            .filter(|(_, draft)| draft.row.state.can_cover())
            .map(|(number, Draft { row, .. })| {
                (row.vehicle, row.planned_out, row.planned_in, *number, row.no.as_str())
            })
            .collect();
        orders.sort_unstable();
        // The order of the same car that lasts longest so far.
        let mut lasting: Option<(VehicleId, UtcMillis, u32)> = None;
        for (vehicle, out, back, number, no) in orders {
            match lasting {
                Some((of, until, row)) if of == vehicle && out < until => {
                    let fault = Fault::Overlap { row };
                    warnings.push_with(|| Problem::new(Some(number), column, no, &fault));
                    if back > until {
                        lasting = Some((vehicle, back, number));
                    }
                }
                _ => lasting = Some((vehicle, back, number)),
            }
        }
    }
}

fn read_people(row: &mut RowReader<'_>, order: &mut Order) {
    set(&mut order.applicant, row.text(Field::Applicant));
    set(&mut order.user, row.text(Field::User));
    set(&mut order.phone, row.text(Field::Phone));
    if let Some(driver) = row.text(Field::Driver) {
        order.driver_id = row.scope.names.driver(&driver, order.unit);
        order.driver = driver;
    }
    set(&mut order.dispatcher, row.text(Field::Dispatcher));
    // Several approvers stand in one cell; the time and the opinion written beside them are the last one's.
    let (names, at, opinion) =
        (row.items(Field::Approver), row.time(Field::ApprovedAt), row.text(Field::Opinion));
    if let Some(names) = names {
        order.approvals = names.into_iter().map(|by| Approval { by, ..Approval::default() }).collect();
    } else if order.approvals.is_empty() && (at.is_some() || opinion.is_some()) {
        order.approvals.push(Approval::default());
    }
    if let Some(last) = order.approvals.last_mut() {
        set_some(&mut last.at, at);
        set(&mut last.opinion, opinion);
    }
}

fn read_places(row: &mut RowReader<'_>, order: &mut Order) {
    let named = |text: String| PlaceText { text, at: None };
    let departure = row.place(Field::Departure, Field::DepartureLat, Field::DepartureLon);
    set(&mut order.departure, departure);
    let destinations = row.items(Field::Destination);
    let at = row.position(Field::DestinationLat, Field::DestinationLon);
    if let Some(names) = destinations {
        order.destinations = names.into_iter().map(named).collect();
    } else if order.destinations.is_empty() && at.is_some() {
        order.destinations.push(PlaceText::default());
    }
    // Coordinates are of the one destination; beside several nobody can say which.
    if let [only] = order.destinations.as_mut_slice() {
        set_some(&mut only.at, at);
    }
    set(&mut order.via, row.items(Field::Via).map(|names| names.into_iter().map(named).collect()));
    set_some(&mut order.area, row.zone(Field::Area, Some(order.unit)));
}

fn read_times(row: &mut RowReader<'_>, order: &mut Order) {
    let (out, back) = (row.time(Field::PlannedOut), row.end(Field::PlannedIn));
    set(&mut order.planned_out, out);
    set(&mut order.planned_in, back);
    if out.is_some() && back.is_some() {
        let lasts_ms = order.planned_in.0 - order.planned_out.0;
        if lasts_ms <= 0 {
            row.fault(Field::PlannedIn, &Fault::EndsBeforeBegin);
        } else if lasts_ms > LONG_ORDER_MS {
            row.warn(Field::PlannedIn, &Fault::LongSpan);
        }
    }
    set_some(&mut order.applied_at, row.time(Field::AppliedAt));
    set_some(&mut order.entered_at, row.time(Field::EnteredAt));
    set_some(&mut order.actual_out, row.time(Field::ActualOut));
    set_some(&mut order.actual_in, row.end(Field::ActualIn));
    if goes_back(order.actual_out, order.actual_in) {
        row.fault(Field::ActualIn, &Fault::EndsBeforeBegin);
    }
}

impl Kind for Duty {
    const WANTED: &'static [Wanted] = &[
        optional(Field::Unit, "值班单位"),
        optional(Field::Plate, "车牌号"),
        optional(Field::Person, "值班人"),
        optional(Field::What, "值班内容"),
        required(Field::From, "开始时间"),
        required(Field::To, "结束时间"),
    ];

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let duty = &mut draft.row;
        duty.unit = row.unit_or_own(Field::Unit, duty.unit);
        set_some(&mut duty.vehicle, row.vehicle(Field::Plate));
        set(&mut duty.person, row.text(Field::Person));
        set(&mut duty.what, row.text(Field::What));
        row.span(&mut draft.valid);
    }
}

impl Kind for Emergency {
    const WANTED: &'static [Wanted] = &[
        required(Field::What, "应急事项"),
        optional(Field::Level, "响应级别"),
        optional(Field::Document, "依据文件"),
        optional(Field::Area, "响应区域"),
        optional(Field::Units, "适用单位"),
        required(Field::From, "开始时间"),
        required(Field::To, "结束时间"),
    ];

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let emergency = &mut draft.row;
        set(&mut emergency.what, row.text(Field::What));
        set(&mut emergency.level, row.text(Field::Level));
        set(&mut emergency.document, row.text(Field::Document));
        set_some(&mut emergency.area, row.zone(Field::Area, row.scope.unit));
        set(&mut emergency.units, row.units(Field::Units));
        row.span(&mut draft.valid);
    }
}
