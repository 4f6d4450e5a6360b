//! What the headers of columns mean, in English and Chinese.
//!
//! Each kind of row lists the fields that it has; a header is looked up among those only, so 单号 can be the number of an
//! order in one file and of a transfer slip in another. A measure or a time zone in the header (`加油量(升)`, `odometer_km`,
//! `time_utc`) is told apart from the name.

use super::problem::{Fault, Problem, Problems};
use super::table::Table;
use super::text::half_width_char;
use super::values::Measure;

macro_rules! fields {
    ($($name:ident: $($synonym:literal)+;)*) => {
        /// What a column holds. The first name is the canonical one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Field { $($name),* }

        impl Field {
            /// Every name of it, normalised as [`Header::read`] does; the canonical English one first.
            pub(crate) const fn names(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($synonym),+]),* }
            }

            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

fields! {
    Name: "name" "名称" "姓名" "title";
    Code: "code" "编码" "代码" "单位编码" "单位代码" "机构代码" "统一社会信用代码" "unitcode";
    Parent: "parent" "上级单位" "主管部门" "上级" "上级机构" "所属上级" "parentunit";
    ReviewedBy: "reviewedby" "复核单位" "监督单位" "派驻组" "驻派机构" "reviewer";
    Kind: "kind" "类型" "类别" "种类" "性质" "type";
    Unit: "unit" "单位" "用车单位" "所属单位" "使用单位" "部门" "派车单位" "单位名称" "车属单位" "申请单位" "organisation" "organization" "department";
    Plate: "plate" "车牌号" "号牌" "车牌" "车牌号码" "号牌号码" "车号" "车辆号牌" "车辆牌号" "车辆" "platenumber" "plateno" "licenceplate" "licenseplate" "vehicle" "vehicleplate" "car";
    Vin: "vin" "车架号" "车辆识别代号" "车辆识别代码" "车辆识别码" "车架号码";
    Class: "class" "车辆类别" "用途分类" "车辆用途" "编制类别" "公车类别" "车辆性质" "vehicleclass";
    Depot: "depot" "停放地点" "定点停放" "车库" "停车场" "归库地点" "定点停车场" "homedepot";
    Tank: "tank" "油箱容积" "油箱容量" "油箱" "tankvolume" "tankcapacity";
    Norm: "norm" "油耗定额" "百公里油耗" "定额油耗" "标准油耗" "油耗标准" "fuelnorm" "normper100km";
    Grade: "grade" "油品" "标号" "燃油标号" "油号" "油品标号" "燃料" "燃料种类" "fuelgrade" "fuel";
    Model: "model" "品牌型号" "车型" "型号" "厂牌型号" "车辆型号" "makeandmodel";
    IsSecret: "secret" "涉密" "是否涉密" "涉密车辆" "issecret";
    IsHired: "hired" "租赁" "是否租赁" "租赁车辆" "ishired";
    Device: "device" "终端号" "设备号" "终端编号" "终端id" "设备编号" "终端手机号" "sim卡号" "设备id" "终端" "terminal" "deviceid" "terminalid" "imei";
    IsPrimary: "primary" "主设备" "是否主设备" "主终端" "是否主终端" "isprimary";
    WorkOrder: "workorder" "工单号" "装拆工单" "安装工单" "工单";
    Phone: "phone" "联系电话" "电话" "手机" "手机号" "用车人电话" "联系方式" "手机号码" "telephone" "mobile";
    Licence: "licence" "驾驶证号" "驾照号" "驾驶证" "驾驶证号码" "license" "drivinglicence";
    Card: "card" "卡号" "从业资格证号" "司机卡号" "驾驶员卡号" "油卡号" "加油卡号" "ic卡号" "cardno" "cardnumber";
    No: "no" "单号" "编号" "派车单号" "派车单编号" "审批单号" "申请单号" "订单号" "订单编号" "流水号" "派单号" "批准文号" "审批编号" "orderno" "ordernumber" "order" "number" "id";
    Applicant: "applicant" "申请人" "经办人" "申请人姓名" "填单人";
    User: "user" "用车人" "乘车人" "使用人" "用车人姓名" "用车领导" "passenger";
    Driver: "driver" "驾驶员" "司机" "驾驶人" "驾驶员姓名" "司机姓名" "drivername";
    Dispatcher: "dispatcher" "调度员" "派车人" "调度" "调度人" "调度人员";
    Approver: "approver" "审批人" "批准人" "审批领导" "审核人" "签发人" "approvedby" "approvers";
    ApprovedAt: "approvedat" "审批时间" "批准时间" "审批日期" "批准日期" "approvaltime";
    Opinion: "opinion" "审批意见" "意见" "领导意见";
    Passengers: "passengers" "乘车人数" "人数" "随行人数" "用车人数" "passengercount";
    Purpose: "purpose" "用车事由" "事由" "出车事由" "用途" "用车事项" "任务" "出车任务" "事项";
    Departure: "departure" "出发地" "起点" "上车地点" "出发地点" "始发地" "起始地" "origin" "start";
    DepartureLat: "departurelat" "出发地纬度" "起点纬度" "originlat" "startlat";
    DepartureLon: "departurelon" "出发地经度" "起点经度" "originlon" "startlon";
    Destination: "destination" "目的地" "到达地" "终点" "前往地点" "到达地点" "目的地点" "destinations";
    DestinationLat: "destinationlat" "目的地纬度" "终点纬度" "destlat" "endlat";
    DestinationLon: "destinationlon" "目的地经度" "终点经度" "destlon" "endlon";
    Via: "via" "途经" "途经地" "途径" "途经地点" "途经点" "路线" "行车路线" "waypoints" "route";
    Area: "area" "用车范围" "范围" "适用区域" "使用范围" "响应区域" "区域";
    PlannedOut: "plannedout" "计划出车时间" "预计出车时间" "计划出发时间" "用车开始时间" "预计出发时间" "出车时间" "用车时间" "计划开始时间" "计划用车时间" "预计用车时间" "用车起始时间" "plannedstart" "planneddeparture";
    PlannedIn: "plannedin" "计划返回时间" "预计返回时间" "计划归队时间" "用车结束时间" "计划收车时间" "返回时间" "收车时间" "计划结束时间" "预计归还时间" "计划归还时间" "plannedend" "plannedreturn";
    AppliedAt: "appliedat" "申请时间" "申请日期" "填单时间" "制单时间" "applicationtime";
    EnteredAt: "enteredat" "登记时间" "录入时间" "系统登记时间" "提交时间" "创建时间" "createdat" "recordedat";
    State: "state" "状态" "单据状态" "派车单状态" "审批状态" "订单状态" "status";
    IsEmergency: "emergency" "是否应急" "应急" "紧急用车" "应急用车" "是否紧急" "isemergency";
    Replaces: "replaces" "原单号" "变更原单号" "延期原单号" "补单原单号" "续单原单号" "原派车单号";
    OdometerOut: "odometerout" "出车里程" "起始里程" "出车里程表" "出车里程表读数" "起始里程表" "出车公里数" "出车里程数" "起始公里数" "startodometer" "odometerstart";
    OdometerIn: "odometerin" "返回里程" "回车里程" "收车里程" "结束里程" "返回里程表" "收车里程表" "返回里程表读数" "收车公里数" "返回公里数" "终止里程" "endodometer" "odometerend";
    Distance: "distance" "行驶里程" "行程里程" "行驶公里" "本次里程" "行驶公里数" "实际里程" "mileage";
    ActualOut: "actualout" "实际出车时间" "实际出发时间" "实际开始时间" "actualstart" "actualdeparture";
    ActualIn: "actualin" "实际返回时间" "实际归队时间" "实际收车时间" "实际结束时间" "实际归还时间" "actualend" "actualreturn";
    Remarks: "remarks" "备注" "说明" "remark" "notes" "comment";
    Person: "person" "值班人" "值班人员" "值班员" "人员" "带班领导";
    What: "what" "内容" "值班内容" "值班事项" "备勤内容" "应急事项" "事件" "事件名称" "响应名称" "维修内容" "维修项目" "故障" "工作内容";
    Level: "level" "级别" "响应级别" "等级" "应急级别";
    Document: "document" "文件" "文号" "依据文件" "文件号" "依据";
    Units: "units" "适用单位" "响应单位" "单位范围" "涉及单位";
    From: "from" "开始时间" "起始时间" "开始日期" "启用时间" "生效时间" "起始日期" "安装时间" "生效日期" "封存开始时间" "借用开始时间" "值班开始时间" "送修时间" "进厂时间" "送修日期" "租赁开始时间" "租用开始时间" "起租时间" "完整起始时间" "启用日期" "validfrom" "starttime" "begin" "since" "completefrom";
    To: "to" "结束时间" "终止时间" "结束日期" "停用时间" "失效时间" "截止时间" "截止日期" "拆除时间" "拆卸时间" "失效日期" "到期时间" "封存结束时间" "借用结束时间" "值班结束时间" "取车时间" "出厂时间" "取车日期" "租赁结束时间" "租用结束时间" "退租时间" "完整截止时间" "停用日期" "validto" "endtime" "until" "completeto" "expiry";
    Place: "place" "地点" "封存地点" "停放位置" "收费站" "站点" "入口" "停车场名称" "收费站名称" "位置" "tollstation" "gantry" "carpark";
    KeyKeeper: "keykeeper" "钥匙保管人" "保管人" "钥匙保管";
    Reason: "reason" "原因" "理由" "豁免原因" "封存原因" "启封原因" "豁免理由";
    ToUnit: "tounit" "借入单位" "调入单位" "借用单位" "接收单位" "borrower";
    Geometry: "geometry" "图形" "边界" "wkt" "geojson" "围栏" "坐标串" "范围坐标" "shape" "polygon" "outline";
    Radius: "radius" "半径" "范围半径";
    Source: "source" "来源" "数据来源";
    Accuracy: "accuracy" "精度" "误差";
    Aliases: "aliases" "别名" "简称" "又名" "俗称" "alias";
    Zone: "zone" "区域名称" "对应区域" "围栏名称" "电子围栏" "关联区域";
    Lat: "lat" "纬度" "gps纬度" "定位纬度" "站点纬度" "latitude" "y" "wgs84lat";
    Lon: "lon" "经度" "gps经度" "定位经度" "站点经度" "longitude" "lng" "long" "x" "wgs84lon";
    At: "at" "时间" "交易时间" "加油时间" "通行时间" "读取时间" "发生时间" "抄表时间" "打卡时间" "登录时间" "插卡时间" "消费时间" "刷卡时间" "日期" "加油日期" "交易日期" "登记日期" "time" "transactiontime" "datetime" "date" "timestamp";
    PostedAt: "postedat" "入账时间" "记账时间" "记账日期" "入账日期" "结算时间" "过账时间" "结算日期" "postingtime" "postingdate" "postedon";
    CardPlate: "cardplate" "油卡车牌" "绑定车牌" "卡绑定车牌" "油卡绑定车牌" "绑定车牌号" "cardvehicle";
    Station: "station" "加油站" "油站" "加油站名称" "加油地点" "充电站" "网点" "网点名称" "fuelstation";
    Quantity: "quantity" "加油量" "数量" "升数" "加油升数" "加油数量" "油量" "litres" "liters" "volume";
    Amount: "amount" "金额" "加油金额" "费用" "通行费" "维修费" "维修金额" "实付金额" "交易金额" "停车费" "cost" "price";
    Odometer: "odometer" "里程表" "里程" "里程表读数" "里程数" "总里程" "累计里程" "行驶总里程" "维修时里程" "加油时里程" "仪表里程" "odometerreading" "totalmileage";
    Voucher: "voucher" "凭证号" "票据号" "发票号" "小票号" "交易流水号" "流水" "receipt" "invoice";
    Shop: "shop" "维修厂" "修理厂" "维修单位" "承修单位" "维修地点" "维修企业" "修理厂名称" "garage" "repairshop";
    Company: "company" "租赁公司" "出租方" "租赁企业" "租赁单位" "supplier";
    IsIn: "in" "插卡" "上下班" "登录状态" "插拔" "动作" "action" "event" "isin";
    Rules: "rules" "规则" "豁免规则" "规则编号" "适用规则" "rule";
    Owner: "owner" "责任人" "负责人" "审批责任人";
    Feed: "feed" "数据源" "数据类型" "台账" "数据";
    Opens: "opens" "上班时间" "最早出车" "开始" "最早用车" "opentime";
    Closes: "closes" "下班时间" "最晚收车" "结束" "最晚用车" "closetime";
    SeasonFrom: "seasonfrom" "季节开始" "起始月日" "适用开始" "夏令开始";
    SeasonTo: "seasonto" "季节结束" "终止月日" "适用结束" "夏令结束";
    Date: "date" "日期" "放假日期" "调整日期" "day";
    DayRule: "rule" "类型" "性质" "安排" "是否放假" "kind" "type" "isoffday";
    Calendar: "calendar" "日历" "日历名称";
    Edition: "edition" "版本" "数据版本";
    Notice: "notice" "通知" "通知文号" "发文字号";
    Time: "time" "定位时间" "gps时间" "时间" "采集时间" "上报时间" "终端时间" "位置时间" "timeutc" "fixtime" "gpstime" "timestamp" "datetime" "locatetime" "coordtime" "recordtime" "t";
    Altitude: "alt" "海拔" "高程" "高度" "altitude" "ele" "elevation";
    Heading: "heading" "方向" "航向" "方位角" "course" "direction" "bearing";
    Speed: "speed" "速度" "gps速度" "卫星速度" "车速" "定位速度" "gpsspeed" "velocity";
    VehicleSpeed: "obdspeed" "行驶记录速度" "脉冲速度" "仪表速度" "obd车速" "obd速度" "记录仪速度" "vehiclespeed" "canspeed";
    Rpm: "rpm" "转速" "发动机转速" "enginespeed" "enginerpm";
    Ignition: "ignition" "点火" "acc" "acc状态" "点火状态" "发动机状态" "accon" "engineon" "ignitionon";
    Fuel: "fuel" "剩余油量" "油量" "燃油量" "油箱油量" "fuellevel";
    Satellites: "satellites" "卫星数" "卫星颗数" "定位卫星数" "卫星数量" "sat" "sats" "nsat";
    Valid: "valid" "定位状态" "是否定位" "有效" "定位有效" "是否有效" "isvalid" "located" "fix";
}

