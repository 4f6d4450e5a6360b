//! Units, vehicles, devices on vehicles, drivers, seals, transfers.

use rustc_hash::FxHashMap;

use super::super::headers::{Columns, Field, Wanted, optional, required};
use super::super::import::{Draft, Kind};
use super::super::names::{Found, Names, key};
use super::super::problem::Fault;
use super::super::row_reader::{RowReader, Scope, Words, set, set_some};
use super::super::table::Table;
use super::super::values::{self, Measure, VinDoubt, normalise_plate, normalise_vin};
use super::{CLASSES, check_plate};
use crate::ids::{UnitId, VehicleId};
use crate::register::{Binding, Driver, Row as _, Seal, SealKind, Transfer, Unit, UnitKind, Vehicle};

const UNIT_KINDS: Words<UnitKind> = &[
    (&["普通单位", "普通", "一般单位", "ordinary"], UnitKind::Ordinary),
    (&["机关事务", "机关事务管理", "office"], UnitKind::Office),
    (&["纪检监察", "纪检", "纪委监委", "discipline"], UnitKind::Discipline),
    (&["派驻组", "派驻", "派驻纪检监察组", "resident"], UnitKind::Resident),
];

impl Kind for Unit {
    const WANTED: &'static [Wanted] = &[
        required(Field::Name, "单位名称"),
        optional(Field::Code, "单位编码"),
        optional(Field::Parent, "上级单位"),
        optional(Field::Kind, "单位类型"),
        optional(Field::ReviewedBy, "复核单位"),
    ];

    /// Units of a file refer to each other, in any order: all get their numbers first, then their superiors.
    fn prepare(
        table: &Table,
        columns: &Columns,
        scope: &mut Scope<'_>,
        new_id: &mut dyn FnMut(&'static str) -> i64,
    ) -> FxHashMap<u32, i64> {
        let cell = |row: &super::super::table::Row, field| {
            let column = columns.of(field);
            let text = column.map(|column| row.cell(column.index).as_text().into_owned()).unwrap_or_default();
            if values::is_nothing(&text) { String::new() } else { text }
        };
        let mut ids = FxHashMap::default();
        let mut seen: FxHashMap<(String, String, String), i64> = FxHashMap::default();
        for row in &table.rows {
            let [name, code, parent] =
                [Field::Name, Field::Code, Field::Parent].map(|field| cell(row, field));
            let same = if code.is_empty() {
                (String::new(), key(&name), key(&parent))
            } else {
                (key(&code), String::new(), String::new())
            };
            let id = *seen.entry(same).or_insert_with(|| {
                let earlier = unit_in_register(&scope.names, &name, &code, &parent);
                earlier.map_or_else(|| new_id(Self::KIND), |id| id.0)
            });
            ids.insert(row.number, id);
        }
        for row in &table.rows {
            if let Some(id) = ids.get(&row.number) {
                scope.names.add_unit(UnitId(*id), &cell(row, Field::Name), &cell(row, Field::Code), None);
            }
        }
        for row in &table.rows {
            let parent = cell(row, Field::Parent);
            if let (Some(id), Found::One(parent)) = (ids.get(&row.number), scope.names.unit(&parent)) {
                scope.names.add_unit(
                    UnitId(*id),
                    &cell(row, Field::Name),
                    &cell(row, Field::Code),
                    Some(parent),
                );
            }
        }
        ids
    }

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let unit = &mut draft.row;
        set(&mut unit.name, row.text(Field::Name));
        set(&mut unit.code, row.text(Field::Code));
        set_some(&mut unit.parent, row.unit(Field::Parent));
        set(&mut unit.kind, row.word(Field::Kind, UNIT_KINDS));
        set_some(&mut unit.reviewed_by, row.unit(Field::ReviewedBy));
        // Whoever stands below a circle never comes to a top either.
        if unit.parent.is_some_and(|parent| row.scope.names.is_circle(parent)) {
            row.fault(Field::Parent, &Fault::Circle);
        }
    }
}

/// The unit that the register has under this code, or else this name below this superior.
fn unit_in_register(names: &Names, name: &str, code: &str, parent: &str) -> Option<UnitId> {
    let found = if !code.is_empty() {
        names.unit(code)
    } else if parent.is_empty() {
        names.unit(name)
    } else {
        names.unit(&format!("{parent}/{name}"))
    };
    match found {
        Found::One(id) => Some(id),
        _ => None,
    }
}

