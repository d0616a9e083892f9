//! The gateway's GraphQL schema: its root fields, and who may use them.

use super::{
    graphql_error::Refusal,
    ids::MemberNo,
    rows::{Row, Source, find_or_create},
    sdk::{SdkConfig, SubscriptionBundle, SubscriptionEntry},
    subscriptions::{SearchString, Subscriptions},
    types::{ConnectionStatus, OauthUrl, Refreshed, Tokens},
    world::World,
};
use crate::domain::Time;
use async_graphql::{Context, EmptySubscription, Object, Result};

pub(super) type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

pub(super) fn new(world: World) -> Schema {
    Schema::build(Query, Mutation, EmptySubscription).data(world).finish()
}

/// The caller, from the request's headers.
#[derive(Default)]
pub(super) struct Caller {
    /// The member of a valid bearer token.
    pub(super) member: Option<String>,
    /// `Authorization`, when it is not a bearer token: the app's own token for the member.
    pub(super) app_token: Option<String>,
    /// `refresh_token`.
    pub(super) refresh_token: Option<String>,
    /// Whether there is a `clientkey`.
    pub(super) has_client_key: bool,
}

fn world<'a>(ctx: &Context<'a>) -> &'a World {
    ctx.data_unchecked::<World>()
}

fn caller<'a>(ctx: &Context<'a>) -> &'a Caller {
    ctx.data_unchecked::<Caller>()
}

fn member(ctx: &Context<'_>) -> Result<MemberNo> {
    let member = caller(ctx).member.as_deref().ok_or(Refusal::LOGIN)?;
    Ok(world(ctx).find(member).map_err(|_| Refusal::LOGIN)?)
}

fn client_key(ctx: &Context<'_>) -> Result<()> {
    const MISSING: Refusal = Refusal::new("required", "The client key is missing");
    Ok(caller(ctx).has_client_key.then_some(()).ok_or(MISSING)?)
}

pub(super) struct Query;

#[Object]
impl Query {
    async fn get_member_connections(
        &self,
        ctx: &Context<'_>,
        integration_type: Option<Vec<String>>,
        status: Option<Vec<String>>,
        sync_status: Option<Vec<String>>,
    ) -> Result<Vec<Row>> {
        let asked = |filter: &Option<Vec<String>>, value: Option<&str>| {
            filter.as_ref().is_none_or(|wanted| value.is_some_and(|v| wanted.iter().any(|w| w == v)))
        };
        let mut rows = world(ctx).listed(member(ctx)?);
        rows.retain(|row| {
            asked(&integration_type, row.source.integration_type.as_deref())
                && asked(&status, row.status())
                && asked(&sync_status, row.sync_status())
        });
        Ok(rows)
    }

    async fn get_oauth_url(&self, ctx: &Context<'_>, connection_id: String) -> Result<OauthUrl> {
        const NOT_OAUTH: Refusal = Refusal::new("business-rule", "This data source does not use OAuth");
        let (world, no) = (world(ctx), member(ctx)?);
        let source = source(world, no, &connection_id);
        if source.category != "OAUTH" || source.is_direct {
            return Err(NOT_OAUTH.into());
        }
        Ok(OauthUrl { redirect_url: world.issue_oauth_url(no, &source) })
    }

    async fn get_data_source(&self, ctx: &Context<'_>, connection_id: String) -> Result<Source> {
        Ok(source(world(ctx), member(ctx)?, &connection_id))
    }

    async fn refresh(&self, ctx: &Context<'_>) -> Result<Refreshed> {
        const MISSING: Refusal = Refusal::new("required", "The header refresh_token is missing");
        client_key(ctx)?;
        let token = caller(ctx).refresh_token.as_deref().ok_or(MISSING)?;
        Ok(world(ctx).refresh(token)?.into())
    }

    async fn init_sdk(&self, ctx: &Context<'_>, client_key: String) -> Result<SdkConfig> {
        const EMPTY: Refusal = Refusal::new("invalid", "The client key is not valid");
        if client_key.is_empty() {
            return Err(EMPTY.into());
        }
        Ok(SdkConfig::of(&world(ctx).0.base))
    }

    async fn get_token(&self, ctx: &Context<'_>) -> Result<Tokens> {
        client_key(ctx)?;
        let member = caller(ctx).app_token.as_deref().ok_or(Refusal::LOGIN)?;
        sign_in(world(ctx), member)
    }