impl Field {
    /// Whether a name with this measure behind it can mean this field: `acc_m` is no ignition.
    const fn is_measured_in(self, measure: Measure) -> bool {
        match measure {
            Measure::Kilometres | Measure::Metres => matches!(
                self,
                Self::Odometer
                    | Self::OdometerOut
                    | Self::OdometerIn
                    | Self::Distance
                    | Self::Radius
                    | Self::Accuracy
                    | Self::Altitude
            ),
            Measure::Litres | Measure::KilowattHours => {
                matches!(self, Self::Tank | Self::Quantity | Self::Fuel)
            }
            Measure::KilometresPerHour
            | Measure::MetresPerSecond
            | Measure::Knots
            | Measure::MilesPerHour => {
                matches!(self, Self::Speed | Self::VehicleSpeed)
            }
            Measure::Yuan | Measure::TenThousandYuan | Measure::Fen => matches!(self, Self::Amount),
            Measure::LitresPer100Km => matches!(self, Self::Norm),
            Measure::Degrees => matches!(self, Self::Lat | Self::Lon | Self::Heading),
            Measure::Count => matches!(self, Self::Rpm | Self::Satellites | Self::Passengers),
            Measure::Utc | Measure::BeijingTime => matches!(
                self,
                Self::Time
                    | Self::At
                    | Self::PostedAt
                    | Self::From
                    | Self::To
                    | Self::PlannedOut
                    | Self::PlannedIn
                    | Self::ActualOut
                    | Self::ActualIn
                    | Self::AppliedAt
                    | Self::EnteredAt
                    | Self::ApprovedAt
            ),
        }
    }
}

