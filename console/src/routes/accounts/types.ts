/** What the API says of accounts, log-ins, the audit log and webhooks. */
export interface GrantView {
  id: number;
  role: string;
  unit: number | null;
  unit_name: string | null;
  secret: boolean;
  until: string | null;
}

/** As much of a grant as is shown; those of oneself come without a number. */
export type ShownGrant = Pick<GrantView, "role" | "unit" | "unit_name" | "until"> & Partial<GrantView>;

export interface Account {
  id: number;
  person: number;
  name: string;
  display_name: string;
  unit: number | null;
  driver: number | null;
  is_disabled: boolean;
  has_password: boolean;
  must_change_password: boolean;
  has_totp: boolean;
  grants: GrantView[];
  created_at: string;
  created_by: string;
  link?: string;
}

export interface Role {
  role: string;
  zh: string;
  permissions: string[];
  is_exclusive: boolean;
}

export interface Login {
  id: number;
  created_at: string;
  last_used_at: string;
  expires_at: string;
  ip: string;
  agent: string;
  is_current?: boolean;
}

export interface AuditEntry {
  seq: number;
  at: string;
  actor: string;
  person: number | null;
  ip: string;
  action: string;
  object: string;
  vehicle: number | null;
  case: string | null;
  detail: string;
  hash: string;
}

export interface Webhook {
  id: number;
  url: string;
  description: string;
  events: string[];
  unit: number | null;
  enabled: boolean;
  created_at: string;
  created_by: string;
  /** In the answer that made it only. */
  secret?: string | null;
}

export interface Delivery {
  id: number;
  event: string;
  created_at: string;
  state: string;
  attempts: number;
  next_at?: string | null;
  last_at?: string | null;
  last_status?: number | null;
  last_error?: string | null;
  body: unknown;
}
