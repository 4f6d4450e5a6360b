//! Rows of registers: what is read, and every fault with its row and column.

use encoding_rs::GBK;
use jiff::tz::TimeZone;

use super::super::{Context, Datum, Importable as _, Limits, Table};
use super::workbook::{Xml, workbook};
use super::{at, errors, import, import_into, register, warnings};
use crate::UtcMillis;
use crate::finding::Rule;
use crate::ids::{DeviceId, DriverId, UnitId, VehicleId, ZoneId};
use crate::point::Position;
use crate::register::{
    Binding, CalendarYear, Class, DayRule, DeviceWork, Driver, DriverLogin, Duty, Emergency, Exemption, Feed,
    FuelFill, Mileage, Order, OrderState, Passage, PassageKind, PlaceEntry, Register, Rental, Repair, Seal,
    SealKind, SensitiveKind, Shape, Span, StampKind, Transfer, Unit, UnitKind, Vehicle, VinReading,
    Watermark, WorkingHours, Zone, ZoneKind,
};

const ORDER_FORM: &str = "\
派车审批单登记表
派车单号,用车单位,车牌号,用车人,驾驶员,审批人,调度员,用车事由,出发地,目的地,途经,计划出车时间,计划返回时间,出车里程(km),返回里程(km),申请时间,审批时间,是否应急,状态
水〔2026〕1号,水利局,云A·12345,张三,王五,李四、赵六,钱七,防汛检查,水利局,北坝乡；南坝乡,城关镇,2026/3/5 8:30,2026年3月5日 17时,10234.5,\"10,300\",2026-03-04,2026-03-04 16:00,否,已批准
";

#[test]
fn an_order_form_in_gbk_is_read() {
    let (bytes, _, _) = GBK.encode(ORDER_FORM);
    let read = import_into::<Order>(&register(), &bytes);
    assert_eq!(errors(&read), []);
    assert_eq!(warnings(&read), [(3, "申请时间", "day_only")]);
    let rows = read.into_rows().unwrap();
    let [version] = rows.as_slice() else { panic!("one row: {rows:?}") };
    assert_eq!((version.id, version.version, version.recorded_by.as_str()), (100, 1, "office"));
    let order = &version.row;
    assert_eq!((order.unit, order.vehicle), (UnitId(2), VehicleId(10)));
    assert_eq!((order.driver.as_str(), order.driver_id), ("王五", Some(DriverId(20))));
    assert_eq!(
        order.approvals.iter().map(|approval| approval.by.as_str()).collect::<Vec<_>>(),
        ["李四", "赵六"]
    );
    assert_eq!(order.approvals.last().and_then(|last| last.at), Some(at("2026-03-04T08:00:00Z")));
    assert_eq!(
        order.destinations.iter().map(|place| place.text.as_str()).collect::<Vec<_>>(),
        ["北坝乡", "南坝乡"]
    );
    assert_eq!(order.planned_out, at("2026-03-05T00:30:00Z"));
    assert_eq!(order.planned_in, at("2026-03-05T09:00:00Z"));
    assert_eq!((order.odometer_out_m, order.odometer_in_m), (Some(10_234_500), Some(10_300_000)));
    assert_eq!((order.state, order.is_emergency), (OrderState::Approved, false));
}

#[test]
fn the_same_order_in_english_from_a_workbook() {
    let file = workbook(
        &[
            ("A1", Xml::Text("order_no")),
            ("B1", Xml::Text("Plate")),
            ("C1", Xml::Text("planned out")),
            ("D1", Xml::Text("Planned_In")),
            ("E1", Xml::Text("start odometer (m)")),
            ("A2", Xml::Number("17")),
            ("B2", Xml::Text("云A12345")),
            ("C2", Xml::Date("46086.354166666664")),
            ("D2", Xml::Date("46086")),
            ("E2", Xml::Number("10234500")),
        ],
        false,
    );
    let read = import_into::<Order>(&register(), &file);
    assert_eq!(errors(&read), []);
    let order = &read.into_rows().unwrap().remove(0).row;
    assert_eq!((order.no.as_str(), order.unit, order.odometer_out_m), ("17", UnitId(2), Some(10_234_500)));
    // Until 5 March includes that day, in Beijing.
    assert_eq!(
        (order.planned_out, order.planned_in),
        (at("2026-03-05T00:30:00Z"), at("2026-03-05T16:00:00Z"))
    );
}