/// A header, told apart: what it is called and what it is measured in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Half width, lower case, without spaces, punctuation and brackets.
    pub(crate) key: String,
    /// The measure in brackets.
    pub(crate) measure: Option<Measure>,
    /// The same header read as a name and a measure behind an underscore or a space: `odometer_km`.
    pub(crate) parted: Option<(String, Measure)>,
}

impl Header {
    /// Reads a header as written.
    pub(crate) fn read(written: &str) -> Self {
        let plain: String = written.chars().map(half_width_char).flat_map(char::to_lowercase).collect();
        let (mut outside, mut inside, mut depth) = (String::new(), String::new(), 0_u32);
        for c in plain.chars() {
            match c {
                '(' | '[' | '【' | '〔' => depth += 1,
                ')' | ']' | '】' | '〕' => depth = depth.saturating_sub(1),
                _ if depth > 0 => inside.push(c),
                _ => outside.push(c),
            }
        }
        let inside: String = inside.chars().filter(|c| !c.is_whitespace()).collect();
        let outside = outside.trim();
        let parted = outside.match_indices(['_', ' ', '/']).find_map(|(at, _)| {
            let (name, behind) = outside.split_at_checked(at)?;
            let measure: String = behind.chars().skip(1).filter(|c| !matches!(c, '_' | ' ')).collect();
            Some((key_of(name), Measure::from_name(&measure)?))
        });
        Self { key: key_of(outside), measure: Measure::from_name(&inside), parted }
    }

