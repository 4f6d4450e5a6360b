//! Ledgers that other systems keep: fuel, tolls, repairs, hire, cards, odometers, device work.

use super::super::headers::{Field, Wanted, optional, required};
use super::super::import::{Draft, Kind};
use super::super::problem::Fault;
use super::super::row_reader::{RowReader, Words, set, set_some};
use super::super::values::{Measure, normalise_plate, normalise_vin};
use super::check_plate;
use crate::register::{
    DeviceWork, DriverLogin, FuelFill, Mileage, Passage, PassageKind, Rental, Repair, VinReading,
};

/// Litres of one fill.
const MAX_FILL_L: f64 = 10_000.0;

impl Kind for FuelFill {
    const WANTED: &'static [Wanted] = &[
        required(Field::Plate, "车牌号"),
        optional(Field::At, "加油时间"),
        optional(Field::PostedAt, "入账时间"),
        optional(Field::CardPlate, "油卡绑定车牌"),
        optional(Field::Card, "油卡号"),
        optional(Field::Station, "加油站"),
        optional(Field::Lat, "纬度"),
        optional(Field::Lon, "经度"),
        required(Field::Quantity, "加油量"),
        optional(Field::Grade, "油品"),
        optional(Field::Amount, "金额"),
        optional(Field::Odometer, "里程表"),
        optional(Field::Voucher, "凭证号"),
    ];

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let fill = &mut draft.row;
        set(&mut fill.vehicle, row.vehicle(Field::Plate));
        set(&mut fill.stamp, row.stamp());
        set_some(&mut fill.card_vehicle, row.vehicle(Field::CardPlate));
        set(&mut fill.card, row.text(Field::Card));
        set(&mut fill.station, row.place(Field::Station, Field::Lat, Field::Lon));
        let litres = Measure::Litres;
        set(&mut fill.quantity_cl, row.scaled(Field::Quantity, litres, litres, 100.0, MAX_FILL_L));
        set(&mut fill.grade, row.text(Field::Grade));
        set(&mut fill.amount_fen, row.fen(Field::Amount));
        set_some(&mut fill.odometer_m, row.metres(Field::Odometer));
        set(&mut fill.voucher, row.text(Field::Voucher));
    }
}

const PASSAGE_KINDS: Words<PassageKind> = &[
    (&["通行", "过路", "收费站", "高速", "etc", "门架", "路桥费", "通行费", "toll"], PassageKind::Toll),
    (&["停车", "停车场", "停车费", "parking"], PassageKind::Parking),
];

impl Kind for Passage {
    const WANTED: &'static [Wanted] = &[
        required(Field::Plate, "车牌号"),
        optional(Field::At, "通行时间"),
        optional(Field::PostedAt, "入账时间"),
        optional(Field::Kind, "类型"),
        optional(Field::Place, "收费站"),
        optional(Field::Lat, "纬度"),
        optional(Field::Lon, "经度"),
        optional(Field::Amount, "金额"),
        optional(Field::Voucher, "凭证号"),
    ];

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let passage = &mut draft.row;
        set(&mut passage.vehicle, row.vehicle(Field::Plate));
        set(&mut passage.stamp, row.stamp());
        set(&mut passage.kind, row.word(Field::Kind, PASSAGE_KINDS));
        set(&mut passage.place, row.place(Field::Place, Field::Lat, Field::Lon));
        set(&mut passage.amount_fen, row.fen(Field::Amount));
        set(&mut passage.voucher, row.text(Field::Voucher));
    }
}

impl Kind for Repair {
    const WANTED: &'static [Wanted] = &[
        required(Field::Plate, "车牌号"),
        optional(Field::Shop, "维修厂"),
        optional(Field::Lat, "纬度"),
        optional(Field::Lon, "经度"),
        required(Field::From, "送修时间"),
        optional(Field::To, "取车时间"),
        optional(Field::What, "维修内容"),
        optional(Field::Amount, "维修费"),
        optional(Field::Odometer, "里程表"),
        optional(Field::No, "审批单号"),
    ];

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let repair = &mut draft.row;
        set(&mut repair.vehicle, row.vehicle(Field::Plate));
        set(&mut repair.shop, row.place(Field::Shop, Field::Lat, Field::Lon));
        set(&mut repair.from, row.stamp_at(Field::From));
        set_some(&mut repair.to, row.end_stamp(Field::To));
        set(&mut repair.what, row.text(Field::What));
        set(&mut repair.amount_fen, row.fen(Field::Amount));
        set_some(&mut repair.odometer_m, row.metres(Field::Odometer));
        set(&mut repair.no, row.text(Field::No));
        draft.valid.from = repair.from.at;
        draft.valid.to = repair.to.map(|stamp| stamp.at);
        if repair.to.is_some_and(|to| to.at <= repair.from.at) {
            row.fault(Field::To, &Fault::EndsBeforeBegin);
        }
    }
}

