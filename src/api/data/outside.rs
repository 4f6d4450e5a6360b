//! Webhooks: what leaves the house. They are for those who look after everything, and those about flags and cases are let by somebody who
//! sees every case: who makes them sees none.

use motorpool_protocols::UtcMillis;

use super::{Data, telling};
use crate::api::problem::{Code, Problem};
use crate::registry::{Delivery, NewWebhook, Webhook};

impl Data {
    /// All webhooks.
    pub(in super::super) async fn webhooks(&self) -> Result<Vec<Webhook>, Problem> {
        self.everything()?;
        Ok(self.registry().webhooks().await?)
    }

    /// The webhook of a path.
    pub(in super::super) async fn webhook(&self, id: &str) -> Result<Webhook, Problem> {
        self.everything()?;
        let missing = || Problem::new(Code::WebhookNotFound);
        let id = id.parse().map_err(|_| missing())?;
        self.registry().webhook(id).await?.ok_or_else(missing)
    }

    /// Makes a webhook.
    pub(in super::super) async fn create_webhook(&self, set: NewWebhook) -> Result<Webhook, Problem> {
        self.everything()?;
        let deed = telling(&self.granted, "webhook.create", set.url.clone());
        let who = self.caller().recorded_as();
        Ok(self.registry().create_webhook(set, (&who, Some(&deed)), self.now).await?)
    }

    /// Changes a webhook that was looked up here.
    pub(in super::super) async fn set_webhook(&self, webhook: &Webhook) -> Result<(), Problem> {
        let deed = telling(&self.granted, "webhook.change", webhook.set.url.clone());
        if !self.registry().set_webhook(webhook.id, &webhook.set, Some(&deed), self.now).await? {
            return Err(Problem::new(Code::WebhookNotFound));
        }
        Ok(())
    }

    /// Lets a webhook that was looked up here tell of flags and cases.
    pub(in super::super) async fn approve_webhook(&self, webhook: &mut Webhook) -> Result<(), Problem> {
        webhook.set.approved_by = Some(self.caller().recorded_as());
        let deed = telling(&self.granted, "webhook.approve", webhook.set.url.clone());
        if !self.registry().set_webhook(webhook.id, &webhook.set, Some(&deed), self.now).await? {
            return Err(Problem::new(Code::WebhookNotFound));
        }
        Ok(())
    }

    /// Deletes a webhook that was looked up here, with its deliveries.
    pub(in super::super) async fn delete_webhook(&self, webhook: &Webhook) -> Result<(), Problem> {
        let deed = telling(&self.granted, "webhook.delete", webhook.set.url.clone());
        self.registry().delete_webhook(webhook.id, Some(&deed), self.now).await?;
        Ok(())
    }

    /// Deliveries of a webhook that was looked up here, newest first.
    pub(in super::super) async fn deliveries(
        &self,
        webhook: &Webhook,
        before: i64,
        limit: u32,
    ) -> Result<Vec<Delivery>, Problem> {
        Ok(self.registry().deliveries(webhook.id, before, limit).await?)
    }

    /// Puts a delivery of a webhook that was looked up here into the queue again; whether there is such a one.
    pub(in super::super) async fn replay_delivery(
        &self,
        webhook: &Webhook,
        delivery: i64,
        next_at: UtcMillis,
    ) -> Result<bool, Problem> {
        let deed = telling(&self.granted, "webhook.replay", format!("delivery {delivery}"));
        let times = (next_at, self.now);
        Ok(self.registry().replay_delivery(webhook.id, delivery, Some(&deed), times).await?)
    }
}