    /// Whether this header means `field`: the place of its name in the list, lower being nearer.
    fn rank(&self, field: Field) -> Option<(usize, Option<Measure>)> {
        let place = |key: &str| field.names().iter().position(|name| *name == key);
        if let Some(rank) = place(&self.key) {
            let of_parted = self.parted.as_ref().map(|(_, measure)| *measure);
            return Some((rank, self.measure.or(of_parted)));
        }
        let (name, measure) = self.parted.as_ref().filter(|(_, measure)| field.is_measured_in(*measure))?;
        place(name).map(|rank| (rank, Some(*measure)))
    }
}

fn key_of(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// A column of a kind of row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) field: Field,
    pub(crate) is_required: bool,
    /// The Chinese name that messages use when the file lacks the column.
    pub(crate) zh: &'static str,
}

/// A column that every row must have a value in.
pub(crate) const fn required(field: Field, zh: &'static str) -> Wanted {
    Wanted { field, is_required: true, zh }
}

/// A column that may be absent or empty.
pub(crate) const fn optional(field: Field, zh: &'static str) -> Wanted {
    Wanted { field, is_required: false, zh }
}

/// Where a field stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) field: Field,
    pub(crate) index: usize,
    pub(crate) header: String,
    pub(crate) measure: Option<Measure>,
    rank: usize,
}

