//! Whether the gateway issues access tokens.

use crate::cli::context::Context;
use crate::domain::MemberId;

/// Members that are tried: a rejection can be the fault of one member's credential.
const MAX_MEMBERS: u32 = 3;

pub(super) enum Outcome {
    Issued(MemberId),
    NotTried(&'static str),
}

impl Outcome {
    pub(super) fn message(&self) -> String {
        match self {
            Self::Issued(member) => format!("the gateway issued an access token for {member}"),
            Self::NotTried(reason) => format!("not tried: {reason}"),
        }
    }
}

/// Gets an access token for `member`, else for a member whose credential is not known to be rejected.
pub(super) async fn check(context: &Context, member: Option<&MemberId>) -> anyhow::Result<Outcome> {
    context
        .with_app(async |app| {
            let members = match member {
                Some(member) => vec![member.clone()],
                None => app.store.members_with_credential(context.needs_token(), MAX_MEMBERS).await?,
            };
            let mut rejected = None;
            for member in members {
                match app.tokens.refresh_now(&member).await {
                    Ok(()) => return Ok(Outcome::Issued(member)),
                    Err(error) => {
                        rejected = Some(anyhow::Error::new(error).context(format!(
                            "no access token for {member}; check gateway.client_key and gateway.auth"
                        )));
                    }
                }
            }
            rejected.map_or(Ok(Outcome::NotTried("no member has a usable credential")), Err)
        })
        .await
}
