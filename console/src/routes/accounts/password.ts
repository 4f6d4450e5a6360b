/** Characters of a password at least, as the server asks. */
export const PASSWORD_CHARS_MIN = 12;

export type PasswordFault = "short" | "is_name" | "same" | "differs";

/** What is wrong with a new password before the server looks at it; null when nothing is. */
export function passwordFault(given: { password: string; again: string; name?: string; old?: string }): PasswordFault | null {
  const { password, again, name = "", old } = given;
  if ([...password].length < PASSWORD_CHARS_MIN) return "short";
  if (name.length > 2 && password.toLowerCase().includes(name.toLowerCase())) return "is_name";
  if (old !== undefined && password === old) return "same";
  return password === again ? null : "differs";
}

/** A secret in groups of four, as people type it. */
export const inFours = (secret: string): string => secret.replace(/(.{4})(?=.)/g, "$1 ");
