//! `demo`: the whole of it in a second, for somebody who has never seen it.

mod stage;
mod story;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::Style;
use clap::Args;
use serde::Serialize;
use stage::Stage;
use std::fmt::Write;

/// Show the whole of it in a second: keys, requests, limits, rotation, revocation, on a database of its own
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit demo
  tenantkit demo --json
")]
pub(crate) struct Demo {}

/// One thing that happens.
#[derive(Debug, Serialize)]
struct Scene {
    chapter: &'static str,
    /// What is done.
    what: String,
    /// The HTTP status that the caller gets; `null` where there is no request.
    status: Option<u16>,
    /// The code of a refusal.
    code: Option<&'static str>,
    /// What comes of it.
    outcome: String,
}

impl Demo {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let stage = Stage::new()?;
        let scenes = story::play(&stage, context.out.style());
        let closed = stage.close();
        let scenes = scenes?;
        closed?;
        context.out.report(&scenes, |style| in_words(&scenes, style))?;
        let program = &context.names.program;
        context.out.note(format_args!(
            "the database of the demo is removed; next: `{program} init --name yours`, or `{program} keys create --name first --user you`"
        ));
        Ok(Exit::Done)
    }
}

fn in_words(scenes: &[Scene], _: &Style) -> String {
    let mut text = String::new();
    let mut chapter = "";
    for scene in scenes {
        if scene.chapter != chapter {
            chapter = scene.chapter;
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{chapter}");
        }
        let status = scene.status.map_or("   ".to_owned(), |status| status.to_string());
        let code = scene.code.map_or(String::new(), |code| format!("{code}: "));
        let _ = writeln!(text, "  {:44}  {status}  {code}{}", scene.what, scene.outcome);
    }
    text
}