#[test]
fn every_fault_of_an_order_is_told_and_nothing_is_taken() {
    let read = import::<Order>(
        "单号,车牌号,用车单位,计划出车时间,计划返回时间,是否应急,状态,人数,出车里程,返回里程,目的地纬度,目的地经度\n\
         1,云A12347,,2026-03-05 08:00,2026-03-05 09:00,,,,,,,\n\
         2,云A12345,水利,2026-03-05 08:00,2026-03-05 08:00,,,,,,,\n\
         3,云A12345,,昨天,2026-03-05 09:00,也许,丢了,很多,100升,,23.5,\n\
         4,,,1991-04-14 02:30,1991-09-15 01:30,,,99999,,,91,180\n\
         5,云A12346,,2026-03-05 08:00,2026-04-30 09:00,,,,120,100,,\n\
         5,云A12346,,2026-05-05 08:00,2026-05-05 09:00,,,,,,,\n",
    );
    assert_eq!(
        errors(&read),
        [
            (2, "车牌号", "unknown"),
            (3, "用车单位", "unknown"),
            (3, "计划返回时间", "ends_before_begin"),
            (4, "目的地经度", "half_a_position"),
            (4, "计划出车时间", "not_a_time"),
            (4, "人数", "not_a_number"),
            (4, "状态", "not_one_of"),
            (4, "是否应急", "not_yes_or_no"),
            (4, "出车里程", "wrong_measure"),
            (5, "车牌号", "missing"),
            (5, "目的地纬度", "out_of_range"),
            (5, "计划出车时间", "time_skipped"),
            (5, "计划返回时间", "time_twice"),
            (5, "人数", "out_of_range"),
            (7, "", "duplicate"),
        ]
    );
    assert_eq!(warnings(&read), [(6, "计划返回时间", "long_span"), (6, "返回里程", "odometer_back")]);
    let unknown = read.report().errors.list.first().unwrap();
    assert_eq!(unknown.value, "云A12347");
    assert_eq!(unknown.zh, "车辆不存在；相近的有：云A12345、云A12346");
    assert_eq!(unknown.en, "no such vehicle; near: 云A12345, 云A12346");
    let report = read.into_rows().unwrap_err();
    assert_eq!((report.kind, report.rows, report.added), ("order", 6, 0));
}

#[test]
fn columns_that_are_missing_double_or_unknown_are_named() {
    let read = import::<Order>("单号,编号,车牌号,天气\n1,1,云A12345,晴\n");
    assert_eq!(
        errors(&read),
        [
            (1, "编号", "duplicate_column"),
            (1, "计划出车时间", "missing_column"),
            (1, "计划返回时间", "missing_column"),
        ]
    );
    assert_eq!(warnings(&read), [(1, "天气", "unknown_column")]);
    assert_eq!(errors(&import::<Order>("a,b\n1,2\n")), [(0, "", "unreadable")]);
}

#[test]
fn orders_of_one_car_that_share_time_are_asked_about() {
    let read = import::<Order>(
        "单号,车牌号,计划出车时间,计划返回时间,状态\n\
         1,云A12345,2026-03-05 08:00,2026-03-05 18:00,\n\
         2,云A12345,2026-03-05 09:00,2026-03-05 10:00,\n\
         3,云A12345,2026-03-05 17:00,2026-03-05 19:00,\n\
         4,云A12345,2026-03-05 19:00,2026-03-05 20:00,\n\
         5,云A12345,2026-03-05 08:00,2026-03-05 18:00,取消\n\
         6,云A12346,2026-03-05 08:00,2026-03-05 18:00,\n",
    );
    assert_eq!(warnings(&read), [(3, "计划出车时间", "overlap"), (4, "计划出车时间", "overlap")]);
    assert!(read.report().warnings.list.iter().all(|problem| problem.en.ends_with("in row 2")));
    assert_eq!(read.into_rows().unwrap().len(), 6);
}

