//! Webhooks: what leaves the house. They are for those who look after everything.

use motorpool_protocols::UtcMillis;

use super::{Data, note};
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
        let webhook = self.registry().create_webhook(set, &self.caller().recorded_as(), self.now).await?;
        self.note_webhook("webhook.create", webhook.id, &webhook.set.url).await?;
        Ok(webhook)
    }

    /// Changes a webhook that was looked up here.
    pub(in super::super) async fn set_webhook(&self, webhook: &Webhook) -> Result<(), Problem> {
        if !self.registry().set_webhook(webhook.id, &webhook.set).await? {
            return Err(Problem::new(Code::WebhookNotFound));
        }
        self.note_webhook("webhook.change", webhook.id, &webhook.set.url).await
    }

    /// Deletes a webhook that was looked up here, with its deliveries.
    pub(in super::super) async fn delete_webhook(&self, webhook: &Webhook) -> Result<(), Problem> {
        self.registry().delete_webhook(webhook.id).await?;
        self.note_webhook("webhook.delete", webhook.id, &webhook.set.url).await
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
        now: UtcMillis,
    ) -> Result<bool, Problem> {
        let is_there = self.registry().replay_delivery(webhook.id, delivery, now).await?;
        self.note_webhook("webhook.replay", webhook.id, &format!("delivery {delivery}")).await?;
        Ok(is_there)
    }

    async fn note_webhook(&self, action: &str, id: i64, detail: &str) -> Result<(), Problem> {
        note(&self.state, &self.granted, action, format!("webhook {id}"), detail.to_owned()).await
    }
}
