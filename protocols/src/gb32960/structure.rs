//! The structures inside the information blocks of real-time data, both editions.
//!
//! Field by field from GB/T 32960.3-2016 tables 9 to 20 and -2025 tables 10 to 27, as public codecs and test suites
//! give them. The names carry the unit; what each number means lies in its type.

use super::value::{
    AlarmFlags, Amperes1000, Amperes3000, Celsius, ChargeState, CoordinateSystem, DcDcState, DegreesE6,
    EngineState, FaultCode, Gear, MotorState, PositionState, RunMode, Scaled, Tenths, Thousandths,
    VehicleState, Whole,
};
use super::wire::{List, block};

block! {
    /// Vehicle data of 2016.
    Vehicle2016 {
        /// State of the vehicle.
        vehicle_state: VehicleState,
        /// State of charging.
        charge_state: ChargeState,
        /// Way of running.
        run_mode: RunMode,
        /// Speed.
        speed_kmh: Tenths<u16>,
        /// Distance counter.
        odometer_km: Tenths<u32>,
        /// Voltage of the traction battery.
        pack_v: Tenths<u16>,
        /// Current of the traction battery.
        pack_a: Amperes1000,
        /// Charge of the traction battery.
        state_of_charge_percent: Whole<u8>,
        /// DC-DC converter.
        dc_dc_state: DcDcState,
        /// Gear, driving and braking force.
        gear: Gear,
        /// Insulation resistance.
        insulation_kohm: Whole<u16>,
        /// Accelerator pedal.
        pedal_percent: Whole<u8>,
        /// Brake pedal; 101 means that it is pressed but not measured.
        brake_percent: Whole<u8>,
    }
}

block! {
    /// Vehicle data of 2025: a wider current, and no pedals.
    Vehicle2025 {
        /// State of the vehicle.
        vehicle_state: VehicleState,
        /// State of charging.
        charge_state: ChargeState,
        /// Way of running.
        run_mode: RunMode,
        /// Speed.
        speed_kmh: Tenths<u16>,
        /// Distance counter.
        odometer_km: Tenths<u32>,
        /// Voltage of the traction battery.
        pack_v: Tenths<u16>,
        /// Current of the traction battery.
        pack_a: Amperes3000,
        /// Charge of the traction battery.
        state_of_charge_percent: Whole<u8>,
        /// DC-DC converter.
        dc_dc_state: DcDcState,
        /// Gear, driving and braking force.
        gear: Gear,
        /// Insulation resistance.
        insulation_kohm: Whole<u16>,
    }
}

block! {
    /// One drive motor of 2016.
    Motor2016 {
        /// Number of the motor.
        number: Whole<u8>,
        /// What it does.
        state: MotorState,
        /// Temperature of its controller.
        controller_c: Celsius,
        /// Speed.
        speed_rpm: Scaled<u16, 1_000, -20_000_000>,
        /// Torque.
        torque_nm: Scaled<u16, 100, -2_000_000>,
        /// Temperature.
        temperature_c: Celsius,
        /// Input voltage of its controller.
        controller_v: Tenths<u16>,
        /// Direct current of its controller.
        controller_a: Amperes1000,
    }
}

block! {
    /// One drive motor of 2025.
    Motor2025 {
        /// Number of the motor.
        number: Whole<u8>,
        /// What it does.
        state: MotorState,
        /// Temperature of its controller.
        controller_c: Celsius,
        /// Speed.
        speed_rpm: Scaled<u16, 1_000, -32_000_000>,
        /// Torque.
        torque_nm: Scaled<u32, 100, -20_000_000>,
        /// Temperature.
        temperature_c: Celsius,
    }
}

block! {
    /// Fuel cell of 2016.
    FuelCell2016 {
        /// Voltage.
        fuel_cell_v: Tenths<u16>,
        /// Current.
        fuel_cell_a: Tenths<u16>,
        /// Hydrogen used for 100 km.
        consumption_kg_per_100km: Scaled<u16, 10, 0>,
        /// Temperature probes.
        probes_c: List<u16, Celsius>,
        /// Highest temperature of the hydrogen system.
        hydrogen_max_c: Scaled<u16, 100, -40_000>,
        /// Number of the probe that measured it.
        hydrogen_max_c_probe: Whole<u8>,
        /// Highest concentration of hydrogen.
        hydrogen_max_mg_per_kg: Whole<u16>,
        /// Number of the sensor that measured it.
        hydrogen_max_mg_per_kg_sensor: Whole<u8>,
        /// Greatest pressure of hydrogen.
        hydrogen_max_mpa: Tenths<u16>,
        /// Number of the sensor that measured it.
        hydrogen_max_mpa_sensor: Whole<u8>,
        /// High-voltage DC-DC converter.
        dc_dc_state: DcDcState,
    }
}