#[test]
fn an_import_again_changes_only_what_differs() {
    let mut all = register();
    let first = "单号,车牌号,计划出车时间,计划返回时间,用车事由\n\
                 1,云A12345,2026-03-05 08:00,2026-03-05 18:00,检查\n\
                 2,云A12346,2026-03-06 08:00,2026-03-06 18:00,开会\n";
    all.orders = import_into::<Order>(&all, first.as_bytes()).into_rows().unwrap();
    let again = import_into::<Order>(&all, first.as_bytes());
    assert_eq!((again.report().unchanged, again.report().added, again.report().changed), (2, 0, 0));
    assert_eq!(again.into_rows().unwrap(), []);
    let second =
        "单号,车牌号,计划出车时间,计划返回时间,用车事由\n1,云A12345,2026-03-05 08:00,2026-03-05 19:00,\n";
    let rows = import_into::<Order>(&all, second.as_bytes()).into_rows().unwrap();
    let [version] = rows.as_slice() else { panic!("one row: {rows:?}") };
    assert_eq!((version.id, version.version), (100, 2));
    // An empty cell keeps what was there.
    assert_eq!((version.row.purpose.as_str(), version.row.planned_in), ("检查", at("2026-03-05T11:00:00Z")));
}

#[test]
fn problems_are_capped_and_counted() {
    let mut file = String::from("单号,车牌号,计划出车时间,计划返回时间\n");
    for number in 0..1_200 {
        file.push_str(&format!("{number},云A12345,x,2026-03-05 18:00\n"));
    }
    let report = import::<Order>(&file).into_rows().unwrap_err();
    assert_eq!((report.errors.list.len(), report.errors.more), (1_000, 200));
}

#[test]
fn units_of_a_file_refer_to_each_other() {
    let read = import::<Unit>(
        "单位名称,单位编码,上级单位,单位类型\n\
         办公室,,农业局,\n农业局,0102,县政府,\n办公室,,水利局,\n纪委监委,0103,01,纪检监察\n水利局,0101,县政府,\n",
    );
    assert_eq!(errors(&read), []);
    assert_eq!((read.report().unchanged, read.report().added), (1, 4));
    let rows = read.into_rows().unwrap();
    let parents: Vec<_> = rows.iter().map(|version| (version.id, version.row.parent)).collect();
    assert_eq!(
        parents,
        [(100, Some(UnitId(101))), (101, Some(UnitId(1))), (102, Some(UnitId(2))), (103, Some(UnitId(1)))]
    );
    assert_eq!(rows.last().map(|version| version.row.kind), Some(UnitKind::Discipline));
    let circle = import::<Unit>("name,parent\n甲,乙\n乙,甲\n");
    assert_eq!(errors(&circle), [(2, "parent", "circle"), (3, "parent", "circle")]);
    let unknown = import::<Unit>("name,parent\n甲,乙\n");
    assert_eq!(errors(&unknown), [(2, "parent", "unknown")]);
}

#[test]
fn vehicles_are_normalised_and_doubted() {
    let read = import::<Vehicle>(
        "车牌号,车架号,车辆类别,所属单位,定点停放,油箱容积,油耗定额(升/百公里),是否涉密\n\
         云a·99999,1M8GDM9AXKP042788,执法执勤,0101,水利局车库,70,9.5,否\n\
         云A88888,1M8GDM9A1KP042788,,,,,,\nX1,123,,,,,,\n",
    );
    assert_eq!(errors(&read), []);
    assert_eq!(
        warnings(&read),
        [(3, "车架号", "vin_check_digit"), (4, "车牌号", "plate_pattern"), (4, "车架号", "vin_pattern")]
    );
    let first = read.into_rows().unwrap().remove(0).row;
    assert_eq!((first.plate.as_str(), first.class), ("云A99999", Class::LawEnforcement));
    assert_eq!((first.depot, first.tank_l, first.norm_dl_per_100km), (Some(ZoneId(30)), Some(70), Some(95)));
}

