//! What happens in the demo.

use super::Scene;
use super::stage::{ACCOUNT, Stage};
use crate::failure::Failure;
use crate::output::Style;
use crate::output::bar::Gauge;
use crate::secrets;
use tenantkit::decision::Decision;
use tenantkit::key::secret::ApiKey;
use tenantkit::{KeyEdit, KeyView, NewKey, Request, Rotation};

/// Units of the free plan.
const FREE: u64 = 50;

const KEYS: &str = "1. One key per kind of customer. Each is bound to its tenants; no request changes that.";
const REQUESTS: &str = "2. Requests. The answer says whom to act for, or exactly why not.";
const PLAN: &str = "3. A plan of 50 reports per key. Nothing gets past it; free operations go on.";
const ROTATION: &str = "4. A key is replaced while its users move over. Both work; the count goes along.";
const END: &str = "5. A key is revoked. When the call returns, no process accepts it any more.";
const TRAIL: &str = "6. Everything that was done is in a trail that shows every change.";

/// A key of the demo.
struct Actor {
    view: KeyView,
    text: ApiKey,
}

/// Plays the whole story.
pub(super) fn play(stage: &Stage, style: &Style) -> Result<Vec<Scene>, Failure> {
    let mut scenes = Vec::new();
    let solo = issue(
        stage,
        &mut scenes,
        NewKey::new(ACCOUNT, "ann's laptop").preset("solo").user_id("ann"),
        "acts for ann alone",
    )?;
    let client = issue(
        stage,
        &mut scenes,
        NewKey::new(ACCOUNT, "initech backend").preset("client").org_id("initech"),
        "acts for the users of org initech",
    )?;
    let platform = issue(
        stage,
        &mut scenes,
        NewKey::new(ACCOUNT, "marketplace").preset("platform"),
        "acts for any org and user that a request names",
    )?;
    let flexible = NewKey::new(ACCOUNT, "bob's script").preset("flexible").org_id("home").user_id("bob");
    let flexible = issue(stage, &mut scenes, flexible, "acts for bob at home, or for whom a request names")?;
    requests(stage, &mut scenes, [&solo, &client, &platform, &flexible])?;
    plan(stage, &mut scenes, &solo, style)?;
    replace_and_end(stage, &mut scenes, &client)?;
    trail(stage, &mut scenes)?;
    Ok(scenes)
}

fn issue(stage: &Stage, scenes: &mut Vec<Scene>, new: NewKey, bound: &str) -> Result<Actor, Failure> {
    let issued = stage.authority.issue(&stage.caller, &new)?;
    let text = issued.key.ok_or_else(|| Failure::new("internal_error", "the demo's key was made before"))?;
    let what = format!("{:9} {}", issued.view.preset.name(), issued.view.name);
    scenes.push(Scene::told(KEYS, what, format!("{}  {bound}", issued.view.masked)));
    Ok(Actor { view: issued.view, text })
}

fn requests(stage: &Stage, scenes: &mut Vec<Scene>, actors: [&Actor; 4]) -> Result<(), Failure> {
    let [solo, client, platform, flexible] = actors;
    let cases: [(&Actor, &str, &str); 7] = [
        (solo, "", "solo key, nothing said"),
        (client, "user_id=peter", "client key, ?user_id=peter"),
        (client, "", "client key, no user"),
        (client, "org_id=globex&user_id=hank", "client key, another org"),
        (platform, "org_id=globex&user_id=hank", "platform key, ?org_id=globex&user_id=hank"),
        (platform, "org_id=globex&org_id=initech&user_id=hank", "platform key, two orgs at once"),
        (flexible, "", "flexible key, nothing said"),
    ];
    for (actor, query, what) in cases {
        let decision = ask(stage, &actor.text, "reports.list", query)?;
        scenes.push(Scene::asked(REQUESTS, what, &decision));
    }
    let wrong = secrets::with_text(&solo.text, |text| ApiKey::new(with_another_letter(text)));
    scenes.push(Scene::asked(
        REQUESTS,
        "a key with one letter changed",
        &ask(stage, &wrong, "reports.list", "")?,
    ));
    let none = stage.authority.authorize(&Request::new("reports.list"))?;
    scenes.push(Scene::asked(REQUESTS, "no key at all", &none));
    Ok(())
}