block! {
    /// Fuel cell engine and hydrogen system of 2025.
    FuelCell2025 {
        /// Highest temperature of the hydrogen system.
        hydrogen_max_c: Scaled<u16, 1_000, -40_000>,
        /// Number of the probe that measured it.
        hydrogen_max_c_probe: Whole<u8>,
        /// Highest concentration of hydrogen: steps of 0.0001 %.
        hydrogen_max_ppm: Whole<u16>,
        /// Number of the sensor that measured it.
        hydrogen_max_ppm_sensor: Whole<u8>,
        /// Greatest pressure of hydrogen.
        hydrogen_max_mpa: Tenths<u16>,
        /// Number of the sensor that measured it.
        hydrogen_max_mpa_sensor: Whole<u8>,
        /// High-voltage DC-DC converter.
        dc_dc_state: DcDcState,
        /// Hydrogen left.
        hydrogen_left_percent: Whole<u8>,
        /// Temperature of the DC-DC converter's controller.
        dc_dc_c: Celsius,
    }
}

block! {
    /// One fuel cell stack (2025).
    Stack {
        /// Number of the stack.
        number: Whole<u8>,
        /// Voltage.
        stack_v: Tenths<u16>,
        /// Current.
        stack_a: Tenths<u16>,
        /// Pressure of hydrogen at the inlet, above the atmosphere's.
        hydrogen_inlet_kpa: Scaled<u16, 100, -100_000>,
        /// Pressure of air at the inlet, above the atmosphere's.
        air_inlet_kpa: Scaled<u16, 100, -100_000>,
        /// Temperature of air at the inlet.
        air_inlet_c: Celsius,
        /// Probes of the coolant at its outlet.
        probes_c: List<u16, Celsius>,
    }
}

block! {
    /// Engine of 2016.
    Engine2016 {
        /// State.
        engine_state: EngineState,
        /// Crankshaft speed.
        crankshaft_rpm: Whole<u16>,
        /// Fuel used for 100 km.
        consumption_l_per_100km: Scaled<u16, 10, 0>,
    }
}

block! {
    /// Engine of 2025.
    Engine2025 {
        /// Crankshaft speed.
        crankshaft_rpm: Whole<u16>,
    }
}

block! {
    /// Position of 2016, in WGS-84.
    Position2016 {
        /// Validity and hemispheres.
        position_state: PositionState,
        /// Longitude.
        longitude_deg: DegreesE6,
        /// Latitude.
        latitude_deg: DegreesE6,
    }
}

block! {
    /// Position of 2025, in the datum that it states.
    Position2025 {
        /// Validity and hemispheres.
        position_state: PositionState,
        /// Datum.
        coordinate_system: CoordinateSystem,
        /// Longitude.
        longitude_deg: DegreesE6,
        /// Latitude.
        latitude_deg: DegreesE6,
    }
}

block! {
    /// Extremes of the traction battery (2016).
    Extremes {
        /// Number of the subsystem with the highest cell voltage.
        cell_max_v_subsystem: Whole<u8>,
        /// Number of that cell.
        cell_max_v_cell: Whole<u8>,
        /// Highest cell voltage.
        cell_max_v: Thousandths,
        /// Number of the subsystem with the lowest cell voltage.
        cell_min_v_subsystem: Whole<u8>,
        /// Number of that cell.
        cell_min_v_cell: Whole<u8>,
        /// Lowest cell voltage.
        cell_min_v: Thousandths,
        /// Number of the subsystem with the highest temperature.
        cell_max_c_subsystem: Whole<u8>,
        /// Number of that probe.
        cell_max_c_probe: Whole<u8>,
        /// Highest temperature.
        cell_max_c: Celsius,
        /// Number of the subsystem with the lowest temperature.
        cell_min_c_subsystem: Whole<u8>,
        /// Number of that probe.
        cell_min_c_probe: Whole<u8>,
        /// Lowest temperature.
        cell_min_c: Celsius,
    }
}