#[test]
fn bindings_need_a_known_device() {
    let read =
        import::<Binding>("终端号,车牌号,安装时间,拆除时间\n013900000001,云A12345,2026-01-01,2026-06-30\n");
    let version = read.into_rows().unwrap().remove(0);
    assert_eq!(
        (version.row.device, version.row.vehicle, version.row.is_primary),
        (DeviceId(7), VehicleId(10), true)
    );
    assert_eq!(version.valid, Span::new(at("2025-12-31T16:00:00Z"), at("2026-06-30T16:00:00Z")));
    assert_eq!(errors(&import::<Binding>("device,plate\n1,云A12345\n")), [(2, "device", "unknown")]);
}

#[test]
fn ledgers_know_what_their_times_are_worth() {
    let read = import::<FuelFill>(
        "车牌号,加油时间,入账时间,油卡绑定车牌,加油站,加油量(升),金额(元),里程表,油品\n\
         云A12345,2026-03-05 10:00,2026-03-06 00:05,云A12346,城关加油站,45.67,\"1,234.50\",12345,92\n\
         云A12345,,2026-03-06 00:05,,城关加油站,45.67,300,,\n\
         云A12345,2026-03-07,,,城关加油站,30L,,,\n",
    );
    assert_eq!(errors(&read), []);
    let fills: Vec<FuelFill> = read.into_rows().unwrap().into_iter().map(|version| version.row).collect();
    let kinds: Vec<StampKind> = fills.iter().map(|fill| fill.stamp.kind).collect();
    assert_eq!(kinds, [StampKind::Transaction, StampKind::Posting, StampKind::DayOnly]);
    let fill = fills.first().unwrap();
    assert_eq!((fill.quantity_cl, fill.amount_fen, fill.odometer_m), (4_567, 123_450, Some(12_345_000)));
    assert_eq!(fill.card_vehicle, Some(VehicleId(11)));
    let wrong = import::<FuelFill>("车牌号,加油时间,加油量(kWh)\n云A12345,,35\n");
    assert_eq!(errors(&wrong), [(2, "加油时间", "missing"), (2, "加油量(kWh)", "wrong_measure")]);
}

#[test]
fn the_same_booking_twice_in_a_file_counts_once() {
    let read = import::<Passage>(
        "车牌号,通行时间,类型,收费站,金额\n云A12345,2026-03-05 10:00,ETC,东站,35\n云A12345,2026-03-05 10:00,ETC,东站,35\n",
    );
    assert_eq!(warnings(&read), [(3, "", "duplicate")]);
    let rows = read.into_rows().unwrap();
    assert_eq!((rows.len(), rows[0].row.kind, rows[0].row.amount_fen), (1, PassageKind::Toll, 3_500));
}

