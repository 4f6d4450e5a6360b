import type { Schema } from "../../api/types";

export type GrantView = Schema<"GrantView">;
export type Account = Schema<"AccountView">;
export type Role = Schema<"RoleView">;
export type Login = Schema<"LoginView">;
export type Token = Schema<"TokenView">;
export type AuditEntry = Schema<"EntryView">;
export type Webhook = Schema<"WebhookView">;
export type Delivery = Schema<"DeliveryView">;

/** As much of a grant as is shown; those of oneself come without a number. */
export type ShownGrant = Pick<GrantView, "role" | "unit" | "unit_name" | "until"> & Partial<GrantView>;
