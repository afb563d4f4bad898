//! `init`: a policy to start from.

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::secrets;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use tenantkit::Policy;
use tenantkit::policy::{BUILTIN_POLICY, DigestScheme, Reveal, json_schema};

/// Write a policy to start from, its schema for editors, and the secrets it needs
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit init --name acme --prefix ak
  tenantkit init product --template runtype
")]
pub(crate) struct Init {
    /// The folder; it is made if it is not there
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// What to start from
    #[arg(long, value_name = "TEMPLATE", value_enum, default_value = "builtin")]
    template: Template,
    /// The product's name
    #[arg(long, value_parser = word)]
    name: Option<String>,
    /// What keys begin with, in place of `tk`; for the built-in template
    #[arg(long, value_parser = word)]
    prefix: Option<String>,
    /// Write over files that are there; never over secrets
    #[arg(long)]
    force: bool,
}

/// What to start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Template {
    /// One developer, one company or many; two environments, two plans
    Builtin,
    /// Plans with a number of executions per key
    Runstack,
    /// Service keys with roles, public keys bound to origins
    Mcpstack,
    /// The same with spending limits
    McpstackExtended,
    /// Test and live, permissions and templates
    Runtype,
    /// The same with plans and further kinds
    RuntypeExtended,
    /// Solo, client and platform keys, chosen by URL
    Allmcp,
    /// The same with limits
    AllmcpExtended,
}

/// What was written.
#[derive(Serialize)]
struct Made {
    policy: String,
    files: Vec<String>,
}

impl Init {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let text = self.text()?;
        let policy = Policy::parse(&text).map_err(|faults| Failure::policy(&faults.into()))?;
        let mut files: Vec<(PathBuf, Content)> = vec![
            (self.folder.join("policy.toml"), Content::Text(text)),
            (self.folder.join("policy.schema.json"), Content::Text(json_schema())),
        ];
        let mut exports = format!("export TENANTKIT_POLICY={}", self.folder.join("policy.toml").display());
        if policy.kinds().iter().any(|kind| kind.reveal != Reveal::Never) {
            let path = self.folder.join("seal.key");
            exports += &format!(" {}_FILE={}", secrets::SEAL_KEY, path.display());
            files.push((path, Content::Secret));
        }
        if policy.credentials().digest == DigestScheme::HmacSha256 {
            let path = self.folder.join("pepper.key");
            exports += &format!(" {}_FILE={}", secrets::PEPPER, path.display());
            files.push((path, Content::Secret));
        }
        let is_there = |(path, content): &&(PathBuf, Content)| {
            path.exists() && (!self.force || matches!(content, Content::Secret))
        };
        if let Some((path, content)) = files.iter().find(is_there) {
            let fix = match content {
                Content::Secret => "a secret that is lost can't be made again; move it away yourself",
                Content::Text(_) => "`--force` writes over it",
            };
            return Err(Failure::usage(format!(
                "`{}` is there already; nothing was written",
                path.display()
            ))
            .code("file_exists")
            .fix(fix));
        }
        let made = Made {
            policy: policy.name().to_owned(),
            files: files.iter().map(|(path, _)| path.display().to_string()).collect(),
        };
        if !context.global.dry_run {
            std::fs::create_dir_all(&self.folder)
                .map_err(|e| Failure::file("can't make the folder", &self.folder, &e))?;
            for (path, content) in &files {
                content.write(path)?;
            }
        }
        context.changed(format_args!("wrote {}", made.files.join(", ")));
        let program = &context.names.program;
        context.out.note(format_args!(
            "next: `{exports}`, edit the file, `{program} policy check`, `{program} keys create --name first`"
        ));
        if !context.out.is_for_people() {
            context.out.report(&made, |_| String::new())?;
        }
        Ok(Exit::Done)
    }

    /// The policy's text with the product's name and prefix.
    fn text(&self) -> Result<String, Failure> {
        let mut text = self.template.text().replacen(
            "#:schema ../../examples/policies/policy.schema.json",
            "#:schema ./policy.schema.json",
            1,
        );
        if let Some(name) = &self.name {
            let line = text.lines().find(|line| line.starts_with("name = ")).unwrap_or_default().to_owned();
            text = text.replacen(&line, &format!("name = \"{name}\""), 1);
        }
        match &self.prefix {
            Some(_) if self.template != Template::Builtin => Err(Failure::usage(
                "`--prefix` is for the built-in template; the others have several, in the file",
            )),
            Some(prefix) => Ok(text
                .replace("native = \"tk\"", &format!("native = \"{prefix}\""))
                .replace("`tk`", &format!("`{prefix}`"))
                .replace("tk_live_", &format!("{prefix}_live_"))
                .replace("tk_test_", &format!("{prefix}_test_"))),
            None => Ok(text),
        }
    }
}

impl Template {
    fn text(self) -> &'static str {
        match self {
            Self::Builtin => BUILTIN_POLICY,
            Self::Runstack => include_str!("../../../../examples/policies/runstack.toml"),
            Self::Mcpstack => include_str!("../../../../examples/policies/mcpstack.toml"),
            Self::McpstackExtended => include_str!("../../../../examples/policies/mcpstack-extended.toml"),
            Self::Runtype => include_str!("../../../../examples/policies/runtype.toml"),
            Self::RuntypeExtended => include_str!("../../../../examples/policies/runtype-extended.toml"),
            Self::Allmcp => include_str!("../../../../examples/policies/allmcp.toml"),
            Self::AllmcpExtended => include_str!("../../../../examples/policies/allmcp-extended.toml"),
        }
    }
}

/// What goes into a file.
enum Content {
    Text(String),
    /// A new secret, which only its owner may read.
    Secret,
}

impl Content {
    fn write(&self, path: &Path) -> Result<(), Failure> {
        let failed = |e: std::io::Error| Failure::file("can't write", path, &e);
        match self {
            Self::Text(text) => std::fs::write(path, text).map_err(failed),
            Self::Secret => {
                let mut options = OpenOptions::new();
                options.write(true).create_new(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let secret = secrets::generate()?;
                options.open(path).and_then(|mut file| file.write_all(secret.as_bytes())).map_err(failed)
            }
        }
    }
}

fn word(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if (1..=32).contains(&text.len()) && text.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err("it has 1 to 32 letters, digits, `_` and `-`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid_and_takes_a_name() {
        for template in Template::value_variants() {
            let init = Init {
                folder: ".".into(),
                template: *template,
                name: Some("acme".to_owned()),
                prefix: None,
                force: false,
            };
            let policy = Policy::parse(&init.text().unwrap())
                .unwrap_or_else(|faults| panic!("{template:?}: {faults}"));
            assert_eq!(policy.name(), "acme");
        }
    }

    #[test]
    fn the_prefix_reaches_keys_and_comments() {
        let init = Init {
            folder: ".".into(),
            template: Template::Builtin,
            name: None,
            prefix: Some("ak".to_owned()),
            force: false,
        };
        let text = init.text().unwrap();
        assert!(!text.contains("tk_") && !text.contains("\"tk\""), "{text}");
        let policy = Policy::parse(&text).unwrap();
        assert!(policy.formats().iter().all(|(format, _, _)| format.prefix().starts_with("ak_")));
    }
}