#[test]
fn the_other_ledgers_are_read() {
    let repair = import::<Repair>(
        "车牌号,维修厂,送修时间,取车时间,维修费\n云A12345,老王修理厂,2026-03-05,2026-03-06,500\n",
    );
    let repair = repair.into_rows().unwrap().remove(0);
    assert_eq!(repair.valid, Span::new(at("2026-03-04T16:00:00Z"), at("2026-03-06T16:00:00Z")));
    let early = import::<Repair>("车牌号,送修时间,取车时间\n云A12345,2026-03-06 10:00,2026-03-06 09:00\n");
    assert_eq!(errors(&early), [(2, "取车时间", "ends_before_begin")]);
    let rental = import::<Rental>(
        "车牌号,租赁公司,租赁开始时间,租赁结束时间\n云B·12345,某公司,2026-03-01,2026-03-31\n",
    );
    let rental = rental.into_rows().unwrap().remove(0).row;
    assert_eq!((rental.plate.as_str(), rental.vehicle, rental.unit), ("云B12345", None, UnitId(2)));
    let login = import::<DriverLogin>("车牌号,插卡时间,动作,驾驶员\n云A12345,2026-03-05 08:00,拔卡,王五\n");
    assert!(!login.into_rows().unwrap().remove(0).row.is_in);
    let mileage = import::<Mileage>(
        "车牌号,抄表时间,里程表(公里),纬度,经度\n云A12345,2026-03-05 08:00,\"12.345,5\",25.5,102.5\n",
    );
    let mileage = mileage.into_rows().unwrap().remove(0).row;
    assert_eq!((mileage.odometer_m, mileage.place), (12_345_500, Some(Position::from_degrees(25.5, 102.5))));
    let vin = import::<VinReading>(
        "终端号,车牌号,读取时间,车架号\n013900000001,云A12345,2026-03-05 08:00,1m8gdm9axkp042788\n",
    );
    assert_eq!(vin.into_rows().unwrap().remove(0).row.vin, "1M8GDM9AXKP042788");
    let work = import::<DeviceWork>(
        "终端号,车牌号,开始时间,结束时间,工单号\n013900000001,云A12345,2026-03-05,2026-03-05,G1\n",
    );
    assert_eq!(work.into_rows().unwrap().remove(0).row.to, at("2026-03-05T16:00:00Z"));
}

#[test]
fn rosters_seals_and_transfers_are_read() {
    let duty = import::<Duty>(
        "值班单位,车牌号,值班人,开始时间,结束时间\n水利局,云A12345,张三,2026-03-05 18:00,2026-03-06 08:00\n",
    );
    assert_eq!(duty.into_rows().unwrap().remove(0).row.vehicle, Some(VehicleId(10)));
    let backwards = import::<Duty>("值班人,开始时间,结束时间\n张三,2026-03-05 18:00,2026-03-05 08:00\n");
    assert_eq!(errors(&backwards), [(2, "结束时间", "ends_before_begin")]);
    let emergency = import::<Emergency>(
        "应急事项,响应级别,适用单位,开始时间,结束时间\n防汛,Ⅲ级,水利局、县政府,2026-07-01,2026-07-03\n",
    );
    assert_eq!(emergency.into_rows().unwrap().remove(0).row.units, [UnitId(2), UnitId(1)]);
    let seal = import::<Seal>("车牌号,类型,开始时间,封存地点\n云A12345,启封,2026-10-01 08:00,水利局车库\n");
    let seal = seal.into_rows().unwrap().remove(0).row;
    assert_eq!((seal.kind, seal.place), (SealKind::Opened, Some(ZoneId(30))));
    let transfer =
        import::<Transfer>("车牌号,借入单位,开始时间,结束时间\n云A12345,县政府,2026-03-01,2026-03-31\n");
    assert_eq!(transfer.into_rows().unwrap().remove(0).row.to, UnitId(1));
    let driver = import::<Driver>("姓名,所属单位,驾驶员卡号\n赵六,水利局,530001\n");
    assert_eq!(driver.into_rows().unwrap().remove(0).row.card, "530001");
}