impl Kind for Vehicle {
    const WANTED: &'static [Wanted] = &[
        required(Field::Plate, "车牌号"),
        optional(Field::Vin, "车架号"),
        optional(Field::Class, "车辆类别"),
        optional(Field::Unit, "所属单位"),
        optional(Field::Depot, "定点停放"),
        optional(Field::Tank, "油箱容积"),
        optional(Field::Norm, "油耗定额"),
        optional(Field::Grade, "油品"),
        optional(Field::Model, "品牌型号"),
        optional(Field::IsSecret, "是否涉密"),
        optional(Field::IsHired, "是否租赁"),
        optional(Field::From, "启用时间"),
        optional(Field::To, "停用时间"),
    ];

    fn key(draft: &Draft<Self>) -> Option<String> {
        Some(draft.row.plate.clone())
    }

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let car = &mut draft.row;
        set(&mut car.plate, row.text(Field::Plate).map(|plate| normalise_plate(&plate)));
        check_plate(row, &car.plate);
        if let Some(vin) = row.text(Field::Vin).map(|vin| normalise_vin(&vin)) {
            match values::vin_doubt(&vin) {
                Some(VinDoubt::Pattern) => row.warn(Field::Vin, &Fault::VinPattern),
                Some(VinDoubt::CheckDigit) => row.warn(Field::Vin, &Fault::VinCheckDigit),
                None => {}
            }
            car.vin = vin;
        }
        set(&mut car.class, row.word(Field::Class, CLASSES));
        car.unit = row.unit_or_own(Field::Unit, car.unit);
        set_some(&mut car.depot, row.zone(Field::Depot, Some(car.unit)));
        set_some(&mut car.tank_l, row.scaled(Field::Tank, Measure::Litres, Measure::Litres, 1.0, 2_000.0));
        let per_100km = Measure::LitresPer100Km;
        set_some(&mut car.norm_dl_per_100km, row.scaled(Field::Norm, per_100km, per_100km, 10.0, 200.0));
        set(&mut car.fuel_grade, row.text(Field::Grade));
        set(&mut car.model, row.text(Field::Model));
        set(&mut car.is_secret, row.flag(Field::IsSecret));
        set(&mut car.is_hired, row.flag(Field::IsHired));
        row.span(&mut draft.valid);
    }
}

impl Kind for Binding {
    const WANTED: &'static [Wanted] = &[
        required(Field::Device, "终端号"),
        required(Field::Plate, "车牌号"),
        optional(Field::From, "安装时间"),
        optional(Field::To, "拆除时间"),
        optional(Field::IsPrimary, "是否主设备"),
        optional(Field::WorkOrder, "工单号"),
    ];

    fn key(draft: &Draft<Self>) -> Option<String> {
        let Draft { row, valid } = draft;
        Some(format!("{} {} {}", row.device, row.vehicle, valid.from.0))
    }

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let is_new = draft.row.vehicle == VehicleId::default();
        set(&mut draft.row.device, row.device(Field::Device));
        set(&mut draft.row.vehicle, row.vehicle(Field::Plate));
        // A car mostly has one device, and a form does not say that it is the first.
        let is_primary = row.flag(Field::IsPrimary).or_else(|| is_new.then_some(true));
        set(&mut draft.row.is_primary, is_primary);
        set(&mut draft.row.work_order, row.text(Field::WorkOrder));
        row.span(&mut draft.valid);
    }
}

impl Kind for Driver {
    const WANTED: &'static [Wanted] = &[
        required(Field::Name, "姓名"),
        optional(Field::Unit, "所属单位"),
        optional(Field::Phone, "联系电话"),
        optional(Field::Licence, "驾驶证号"),
        optional(Field::Card, "卡号"),
        optional(Field::From, "启用时间"),
        optional(Field::To, "停用时间"),
    ];

    fn key(draft: &Draft<Self>) -> Option<String> {
        Some(format!("{} {}", draft.row.unit, key(&draft.row.name)))
    }

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let driver = &mut draft.row;
        set(&mut driver.name, row.text(Field::Name));
        driver.unit = row.unit_or_own(Field::Unit, driver.unit);
        set(&mut driver.phone, row.text(Field::Phone));
        set(&mut driver.licence, row.text(Field::Licence));
        set(&mut driver.card, row.text(Field::Card));
        row.span(&mut draft.valid);
    }
}

const SEAL_KINDS: Words<SealKind> = &[
    (&["封存", "sealed", "seal"], SealKind::Sealed),
    (&["启封", "opened", "open", "unseal"], SealKind::Opened),
];

impl Kind for Seal {
    const WANTED: &'static [Wanted] = &[
        required(Field::Plate, "车牌号"),
        optional(Field::Kind, "类型"),
        required(Field::From, "开始时间"),
        optional(Field::To, "结束时间"),
        optional(Field::Place, "封存地点"),
        optional(Field::KeyKeeper, "钥匙保管人"),
        optional(Field::Approver, "审批人"),
        optional(Field::No, "审批单号"),
        optional(Field::Reason, "原因"),
    ];

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let seal = &mut draft.row;
        set(&mut seal.vehicle, row.vehicle(Field::Plate));
        set(&mut seal.kind, row.word(Field::Kind, SEAL_KINDS));
        set_some(&mut seal.place, row.zone(Field::Place, row.scope.unit));
        set(&mut seal.key_keeper, row.text(Field::KeyKeeper));
        set(&mut seal.approved_by, row.text(Field::Approver));
        set(&mut seal.approval_no, row.text(Field::No));
        set(&mut seal.reason, row.text(Field::Reason));
        row.span(&mut draft.valid);
    }
}

impl Kind for Transfer {
    const WANTED: &'static [Wanted] = &[
        required(Field::Plate, "车牌号"),
        required(Field::ToUnit, "借入单位"),
        required(Field::From, "开始时间"),
        required(Field::To, "结束时间"),
        optional(Field::No, "调剂单号"),
        optional(Field::Approver, "审批人"),
    ];

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let transfer = &mut draft.row;
        set(&mut transfer.vehicle, row.vehicle(Field::Plate));
        set(&mut transfer.to, row.unit(Field::ToUnit));
        set(&mut transfer.no, row.text(Field::No));
        set(&mut transfer.approved_by, row.text(Field::Approver));
        row.span(&mut draft.valid);
    }
}