/// Whether `header` means one of these fields; how tables find their header row.
pub(crate) fn is_known(wanted: &[Wanted], header: &str) -> bool {
    find(wanted, header).is_some()
}

fn find(wanted: &[Wanted], written: &str) -> Option<(Field, usize, Option<Measure>)> {
    let header = Header::read(written);
    let by_own_name = |wanted: &&Wanted| key_of(wanted.zh) == header.key;
    if let Some(wanted) = wanted.iter().find(by_own_name) {
        return Some((wanted.field, 0, header.measure));
    }
    wanted
        .iter()
        .filter_map(|wanted| {
            header.rank(wanted.field).map(|(rank, measure)| (wanted.field, rank + 1, measure))
        })
        .min_by_key(|&(_, rank, _)| rank)
}

/// The columns of a file, by field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    found: Vec<Column>,
    wanted: &'static [Wanted],
}

impl Columns {
    /// Finds the columns by their headers. Of two columns for one field the one with the nearer name counts; the other is
    /// handed to `twice`, as unknown ones are to `unknown`.
    pub(crate) fn find(
        headers: &[String],
        wanted: &'static [Wanted],
        mut twice: impl FnMut(&Column, &str),
        mut unknown: impl FnMut(&str),
    ) -> Self {
        let mut found: Vec<Column> = Vec::new();
        for (index, header) in headers.iter().enumerate().filter(|(_, header)| !header.is_empty()) {
            let Some((field, rank, measure)) = find(wanted, header) else {
                unknown(header);
                continue;
            };
            let column = Column { field, index, header: header.clone(), measure, rank };
            match found.iter_mut().find(|other| other.field == field) {
                None => found.push(column),
                Some(other) if column.rank < other.rank => {
                    twice(&column, &other.header);
                    *other = column;
                }
                Some(other) => twice(other, header),
            }
        }
        Self { found, wanted }
    }