#[test]
fn zones_come_as_text_circle_or_geojson() {
    let read = import::<Zone>(
        "名称;类型;所属单位;图形;纬度;经度;半径(米)\n\
         县城;用车范围;县政府;POLYGON((102 25, 103 25, 103 26, 102 26, 102 25));;;\n\
         一号库;车库;水利局;;25.5;102.5;80\n",
    );
    assert_eq!(errors(&read), []);
    let zones: Vec<Zone> = read.into_rows().unwrap().into_iter().map(|version| version.row).collect();
    assert!(matches!(&zones[0].shape, Shape::Polygons { polygons } if polygons[0][0].len() == 4));
    let centre = Position::from_degrees(25.5, 102.5);
    assert_eq!((zones[1].kind, &zones[1].shape), (ZoneKind::Depot, &Shape::Circle { centre, radius_m: 80 }));
    let bad = import::<Zone>(
        "名称;类型;图形;纬度;经度;半径\nA;车库;POLYGON((0 0, 1 1, 1 0, 0 1, 0 0));;;\nB;车库;圆;;;\nC;车库;;25;102;\nD;车库;;;;\nE;池塘;;25;102;9\n",
    );
    assert_eq!(
        errors(&bad),
        [
            (2, "图形", "bad_shape"),
            (3, "图形", "bad_shape"),
            (4, "半径", "missing"),
            (5, "图形", "missing"),
            (6, "类型", "not_one_of"),
        ]
    );
    let geojson = import::<Zone>(
        r#"{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"name":"西山","kind":"景区","gb":"156"},
        "geometry":{"type":"Polygon","coordinates":[[[102,25],[103,25],[103,26],[102,25]]]}}]}"#,
    );
    let zone = geojson.into_rows().unwrap().remove(0).row;
    assert_eq!((zone.name.as_str(), zone.kind), ("西山", ZoneKind::Sensitive(SensitiveKind::ScenicSpot)));
}

#[test]
fn places_need_a_zone_or_a_position() {
    let read = import::<PlaceEntry>(
        "名称,别名,区域名称,纬度,经度\n车库,水利局院内；库房,水利局车库,,\n北坝,,,25.5,102.5\n",
    );
    let places: Vec<PlaceEntry> = read.into_rows().unwrap().into_iter().map(|version| version.row).collect();
    assert_eq!(
        (places[0].zone, places[0].aliases.len(), places[0].datum.as_str()),
        (Some(ZoneId(30)), 2, "")
    );
    assert_eq!((places[1].radius_m, places[1].datum.as_str()), (500, "wgs84"));
    assert_eq!(errors(&import::<PlaceEntry>("名称,纬度,经度\n北坝,,\n")), [(2, "纬度", "missing")]);
}

#[test]
fn calendars_and_hours_are_gathered_from_rows() {
    let read = import::<CalendarYear>(
        "日期,安排,节日名称\n2026-10-01,放假,国庆节\n2026/9/20,调休上班,国庆节\n2027-01-01,休,元旦\n",
    );
    let years: Vec<CalendarYear> = read.into_rows().unwrap().into_iter().map(|version| version.row).collect();
    let short: Vec<_> =
        years.iter().map(|year| (year.calendar.as_str(), year.year, year.days.len())).collect();
    assert_eq!(short, [("cn", 2026, 2), ("cn", 2027, 1)]);
    assert_eq!(years[0].days[0].rule, DayRule::MakeupWorkday);
    let off = import::<CalendarYear>("date,isOffDay,name\n2026-10-01,true,国庆节\n2026-10-01,false,国庆节\n");
    assert_eq!(errors(&off), [(3, "", "duplicate")]);
    let hours = import::<WorkingHours>(
        "单位,季节开始,季节结束,最早出车,最晚收车\n水利局,5-1,9-30,6:30,20:00\n水利局,10月1日,4月30日,7:00,19:30\n",
    );
    let hours = hours.into_rows().unwrap();
    assert_eq!((hours.len(), hours[0].row.seasons.len(), hours[0].row.seasons[1].opens_min), (1, 2, 420));
    let bad = import::<WorkingHours>("最早出车,最晚收车\n20:00,6:30\n早,晚\n");
    assert_eq!(
        errors(&bad),
        [(2, "最晚收车", "ends_before_begin"), (3, "最早出车", "not_a_time"), (3, "最晚收车", "not_a_time")]
    );
}

