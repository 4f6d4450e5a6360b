/** Whether an address may be typed as the target of a webhook; what it may reach the server decides. */
export function isHookAddress(text: string): boolean {
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch {
    return false;
  }
  return url.protocol === "https:" && !url.username && !url.password;
}
