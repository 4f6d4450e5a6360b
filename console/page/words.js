// Every word of the page, in both languages. Nothing else on the page contains text.

const zh = {
  title: "公务用车", leave: "退出", figures: "概况", fleet: "车辆", search: "搜索", searchHint: "车牌、名称或终端号",
  map: "位置", fit: "全部显示", close: "关闭", quarantine: "待批准终端", approve: "批准", approveAll: "全部批准",
  checks: "自检", cancel: "取消", enter: "进入", token: "访问令牌", tokenTitle: "请输入访问令牌",
  tokenText: "首次启动时服务器会打印令牌，并保存在数据目录的 api-token 文件中。令牌只保留在本标签页。",
  tokenWrong: "令牌无效或已过期。", tokenSlow: "错误次数过多，请稍后再试。", sureTitle: "批准全部终端？",
  sureText: (n) => `将批准 ${n} 个终端接入。`, light: "浅色", dark: "深色", otherLanguage: "English",
  state: "状态", name: "名称", terminal: "终端号", speed: "速度", seen: "最近上报", place: "位置", knocks: "次数",
  plate: "车牌", peer: "来源", moving: "行驶", idle: "怠速", parked: "停驶", offline: "离线",
  devices: "设备", online: "在线", movingNow: "行驶中", links: "连接", rate: "消息速率", perSecond: "条/秒",
  fixes: "已存定位", lag: "处理延迟", seconds: "秒", waiting: "待批准",
  none: "没有待批准的终端。", noDevices: "还没有设备上报。", shown: (n, all) => `显示 ${n} / ${all} 辆，请用搜索缩小范围。`,
  updated: (t) => `更新于 ${t}`, lost: "无法连接服务器，正在重试……", forbidden: "此令牌没有所需权限。",
  version: (v) => `版本 ${v}`, ago: { s: "秒前", min: "分钟前", h: "小时前", d: "天前", now: "刚刚", never: "从未" },
  fixTime: "定位时间", receivedAt: "接收时间", course: "航向", altitude: "海拔", ignition: "点火", on: "开", off: "关",
  satellites: "卫星数", odometer: "里程", fuel: "油量", alarms: "报警", invalid: "未定位", counts: "消息 / 定位",
  twice: (n) => `${n} 个连接`, trackOf: "轨迹", trackCount: (n) => `${n} 个定位点`, noTrack: "24 小时内没有轨迹",
  download: "下载", checkNames: { journal: "日志", folds: "处理进度", clock: "时钟", messages: "消息账", journaled: "日志账", fixes: "定位账", gaps: "日志损坏" },
  behind: (n) => `落后 ${n} 秒`,
  checkDetails: { journal: "可写入", messages: "收到 = 入日志 + 拒绝 + 等待", journaled: "入日志 = 已处理 + 滞后", fixes: "已解码 = 已存 + 重复 + 待定", gaps: "无损坏" },
  plotHint: "位置图：方向键移动，加减键缩放", coordinates: "坐标",
};

const en = {
  title: "official cars", leave: "Leave", figures: "Figures", fleet: "Cars", search: "Search", searchHint: "plate, name or terminal",
  map: "Positions", fit: "Show all", close: "Close", quarantine: "Waiting for approval", approve: "Approve", approveAll: "Approve all",
  checks: "Self-checks", cancel: "Cancel", enter: "Enter", token: "Token", tokenTitle: "A token, please",
  tokenText: "The first start of the server prints it and keeps it in the file api-token of the data folder. It stays in this tab only.",
  tokenWrong: "This token is unknown or has expired.", tokenSlow: "Too many wrong tokens. Please wait a minute.", sureTitle: "Approve every terminal?",
  sureText: (n) => `${n} terminals will be let in.`, light: "Light", dark: "Dark", otherLanguage: "中文",
  state: "State", name: "Name", terminal: "Terminal", speed: "Speed", seen: "Last seen", place: "Position", knocks: "Calls",
  plate: "Plate", peer: "From", moving: "Moving", idle: "Idling", parked: "Parked", offline: "Offline",
  devices: "Devices", online: "Online", movingNow: "Moving", links: "Links", rate: "Messages", perSecond: "/s",
  fixes: "Fixes stored", lag: "Behind", seconds: "s", waiting: "Waiting",
  none: "No terminal is waiting.", noDevices: "No device has sent anything yet.", shown: (n, all) => `${n} of ${all} cars shown; search to see others.`,
  updated: (t) => `Updated ${t}`, lost: "The server does not answer; trying again …", forbidden: "This token may not do that.",
  version: (v) => `Version ${v}`, ago: { s: " s ago", min: " min ago", h: " h ago", d: " d ago", now: "just now", never: "never" },
  fixTime: "Fix", receivedAt: "Received", course: "Course", altitude: "Altitude", ignition: "Ignition", on: "on", off: "off",
  satellites: "Satellites", odometer: "Odometer", fuel: "Fuel", alarms: "Alarms", invalid: "no position", counts: "Messages / fixes",
  twice: (n) => `${n} links`, trackOf: "Track", trackCount: (n) => `${n} fixes`, noTrack: "No track within 24 hours",
  download: "Download", checkNames: { journal: "Journal", folds: "Progress", clock: "Clock", messages: "Messages", journaled: "Journal books", fixes: "Fixes", gaps: "Damage" },
  behind: (n) => `${n} s behind`,
  checkDetails: { journal: "takes messages", messages: "received = journaled + rejected + waiting", journaled: "journaled = consumed + lag", fixes: "decoded = stored + duplicate + pending", gaps: "none" },
  plotHint: "Map of positions: arrow keys move, plus and minus zoom", coordinates: "Coordinates",
};

export const languages = { zh, en };