#[test]
fn exemptions_and_watermarks_are_read() {
    let read = import::<Exemption>(
        "车辆类别,豁免规则,责任人,豁免原因,到期时间\n应急保障,R05、节假日用车,张三,值守,2026-12-31\n",
    );
    let exemption = read.into_rows().unwrap().remove(0);
    assert_eq!(
        (exemption.row.rules, exemption.row.class),
        (vec![Rule::R05, Rule::R06], Some(Class::Emergency))
    );
    assert_eq!(exemption.valid.to, Some(at("2026-12-31T16:00:00Z")));
    let bad =
        import::<Exemption>("豁免规则,责任人,豁免原因,到期时间\nR14,张三,x,2026-12-31\nR99,,x,2026-12-31\n");
    assert_eq!(
        errors(&bad),
        [(2, "豁免规则", "not_liftable"), (3, "责任人", "missing"), (3, "豁免规则", "not_one_of")]
    );
    let read =
        import::<Watermark>("单位,台账,完整起始时间,完整截止时间\n水利局,加油,2026-01-01,2026-02-28\n");
    let row = read.into_rows().unwrap().remove(0).row;
    assert_eq!((row.feed, row.complete_to), (Feed::Fuel, at("2026-02-28T16:00:00Z")));
}

#[test]
fn long_text_is_refused() {
    let long = "长".repeat(2_001);
    let read = import::<Duty>(&format!("值班人,开始时间,结束时间\n{long},2026-03-05,2026-03-05\n"));
    assert_eq!(errors(&read), [(2, "值班人", "too_long")]);
    assert_eq!(read.report().errors.list[0].value.chars().count(), 60);
}

#[test]
fn a_name_of_several_things_is_not_guessed() {
    let mut all: Register = register();
    let mut second = all.units[1].clone();
    (second.id, second.row.code, second.row.parent) = (3, "99".into(), None);
    all.units.push(second);
    let file = "值班单位,值班人,开始时间,结束时间\n水利局,张三,2026-03-05,2026-03-05\n";
    let read = import_into::<Duty>(&all, file.as_bytes());
    assert_eq!(errors(&read), [(2, "值班单位", "ambiguous")]);
    assert_eq!(read.report().errors.list[0].en, "names more than one unit: 县政府/水利局, 水利局");
}

#[test]
fn plates_of_a_file_are_listed() {
    let file = "单号,车牌号\n1,云a·12345\n2,\n3,云B00001\n4,云A12345\n";
    let table = Table::read(file.as_bytes(), None, &Limits::default(), &Order::is_column).unwrap();
    let plates: Vec<String> = Order::plates_in(&table).into_iter().collect();
    assert_eq!(plates, ["云A12345", "云B00001"]);
}

#[test]
fn a_missing_unit_is_told_under_the_columns_usual_name() {
    let all = register();
    let mut context = Context {
        register: &all,
        devices: &|_| None,
        timezone: TimeZone::UTC,
        datum: Datum::Gcj02,
        unit: None,
        recorded_at: UtcMillis(0),
        recorded_by: String::new(),
        new_id: &mut |_| 1,
    };
    let file = "值班人,开始时间(北京时间),结束时间(北京时间)\n张三,2026-03-05,2026-03-05\n";
    let read = Duty::import(file.as_bytes(), None, &Limits::default(), &mut context);
    assert_eq!(errors(&read), [(2, "值班单位", "missing")]);
    let file = "值班单位,开始时间(北京时间),结束时间(北京时间)\n水利局,2026-03-05,2026-03-05\n";
    let read = Duty::import(file.as_bytes(), None, &Limits::default(), &mut context).into_rows().unwrap();
    assert_eq!(read[0].valid, Span::new(at("2026-03-04T16:00:00Z"), at("2026-03-05T16:00:00Z")));
    let zone = "名称,类型,纬度,经度,半径\n库,车库,39.9024463,116.4270221,50\n";
    let zone = Zone::import(zone.as_bytes(), None, &Limits::default(), &mut context).into_rows().unwrap();
    let wgs = Position::from_degrees(39.90105, 116.42079);
    assert!(matches!(&zone[0].row.shape, Shape::Circle { centre, .. } if centre.distance_m(wgs) < 0.05));
}
