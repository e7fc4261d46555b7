//! What policies can speak of: the schema, the actions and the entities, made from what is
//! served. There is no second declaration that could drift.

use std::collections::{BTreeMap, HashSet};

use cedar_policy::{Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression, Schema};
use serde_json::{Value, json};

use super::types::{Field, Record, Type};
use crate::{
    Error, Result,
    auth::{Assurance, Principal},
    policy::{Kind, Offer, Question, Surface},
};

/// Everything that policies can name.
pub(super) struct World {
    pub(super) schema: Schema,
    pub(super) actions: BTreeMap<String, Action>,
    pub(super) principal: Record,
    names: Names,
}

/// One thing that can be done.
pub(super) struct Action {
    pub(super) group: &'static str,
    /// On what: one thing, or a prompt and a resource with the same name.
    pub(super) on: Vec<Kind>,
    /// Its arguments, where it has any.
    pub(super) args: Option<Record>,
    pub(super) context: Record,
    /// What the resource of the request shows of itself.
    pub(super) resource: Record,
    pub(super) uid: EntityUid,
    /// The action and its group.
    pub(super) entities: Vec<Entity>,
    /// The things, as entities.
    pub(super) offers: Vec<(Kind, EntityUid, Entity)>,
    /// A URI in the context, which a list does not know.
    pub(super) has_uri: bool,
}

/// The names of types, parsed once.
struct Names {
    principal: EntityTypeName,
    assurance: EntityTypeName,
}

impl World {
    /// # Errors
    ///
    /// When what is served cannot be said in a schema.
    pub(super) fn of(surface: &Surface) -> Result<Self> {
        let names = Names {
            principal: type_name(PRINCIPAL)?,
            assurance: type_name(ASSURANCE)?,
        };
        let mut actions = BTreeMap::new();
        for offer in &surface.offers {
            let name = action_name(offer.kind, offer.name, false);
            actions.insert(name.clone(), Action::of(offer, &name)?);
        }
        for offer in surface.offers.iter().filter(|o| !o.completes.is_empty()) {
            let name = action_name(offer.kind, offer.name, true);
            let completion = Action::completing(offer, &name)?;
            match actions.get_mut(&name) {
                None => {
                    actions.insert(name, completion);
                }
                Some(action) => {
                    action.on.extend(completion.on);
                    action.offers.extend(completion.offers);
                    action.resource.0.extend(completion.resource.0);
                }
            }
        }
        let principal = principal_record();
        let schema = schema(&principal, &actions);
        let schema = Schema::from_json_value(schema).map_err(|e| {
            Error::new(format!("what is served cannot be put before policies: {e}"))
        })?;
        Ok(Self {
            schema,
            actions,
            principal,
            names,
        })
    }

    /// Who asks, as an entity.
    pub(super) fn principal(&self, principal: &Principal) -> Option<(EntityUid, Entity)> {
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let uid = uid(&self.names.principal, &principal.key());
        let actors = principal.actors().iter().map(|actor| {
            // Who vouches for an actor is the issuer of the token, unless it says otherwise.
            let issuer = actor.issuer().unwrap_or(principal.issuer());
            let fields = [("issuer", text(issuer)), ("subject", text(actor.subject()))];
            RestrictedExpression::new_record(fields.map(|(n, v)| (n.to_owned(), v))).ok()
        });
        let assurance = uid_of(&self.names.assurance, principal.assurance());
        let mut attributes = vec![
            ("issuer", text(principal.issuer())),
            ("subject", text(principal.subject())),
            (
                "is_client",
                RestrictedExpression::new_bool(principal.is_client()),
            ),
            (
                "scopes",
                RestrictedExpression::new_set(principal.all_scopes().map(text)),
            ),
            (
                "actors",
                RestrictedExpression::new_set(actors.collect::<Option<Vec<_>>>()?),
            ),
            ("assurance", RestrictedExpression::new_entity_uid(assurance)),
        ];
        attributes.extend(principal.client().map(|client| ("client", text(client))));
        attributes.extend(principal.key_id().map(|key| ("key", text(key))));
        let entity = entity(uid.clone(), attributes).ok()?;
        Some((uid, entity))
    }