impl Kind for Rental {
    const WANTED: &'static [Wanted] = &[
        optional(Field::Unit, "用车单位"),
        required(Field::Plate, "车牌号"),
        optional(Field::Company, "租赁公司"),
        required(Field::From, "租赁开始时间"),
        required(Field::To, "租赁结束时间"),
        optional(Field::No, "租赁单号"),
        optional(Field::User, "用车人"),
    ];

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let rental = &mut draft.row;
        rental.unit = row.unit_or_own(Field::Unit, rental.unit);
        set(&mut rental.plate, row.text(Field::Plate).map(|plate| normalise_plate(&plate)));
        check_plate(row, &rental.plate);
        // A hired car need not be one of ours.
        rental.vehicle = row.known_vehicle(Field::Plate);
        set(&mut rental.company, row.text(Field::Company));
        row.span(&mut draft.valid);
        rental.from = draft.valid.from;
        set(&mut rental.to, draft.valid.to);
        set(&mut rental.no, row.text(Field::No));
        set(&mut rental.user, row.text(Field::User));
    }
}

const CARD_MOVES: Words<bool> = &[
    (&["插卡", "上班", "插入", "登录", "签到", "in", "1", "true"], true),
    (&["拔卡", "下班", "拔出", "退出", "登出", "签退", "out", "0", "2", "false"], false),
];

impl Kind for DriverLogin {
    const WANTED: &'static [Wanted] = &[
        required(Field::Plate, "车牌号"),
        required(Field::At, "插卡时间"),
        optional(Field::IsIn, "动作"),
        optional(Field::Card, "卡号"),
        optional(Field::Driver, "驾驶员"),
    ];

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let login = &mut draft.row;
        set(&mut login.vehicle, row.vehicle(Field::Plate));
        set(&mut login.at, row.time(Field::At));
        // A list of cards read says nothing of their removal.
        login.is_in = row.word(Field::IsIn, CARD_MOVES).unwrap_or(true);
        set(&mut login.card, row.text(Field::Card));
        set(&mut login.name, row.text(Field::Driver));
        if login.card.is_empty() && login.name.is_empty() {
            row.fault(Field::Card, &Fault::Missing);
        }
    }
}

impl Kind for VinReading {
    const WANTED: &'static [Wanted] = &[
        required(Field::Device, "终端号"),
        required(Field::Plate, "车牌号"),
        required(Field::At, "读取时间"),
        required(Field::Vin, "车架号"),
    ];

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let reading = &mut draft.row;
        set(&mut reading.device, row.device(Field::Device));
        set(&mut reading.vehicle, row.vehicle(Field::Plate));
        set(&mut reading.at, row.time(Field::At));
        set(&mut reading.vin, row.text(Field::Vin).map(|vin| normalise_vin(&vin)));
    }
}

impl Kind for DeviceWork {
    const WANTED: &'static [Wanted] = &[
        required(Field::Device, "终端号"),
        required(Field::Plate, "车牌号"),
        required(Field::From, "开始时间"),
        required(Field::To, "结束时间"),
        optional(Field::No, "工单号"),
        optional(Field::What, "工作内容"),
    ];

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let work = &mut draft.row;
        set(&mut work.device, row.device(Field::Device));
        set(&mut work.vehicle, row.vehicle(Field::Plate));
        row.span(&mut draft.valid);
        work.from = draft.valid.from;
        set(&mut work.to, draft.valid.to);
        set(&mut work.no, row.text(Field::No));
        set(&mut work.what, row.text(Field::What));
    }
}

impl Kind for Mileage {
    const WANTED: &'static [Wanted] = &[
        required(Field::Plate, "车牌号"),
        required(Field::At, "抄表时间"),
        required(Field::Odometer, "里程表"),
        optional(Field::Lat, "纬度"),
        optional(Field::Lon, "经度"),
    ];

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let mileage = &mut draft.row;
        set(&mut mileage.vehicle, row.vehicle(Field::Plate));
        set(&mut mileage.at, row.time(Field::At));
        set(&mut mileage.odometer_m, row.metres(Field::Odometer));
        set_some(&mut mileage.place, row.position(Field::Lat, Field::Lon));
    }
}
