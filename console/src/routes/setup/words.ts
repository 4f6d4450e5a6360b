import { catalogue } from "../../words";

const zh = {
  title: "设置账户",
  text: "此链接只能使用一次。设置密码后即可登录。",
  isFirst: "这是首次启动的链接，要建立第一个账户（安全管理员）",
  name: "登录名",
  nameText: "字母、数字和 - _ . @",
  displayName: "姓名",
  password: "密码",
  again: "再输一次",
  passwordText: "至少 12 个字符，不要包含登录名。一句话比一个词更安全。",
  faults: { short: "密码至少 12 个字符", is_name: "密码不能包含登录名", same: "密码与原来相同", differs: "两次输入不一致" },
  enter: "设置并登录",
  used: "此链接已使用、已过期或不存在，请向安全管理员索取新链接。",
  tooMany: (seconds: number) => `尝试次数过多，请在 ${seconds} 秒后再试。`,
  codeNeeded: "密码已设置。请用新密码和动态验证码登录。",
  toLogin: "前往登录",
  noLink: "地址不完整，请从完整链接打开。",
};

const en: typeof zh = {
  title: "Set up an account",
  text: "This link works once. With the password set you are logged in.",
  isFirst: "This is the link of the first start: make the first account (security administrator)",
  name: "Log-in name",
  nameText: "Letters, digits and - _ . @",
  displayName: "Name",
  password: "Password",
  again: "Once more",
  passwordText: "At least 12 characters, without the log-in name. A sentence is better than a word.",
  faults: { short: "The password needs 12 characters at least", is_name: "The password must not contain the log-in name", same: "The password is the same", differs: "The two are not the same" },
  enter: "Set and log in",
  used: "The link was used, is over, or never was. Ask the security administrator for another one.",
  tooMany: (seconds) => `Too many attempts. Try again in ${seconds} seconds.`,
  codeNeeded: "The password is set. Log in with it and a one-time code.",
  toLogin: "To the log-in",
  noLink: "The address is not whole. Please open the whole link.",
};

export const setupWords = catalogue(zh, en);