fn plan(stage: &Stage, scenes: &mut Vec<Scene>, actor: &Actor, style: &Style) -> Result<(), Failure> {
    let mut written = 0;
    for (upto, what) in
        [(FREE * 78 / 100, "39 reports written"), (FREE * 80 / 100, "one more"), (FREE, "ten more")]
    {
        while written < upto {
            let decision = ask(stage, &actor.text, "reports.write", "")?;
            if !decision.is_allowed() {
                return Err(Failure::new("internal_error", "the demo's plan refused too early"));
            }
            written += 1;
        }
        let usage = stage.authority.key_usage(&stage.caller, ACCOUNT, &actor.view.id, &[])?;
        let bar = usage.first().map_or(String::new(), |line| Gauge::new(line).cell(style).text);
        scenes.push(Scene { status: Some(200), ..Scene::told(PLAN, what, bar) });
    }
    scenes.push(Scene::asked(PLAN, "the next one", &ask(stage, &actor.text, "reports.write", "")?));
    scenes.push(Scene::asked(PLAN, "looking at the reports", &ask(stage, &actor.text, "reports.list", "")?));
    let edit = KeyEdit::default().plan("pro");
    let changed = stage.authority.update(&stage.caller, ACCOUNT, &actor.view.id, &edit)?;
    let plan = changed.key.plan.and_then(|plan| plan.name).unwrap_or_default();
    scenes.push(Scene::told(
        PLAN,
        "the key gets plan pro",
        format!("plan {plan}: unlimited; the key and its count stay"),
    ));
    scenes.push(Scene::asked(PLAN, "the next one", &ask(stage, &actor.text, "reports.write", "")?));
    Ok(())
}

fn replace_and_end(stage: &Stage, scenes: &mut Vec<Scene>, old: &Actor) -> Result<(), Failure> {
    let query = "user_id=peter";
    let issued =
        stage.authority.rotate(&stage.caller, ACCOUNT, &old.view.id, &Rotation::default().grace_s(86_400))?;
    let text = issued.key.ok_or_else(|| Failure::new("internal_error", "the demo's key was made before"))?;
    scenes.push(Scene::told(
        ROTATION,
        "rotate, with a day to move over",
        format!("{}  is the successor", issued.view.masked),
    ));
    scenes.push(Scene::asked(ROTATION, "the old key", &ask(stage, &old.text, "reports.list", query)?));
    scenes.push(Scene::asked(ROTATION, "the new key", &ask(stage, &text, "reports.list", query)?));
    let caller = stage.caller.clone().reason("everybody has moved");
    stage.authority.revoke(&caller, ACCOUNT, &old.view.id)?;
    scenes.push(Scene::told(END, "revoke the old key", "everybody has moved".to_owned()));
    scenes.push(Scene::asked(END, "the old key", &ask(stage, &old.text, "reports.list", query)?));
    scenes.push(Scene::asked(END, "the new key", &ask(stage, &text, "reports.list", query)?));
    Ok(())
}

fn trail(stage: &Stage, scenes: &mut Vec<Scene>) -> Result<(), Failure> {
    stage.authority.maintain()?;
    let last = stage.authority.audit(&stage.caller, ACCOUNT, 1, 1_000)?;
    let acts: Vec<&str> =
        last.iter().map(|entry| &*entry.draft.act).filter(|act| act.starts_with("key.")).collect();
    scenes.push(Scene::told(TRAIL, "what was done", acts.join(", ")));
    let outcome = match stage.authority.audit_verify(&stage.caller, ACCOUNT, None)? {
        Ok(verified) => format!(
            "whole: {} entries, each with the hash of the one before",
            verified.head.map_or(0, |head| head.number)
        ),
        Err(broken) => return Err(Failure::new("audit_broken", broken.to_string())),
    };
    scenes.push(Scene::told(TRAIL, "is all of it there?", outcome));
    Ok(())
}

fn ask(stage: &Stage, key: &ApiKey, operation: &str, query: &str) -> Result<Decision, Failure> {
    let operation = stage.policy.operation(operation).map_or("", |operation| &operation.name);
    Ok(secrets::with_text(key, |text| {
        stage.authority.authorize(&Request::new(operation).key(text).query(query))
    })?)
}

/// The text with its last letter replaced by the next one.
fn with_another_letter(text: &str) -> String {
    let mut text = text.to_owned();
    let last = text.pop();
    text.push(if last == Some('a') { 'b' } else { 'a' });
    text
}

impl Scene {
    fn told(chapter: &'static str, what: impl Into<String>, outcome: String) -> Self {
        Self { chapter, what: what.into(), status: None, code: None, outcome }
    }

    fn asked(chapter: &'static str, what: &str, decision: &Decision) -> Self {
        let (status, code, outcome) = match decision {
            Decision::Allow(grant) => {
                let org = grant.org_id().map_or(String::new(), |org| format!(" of org {org}"));
                let user = grant.user_id().map_or(String::new(), |user| format!("user {user}"));
                let created = if grant.created() { ", new from now on" } else { "" };
                (200, None, format!("as {user}{org}{created}"))
            }
            Decision::Deny(denial) => {
                let row =
                    if denial.row().is_empty() { String::new() } else { format!(" (row {})", denial.row()) };
                (denial.http_status(), Some(denial.code().name()), format!("{}{row}", denial.code().text()))
            }
        };
        Self { status: Some(status), code, ..Self::told(chapter, what, outcome) }
    }
}