block! {
    /// Alarms of 2016.
    Alarms2016 {
        /// Highest level: 0 none, 1 keep driving, 2 drive carefully, 3 stop at once.
        level: Whole<u8>,
        /// General alarm flags.
        flags: AlarmFlags,
        /// Faults of the traction battery.
        battery_faults: List<u8, FaultCode>,
        /// Faults of drive motors.
        motor_faults: List<u8, FaultCode>,
        /// Faults of the engine.
        engine_faults: List<u8, FaultCode>,
        /// Other faults.
        other_faults: List<u8, FaultCode>,
    }
}

block! {
    /// The level of one general alarm (2025).
    AlarmLevel {
        /// Number of its bit.
        alarm: Whole<u8>,
        /// Its level.
        level: Whole<u8>,
    }
}

block! {
    /// Alarms of 2025.
    Alarms2025 {
        /// Highest level: 0 none to 3, and 4 for a thermal event.
        level: Whole<u8>,
        /// General alarm flags.
        flags: AlarmFlags,
        /// Faults of the traction battery.
        battery_faults: List<u8, FaultCode>,
        /// Faults of drive motors.
        motor_faults: List<u8, FaultCode>,
        /// Faults of the engine.
        engine_faults: List<u8, FaultCode>,
        /// Other faults.
        other_faults: List<u8, FaultCode>,
        /// Levels of the general alarms.
        levels: List<u8, AlarmLevel>,
    }
}

block! {
    /// Voltages of one subsystem of the traction battery (2016).
    ///
    /// Public code disagrees about the current: -1,000 A is what the standard has and what real frames repeat from
    /// their vehicle block.
    PackVoltages {
        /// Number of the subsystem.
        number: Whole<u8>,
        /// Its voltage.
        pack_v: Tenths<u16>,
        /// Its current.
        pack_a: Amperes1000,
        /// Number of cells it has.
        cell_count: Whole<u16>,
        /// Number of the first cell of this frame.
        first_cell: Whole<u16>,
        /// Voltages of the cells of this frame.
        cells_v: List<u8, Thousandths>,
    }
}

block! {
    /// Voltages of the smallest parallel units of one pack (2025).
    UnitVoltages {
        /// Number of the pack.
        number: Whole<u8>,
        /// Its voltage.
        pack_v: Tenths<u16>,
        /// Its current.
        pack_a: Amperes3000,
        /// Voltages of its units.
        cells_v: List<u16, Thousandths>,
    }
}

block! {
    /// Temperatures of one subsystem or pack of the traction battery.
    PackTemperatures {
        /// Number of the subsystem or pack.
        number: Whole<u8>,
        /// Its probes.
        probes_c: List<u16, Celsius>,
    }
}

block! {
    /// Super-capacitor (2025).
    SuperCapacitor {
        /// Number of the system.
        number: Whole<u8>,
        /// Voltage.
        total_v: Tenths<u16>,
        /// Current.
        total_a: Amperes3000,
        /// Voltages of its cells.
        cells_v: List<u16, Thousandths>,
        /// Its probes.
        probes_c: List<u16, Celsius>,
    }
}

block! {
    /// Extremes of the super-capacitor (2025).
    CapacitorExtremes {
        /// Number of the system with the highest cell voltage.
        cell_max_v_system: Whole<u8>,
        /// Number of that cell.
        cell_max_v_cell: Whole<u16>,
        /// Highest cell voltage.
        cell_max_v: Thousandths,
        /// Number of the system with the lowest cell voltage.
        cell_min_v_system: Whole<u8>,
        /// Number of that cell.
        cell_min_v_cell: Whole<u16>,
        /// Lowest cell voltage.
        cell_min_v: Thousandths,
        /// Number of the system with the highest temperature.
        cell_max_c_system: Whole<u8>,
        /// Number of that probe.
        cell_max_c_probe: Whole<u16>,
        /// Highest temperature.
        cell_max_c: Celsius,
        /// Number of the system with the lowest temperature.
        cell_min_c_system: Whole<u8>,
        /// Number of that probe.
        cell_min_c_probe: Whole<u16>,
        /// Lowest temperature.
        cell_min_c: Celsius,
    }
}
