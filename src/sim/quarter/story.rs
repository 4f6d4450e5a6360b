//! What happens in a quarter beside the ordinary, and what is true about it.

use jiff::civil::Date;
use motorpool_supervision::UtcMillis;
use motorpool_supervision::finding::Rule;
use motorpool_supervision::ids::VehicleId;

/// What a story truly is. The judge never sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the three answers of a review")]
pub enum Kind {
    /// 违规.
    Violation,
    /// 管理问题.
    Management,
    /// 正常: looks odd and is in order.
    Normal,
}

impl Kind {
    /// The Chinese name.
    #[must_use]
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Violation => "违规",
            Self::Management => "管理问题",
            Self::Normal => "正常",
        }
    }
}

macro_rules! stories {
    ($($(#[$doc:meta])* $name:ident: $kind:ident, $code:literal, [$($rule:ident),*], $days:literal;)*) => {
        /// A story that the simulator can tell.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(clippy::exhaustive_enums, reason = "scorers must handle every story")]
        pub enum Story { $($(#[$doc])* $name,)* }

        impl Story {
            /// All stories.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What it truly is.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind),* }
            }

            /// Its name in files.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// The rules that ought to find it; nothing for what is in order.
            ///
            /// One of them is enough. Rules on a pattern of days (R18, R24, R26) speak once for an event, not on each
            /// of its days.
            #[must_use]
            pub const fn rules_expected(self) -> &'static [Rule] {
                match self { $(Self::$name => &[$(Rule::$rule),*]),* }
            }

            /// How many days in a row it takes.
            pub(super) const fn days(self) -> i64 {
                match self { $(Self::$name => $days),* }
            }
        }
    };
}

stories! {
    /// In the evening to a KTV, tea house or bath house and back, without an order.
    OffHoursErrand: Violation, "off_hours_errand", [R01, R05, R08], 1;
    /// On a rest day to a scenic spot, without an order.
    WeekendScenic: Violation, "weekend_scenic", [R01, R06, R08], 1;
    /// Mornings at a school, five or more days of ten; in every second event under an order to somewhere else.
    SchoolRun: Violation, "school_run", [R26], 14;
    /// Evening after evening to a housing estate, back in the morning.
    CommutingHome: Violation, "commuting_home", [R18, R07, R01], 14;
    /// Under an order, but with a long stop at a place of leisure far off the way.
    DetourInOrder: Violation, "detour_in_order", [R04, R08], 1;
    /// The order names one place, the car went to another.
    WrongDestination: Violation, "wrong_destination", [R04], 1;
    /// After duty to the driver's estate, four nights.
    OvernightAtHome: Violation, "overnight_at_home", [R07, R18, R01], 5;
    /// The tracker loses its power, and comes back with kilometres on the odometer.
    Unplugged: Violation, "unplugged", [R10], 1;
    /// The receiver is jammed for an evening: the odometer counts, the position stands.
    Jammed: Violation, "jammed", [R11, R10], 1;
    /// A week of nights in the depot of another unit that uses it without a transfer slip.
    Borrowed: Violation, "borrowed", [R24, R07, R01], 8;
    /// One journey on three orders in a row, each short enough to need no higher approval.
    SplitOrders: Violation, "split_orders", [R22], 1;
    /// An order for a day on which the car never left.
    FalseOrder: Violation, "false_order", [R22], 1;
    /// A private evening with an order that was written the next day.
    LateOrderForPrivate: Violation, "late_order_for_private", [R01, R08, R22], 1;
    /// The card of the car fills another one: 58 litres, then 39 within two hours, the car elsewhere.
    FuelCardElsewhere: Violation, "fuel_card_elsewhere", [R14, R13], 1;
    /// More litres than the tank holds.
    OverTank: Violation, "over_tank", [R13], 1;
    /// A sealed car is driven on a holiday.
    SealedMoved: Violation, "sealed_moved", [R06, R01], 1;
    /// A long order with a short duty, and a private afternoon in it.
    PrivateInLongOrder: Violation, "private_in_long_order", [R08, R04], 1;
    /// From one office to the next within the area for which allowances are paid.
    AllowanceTrip: Violation, "allowance_trip", [R21], 1;
    /// A repair is billed for a day on which the car was driven elsewhere.
    RepairElsewhere: Violation, "repair_elsewhere", [R16], 1;
    /// Two cars of two units at one place of leisure in the evening, without orders.
    Gathering: Violation, "gathering", [R27, R01, R05, R08], 1;

    /// Back two hours late, without a word.
    OverrunTwoHours: Management, "overrun_2h", [R02], 1;
    /// A real duty whose order was written hours after it began.
    LateFiling: Management, "late_filing", [R01], 1;
    /// One night where the last duty ended, because it grew late.
    ForgotDepot: Management, "forgot_depot", [R07], 2;
    /// A bad wire: the tracker is without power for a while, the car does not move.
    WiringFault: Management, "wiring_fault", [R10], 1;
    /// A digit too many in the kilometres of the slip.
    MileageTyped: Management, "mileage_typed", [R12], 1;
    /// The card in the reader is that of another driver than the order names.
    OtherDriver: Management, "other_driver", [R17], 1;
    /// A toll is booked on the plate while the car stands in its depot: the plate is cloned, the unit has to act.
    ClonedPlate: Management, "cloned_plate", [R15, R23], 1;

    /// Out at night in a declared emergency, paper filed within a day.
    FloodDuty: Normal, "flood_duty", [], 2;
    /// To the next city under an order; the receiver is silent in the tunnel and minutes after it.
    TunnelGap: Normal, "tunnel_gap", [], 1;
    /// Parked in the depot, the positions wander at night.
    NightDrift: Normal, "night_drift", [], 1;
    /// The order runs over by forty minutes.
    OverrunShort: Normal, "overrun_40min", [], 1;
    /// The depot lies beside a housing estate.
    DepotByHousing: Normal, "depot_by_housing", [], 1;
    /// Two nights in the fixed repair shop.
    InRepair: Normal, "in_repair", [], 3;
    /// On the weekend under a duty roster.
    DutyWeekend: Normal, "duty_weekend", [], 1;
    /// A law-enforcement patrol late in the evening, under a roster.
    NightPatrol: Normal, "night_patrol", [], 1;
    /// Under an order, with a way to a hospital that the driver reported (行程报备, 送医).
    HospitalReported: Normal, "hospital_reported", [], 1;
    /// The slip names the place by an old name.
    AliasPlace: Normal, "alias_place", [], 1;
    /// Parked, the tracker reports once an hour.
    HourlyHeartbeat: Normal, "hourly_heartbeat", [], 1;
    /// The tracker is silent while the ignition is off.
    SleepingTracker: Normal, "sleeping_tracker", [], 1;
    /// The tracker has no ignition wire.
    NoIgnitionWire: Normal, "no_ignition_wire", [], 1;
    /// The tracker reports once a minute.
    MinuteTracker: Normal, "minute_tracker", [], 1;
    /// Two days in the next city under one order.
    MultiDayOrder: Normal, "multi_day_order", [], 2;
    /// On a holiday under a permission to open the seal (启封).
    OpenedSeal: Normal, "opened_seal", [], 1;
}

impl Story {
    /// The stories of a kind.
    pub fn of(kind: Kind) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |story| story.kind() == kind)
    }
}

/// What is true about a vehicle-day.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "read by scorers")]
pub struct Label {
    /// The vehicle.
    pub vehicle: VehicleId,
    /// The local day; for a night, the one on whose evening it begins.
    pub day: Date,
    /// The days of one story have the same number, also on the two cars of a gathering; numbers begin with 1.
    pub event: u32,
    /// What it is.
    pub kind: Kind,
    /// What happened.
    pub story: Story,
    /// The rules that ought to find it, see [`Story::rules_expected`].
    pub rules_expected: Vec<Rule>,
    /// When it began.
    pub from: UtcMillis,
    /// When it was over.
    pub to: UtcMillis,
}
