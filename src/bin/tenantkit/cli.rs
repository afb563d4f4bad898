//! The command line: what may be written, and how help shows it.

use crate::commands;
use crate::output::Format;
use clap::builder::Styles;
use clap::{ArgAction, Args, Command, CommandFactory, Parser, Subcommand};
use tenantkit::policy::model::CliNames;

/// Examples first: whoever asks for help wants to see how it is written.
const HELP: &str = "{before-help}{about-with-newline}\n{usage-heading} {usage}\n\n{all-args}{after-help}";

/// Keys, tenants, limits and policies of a product, from the command line
#[derive(Debug, Parser)]
#[command(
    name = "tenantkit",
    version,
    disable_help_subcommand = true,
    disable_help_flag = true,
    disable_version_flag = true,
    arg_required_else_help = true,
    before_help = "Examples:
  tenantkit demo                                            see all of it in a second
  tenantkit init --name acme                                a policy to start from
  tenantkit keys create --name ci --user ann > ci.key       a key; its text is printed once
  tenantkit check request --key ci.key                      is this allowed? exit 0 or 3
  tenantkit usage show                                      who has used how much
  tenantkit doctor                                          is everything in order?
",
    after_help = "Exit status: 0 done or allowed, 1 failed, 2 wrong usage, 3 denied, 130 interrupted."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Commands,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The product's policy; without it the built-in one holds
    #[arg(long, global = true, value_name = "FILE", env = "TENANTKIT_POLICY", hide_env_values = true)]
    pub(crate) policy: Option<std::path::PathBuf>,
    /// Where keys and counts are: `sqlite:PATH` or `memory:`
    #[arg(
        long,
        global = true,
        value_name = "STORE",
        env = "TENANTKIT_STORE",
        hide_env_values = true,
        default_value = "sqlite:tenantkit.db"
    )]
    pub(crate) store: String,
    /// The account that the command is about; without it `default`, or that of the key that is named
    #[arg(long, global = true, value_name = "ID", env = "TENANTKIT_ACCOUNT", hide_env_values = true)]
    pub(crate) account: Option<String>,
    /// Who does this, for the audit trail; without it the login name
    #[arg(long, global = true, value_name = "NAME", env = "TENANTKIT_ACTOR", hide_env_values = true)]
    pub(crate) actor: Option<String>,
    /// Why, for the audit trail
    #[arg(long, global = true, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// An id of this act, the same on every retry: it is done once
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) operation_id: Option<String>,
    /// The form of the output
    #[arg(long, global = true, value_name = "FORM", value_enum, default_value_t)]
    pub(crate) output: Format,
    /// The same as `--output json`; errors on stderr are JSON too
    #[arg(long, global = true, conflicts_with = "output")]
    pub(crate) json: bool,
    /// Go ahead without being asked
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
    /// Show what would happen, and change nothing
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
    /// Print data and errors only
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Print help
    #[arg(long, short, global = true, action = ArgAction::HelpShort)]
    help: Option<bool>,
    /// Print the version
    #[arg(long, short = 'V', action = ArgAction::Version)]
    version: Option<bool>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Commands {
    Init(commands::init::Init),
    #[command(subcommand)]
    Policy(commands::policy::Policy),
    #[command(subcommand, visible_alias = "api-keys")]
    Keys(commands::keys::Keys),
    #[command(subcommand)]
    Tenants(commands::tenants::Tenants),
    #[command(subcommand)]
    Usage(commands::usage::Usage),
    Check(Box<commands::check::Check>),
    #[command(subcommand)]
    Audit(commands::audit::Audit),
    #[command(subcommand)]
    Vectors(commands::vectors::Vectors),
    Doctor(commands::doctor::Doctor),
    Demo(commands::demo::Demo),
    Completions(commands::completions::Completions),
    /// The reference of all commands as Markdown
    #[command(hide = true)]
    Reference,
}

/// The org that a command is about.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OrgOption {
    /// The org; without it the one that the policy's variable names
    #[arg(long, value_name = "ID", id = ORG)]
    pub(crate) org: Option<String>,
}

const ORG: &str = "org";

impl Global {
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.output }
    }
}

/// The command line in the words of a product.
pub(crate) fn command(names: &CliNames) -> Command {
    let command = shaped(Cli::command(), names);
    // Names live as long as the program.
    let program: &'static str = Box::leak(names.program.clone().into_string().into_boxed_str());
    command.name(program).bin_name(program)
}

/// Puts the product's words into a command and those below it.
fn shaped(mut command: Command, names: &CliNames) -> Command {
    let word = names.org_flag.trim_start_matches('-');
    if word != ORG && command.get_arguments().any(|argument| argument.get_id() == ORG) {
        let alias: &'static str = Box::leak(word.to_owned().into_boxed_str());
        command = command.mut_arg(ORG, |argument| argument.long(alias).alias(ORG));
    }
    if let Some(examples) = command.get_before_help() {
        let examples = examples.to_string().replace("tenantkit ", &format!("{} ", names.program));
        command = command.before_help(examples);
    }
    // One form of help, with the further paragraphs of a command below its options.
    if let Some(more) = command
        .get_long_about()
        .and_then(|about| about.to_string().split_once("\n\n").map(|(_, more)| more.to_owned()))
    {
        command = command.after_help(more);
    }
    let children: Vec<String> = command.get_subcommands().map(|child| child.get_name().to_owned()).collect();
    for child in children {
        command = command.mut_subcommand(child, |child| shaped(child, names));
    }
    command.help_template(HELP).styles(Styles::styled())
}