    async fn login(&self, ctx: &Context<'_>, email: String, password: String) -> Result<Tokens> {
        const WRONG: Refusal = Refusal::new("login", "E-mail address or password are wrong");
        client_key(ctx)?;
        if password.is_empty() {
            return Err(WRONG.into());
        }
        let member = email.split_once('@').map_or(email.as_str(), |(member, _)| member);
        sign_in(world(ctx), member)
    }

    #[graphql(name = "subscription_subscription")]
    async fn subscription_subscription(&self, ctx: &Context<'_>) -> Result<SubscriptionBundle> {
        let rows = world(ctx).listed(member(ctx)?);
        let failing = rows.iter().filter(|row| !row.sync_errors.is_empty());
        let entry = failing.map(|row| SubscriptionEntry::new(row.id(), &row.sync_errors)).collect();
        Ok(SubscriptionBundle { entry })
    }

    async fn subscriptions(
        &self,
        ctx: &Context<'_>,
        #[graphql(name = "_source")] source: Option<SearchString>,
    ) -> Result<Subscriptions> {
        Ok(Subscriptions::new(&world(ctx).listed(member(ctx)?), source))
    }
}

pub(super) struct Mutation;

#[Object]
impl Mutation {
    async fn create_connection(
        &self,
        ctx: &Context<'_>,
        connection_id: String,
        username: Option<String>,
        password: Option<String>,
        integration_type: Option<String>,
    ) -> Result<Row> {
        const MISSING: Refusal = Refusal::new("required", "username and password are required");
        let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let direct = integration_type.as_deref() == Some("DIRECT");
        let no = member(ctx)?;
        let may = direct || (given(&username) && given(&password));
        if !may {
            return Err(MISSING.into());
        }
        Ok(world(ctx).change_by_operation(no, &connection_id, |rows, now| {
            let row = find_or_create(rows, &connection_id, now);
            row.connect(now);
            row.clone()
        }))
    }

    async fn disconnect_connection(
        &self,
        ctx: &Context<'_>,
        connection_id: String,
    ) -> Result<ConnectionStatus> {
        change(ctx, &connection_id, |row, now| {
            row.set_status("DISCONNECTED", now);
            Ok(())
        })
    }

    async fn delete_connection(&self, ctx: &Context<'_>, connection_id: String) -> Result<ConnectionStatus> {
        change(ctx, &connection_id, |row, now| {
            row.delete(now);
            Ok(())
        })
    }

    async fn activate_direct_connection(
        &self,
        ctx: &Context<'_>,
        connection_id: String,
    ) -> Result<ConnectionStatus> {
        const NOT_DIRECT: Refusal = Refusal::new("business-rule", "This connection is not a direct one");
        const NOT_CUT: Refusal =
            Refusal::new("business-rule", "Only a disconnected connection can be activated");
        change(ctx, &connection_id, |row, now| match row.status() {
            _ if !row.source.is_direct => Err(NOT_DIRECT),
            Some("DISCONNECTED") => {
                row.connect(now);
                Ok(())
            }
            Some("CONNECTED") => Ok(()),
            _ => Err(NOT_CUT),
        })
    }
}

fn source(world: &World, no: MemberNo, connection: &str) -> Source {
    let row = world.listed(no).into_iter().find(|row| row.id() == connection);
    row.map_or_else(|| Source::named(connection), |row| row.source)
}

fn sign_in(world: &World, member: &str) -> Result<Tokens> {
    let grant = world.grant(member).map_err(|_| Refusal::LOGIN)?;
    let refresh_token = world.refresh_token(member).map_err(|_| Refusal::LOGIN)?;
    Ok(Tokens::new(grant, refresh_token))
}

fn change(
    ctx: &Context<'_>,
    connection: &str,
    change: impl FnOnce(&mut Row, Time) -> Result<(), Refusal>,
) -> Result<ConnectionStatus> {
    const NOT_FOUND: Refusal = Refusal::new("not-found", "There is no such connection");
    let no = member(ctx)?;
    Ok(world(ctx).change_by_operation(no, connection, |rows, now| {
        let row = rows.iter_mut().find(|row| row.id() == connection).ok_or(NOT_FOUND)?;
        change(row, now)?;
        Ok::<_, Refusal>(ConnectionStatus::from(&*row))
    })?)
}
