//! Imports: member by member, and from files, as the systems of an operator export them.

use super::run::Run;
use crate::api_client::Api;
use reconnectd::domain::{Edit, MemberEdit, RefreshToken};
use reconnectd::store::ImportRow;
use serde_json::json;
use std::fmt::Write;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    JsonLines,
    Csv,
    /// CSV as a spreadsheet saves it.
    Spreadsheet,
}

pub(crate) const KINDS: [FileKind; 3] = [FileKind::JsonLines, FileKind::Csv, FileKind::Spreadsheet];

struct Exported {
    id: String,
    email: String,
    time_zone: Option<&'static str>,
    refresh_token: String,
}

impl FileKind {
    fn media_type(self) -> &'static str {
        match self {
            Self::JsonLines => "application/x-ndjson",
            Self::Csv | Self::Spreadsheet => "text/csv",
        }
    }

    fn write(self, members: &[Exported]) -> String {
        let mut file = match self {
            Self::JsonLines => String::new(),
            Self::Csv => "member_id,email,time_zone,refresh_token\n".to_owned(),
            Self::Spreadsheet => {
                "\u{feff}sep=,\r\n\"email\",refresh_token,member_id,time_zone,\r\n".to_owned()
            }
        };
        for Exported { id, email, time_zone, refresh_token } in members {
            let zone = time_zone.unwrap_or_default();
            let line = match self {
                Self::JsonLines => {
                    let fields = json!({
                        "member_id": id, "email": email, "time_zone": time_zone, "refresh_token": refresh_token,
                    });
                    format!("{fields}\n\n")
                }
                Self::Csv => format!("{id},{email},{zone},{refresh_token}\n"),
                Self::Spreadsheet => format!("\"{email}\",\"{refresh_token}\",{id},\"{zone}\",,\r\n"),
            };
            file.write_str(&line).expect("a text grows");
        }
        file
    }
}

impl Run {
    /// Imports the members as the model has them.
    pub(super) async fn import(&mut self, ids: &[String], with_token: bool) {
        let rows: Vec<_> = (1..)
            .zip(ids)
            .map(|(line, id)| {
                let member = &self.model.members[id];
                let edit = MemberEdit {
                    id: id.as_str().into(),
                    email: Some(member.address.parse().expect("an address")),
                    locale: Edit::Keep,
                    time_zone: member.zone.map_or(Edit::Clear, Edit::Set),
                    subject: Edit::Keep,
                    label: Edit::Keep,
                };
                let token = self.h.sim.world().refresh_token(id).expect("a member");
                let sealed =
                    self.h.app.keyring.new_credential(&id.as_str().into(), &RefreshToken::new(token));
                ImportRow { line, edit, credential: with_token.then(|| sealed.expect("sealed")) }
            })
            .collect();
        self.operator().import_all(&rows, self.now()).await.expect("an import");
        if with_token {
            self.learn_tokens(ids);
        }
        self.audit.push(if ids.len() == 1 { "member_add" } else { "member_import" });
    }

    /// The daemon has the refresh tokens that the gateway accepts now.
    fn learn_tokens(&mut self, ids: &[String]) {
        for id in ids {
            let token = self.h.sim.world().refresh_token(id).expect("a member");
            self.truth.tokens.insert(id.clone(), token.clone());
            if let Some(member) = self.model.members.get_mut(id) {
                member.token = token;
            }
        }
    }

    /// Imports all members as the model has them, as the operator's systems export them.
    pub(super) async fn import_file(&mut self, kind: FileKind) {
        let token = |id: &str| self.h.sim.world().refresh_token(id).expect("a member");
        let exported: Vec<_> = self
            .model
            .enrolled()
            .map(|(id, member)| Exported {
                id: id.clone(),
                email: member.address.clone(),
                time_zone: member.zone.map(|zone| zone.name()),
                refresh_token: token(id),
            })
            .collect();
        if exported.is_empty() {
            return;
        }
        let api = Api::of(&self.h).await;
        let answer = api.import("", kind.media_type(), kind.write(&exported)).await;
        assert_eq!((answer.status, &answer.body["imported"]), (200, &json!(exported.len())), "{kind:?}");
        self.learn_tokens(&exported.into_iter().map(|member| member.id).collect::<Vec<_>>());
        self.audit.push("member_import");
    }
}