    /// What is asked, and on what.
    pub(super) fn action(&self, question: &Question<'_>) -> Option<(&Action, &EntityUid, &Entity)> {
        let is_completion = question.completes.is_some();
        let name = action_name(question.kind, question.name, is_completion);
        let action = self.actions.get(&name)?;
        let (_, uid, entity) = action
            .offers
            .iter()
            .find(|(kind, ..)| *kind == question.kind)?;
        Some((action, uid, entity))
    }
}

impl Action {
    fn of(offer: &Offer, name: &str) -> Result<Self> {
        let args = match offer.kind {
            Kind::Tool => Record::of_tool(&offer.schema),
            Kind::Prompt | Kind::Resource => Record::of_texts(&offer.schema),
        };
        let mut context = context_record();
        let has_uri = offer.kind == Kind::Resource;
        if has_uri {
            context
                .0
                .insert("uri".to_owned(), Field::required(Type::Text));
        }
        context.0.insert(
            "args".to_owned(),
            Field::required(Type::Record(args.clone())),
        );
        Self::made(
            offer,
            name,
            group(offer.kind, false),
            context,
            Some(args),
            has_uri,
        )
    }

    fn completing(offer: &Offer, name: &str) -> Result<Self> {
        let mut context = context_record();
        context
            .0
            .insert("argument".to_owned(), Field::required(Type::Text));
        Self::made(offer, name, group(offer.kind, true), context, None, false)
    }

    fn made(
        offer: &Offer,
        name: &str,
        group: &'static str,
        context: Record,
        args: Option<Record>,
        has_uri: bool,
    ) -> Result<Self> {
        let action_type = type_name("Action")?;
        let (action, group_uid) = (uid(&action_type, name), uid(&action_type, group));
        let thing = uid(&type_name(kind_name(offer.kind))?, offer.name);
        let entity = offer_entity(offer, thing.clone())?;
        Ok(Self {
            group,
            on: vec![offer.kind],
            args,
            context,
            resource: offer_record(offer.kind),
            entities: vec![
                Entity::new_no_attrs(action.clone(), HashSet::from([group_uid.clone()])),
                Entity::new_no_attrs(group_uid, HashSet::new()),
            ],
            uid: action,
            offers: vec![(offer.kind, thing, entity)],
            has_uri,
        })
    }
}

/// `call:send`, `get:letter`, `read:page`, `complete:page`.
fn action_name(kind: Kind, name: &str, completes: bool) -> String {
    format!("{}:{name}", group(kind, completes))
}

fn group(kind: Kind, completes: bool) -> &'static str {
    match (completes, kind) {
        (true, _) => "complete",
        (false, Kind::Tool) => "call",
        (false, Kind::Prompt) => "get",
        (false, Kind::Resource) => "read",
    }
}

/// The groups, each with the things it is about.
pub(super) const GROUPS: [&str; 4] = ["call", "get", "read", "complete"];

pub(super) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Tool => "Tool",
        Kind::Prompt => "Prompt",
        Kind::Resource => "Resource",
    }
}

pub(super) const PRINCIPAL: &str = "Principal";
const ASSURANCE: &str = "Assurance";

fn principal_record() -> Record {
    let actor = Record::of([
        ("issuer", Field::required(Type::Text)),
        ("subject", Field::required(Type::Text)),
    ]);
    Record::of([
        ("issuer", Field::required(Type::Text)),
        ("subject", Field::required(Type::Text)),
        ("client", Field::optional(Type::Text)),
        ("key", Field::optional(Type::Text)),
        ("is_client", Field::required(Type::Bool)),
        ("scopes", Field::required(Type::Set(Box::new(Type::Text)))),
        (
            "actors",
            Field::required(Type::Set(Box::new(Type::Record(actor)))),
        ),
        ("assurance", Field::required(Type::OneOf(ASSURANCE))),
    ])
}

