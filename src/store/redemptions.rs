//! `link_buttons`: redemptions.

use super::convert::millis;
use super::engine::{query, query_scalar};
use super::error::Result;
use super::events::{NewEvent, NewEvents};
use super::link_rows::CURRENT;
use super::rechecks;
use super::recorded_changes;
use super::row_locks::lock_member;
use super::sqlite::Store;
use crate::domain::{ConnectionId, EventType, FormKeyHash, MemberId, Time, TokenHash};

#[derive(Clone, Copy, Debug)]
pub struct Redemption<'a> {
    pub link: TokenHash,
    pub member: &'a MemberId,
    pub connection: &'a ConnectionId,
    /// A redemption with the key of the latest one, unless that was before `form_key_since`, is the same press.
    pub form_key: Option<FormKeyHash>,
    pub form_key_since: Time,
    pub at: Time,
    /// `None`: no recheck.
    pub recheck_at: Option<Time>,
}

impl Store {
    /// Consumes one redemption of a button and schedules the recheck. A dismissed lapse is open again. Returns `false` when
    /// no redemption is left, the link has expired or was replaced, the button is superseded, the lapse has ended
    /// otherwise, or the form was sent before. Of concurrent requests, `max_redemptions` succeed.
    pub async fn redeem(&self, redemption: &Redemption<'_>, max_redemptions: u32) -> Result<bool> {
        self.write(async |mut tx| {
            lock_member(&mut tx, redemption.member).await?;
            let consumed = query(format!(
                "UPDATE link_buttons SET redemptions = redemptions + 1, redeemed_at = $4, last_form_key = $5
                 WHERE token_hash = $1 AND connection_id = $2 AND redemptions < $3 AND superseded = FALSE
                   AND ($5 IS NULL OR last_form_key IS DISTINCT FROM $5 OR redeemed_at <= $6)
                   AND EXISTS (SELECT 1 FROM links k JOIN members m ON m.member_id = k.member_id
                       WHERE k.token_hash = $1 AND k.expires_at > $4 AND {CURRENT})
                   AND CASE WHEN lapse_id IS NOT NULL
                       THEN EXISTS (SELECT 1 FROM lapses l WHERE l.lapse_id = link_buttons.lapse_id
                            AND (l.state <> 'closed' OR l.outcome = 'dismissed'))
                       ELSE NOT EXISTS (SELECT 1 FROM invitations i
                            JOIN connections c ON c.member_id = i.member_id AND lower(c.connection_id) = lower(i.connection_id)
                            WHERE i.invitation_id = link_buttons.invitation_id
                              AND c.status = 'CONNECTED') END"
            ))
            .bind(&redemption.link.0[..])
            .bind(redemption.connection.as_str())
            .bind(max_redemptions)
            .bind(millis(redemption.at))
            .bind(redemption.form_key.map(|key| key.0.to_vec()))
            .bind(millis(redemption.form_key_since))
            .execute(&mut tx)
            .await?
            .rows_affected();
            if consumed == 0 {
                return Ok(false);
            }
            let reopened: Vec<String> = query_scalar(
                "UPDATE lapses SET state = 'open', outcome = NULL, closed_at = NULL, disconnect_intent = NULL,
                    dismissed_by_member = FALSE, plan_at = $3
                 WHERE state = 'closed' AND outcome = 'dismissed' AND lapse_id =
                    (SELECT lapse_id FROM link_buttons WHERE token_hash = $1 AND connection_id = $2)
                 RETURNING lapse_id",
            )
            .bind(&redemption.link.0[..])
            .bind(redemption.connection.as_str())
            .bind(millis(redemption.at))
            .fetch_all(&mut tx)
            .await?;
            recorded_changes::of_lapses(&mut tx, &reopened, redemption.at).await?;
            rechecks::set(&mut tx, redemption.member, redemption.at, redemption.recheck_at).await?;
            let redeemed = NewEvent::about(redemption.member, EventType::LinkRedeemed)
                .with("connection_id", redemption.connection.as_str())
                .with_time("redeemed_at", Some(redemption.at));
            let mut events = NewEvents::new(&tx);
            events.add(redeemed);
            events.write(&mut tx, redemption.at).await?;
            Ok(true)
        }).await
    }

    /// Reschedules the recheck when a browser resumes, which consumes no redemption.
    pub(crate) async fn reschedule_recheck(&self, redemption: &Redemption<'_>) -> Result<()> {
        self.write(async |mut tx| {
            rechecks::set(&mut tx, redemption.member, redemption.at, redemption.recheck_at).await?;
            Ok(())
        })
        .await
    }

    /// Returns a redemption that failed at the gateway, so that the button can be pressed again.
    pub(crate) async fn undo_redemption(&self, hash: TokenHash, connection: &ConnectionId) -> Result<()> {
        self.write(async |mut tx| {
            query(
            "UPDATE link_buttons SET redemptions = redemptions - 1, redeemed_at = NULL, last_form_key = NULL
             WHERE token_hash = $1 AND connection_id = $2 AND redemptions > 0",
        )
        .bind(&hash.0[..])
        .bind(connection.as_str())
        .execute(&mut tx)
        .await?;
            Ok(())
        })
        .await
    }
}
