import type { components } from "./schema";

/** A type of the API by its name in the document. */
export type Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];

export interface Grant {
  role: string;
  unit: number;
  unit_name: string;
  until: string | null;
}

/** Whoever is logged in. */
export interface Me {
  account: number | null;
  name: string;
  display_name: string;
  person: number | null;
  unit: number | null;
  unit_name: string | null;
  grants: Grant[];
  permissions: string[];
  must_change_password: boolean;
  has_totp: boolean;
  is_demo: boolean;
}
