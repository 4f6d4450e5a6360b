//! Which of our fields each field of each source means.
//!
//! A line is: sources (s SmallChi/JT808, y yezhihao/jt808-server, e emqx, g go-jt808), message ids or `*`, the
//! source's name, and where it stands in our document. `{}` is filled with the indexes of the source's path (or
//! with the number of times the name has come, where the source lists fields one after another);
//! alternatives are separated by `|`; `:how` transforms ours before the comparison.

/// The table.
pub(crate) const TABLE: &str = "
s * MsgId /header/message_id
s * ManualMsgNum /header/serial
s * TerminalPhoneNo /header/terminal
s * Header.MsgId /header/message_id
s * Header.MsgNum /header/serial
s * Header.TerminalPhoneNo /header/terminal
s * Header.VersionFlag /header/is_2019
s * Version /header/is_2019:kind2019
s * Bodies /body
s 0x0001 ReplyMsgId /body/answered_id
s 0x0001 ReplyMsgNum /body/answered_serial
s 0x0001 TerminalResult /body/result
s 0x0001 Test /rest:u16@0
s 0x0005 OriginalMsgNum /body/first_serial
s 0x0005 AgainPackageData /body/packets:words
s 0x0005 AgainPackageCount /body/packets:count
s 0x0100 AreaID /body/province
s 0x0100 CityOrCountyId /body/city
s 0x0100 MakerId /body/maker
s 0x0100 PlateColor /body/plate_colour
s 0x0100 PlateNo /body/plate
s 0x0100 TerminalId /body/terminal_id
s 0x0100 TerminalModel /body/model
s 0x0102 Code /body/code
s 0x0104 MsgNum /body/answered_serial
s 0x0104 AnswerParamsCount /body/parameters:count
s 0x0104,0x8103 ParamId /body/parameters/{}/id:hex_number
s 0x0104,0x8103 ParamValue /body/parameters/{}/value
s 0x0107 TerminalType /body/terminal_type
s 0x0107 MakerId /body/maker
s 0x0107 TerminalModel /body/model
s 0x0107 TerminalId /body/terminal_id
s 0x0107 Terminal_SIM_ICCID /body/iccid
s 0x0107 Terminal_Hardware_Version_Num /body/hardware_version
s 0x0107 Terminal_Firmware_Version_Num /body/firmware_version
s 0x0107 GNSSModule /body/gnss
s 0x0107 CommunicationModule /body/communication
s 0x0200,0x0201,0x0704,0x0801,0x0802 AlarmFlag /locations/{}/alarms
s 0x0201,0x0704,0x0801,0x0802 Altitude /locations/{}/altitude_m
s 0x0200,0x0201,0x0704,0x0801,0x0802 GPSTime /locations/{}/time
s 0x0200,0x0201,0x0704,0x0801,0x0802 Lat /locations/{}/lat_e6
s 0x0200,0x0201,0x0704,0x0801,0x0802 Lng /locations/{}/lon_e6
s 0x0201,0x0704,0x0801,0x0802 Speed /locations/{}/speed_dkmh
s 0x0704,0x0801,0x0802 Direction /locations/{}/course_deg
s 0x0200,0x0201,0x0704,0x0801,0x0802 StatusFlag /locations/{}/status
s 0x0200,0x0201,0x0704 Mileage /locations/{}/items/odometer_m:per100
s 0x0200,0x0201,0x0704 Oil /locations/{}/items/fuel_l:x10
s 0x0200 Altitude /locations/0/altitude_m|/locations/0/items/adas/altitude_m|/locations/0/items/bsd/altitude_m
s 0x0200 Speed /locations/0/speed_dkmh|/locations/0/items/recorder_speed_kmh:x10|/locations/0/items/adas/speed_kmh|/locations/0/items/bsd/speed_kmh
s 0x0200 Direction /locations/0/course_deg|/locations/0/items/area_passage/direction
s 0x0200 Age /locations/0/unknown/0x61:u32@0
s 0x0200 Gender /locations/0/unknown/0x61:u8@4
s 0x0200 UserName /locations/0/unknown/0x61:gbk@5
s 0x0200 EventId /locations/0/items/alarm_event_id
s 0x0200 AreaId /locations/0/items/overspeed_place/id|/locations/0/items/area_passage/id
s 0x0200 JT808PositionType /locations/0/items/overspeed_place/place_type|/locations/0/items/area_passage/place_type
s 0x0200 DrivenRoute /locations/0/items/section_time/result
s 0x0200 DrivenRouteId /locations/0/items/section_time/section_id
s 0x0200 Time /locations/0/items/section_time/time_s
s 0x0200 CarSignalStatus /locations/0/items/signals/bits
s 0x0200 IOStatus /locations/0/items/io/bits
s 0x0200 WiFiSignalStrength /locations/0/signal
s 0x0200 GNSSCount /locations/0/satellites
s 0x0200 item.Temperatures /locations/0/items/temperatures_dc/{}
s 0x0200 item.Direction /locations/0/items/rotation
s 0x0200 item.Volage /locations/0/items/voltage_v:x100
s 0x0200 Count /locations/0/items/wifi:count
s 0x0200 WifiMac /locations/0/items/wifi/{}/mac
s 0x0200 SingnalStrength /locations/0/items/wifi/{}/signal
s 0x0200 MCC /locations/0/items/cell/mcc
s 0x0200 MNC /locations/0/items/cell/mnc
s 0x0200 LAC /locations/0/items/cell/lac
s 0x0200 CI /locations/0/items/cell/cell
s 0x0200 Version /locations/0/items/firmware
s 0x0200 IMEI /locations/0/items/imei
s 0x0200 item.IMEI /locations/0/items/imei
s 0x0200 Alarm /locations/0/items/vendor_alarm_bits
s 0x0200 item.Alarm /locations/0/items/vendor_alarm_bits
s 0x0200 item.PowerPercent /locations/0/items/battery/percent
s 0x0200 item.Power /locations/0/items/battery/power
s 0x0200 item.Status /locations/0/items/battery/state
s 0x0200 AlarmId /locations/0/items/adas/alarm_id|/locations/0/items/bsd/alarm_id
s 0x0200 AttachCount /locations/0/items/adas/mark/attachments|/locations/0/items/bsd/mark/attachments
s 0x0200 SN /locations/0/items/adas/mark/serial|/locations/0/items/bsd/mark/serial
s 0x0200 TerminalID /locations/0/items/adas/mark/terminal_id
s 0x0200 TerminalId /locations/0/items/adas/mark/terminal_id|/locations/0/items/bsd/mark/terminal_id
s 0x0200 Retain1 /locations/0/items/adas/mark/reserved:hex_high|/locations/0/items/bsd/mark/reserved:hex_high
s 0x0200 Retain2 /locations/0/items/adas/mark/reserved:hex_low|/locations/0/items/bsd/mark/reserved:hex_low
s 0x0200 AlarmLevel /locations/0/items/adas/level
s 0x0200 AlarmOrEventType /locations/0/items/adas/alarm_type|/locations/0/items/bsd/alarm_type
s 0x0200 CarOrPedestrianDistanceAhead /locations/0/items/adas/front_distance_100ms
s 0x0200 DeviateType /locations/0/items/adas/departure
s 0x0200 FlagState /locations/0/items/adas/state|/locations/0/items/bsd/state
s 0x0200 Latitude /locations/0/items/adas/latitude_e6|/locations/0/items/bsd/latitude_e6
s 0x0200 Longitude /locations/0/items/adas/longitude_e6|/locations/0/items/bsd/longitude_e6
s 0x0200 RoadSignIdentificationData /locations/0/items/adas/road_sign_value
s 0x0200 RoadSignIdentificationType /locations/0/items/adas/road_sign
s 0x0200 VehicleSpeed /locations/0/items/adas/front_speed_kmh
s 0x0200 VehicleState /locations/0/items/adas/vehicle_state|/locations/0/items/bsd/vehicle_state
s 0x0200 item.AlarmId /locations/0/items/*/alarm_id
s 0x0200 item.AttachCount /locations/0/items/*/mark/attachments
s 0x0200 item.SN /locations/0/items/*/mark/serial
s 0x0200 item.TerminalID /locations/0/items/*/mark/terminal_id
s 0x0200 item.TerminalId /locations/0/items/*/mark/terminal_id
s 0x0200 item.Retain1 /locations/0/items/*/mark/reserved:hex_high
s 0x0200 item.Retain2 /locations/0/items/*/mark/reserved:hex_low
s 0x0200 item.Time /locations/0/items/*/mark/time
s 0x0200 item.AlarmTime /locations/0/items/*/time
s 0x0200 item.AlarmLevel /locations/0/items/*/level
s 0x0200 item.AlarmOrEventType /locations/0/items/tpms/tyres/{}/bits|/locations/0/items/*/alarm_type
s 0x0200 item.Altitude /locations/0/items/*/altitude_m
s 0x0200 item.CarOrPedestrianDistanceAhead /locations/0/items/adas/front_distance_100ms
s 0x0200 item.DeviateType /locations/0/items/adas/departure
s 0x0200 item.FlagState /locations/0/items/*/state
s 0x0200 item.Latitude /locations/0/items/*/latitude_e6
s 0x0200 item.Longitude /locations/0/items/*/longitude_e6
s 0x0200 item.RoadSignIdentificationData /locations/0/items/adas/road_sign_value
s 0x0200 item.RoadSignIdentificationType /locations/0/items/adas/road_sign
s 0x0200 item.Speed /locations/0/items/*/speed_kmh
s 0x0200 item.VehicleSpeed /locations/0/items/adas/front_speed_kmh
s 0x0200 item.VehicleState /locations/0/items/*/vehicle_state
s 0x0200 item.Retain /locations/0/items/dsm/reserved
s 0x0200 item.Fatigue /locations/0/items/dsm/fatigue
s 0x0200 item.AlarmOrEventCount /locations/0/items/tpms/tyres:count
s 0x0200 item.BatteryLevel /locations/0/items/tpms/tyres/{}/battery_percent
s 0x0200 item.TirePressure /locations/0/items/tpms/tyres/{}/pressure_kpa
s 0x0200 item.TirePressureAlarmPosition /locations/0/items/tpms/tyres/{}/position
s 0x0200 item.TireTemperature /locations/0/items/tpms/tyres/{}/temperature_c
s 0x0200 TestValue /locations/0/unknown/0xdf
s 0x0200 UnknownLocationAttachData /locations/0/unknown_whole/{}
s 0x0200 ContainsKey(0xCA) /locations/0/unknown/0xca:some
s 0x0200 ContainsKey(0xCB) /locations/0/unknown/0xcb:some
s 0x0200 ExceptionLocationAttachOriginalData /locations/0/tail
s 0x0200 Signal /locations/0/items/cell/signal
s 0x0200 VideoRelateAlarm /locations/0/items/video_alarms/bits
s 0x0200 VideoSignalLoseAlarmStatus /locations/0/items/video_loss_channels:mask
s 0x0200 VideoSignalOcclusionAlarmStatus /locations/0/items/video_occlusion_channels:mask
s 0x0200 StorageFaultAlarmStatus /locations/0/items/storage_faults/main:mask
s 0x0200 AbnormalDrivingBehaviorAlarmType /locations/0/items/abnormal_driving/bits
s 0x0200 FatigueLevel /locations/0/items/abnormal_driving/fatigue_degree
s 0x0201 ReplyMsgNum /body/answered_serial
s 0x0301 EventId /body/event_id
s 0x0302 AnswerId /body/answer_id
s 0x0302 ReplySNo /body/answered_serial
s 0x0303 Flag /body/action
s 0x0303 InformationType /body/information_type
s 0x0304 ReplyMsgNum /bytes:u16@0
s 0x0304 MessageType /bytes:u8@2
s 0x0304 Message /bytes:gbk@5
s 0x0608,0x8608 QueryType /body/query_type
s 0x0608 Count /body/count
s 0x8608 Count /body/ids:count
s 0x0608 Ids /body/found/ids/{}
s 0x8608 Ids /body/ids/{}
s 0x0608 SettingAreaProperty /body/found/circles/0/action
s 0x0608 AreaCount /body/found/circles/0/areas:count
s 0x0608 AreaId /body/found/circles/0/areas/{}/id|/body/found/polygons/{}/id
s 0x0608 AreaProperty /body/found/circles/0/areas/{}/attributes|/body/found/polygons/{}/attributes
s 0x0608 CenterPointLat /body/found/circles/0/areas/{}/latitude_e6
s 0x0608 CenterPointLng /body/found/circles/0/areas/{}/longitude_e6
s 0x0608 Radius /body/found/circles/0/areas/{}/radius_m
s 0x0608 StartTime /body/found/circles/0/areas/{}/period/start|/body/found/polygons/{}/period/start|/body/found/routes/{}/period/start
s 0x0608 EndTime /body/found/circles/0/areas/{}/period/end|/body/found/polygons/{}/period/end|/body/found/routes/{}/period/end
s 0x0608 HighestSpeed /body/found/circles/0/areas/{}/speed_limit/max_kmh|/body/found/polygons/{}/speed_limit/max_kmh
s 0x0608 OverspeedDuration /body/found/circles/0/areas/{}/speed_limit/duration_s|/body/found/polygons/{}/speed_limit/duration_s
s 0x0608 NightMaximumSpeed /body/found/circles/0/areas/{}/speed_limit/night_max_kmh|/body/found/polygons/{}/speed_limit/night_max_kmh|/body/found/routes/0/points/{}/speed_limit/night_max_kmh
s 0x0608 AreaName /body/found/circles/0/areas/{}/name|/body/found/polygons/{}/name
s 0x0608 Lat /body/found/polygons/0/vertices/{}/latitude_e6
s 0x0608 Lng /body/found/polygons/0/vertices/{}/longitude_e6
s 0x0608 RouteId /body/found/routes/0/id
s 0x0608 RouteProperty /body/found/routes/0/attributes
s 0x0608 RouteName /body/found/routes/0/name
s 0x0608 InflectionPointId /body/found/routes/0/points/{}/id
s 0x0608 InflectionPointLat /body/found/routes/0/points/{}/latitude_e6
s 0x0608 InflectionPointLng /body/found/routes/0/points/{}/longitude_e6
s 0x0608 SectionDrivingUnderThreshold /body/found/routes/0/points/{}/driving_time/short_s
s 0x0608 SectionLongDrivingThreshold /body/found/routes/0/points/{}/driving_time/long_s
s 0x0608 SectionHighestSpeed /body/found/routes/0/points/{}/speed_limit/max_kmh
s 0x0608 SectionOverspeedDuration /body/found/routes/0/points/{}/speed_limit/duration_s
s 0x0608 SectionId /body/found/routes/0/points/{}/section_id
s 0x0608 SectionProperty /body/found/routes/0/points/{}/attributes
s 0x0608 SectionWidth /body/found/routes/0/points/{}/width_m
s 0x0700,0x8700,0x8701 CommandId /body/command|/body/block/command
s 0x0700 ReplyMsgNum /body/answered_serial
s 0x0700,0x8701 DriverLicenseNo /body/block/licence/licence|/body/block/accidents/0/licence
s 0x0700,0x8701 RealTime /body/block/clock/time|/body/block/mileage/time|/body/block/signals/time
s 0x0700,0x8701 FirstInstallTime /body/block/mileage/installed
s 0x0700,0x8701 FirstMileage /body/block/mileage/first_mileage
s 0x0700,0x8701 TotalMilage /body/block/mileage/total_mileage
s 0x0700,0x8701 VehicleNo /body/block/vehicle/plate
s 0x0700,0x8701 VehicleType /body/block/vehicle/class
s 0x0700,0x8701 Vin /body/block/vehicle/vin
s 0x0700,0x8701 FarLight /body/block/signals/d4
s 0x0700,0x8701 NearLight /body/block/signals/d3
s 0x0700,0x8701 LeftTurn /body/block/signals/d6
s 0x0700,0x8701 RightTurn /body/block/signals/d5
s 0x0700,0x8701 Brake /body/block/signals/d7
s 0x0700,0x8701 D0 /body/block/signals/d0
s 0x0700,0x8701 D1 /body/block/signals/d1
s 0x0700,0x8701 D2 /body/block/signals/d2
s 0x0700,0x8701 SignalOperate /body/block/signals/signals
s 0x0700 AvgSpeedAfterStartTime /body/block/minutes/{}/seconds/{}/speed_kmh|/body/block/hours/{}/minutes/{}/speed_kmh
s 0x0700 StatusSignalAfterStartTime /body/block/minutes/{}/seconds/{}/signals
s 0x0700 StartTime /body/block/minutes/{}/start|/body/block/hours/{}/start
s 0x0700 GpsLat /body/block/hours/0/minutes/0/latitude|/body/block/accidents/0/latitude
s 0x0700 GpsLng /body/block/hours/0/minutes/0/longitude|/body/block/accidents/0/longitude
s 0x0700 Height /body/block/hours/0/minutes/0/altitude_m|/body/block/accidents/0/altitude_m
s 0x0700 EndTime /body/block/accidents/{}/end
s 0x0700 Speed /body/block/accidents/{}/states/{}/speed_kmh
s 0x0700 StatusSignal /body/block/accidents/{}/states/{}/signals
s 0x0700 EventType /body/block/events/{}/event
s 0x0700 EventTime /body/block/events/{}/time
s 0x0700 SpeedStatus /body/block/speed_checks/{}/state
s 0x0700 SpeedStatusStartTime /body/block/speed_checks/{}/start
s 0x0700 SpeedStatusEndTime /body/block/speed_checks/{}/end
s 0x0700 RecordSpeed /body/block/speed_checks/{}/seconds/{}/recorder_kmh
s 0x0700 ReferenceSpeed /body/block/speed_checks/{}/seconds/{}/reference_kmh
s 0x8700 Count /body/block/range/count
s 0x8701 PulseCoefficient /body/block/pulses/pulses_per_km
s 0x0701 ElectronicWaybillLength /content:count
s 0x0701 Id /content:u32@0
s 0x0701 UserNameLength /content:u16@4
s 0x0701 UserName /content:gbk@6
s 0x0702 IC_Card_Status /body/status
s 0x0702 IC_Card_PlugDateTime /body/time
s 0x0702 IC_Card_ReadResult /body/read_result
s 0x0702 DriverUserName /body/name
s 0x0702 QualificationCode /body/licence
s 0x0702 LicenseIssuing /body/issuer
s 0x0702 CertificateExpiresDate /body/expiry
s 0x0702 DriverIdentityCard /body/id_card
s 0x0702 FaceMatchValue /rest:u8@0
s 0x0702 UID /rest:gbk@1
s 0x0704 Count /body/count
s 0x0704 LocationType /body/batch_type
s 0x0800,0x0801 MultimediaId /body/media_id
s 0x0800,0x0801 MultimediaType /body/media_type
s 0x0800,0x0801 MultimediaCodingFormat /body/format
s 0x0800,0x0801 ChannelId /body/channel
s 0x0800,0x0801 EventItemCoding /body/event
s 0x0801 MultimediaDataPackage /body/data
s 0x0802 MsgNum /body/answered_serial
s 0x0802 MultimediaItemCount /body/items:count
s 0x0802 ChannelId /body/items/{}/channel
s 0x0802 EventItemCoding /body/items/{}/event
s 0x0802 MultimediaId /body/items/{}/media_id
s 0x0802 MultimediaType /body/items/{}/media_type
s 0x0900 USBMessageCount /peripherals:count
s 0x0900 USBID /peripherals/{}/id
s 0x0900 AlarmStatus /peripherals/{}/faults
s 0x0900 WorkingCondition /peripherals/{}/state
s 0x0900 CompantName /peripherals/{}/company
s 0x0900 CustomerCode /peripherals/{}/customer_code
s 0x0900 DevicesID /peripherals/{}/device_id
s 0x0900 HardwareVersionNumber /peripherals/{}/hardware_version
s 0x0900 ProductModel /peripherals/{}/product
s 0x0900 SoftwareVersionNumber /peripherals/{}/software_version
s 0x0900 CompantNameLength /peripherals/{}/company:text_bytes
s 0x0900 CustomerCodeLength /peripherals/{}/customer_code:text_bytes
s 0x0900 DevicesIDLength /peripherals/{}/device_id:text_bytes
s 0x0900 HardwareVersionNumberLength /peripherals/{}/hardware_version:text_bytes
s 0x0900 ProductModelLength /peripherals/{}/product:text_bytes
s 0x0900 SoftwareVersionNumberLength /peripherals/{}/software_version:text_bytes
s 0x0900,0x8900 PassthroughType /body/pass_through_type
s 0x0900 PassthroughContent /content:gbk@0
s 0x8900 USBCount /content:u8@0
s 0x8900 MultipleUSB /content:hex@1
s 0x8900 Id /content:u32@0
s 0x8900 Sex /content:u8@4
s 0x1003 AudioFrameLength /body/audio_frame_bytes
s 0x1003 EnterAudioChannelsNumber /body/audio_channels
s 0x1003 EnterAudioEncoding /body/audio_codec
s 0x1003 EnterAudioSampleDigits /body/audio_sample_bits
s 0x1003 EnterAudioSampleRate /body/audio_sample_rate
s 0x1003 IsSupportedAudioOutput /body/supports_audio_output
s 0x1003 VideoEncoding /body/video_codec
s 0x1003 TerminalSupportedMaxNumberOfAudioPhysicalChannels /body/audio_channels_max
s 0x1003 TerminalSupportedMaxNumberOfVideoPhysicalChannels /body/video_channels_max
s 0x1205 MsgNum /body/answered_serial
s 0x1205 AVResouceTotal /body/recordings:count
s 0x1205 AlarmFlag /body/recordings/{}/alarms_low
s 0x1205 AVResourceType /body/recordings/{}/media_type
s 0x1205 BeginTime /body/recordings/{}/start
s 0x1205 EndTime /body/recordings/{}/end
s 0x1205 LogicChannelNo /body/recordings/{}/channel
s 0x1205 FileSize /body/recordings/{}/size
s 0x1205 MemoryType /body/recordings/{}/storage
s 0x1205 StreamType /body/recordings/{}/stream
s 0x9101,0x9102,0x9201,0x9202,0x9205,0x9206,0x9301,0x9302,0x9303,0x9304 ChannelNo /body/channel
s 0x9102 ControlCmd /body/command
s 0x9102 CloseAVData /body/close
s 0x9102,0x9201,0x9205,0x9206 StreamType /body/stream
s 0x9201,0x9206 ServerIp /body/server
s 0x9201,0x9206 ServerIpLength /body/server:text_bytes
s 0x9201 TcpPort /body/tcp_port
s 0x9201 UdpPort /body/udp_port
s 0x9201,0x9205,0x9206 MediaType /body/media_type
s 0x9201,0x9205 MemoryType /body/storage
s 0x9201 PlaybackWay /body/mode
s 0x9201,0x9202 PlaySpeed /body/speed
s 0x9201,0x9205,0x9206 BeginTime /body/start
s 0x9201,0x9205,0x9206 EndTime /body/end
s 0x9202 PlayControl /body/mode
s 0x9202 DragPlayPosition /body/position
s 0x9205,0x9206 AlarmFlag /body/alarms_low
s 0x9206 FileUploadPath /body/path
s 0x9206 FileUploadPathLength /body/path:text_bytes
s 0x9206 MemoryPositon /body/storage
s 0x9206 Password /body/password
s 0x9206 PasswordLength /body/password:text_bytes
s 0x9206 Port /body/port
s 0x9206 TaskExcuteCondition /body/condition
s 0x9206 UserName /body/user
s 0x9206 UserNameLength /body/user:text_bytes
s 0x9207 MgsNum /body/answered_serial
s 0x9207 UploadControl /body/command
s 0x9303 IrisAdjustment /body/value
s 0x9304 StartOrStop /body/value
s 0x8103 AudioOutputEnabled /parameters/117/audio
s 0x8103 OSD /parameters/117/overlay|/parameters/119/channels/0/overlay|/parameters/119/channels/1/overlay
s 0x8103 RTS_EncodeMode /parameters/117/live/encoding|/parameters/119/channels/0/live/encoding|/parameters/119/channels/1/live/encoding
s 0x8103 RTS_KF_Interval /parameters/117/live/key_frame_interval|/parameters/119/channels/0/live/key_frame_interval|/parameters/119/channels/1/live/key_frame_interval
s 0x8103 RTS_Resolution /parameters/117/live/resolution|/parameters/119/channels/0/live/resolution|/parameters/119/channels/1/live/resolution
s 0x8103 RTS_Target_CodeRate /parameters/117/live/bit_rate_kbps|/parameters/119/channels/0/live/bit_rate_kbps|/parameters/119/channels/1/live/bit_rate_kbps
s 0x8103 RTS_Target_FPS /parameters/117/live/frame_rate|/parameters/119/channels/0/live/frame_rate|/parameters/119/channels/1/live/frame_rate
s 0x8103 StreamStore_EncodeMode /parameters/117/stored/encoding|/parameters/119/channels/0/stored/encoding|/parameters/119/channels/1/stored/encoding
s 0x8103 StreamStore_KF_Interval /parameters/117/stored/key_frame_interval|/parameters/119/channels/0/stored/key_frame_interval|/parameters/119/channels/1/stored/key_frame_interval
s 0x8103 StreamStore_Resolution /parameters/117/stored/resolution|/parameters/119/channels/0/stored/resolution|/parameters/119/channels/1/stored/resolution
s 0x8103 StreamStore_Target_CodeRate /parameters/117/stored/bit_rate_kbps|/parameters/119/channels/0/stored/bit_rate_kbps|/parameters/119/channels/1/stored/bit_rate_kbps
s 0x8103 StreamStore_Target_FPS /parameters/117/stored/frame_rate|/parameters/119/channels/0/stored/frame_rate|/parameters/119/channels/1/stored/frame_rate
s 0x1210 AlarmId /body/platform_alarm_id
s 0x1210,0x9208 AttachCount /body/mark/attachments
s 0x1210,0x9208 SN /body/mark/serial
s 0x1210 TerminalID /body/mark/terminal_id
s 0x9208 TerminalID /body/mark/terminal_id
s 0x9208 TerminalId /body/mark/terminal_id
s 0x1210,0x9208 Time /body/mark/time
s 0x1210 FileName /body/files/{}/name
s 0x1210 FileNameLength /body/files/{}/name:text_bytes
s 0x1210 FileSize /body/files/{}/size
s 0x1210 TerminalId /body/terminal_id
s 0x1210 InfoType /body/information_type
s 0x1210,0x9208 Retain1 /body/mark/reserved:hex_high
s 0x1210,0x9208 Retain2 /body/mark/reserved:hex_low
s 0x9208 Retain /body/mark/reserved:hex_value
s 0x9208 AlarmId /body/platform_alarm_id
s 0x9208 AttachmentServerIP /body/server
s 0x9208 AttachmentServerIPLength /body/server:text_bytes
s 0x9208 AttachmentServerIPTcpPort /body/tcp_port
s 0x9208 AttachmentServerIPUdpPort /body/udp_port
s 0x1211,0x9212 FileName /body/name
s 0x1211 FileNameLength /body/name:text_bytes
s 0x1211 FileSize /body/size
s 0x1211,0x9212 FileType /body/file_type
s 0x9212 DataPackageCount /body/missing:count
s 0x9212 Length /body/missing/{}/length
s 0x9212 Offset /body/missing/{}/offset
s 0x9212 UploadResult /body/result
s 0x1FC4 ErrorCode /body/error_code
s 0x1FC4 MsgNum /body/answered_serial
s 0x1FC4 UpgradeStatus /body/status
s 0x1FC4 UpgradeType /body/upgrade_type
s 0x1FC4 UploadProgress /body/progress_percent
s 0x8004 Time /body/time
s 0x8100 Code /body/code
s 0x8100 JT808TerminalRegisterResult /body/result
s 0x8100 AckMsgNum /body/answered_serial
s 0x8103 LateralRearApproachAlarmTimeThreshold /parameters/62311:u8@1
s 0x8103 RearApproachAlarmTimeThreshold /parameters/62311:u8@0
s 0x8103 ActiveDistancePhotographyDistanceInterval /parameters/62308:u16@5
s 0x8103 ActivelyTimePhotoInterval /parameters/62308:u16@3
s 0x8103 ActivePhotographyStrategy /parameters/62308:u8@2
s 0x8103 AlarmEnable /parameters/62308:u32@11
s 0x8103 AlarmJudgeSpeedThreshold /parameters/62308:u8@0
s 0x8103 AlarmPhotoVehicleCloseDistance /parameters/62308:u8@48
s 0x8103 AlarmPhotoVehicleCloseDistanceInterval /parameters/62308:u8@49
s 0x8103 BarrierAlarmPhotographs /parameters/62308:u8@23
s 0x8103 DistanceThresholdObstacleAlarm /parameters/62308:u8@20
s 0x8103 EventEnable /parameters/62308:u32@15
s 0x8103 ForwardCollisionAlarmInterval /parameters/62308:u8@39
s 0x8103 ForwardCollisionAlarmPhotographs /parameters/62308:u8@38
s 0x8103 ForwardCollisionWarningTimeThreshold /parameters/62308:u8@35
s 0x8103 FrequentAlarmJudgmentNumberChannelChange /parameters/62308:u8@26
s 0x8103 FrequentChannelChangeAlarmJudgmentTimePeriod /parameters/62308:u8@25
s 0x8103 FrequentChannelChangeAlarmPhotos /parameters/62308:u8@29
s 0x8103 FrequentLaneChangeAlarmInterval /parameters/62308:u8@30
s 0x8103 GradedSpeedThresholdLaneDeviationAlarm /parameters/62308:u8@31
s 0x8103 HierarchicalSpeedThresholdForwardCollisionWarning /parameters/62308:u8@36
s 0x8103 HierarchicalSpeedThresholdFrequentChannelChangeAlarm /parameters/62308:u8@27
s 0x8103 HierarchicalSpeedThresholdObstacleAlarm /parameters/62308:u8@21
s 0x8103 LaneDepartureAlarmPhoto /parameters/62308:u8@33
s 0x8103 LaneDepartureAlarmPhotoInterval /parameters/62308:u8@34
s 0x8103 ObstacleAlarmInterval /parameters/62308:u8@24
s 0x8103 PedestrianCollisionAlarmEnablingSpeedThreshold /parameters/62308:u8@41
s 0x8103 PedestrianCollisionAlarmInterval /parameters/62308:u8@44
s 0x8103 PedestrianCollisionAlarmPhotos /parameters/62308:u8@43
s 0x8103 PedestrianCollisionAlarmTimeThreshold /parameters/62308:u8@40
s 0x8103 PhotoResolution /parameters/62308:u8@9
s 0x8103 Placeholder1 /parameters/62308:u8@19
s 0x8103 Placeholder2 /parameters/62308:hex@52
s 0x8103 RoadSignRecognitionPhotographs /parameters/62308:u8@50
s 0x8103 RoadSignRecognitionPhotographsInterval /parameters/62308:u8@51
s 0x8103 SingleInitiativePhotos /parameters/62308:u8@7
s 0x8103 SingleInitiativePhotosInterval /parameters/62308:u8@8
s 0x8103 VehicleDistanceMonitoringAlarmDistanceThreshold /parameters/62308:u8@45
s 0x8103 VehicleDistanceMonitoringAndAlarmClassificationSpeedThreshold /parameters/62308:u8@46
s 0x8103 VideoRecordingResolution /parameters/62308:u8@10
s 0x8103 VideoRecordingTimeBeforeAndAfterAlarmVehicleProximity /parameters/62308:u8@47
s 0x8103 VideoRecordingTimeBeforeAndAfterForwardCollisionAlarm /parameters/62308:u8@37
s 0x8103 VideoRecordingTimeBeforeAndAfterFrequentLaneChangeAlarm /parameters/62308:u8@28
s 0x8103 VideoRecordingTimeBeforeAndAfterLaneDepartureAlarm /parameters/62308:u8@32
s 0x8103 VideoRecordingTimeBeforeAndAfterObstacleAlarm /parameters/62308:u8@22
s 0x8103 VideoRecordingTimeBeforeAndAfterPedestrianCollisionAlarm /parameters/62308:u8@42
s 0x8103 WarningVolume /parameters/62308:u8@1
s 0x8103 CollectTimeInterval /body/parameters/0/value/interval_ms
s 0x8103 ChannelType /parameters/118/channels/0/channel_type|/parameters/118/channels/1/channel_type|/parameters/118/channels/2/channel_type|/parameters/118/channels/3/channel_type|/parameters/118/channels/4/channel_type|/parameters/118/channels/5/channel_type
s 0x8103 IsConnectCloudPlat /parameters/118/channels/0/has_turning_camera|/parameters/118/channels/1/has_turning_camera|/parameters/118/channels/2/has_turning_camera|/parameters/118/channels/3/has_turning_camera|/parameters/118/channels/4/has_turning_camera|/parameters/118/channels/5/has_turning_camera
s 0x8103 LogicChannelNo /parameters/118/channels/0/logical|/parameters/118/channels/1/logical|/parameters/118/channels/2/logical|/parameters/118/channels/3/logical|/parameters/118/channels/4/logical|/parameters/118/channels/5/logical|/parameters/119/channels/0/channel|/parameters/119/channels/1/channel
s 0x8103 PhysicalChannelNo /parameters/118/channels/0/physical|/parameters/118/channels/1/physical|/parameters/118/channels/2/physical|/parameters/118/channels/3/physical|/parameters/118/channels/4/physical|/parameters/118/channels/5/physical
s 0x8103 AVChannelTotal /parameters/118/both
s 0x8103 AudioChannelTotal /parameters/118/audio
s 0x8103 VudioChannelTotal /parameters/118/video
s 0x8103 NeedSetChannelTotal /parameters/119/channels:count
s 0x8103 BeginMinute /parameters/121/before_min
s 0x8103 Duration /parameters/121/duration_min
s 0x8103 StorageThresholds /parameters/121/storage_percent
s 0x8103 AlarmShielding /parameters/122
s 0x8103 NuclearLoadNumber /parameters/123/passengers_max
s 0x8103 FatigueThreshold /parameters/123/fatigue_threshold
s 0x8103 SleepWakeMode /parameters/124/mode
s 0x8103 WakeConditionType /parameters/124/condition
s 0x8103 TimerWakeDaySet /parameters/124/days
s 0x8103 TimerWakeEnableFlag /parameters/124/periods_used
s 0x8103 TimePeriod1WakeTime /parameters/124/periods:hhmm0
s 0x8103 TimePeriod2WakeTime /parameters/124/periods:hhmm2
s 0x8103 TimePeriod3WakeTime /parameters/124/periods:hhmm4
s 0x8103 TimePeriod4WakeTime /parameters/124/periods:hhmm6
s 0x8103 TimePeriod1CloseTime /parameters/124/periods:hhmm1
s 0x8103 TimePeriod2CloseTime /parameters/124/periods:hhmm3
s 0x8103 TimePeriod3CloseTime /parameters/124/periods:hhmm5
s 0x8103 TimePeriod4CloseTime /parameters/124/periods:hhmm7
s 0x8103 ChannelNo /body/parameters/0/value/channel
s 0x8103 FrameType /body/parameters/0/value/is_extended
s 0x8103 CollectWay /body/parameters/0/value/is_mean
s 0x8103 BusId /body/parameters/0/value/can_id
s 0x8105 CommandWord /body/command
s 0x8105 GetCommandParameter<DialPointNameCommandParameter>() /body/parameters/1
s 0x8105 GetCommandParameter<DialUserNameCommandParameter>() /body/parameters/2
s 0x8105 GetCommandParameter<DialPwdCommandParameter>() /body/parameters/3
s 0x8105 GetCommandParameter<ServerUrlCommandParameter>() /body/parameters/4
s 0x8105 GetCommandParameter<MakerIdCommandParameter>() /body/parameters/7
s 0x8105 GetCommandParameter<MonitorPlatformAuthCodeCommandParameter>() /body/parameters/8
s 0x8105 GetCommandParameter<HardwareVersionCommandParameter>() /body/parameters/9
s 0x8105 GetCommandParameter<FirmwareVersionCommandParameter>() /body/parameters/10
s 0x8105 GetCommandParameter<UrlCommandParameter>() /body/parameters/11
s 0x8105 GetCommandParameter<ConnectionControlCommandParameter>() /bytes:u8@1
s 0x8105 GetCommandParameter<TcpPortCommandParameter>() /bytes:u16@33
s 0x8105 GetCommandParameter<UdpPortCommandParameter>() /bytes:u16@36
s 0x8105 GetCommandParameter<ConnectTimeLimitCommandParameter>() /bytes:u16@69
s 0x8106 ParameterCount /body/ids:count
s 0x8106 Parameters /body/ids
s 0x8108 UpgradeType /body/upgrade_type
s 0x8108 MakerId /body/maker
s 0x8108 VersionNum /body/package_version
s 0x8108 UpgradePackage /body/package
s 0x8202 Interval /body/interval_s
s 0x8202 LocationTrackingValidity /body/validity_s
s 0x8203 AlarmMsgNum /body/alarm_serial
s 0x8203 ManualConfirmAlarmType /body/alarm_types
s 0x8300 TextType /body/text_type
s 0x8300 TextInfo /body/text
s 0x8300 TextFlag /body/flags
s 0x8301,0x8303 SettingType /body/action
s 0x8301 EventId /body/events/{}/id
s 0x8301 EventContent /body/events/{}/content
s 0x8302 Id /body/answers/{}/id
s 0x8302 Content /body/answers/{}/content
s 0x8302 Flag /body/flags
s 0x8302 Issue /body/question
s 0x8303 InformationType /body/services/{}/information_type
s 0x8303 InformationName /body/services/{}/name
s 0x8304 InformationType /body/information_type
s 0x8304 InformationContent /body/content
s 0x8304 InformationLength /body/content:text_bytes
s 0x8401 SettingTelephoneBook /body/action
s 0x8401 ContactCount /body/contacts:count
s 0x8401 PhoneNumber /body/contacts/{}/phone_number
s 0x8401 TelephoneBookContactType /body/contacts/{}/direction
s 0x8401 Contact /body/contacts/{}/name
s 0x8500 ControlTypeCount /body/controls:count
s 0x8500 ControlTypeId /body/controls/{}/control_type
s 0x8500 ControlTypeParameter /body/controls/{}/parameter
s 0x8600,0x8602 SettingAreaProperty /body/action
s 0x8600,0x8602 AreaCount /body/areas:count
s 0x8600,0x8602 AreaId /body/areas/{}/id
s 0x8600,0x8602 AreaProperty /body/areas/{}/attributes
s 0x8600 CenterPointLat /body/areas/{}/latitude_e6
s 0x8600 CenterPointLng /body/areas/{}/longitude_e6
s 0x8600 Radius /body/areas/{}/radius_m
s 0x8602 UpLeftPointLat /body/areas/{}/upper_left_latitude_e6
s 0x8602 UpLeftPointLng /body/areas/{}/upper_left_longitude_e6
s 0x8602 LowRightPointLat /body/areas/{}/lower_right_latitude_e6
s 0x8602 LowRightPointLng /body/areas/{}/lower_right_longitude_e6
s 0x8600,0x8602 StartTime /body/areas/{}/period/start
s 0x8600,0x8602 EndTime /body/areas/{}/period/end
s 0x8600,0x8602 HighestSpeed /body/areas/{}/speed_limit/max_kmh
s 0x8600,0x8602 OverspeedDuration /body/areas/{}/speed_limit/duration_s
s 0x8600 NightMaximumSpeed /body/areas/{}/speed_limit/night_max_kmh
s 0x8600 AreaName /body/areas/{}/name
s 0x8604 AreaId /body/id
s 0x8604 AreaProperty /body/attributes
s 0x8604 HighestSpeed /body/speed_limit/max_kmh
s 0x8604 OverspeedDuration /body/speed_limit/duration_s
s 0x8604,0x8606 StartTime /body/period/start
s 0x8604,0x8606 EndTime /body/period/end
s 0x8604 Count /body/vertices:count
s 0x8604 Lat /body/vertices/{}/latitude_e6
s 0x8604 Lng /body/vertices/{}/longitude_e6
s 0x8605,0x8607 AreaCount /body/ids:count
s 0x8605,0x8607 AreaIds /body/ids/{}
s 0x8606 RouteId /body/id
s 0x8606 RouteProperty /body/attributes
s 0x8606 RouteName /body/name
s 0x8606 Count /body/points:count
s 0x8606 InflectionPointId /body/points/{}/id
s 0x8606 InflectionPointLat /body/points/{}/latitude_e6
s 0x8606 InflectionPointLng /body/points/{}/longitude_e6
s 0x8606 SectionDrivingUnderThreshold /body/points/{}/driving_time/short_s
s 0x8606 SectionLongDrivingThreshold /body/points/{}/driving_time/long_s
s 0x8606 SectionHighestSpeed /body/points/{}/speed_limit/max_kmh
s 0x8606 SectionOverspeedDuration /body/points/{}/speed_limit/duration_s
s 0x8606 NightMaximumSpeed /body/points/{}/speed_limit/night_max_kmh
s 0x8606 SectionId /body/points/{}/section_id
s 0x8606 SectionProperty /body/points/{}/attributes
s 0x8606 SectionWidth /body/points/{}/width_m
s 0x8800 MultimediaId /body/media_id
s 0x8802 ChannelId /body/channel
s 0x8802 EventItemCoding /body/event
s 0x8802 MultimediaType /body/media_type
s 0x8802 StartTime /body/start
s 0x8802 EndTime /body/end
s 0x8804 RecordCmd /body/command
s 0x8804 RecordTime /body/duration_s
s 0x8804 RecordSave /body/save
s 0x8804 AudioSampleRate /body/sample_rate
s 0x8805 MultimediaDeleted /body/delete
s 0x8805 MultimediaId /body/media_id
s 0x0104,0x8103 param.ParamId /parameter_ids/{}
s 0x0104,0x8103 param.ParamValue /parameters/{}
s 0x8500 control.ControlTypeId /controls/{}/control_type
s 0x8500 control.ControlTypeParameter /controls/{}/parameter
s 0x8105 Value /bytes:u8@1|/body/parameters/1|/body/parameters/2|/body/parameters/3|/body/parameters/10|/body/parameters/9|/bytes:u16@69|/body/parameters/7|/body/parameters/8|/body/parameters/4|/bytes:u16@33|/bytes:u16@36|/body/parameters/11
s 0x0901 UnCompressMessageLength /body/uncompressed_bytes
y * messageId /header/message_id
y * properties /header/properties
y * protocolVersion /header/revision
y * clientId /header/terminal
y * serialNo /header/serial
y 0x8001 responseSerialNo /body/answered_serial
y 0x8001 responseMessageId /body/answered_id
y 0x8001 resultCode /body/result
y 0x0100 provinceId /body/province
y 0x0100 cityId /body/city
y 0x0100,0x0107 makerId /body/maker
y 0x0100,0x0107 deviceModel /body/model
y 0x0100,0x0107 deviceId /body/terminal_id
y 0x0100 plateColor /body/plate_colour
y 0x0100 plateNo /body/plate
y 0x0102 token /body/code
y 0x0104 responseSerialNo /body/answered_serial
y 0x0104,0x8103 parameters.117.realtimeEncode /parameters/117/live/encoding
y 0x0104,0x8103 parameters.117.realtimeResolution /parameters/117/live/resolution
y 0x0104,0x8103 parameters.117.realtimeFrameInterval /parameters/117/live/key_frame_interval
y 0x0104,0x8103 parameters.117.realtimeFrameRate /parameters/117/live/frame_rate
y 0x0104,0x8103 parameters.117.realtimeBitRate /parameters/117/live/bit_rate_kbps
y 0x0104,0x8103 parameters.117.storageEncode /parameters/117/stored/encoding
y 0x0104,0x8103 parameters.117.storageResolution /parameters/117/stored/resolution
y 0x0104,0x8103 parameters.117.storageFrameInterval /parameters/117/stored/key_frame_interval
y 0x0104,0x8103 parameters.117.storageFrameRate /parameters/117/stored/frame_rate
y 0x0104,0x8103 parameters.117.storageBitRate /parameters/117/stored/bit_rate_kbps
y 0x0104,0x8103 parameters.117.odsConfig /parameters/117/overlay
y 0x0104,0x8103 parameters.117.audioEnabled /parameters/117/audio
y 0x0104,0x8103 parameters.121.storageThreshold /parameters/121/storage_percent
y 0x0104,0x8103 parameters.121.duration /parameters/121/duration_min
y 0x0104,0x8103 parameters.121.startTime /parameters/121/before_min
y 0x0104,0x8103 parameters.123.overloadThreshold /parameters/123/passengers_max
y 0x0104,0x8103 parameters.123.fatigueThreshold /parameters/123/fatigue_threshold
y 0x0104,0x8103 parameters.124.mode /parameters/124/mode
y 0x0104,0x8103 parameters.124.conditionType /parameters/124/condition
y 0x0104,0x8103 parameters.124.dayOfWeek /parameters/124/days
y 0x0104,0x8103 parameters.124.timeFlag /parameters/124/periods_used
y 0x0104,0x8103 parameters.124.wakeTime1 /parameters/124/periods:hm0
y 0x0104,0x8103 parameters.124.sleepTime1 /parameters/124/periods:hm1
y 0x0104,0x8103 parameters.124.wakeTime2 /parameters/124/periods:hm2
y 0x0104,0x8103 parameters.124.sleepTime2 /parameters/124/periods:hm3
y 0x0104,0x8103 parameters.124.wakeTime3 /parameters/124/periods:hm4
y 0x0104,0x8103 parameters.124.sleepTime3 /parameters/124/periods:hm5
y 0x0104,0x8103 parameters.124.wakeTime4 /parameters/124/periods:hm6
y 0x0104,0x8103 parameters.124.sleepTime4 /parameters/124/periods:hm7
y 0x0104,0x8103 parameters.62311.rearApproachAlarmTimeThreshold /parameters/62311:i8@0
y 0x0104,0x8103 parameters.62311.rearSideApproachAlarmTimeThreshold /parameters/62311:i8@1
y 0x0107 deviceType /body/terminal_type
y 0x0107 iccid /body/iccid
y 0x0107 hardwareVersion /body/hardware_version
y 0x0107 firmwareVersion /body/firmware_version
y 0x0107 gnssAttribute /body/gnss
y 0x0107 networkAttribute /body/communication
y 0x0108,0x8108 type /body/upgrade_type
y 0x0108 result /body/result
y 0x8108 makerId /body/maker
y 0x8108 version /body/package_version
y 0x8108 packet /body/package
y 0x0200,0x0201 warnBit /locations/0/alarms
y 0x0200,0x0201 statusBit /locations/0/status
y 0x0200,0x0201 latitude /locations/0/sent_latitude_e6
y 0x0200,0x0201 longitude /locations/0/sent_longitude_e6
y 0x0200,0x0201 altitude /locations/0/altitude_m:u16
y 0x0200,0x0201 speed /locations/0/speed_dkmh
y 0x0200,0x0201 direction /locations/0/course_deg
y 0x0200,0x0201 deviceTime /locations/0/time
y 0x0704 items[].warnBit /locations/{}/alarms
y 0x0704 items[].statusBit /locations/{}/status
y 0x0704 items[].latitude /locations/{}/sent_latitude_e6
y 0x0704 items[].longitude /locations/{}/sent_longitude_e6
y 0x0704 items[].altitude /locations/{}/altitude_m
y 0x0704 items[].speed /locations/{}/speed_dkmh
y 0x0704 items[].direction /locations/{}/course_deg
y 0x0704 items[].deviceTime /locations/{}/time
y 0x0704 total /body/count
y 0x0704 type /body/batch_type
y 0x0801 location.warnBit /locations/0/alarms
y 0x0801 location.statusBit /locations/0/status
y 0x0801 location.latitude /locations/0/sent_latitude_e6
y 0x0801 location.longitude /locations/0/sent_longitude_e6
y 0x0801 location.altitude /locations/0/altitude_m
y 0x0801 location.speed /locations/0/speed_dkmh
y 0x0801 location.direction /locations/0/course_deg
y 0x0801 location.deviceTime /locations/0/time
y 0x0200 attributes.1 /locations/0/items/odometer_m:per100
y 0x0200 attributes.2 /locations/0/items/fuel_l:x10
y 0x0200 attributes.3 /locations/0/items/recorder_speed_kmh:x10
y 0x0200 attributes.4 /locations/0/items/alarm_event_id
y 0x0200 attributes.5.value /locations/0/items/tyre_pressures
y 0x0200 attributes.6 /locations/0/items/cabin_temperature_c
y 0x0200 attributes.17.areaType /locations/0/items/overspeed_place/place_type
y 0x0200 attributes.17.areaId /locations/0/items/overspeed_place/id
y 0x0200 attributes.18.areaType /locations/0/items/area_passage/place_type
y 0x0200 attributes.18.areaId /locations/0/items/area_passage/id
y 0x0200 attributes.18.direction /locations/0/items/area_passage/direction
y 0x0200 attributes.19.areaId /locations/0/items/section_time/section_id
y 0x0200 attributes.19.driveTime /locations/0/items/section_time/time_s
y 0x0200 attributes.19.result /locations/0/items/section_time/result
y 0x0200 attributes.37 /locations/0/items/signals/bits
y 0x0200 attributes.42 /locations/0/items/io/bits
y 0x0200 attributes.43 /locations/0/items/analog:analog
y 0x0200 attributes.48 /locations/0/signal
y 0x0200 attributes.49 /locations/0/satellites
y 0x0301 eventId /body/event_id
y 0x0302 responseSerialNo /body/answered_serial
y 0x0302 answerId /body/answer_id
y 0x0303 type /body/information_type
y 0x0303 action /body/action
y 0x0201 responseSerialNo /body/answered_serial
y 0x0702 status /body/status
y 0x0702 dateTime /body/time
y 0x0702 cardStatus /body/read_result
y 0x0702 name /body/name
y 0x0702 licenseNo /body/licence
y 0x0702 institution /body/issuer
y 0x0702 licenseValidPeriod /body/expiry
y 0x0702 idCard /body/id_card
y 0x0705 total /body/frames:count
y 0x0705 dateTime /body/receive_time
y 0x0705 items[].id /body/frames/{}/id
y 0x0705 items[].data /body/frames/{}/data
y 0x0801 id /body/media_id
y 0x0801 type /body/media_type
y 0x0801 format /body/format
y 0x0801 event /body/event
y 0x0801 channelId /body/channel
y 0x0801 packet /body/data
y 0x0805 responseSerialNo /body/answered_serial
y 0x0805 result /body/result
y 0x0805 id /body/media_ids
y 0x0901 body /body/data
y 0x1003 audioFormat /body/audio_codec
y 0x1003 audioChannels /body/audio_channels
y 0x1003 audioSamplingRate /body/audio_sample_rate
y 0x1003 audioBitDepth /body/audio_sample_bits
y 0x1003 audioFrameLength /body/audio_frame_bytes
y 0x1003 audioSupport /body/supports_audio_output
y 0x1003 videoFormat /body/video_codec
y 0x1003 maxAudioChannels /body/audio_channels_max
y 0x1003 maxVideoChannels /body/video_channels_max
y 0x1005 startTime /body/start
y 0x1005 endTime /body/end
y 0x1005 getOnCount /body/boarded
y 0x1005 getOffCount /body/alighted
y 0x1205,0x1206 responseSerialNo /body/answered_serial
y 0x1205 items[].channelNo /body/recordings/{}/channel
y 0x1205 items[].startTime /body/recordings/{}/start
y 0x1205 items[].endTime /body/recordings/{}/end
y 0x1205 items[].warnBit /body/recordings/{}/alarms_low
y 0x1205 items[].mediaType /body/recordings/{}/media_type
y 0x1205 items[].streamType /body/recordings/{}/stream
y 0x1205 items[].storageType /body/recordings/{}/storage
y 0x1205 items[].size /body/recordings/{}/size
y 0x1206 result /body/result
y 0x1211,0x9212 name /body/name
y 0x1211,0x9212 type /body/file_type
y 0x1211 size /body/size
y 0x8100 responseSerialNo /body/answered_serial
y 0x8100 resultCode /body/result
y 0x8100 token /body/code
y 0x8105 command /body/command
y 0x8105 parameter /body/parameters:joined
y 0x8106,0x8601,0x8608 id /body/ids
y 0x8202 interval /body/interval_s
y 0x8202 validityPeriod /body/validity_s
y 0x8203 responseSerialNo /body/alarm_serial
y 0x8203 type /body/alarm_types
y 0x8301,0x8303 type /body/action
y 0x8301 events[].id /body/events/{}/id
y 0x8301 events[].content /body/events/{}/content
y 0x8302 sign /body/flags
y 0x8302 content /body/question
y 0x8302 options[].id /body/answers/{}/id
y 0x8302 options[].content /body/answers/{}/content
y 0x8303 infos[].type /body/services/{}/information_type
y 0x8303 infos[].name /body/services/{}/name
y 0x8500 type /body/single/control_type
y 0x8500 param /body/single/parameter
y 0x8600,0x8602 action /body/action
y 0x8600,0x8602 items[].id /body/areas/{}/id
y 0x8600,0x8602 items[].attribute /body/areas/{}/attributes
y 0x8600 items[].latitude /body/areas/{}/latitude_e6
y 0x8600 items[].longitude /body/areas/{}/longitude_e6
y 0x8600 items[].radius /body/areas/{}/radius_m
y 0x8602 items[].latitudeUL /body/areas/{}/upper_left_latitude_e6
y 0x8602 items[].longitudeUL /body/areas/{}/upper_left_longitude_e6
y 0x8602 items[].latitudeLR /body/areas/{}/lower_right_latitude_e6
y 0x8602 items[].longitudeLR /body/areas/{}/lower_right_longitude_e6
y 0x8600,0x8602 items[].startTime /body/areas/{}/period/start
y 0x8600,0x8602 items[].endTime /body/areas/{}/period/end
y 0x8600,0x8602 items[].maxSpeed /body/areas/{}/speed_limit/max_kmh
y 0x8600,0x8602 items[].duration /body/areas/{}/speed_limit/duration_s
y 0x8604 id /body/id
y 0x8604 attribute /body/attributes
y 0x8604 startTime /body/period/start
y 0x8604 endTime /body/period/end
y 0x8604 maxSpeed /body/speed_limit/max_kmh
y 0x8604 duration /body/speed_limit/duration_s
y 0x8604 nightMaxSpeed /body/speed_limit/night_max_kmh
y 0x8604 name /body/name
y 0x8604 points[].latitude /body/vertices/{}/latitude_e6
y 0x8604 points[].longitude /body/vertices/{}/longitude_e6
y 0x8608 type /body/query_type
y 0x8800 mediaId /body/media_id
y 0x8800 id /body/packets
y 0x8801 channelId /body/channel
y 0x8801 command /body/command
y 0x8801 time /body/interval_s
y 0x8801 save /body/save
y 0x8801 resolution /body/resolution
y 0x8801 quality /body/quality
y 0x8801 brightness /body/brightness
y 0x8801 contrast /body/contrast
y 0x8801 saturation /body/saturation
y 0x8801 chroma /body/chroma
y 0x8802 type /body/media_type
y 0x8802 channelId /body/channel
y 0x8802 event /body/event
y 0x8802 startTime /body/start
y 0x8802 endTime /body/end
y 0x8805 id /body/media_id
y 0x8805 delete /body/delete
y 0x9101,0x9208 ip /body/server
y 0x9101,0x9208 tcpPort /body/tcp_port
y 0x9101,0x9208 udpPort /body/udp_port
y 0x9101,0x9102,0x9202,0x9205,0x9301,0x9302 channelNo /body/channel
y 0x9101,0x9205 mediaType /body/media_type
y 0x9101,0x9102,0x9205 streamType /body/stream
y 0x9102 command /body/command
y 0x9102 closeType /body/close
y 0x9202 playbackMode /body/mode
y 0x9202 playbackSpeed /body/speed
y 0x9202 playbackTime /body/position
y 0x9205 startTime /body/start
y 0x9205 endTime /body/end
y 0x9205 warnBit1 /body/alarms_high
y 0x9205 warnBit2 /body/alarms_low
y 0x9205 storageType /body/storage
y 0x9208 deviceId /body/mark/terminal_id
y 0x9208 dateTime /body/mark/time
y 0x9208 sequenceNo /body/mark/serial
y 0x9208 fileTotal /body/mark/attachments
y 0x9208 reserved /body/mark/reserved:hex_value
y 0x9208 platformAlarmId /body/platform_alarm_id
y 0x9208 reserves /body/reserved
y 0x9212 result /body/result
y 0x9212 total /body/missing:count
y 0x9212 items /body/missing:pairs
y 0x9301 param1 /body/direction
y 0x9301 param2 /body/speed
y 0x9302 param /body/value
y 0x8A00 e /body/exponent
y 0x8A00 n /body/modulus
y 0x0900 message.key /body/pass_through_type
y 0x0900 message.value.items[].id /peripherals/{}/id
y 0x0900 message.value.items[].companyName /peripherals/{}/company
y 0x0900 message.value.items[].productModel /peripherals/{}/product
y 0x0900 message.value.items[].hardwareVersion /peripherals/{}/hardware_version
y 0x0900 message.value.items[].firmwareVersion /peripherals/{}/software_version
y 0x0900 message.value.items[].deviceId /peripherals/{}/device_id
y 0x0900 message.value.items[].userCode /peripherals/{}/customer_code
e * header.msg_id /header/message_id
e * header.encrypt /header/encryption
e * header.phone /header/terminal
e * header.len /header/body_bytes
e * header.msg_sn /header/serial
e * header.proto_ver /header/revision
e 0x0100 body.province /body/province
e 0x0100 body.city /body/city
e 0x0100,0x0107 body.manufacturer /body/maker
e 0x0100 body.model /body/model
e 0x0100 body.dev_id /body/terminal_id
e 0x0100 body.color /body/plate_colour
e 0x0100 body.license_number /body/plate
e 0x0702 body.status /body/status
e 0x0702 body.ic_result /body/read_result
e 0x0702 body.driver_name /body/name
e 0x0005 body.seq /body/first_serial
e 0x0005 body.count /body/packets:count
e 0x0005 body.ids /body/packets
e 0x0608 body.type /body/query_type
e 0x0608 body.count /body/count
e 0x0107 body.type /body/terminal_type
e 0x0107 body.hardware_version /body/hardware_version
e 0x0107 body.firmware_version /body/firmware_version
e 0x0107 body.gnss_prop /body/gnss
e 0x0107 body.comm_prop /body/communication
e 0x0200 body.alarm /locations/0/alarms
e 0x0200 body.status /locations/0/status
e 0x0200 body.latitude /locations/0/sent_latitude_e6
e 0x0200 body.longitude /locations/0/sent_longitude_e6
e 0x0200 body.extra.carriage_temp /locations/0/items/cabin_temperature_c
g 0x0200 want.AlarmID /locations/0/items/adas/alarm_id
g 0x0200 want.FlagStatus /locations/0/items/adas/state
g 0x0200 want.AlarmEventType /locations/0/items/adas/alarm_type
g 0x0200 want.AlarmLevel /locations/0/items/adas/level
g 0x0200 want.PreVehicleSpeed /locations/0/items/adas/front_speed_kmh
g 0x0200 want.PreVehicleOrPedestrianDistance /locations/0/items/adas/front_distance_100ms
g 0x0200 want.DeviationType /locations/0/items/adas/departure
g 0x0200 want.RoadSignRecognitionType /locations/0/items/adas/road_sign
g 0x0200 want.RoadSignRecognitionData /locations/0/items/adas/road_sign_value
g 0x0200 want.T0x0200ExtensionSBBase.VehicleSpeed /locations/0/items/adas/speed_kmh
g 0x0200 want.T0x0200ExtensionSBBase.Altitude /locations/0/items/adas/altitude_m
g 0x0200 want.T0x0200ExtensionSBBase.Latitude /locations/0/items/adas/latitude_e6
g 0x0200 want.T0x0200ExtensionSBBase.Longitude /locations/0/items/adas/longitude_e6
g 0x0200 want.T0x0200ExtensionSBBase.DateTime /locations/0/items/adas/time
g 0x0200 want.T0x0200ExtensionSBBase.VehicleStatus.OriginalValue /locations/0/items/adas/vehicle_state
g 0x0200 want.T0x0200ExtensionSBBase.VehicleStatus.ACC /locations/0/items/adas/vehicle_state:bit0
g 0x0200 want.T0x0200ExtensionSBBase.VehicleStatus.LeftTurn /locations/0/items/adas/vehicle_state:bit1
g 0x0200 want.T0x0200ExtensionSBBase.VehicleStatus.RightTurn /locations/0/items/adas/vehicle_state:bit2
g 0x0200 want.T0x0200ExtensionSBBase.VehicleStatus.Wipers /locations/0/items/adas/vehicle_state:bit3
g 0x0200 want.T0x0200ExtensionSBBase.VehicleStatus.Brake /locations/0/items/adas/vehicle_state:bit4
g 0x0200 want.T0x0200ExtensionSBBase.VehicleStatus.Card /locations/0/items/adas/vehicle_state:bit5
g 0x0200 want.T0x0200ExtensionSBBase.VehicleStatus.Location /locations/0/items/adas/vehicle_state:bit10
g 0x0200 want.T0x0200ExtensionSBBase.P9208AlarmSign.TerminalID /locations/0/items/adas/mark/terminal_id
g 0x0200 want.T0x0200ExtensionSBBase.P9208AlarmSign.Time /locations/0/items/adas/mark/time
g 0x0200 want.T0x0200ExtensionSBBase.P9208AlarmSign.SerialNumber /locations/0/items/adas/mark/serial
g 0x0200 want.T0x0200ExtensionSBBase.P9208AlarmSign.AttachNumber /locations/0/items/adas/mark/attachments
g 0x0200 want.T0x0200ExtensionSBBase.P9208AlarmSign.AlarmReserve /locations/0/items/adas/mark/reserved
";

/// Active-safety attributes of yezhihao: item id, our name, and its fields.
const SAFETY: [(&str, &str); 4] = [("100", "adas"), ("101", "dsm"), ("102", "tpms"), ("103", "bsd")];
const SAFETY_FIELDS: &[(&str, &str)] = &[
    ("id", "alarm_id"),
    ("state", "state"),
    ("type", "alarm_type"),
    ("level", "level"),
    ("frontSpeed", "front_speed_kmh"),
    ("frontDistance", "front_distance_100ms"),
    ("deviateType", "departure"),
    ("roadSign", "road_sign"),
    ("roadSignValue", "road_sign_value"),
    ("fatigueDegree", "fatigue"),
    ("reserves", "reserved:hex_value"),
    ("speed", "speed_kmh"),
    ("altitude", "altitude_m"),
    ("latitude", "latitude_e6"),
    ("longitude", "longitude_e6"),
    ("alarmTime", "time"),
    ("statusBit", "vehicle_state"),
    ("deviceId", "mark/terminal_id"),
    ("dateTime", "mark/time"),
    ("sequenceNo", "mark/serial"),
    ("fileTotal", "mark/attachments"),
    ("reserved", "mark/reserved:hex_value"),
];

/// Names that say nothing about the message.
const IGNORED: &[(&str, &str)] = &[
    ("AttachInfoId", "the item's own id, compared when it is encoded again"),
    ("AttachInfoLength", "the item's own length, compared when it is encoded again"),
    ("item.AttachInfoId", "as above"),
    ("item.AttachInfoLength", "as above"),
    ("ParamLength", "as above"),
    ("MessageLength", "as above"),
    ("verified", "that the check byte is right: asserted for every frame"),
    ("param.ParamLength", "as above"),
    ("Header.ProtocolVersion", "the frame has no version byte: a default of the source's class"),
    ("want", "the name of a file that is not among the vectors"),
    ("_type", "a name of the source's own classes"),
    ("want._type", "a name of the source's own classes"),
    ("want.T0x0200ExtensionSBBase._type", "a name of the source's own classes"),
    ("want.T0x0200ExtensionSBBase.VehicleStatus._type", "a name of the source's own classes"),
    ("want.T0x0200ExtensionSBBase.P9208AlarmSign._type", "a name of the source's own classes"),
];

/// Why a name is not compared, if it is not.
pub(crate) fn ignored(name: &str) -> Option<&'static str> {
    // Fields that yezhihao prints for nested structures, which have no header of their own.
    let nested = ["items[].", "location."].iter().any(|prefix| name.starts_with(prefix));
    let of_header = ["messageId", "properties", "protocolVersion", "serialNo", "verified"];
    if nested && of_header.iter().any(|field| name.ends_with(field)) {
        return Some("a nested structure has no header");
    }
    IGNORED.iter().find(|(ignored, _)| *ignored == name).map(|(_, why)| *why)
}

/// Where a source's field stands in our document: alternatives, each with a transformation.
pub(crate) fn pointers(source: char, message_id: &str, name: &str) -> Option<Vec<(String, String)>> {
    let split = |text: &str| {
        text.split('|')
            .map(|one| match one.split_once(':') {
                Some((pointer, how)) => (pointer.to_owned(), how.to_owned()),
                None => (one.to_owned(), String::new()),
            })
            .collect()
    };
    if let (Some(rest), 'y') = (name.strip_prefix("attributes."), source)
        && let Some((id, field)) = rest.split_once('.')
        && let Some((_, item)) = SAFETY.iter().find(|(known, _)| *known == id)
    {
        let (_, ours) = SAFETY_FIELDS.iter().find(|(known, _)| *known == field)?;
        return Some(split(&format!("/locations/0/items/{item}/{ours}")));
    }
    // Bytes of the active-safety settings, named after their offset.
    if let Some((id, offset)) =
        name.strip_prefix("parameters.").and_then(|rest| rest.split_once(".p")).filter(|_| source == 'y')
    {
        let how = if (id, offset) == ("62309", "23") { "three" } else { "i8" };
        let offset = offset.trim_start_matches('0');
        let offset = if offset.is_empty() { "0" } else { offset };
        return Some(vec![(format!("/parameters/{id}"), format!("{how}@{offset}"))]);
    }
    TABLE.lines().filter(|line| !line.is_empty()).find_map(|line| {
        let mut columns = line.split(' ');
        let (sources, ids, known, ours) =
            (columns.next()?, columns.next()?, columns.next()?, columns.next()?);
        let fits = sources.contains(source)
            && (ids == "*" || ids.split(',').any(|id| id.eq_ignore_ascii_case(message_id)))
            && known == name;
        fits.then(|| split(ours))
    })
}