    /// As [`Self::find`] for a register: a field twice and a required one missing are errors, unknown columns warnings.
    pub(crate) fn of_register(
        table: &Table,
        wanted: &'static [Wanted],
        errors: &mut Problems,
        warnings: &mut Problems,
    ) -> Self {
        let row = Some(table.header_row);
        let columns = Self::find(
            &table.headers,
            wanted,
            |first, second| {
                let fault = Fault::DuplicateColumn { other: first.header.clone() };
                errors.push_with(|| Problem::new(row, second, "", &fault));
            },
            |header| warnings.push_with(|| Problem::new(row, header, "", &Fault::UnknownColumn)),
        );
        for wanted in wanted.iter().filter(|wanted| wanted.is_required && columns.of(wanted.field).is_none())
        {
            errors.push_with(|| Problem::new(row, wanted.zh, "", &Fault::MissingColumn));
        }
        columns
    }

    /// The header of `field` as the file has it, or its usual Chinese name when the file lacks it.
    pub(crate) fn name(&self, field: Field) -> &str {
        let usual = || self.wanted.iter().find(|wanted| wanted.field == field).map(|wanted| wanted.zh);
        self.of(field).map(|column| column.header.as_str()).or_else(usual).unwrap_or_default()
    }

    /// The column of `field`.
    pub(crate) fn of(&self, field: Field) -> Option<&Column> {
        self.found.iter().find(|column| column.field == field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_told_apart_from_its_measure() {
        let header = Header::read("加油量（升）");
        assert_eq!((header.key.as_str(), header.measure), ("加油量", Some(Measure::Litres)));
        let header = Header::read(" Planned_Out ");
        assert_eq!((header.key.as_str(), header.measure), ("plannedout", None));
        assert_eq!(Header::read("odometer_km").parted, Some(("odometer".into(), Measure::Kilometres)));
        for (written, measure) in [
            ("Speed km/h", Measure::KilometresPerHour),
            ("speed_km_h", Measure::KilometresPerHour),
            ("speed m/s", Measure::MetresPerSecond),
        ] {
            assert_eq!(Header::read(written).parted, Some(("speed".into(), measure)), "{written}");
        }
        assert!(!is_known(&[optional(Field::Ignition, "点火")], "acc_m"));
        assert_eq!(Header::read("时间(北京时间)").measure, Some(Measure::BeijingTime));
    }

    #[test]
    fn every_name_is_normalised_so_that_it_can_be_found() {
        for field in Field::ALL {
            for name in field.names() {
                assert_eq!(Header::read(name).key, *name, "{field:?}");
            }
        }
    }

    #[test]
    fn the_nearer_name_wins() {
        const WANTED: &[Wanted] = &[required(Field::Device, "终端号"), optional(Field::Plate, "车牌号")];
        let headers = ["IMEI", "设备号", "号牌"].map(str::to_owned);
        let mut twice = Vec::new();
        let columns = Columns::find(
            &headers,
            WANTED,
            |first, second| twice.push((first.index, second.to_owned())),
            |_| {},
        );
        assert_eq!(columns.of(Field::Device).map(|column| column.index), Some(1));
        assert_eq!(columns.of(Field::Plate).map(|column| column.index), Some(2));
        assert_eq!(twice, [(1, "IMEI".to_owned())]);
    }
}