fn context_record() -> Record {
    let taint = Record::of([
        ("untrusted_text", Field::required(Type::Bool)),
        ("secret", Field::required(Type::Bool)),
        ("private", Field::required(Type::Bool)),
    ]);
    Record::of([
        ("now", Field::required(Type::Datetime)),
        ("weekday", Field::required(Type::Long)),
        ("taint", Field::required(Type::Record(taint))),
    ])
}

fn offer_record(kind: Kind) -> Record {
    let mut record = Record::of([
        ("name", Field::required(Type::Text)),
        ("scopes", Field::required(Type::Set(Box::new(Type::Text)))),
        ("writes", Field::required(Type::Bool)),
        ("destructive", Field::required(Type::Bool)),
        ("open_world", Field::required(Type::Bool)),
        ("private", Field::required(Type::Bool)),
        ("open_sink", Field::required(Type::Bool)),
        ("needs_approval", Field::required(Type::Bool)),
    ]);
    if kind == Kind::Resource {
        // The template, where it is one. The URI of a request is in its context.
        let uri = Field::required(Type::Text);
        record.0.insert("template".to_owned(), uri);
    }
    record
}

fn offer_entity(offer: &Offer, uid: EntityUid) -> Result<Entity> {
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let truth = RestrictedExpression::new_bool;
    let mut attributes = vec![
        ("name", text(offer.name)),
        (
            "scopes",
            RestrictedExpression::new_set(offer.scopes.iter().map(|scope| text(scope))),
        ),
        ("writes", truth(offer.writes)),
        ("destructive", truth(offer.destructive)),
        ("open_world", truth(offer.open_world)),
        ("private", truth(offer.private)),
        ("open_sink", truth(offer.open_sink)),
        ("needs_approval", truth(offer.needs_approval)),
    ];
    attributes.extend(offer.uri.map(|uri| ("template", text(uri))));
    entity(uid, attributes)
}

fn schema(principal: &Record, actions: &BTreeMap<String, Action>) -> Value {
    let mut entities = serde_json::Map::new();
    entities.insert(PRINCIPAL.into(), json!({ "shape": principal.to_schema() }));
    // Of an enumerated type the validator knows every id: a misspelled one stops the start.
    entities.insert(
        ASSURANCE.into(),
        json!({ "enum": ASSURANCES.map(Assurance::as_str) }),
    );
    for kind in [Kind::Tool, Kind::Prompt, Kind::Resource] {
        let shape = offer_record(kind).to_schema();
        entities.insert(kind_name(kind).into(), json!({ "shape": shape }));
    }
    let mut all: serde_json::Map<String, Value> = GROUPS
        .iter()
        .map(|group| ((*group).to_owned(), json!({})))
        .collect();
    for (name, action) in actions {
        let on: Vec<&str> = action.on.iter().map(|kind| kind_name(*kind)).collect();
        let applies = json!({
            "principalTypes": [PRINCIPAL],
            "resourceTypes": on,
            "context": action.context.to_schema(),
        });
        all.insert(
            name.clone(),
            json!({ "memberOf": [{ "id": action.group }], "appliesTo": applies }),
        );
    }
    json!({ "": { "entityTypes": entities, "actions": all } })
}

const ASSURANCES: [Assurance; 7] = [
    Assurance::Declared,
    Assurance::LocalToken,
    Assurance::PeerCredentials,
    Assurance::ClientCertificate,
    Assurance::ApiKey,
    Assurance::AccessToken,
    Assurance::SenderConstrained,
];

fn uid_of(name: &EntityTypeName, assurance: Assurance) -> EntityUid {
    uid(name, assurance.as_str())
}

fn uid(name: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(name.clone(), EntityId::new(id))
}

fn type_name(name: &str) -> Result<EntityTypeName> {
    name.parse()
        .map_err(|e| Error::new(format!("`{name}` is no type of Cedar's: {e}")))
}

fn entity(uid: EntityUid, attributes: Vec<(&str, RestrictedExpression)>) -> Result<Entity> {
    let attributes = attributes.into_iter().map(|(name, v)| (name.to_owned(), v));
    Entity::new(uid, attributes.collect(), HashSet::new())
        .map_err(|e| Error::new(format!("what is served cannot be put before policies: {e}")))
}
