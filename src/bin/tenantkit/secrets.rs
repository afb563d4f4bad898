//! Secrets come from stdin, from a file or from a variable, never from the command line, and go nowhere but into the
//! engine.

use crate::failure::Failure;
use crate::output::{say, variable};
use std::io::Read;
use std::path::Path;
use tenantkit::entropy::{Entropy, OsEntropy};
use tenantkit::key::digest::{Digester, Pepper};
use tenantkit::key::secret::ApiKey;
use tenantkit::policy::DigestScheme;
use tenantkit::seal::SealKey;
use tenantkit::{Error, Policy};
use zeroize::Zeroizing;

/// Bytes of a file that holds secrets.
const FILE_MAX: u64 = 64 * 1024;

/// The variable of the pepper, or with `_FILE` of a file that holds it.
pub(crate) const PEPPER: &str = "TENANTKIT_PEPPER";
/// The variable of the key that seals texts which can be shown again.
pub(crate) const SEAL_KEY: &str = "TENANTKIT_SEAL_KEY";

/// Reads an API key from `source`: `-` is stdin, anything else a file; without one from the policy's variable, or from
/// the file that the variable with `_FILE` names. `None` where there is none.
///
/// # Errors
/// When the source can't be read or is empty.
pub(crate) fn api_key(source: Option<&str>, key_env: &str) -> Result<Option<ApiKey>, Failure> {
    let text = match source {
        Some("-") => read_stdin()?,
        Some(path) => read_file(Path::new(path))?,
        None => match from_variables(key_env)? {
            Some(text) => text,
            None => return Ok(None),
        },
    };
    let name = format!("{key_env}=");
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("export ").or(Some(line)));
    // A `.env` file has the key behind the variable's name.
    let line = lines.clone().find_map(|line| {
        line.trim_start().strip_prefix(name.as_str()).map(|rest| rest.trim_matches(['"', '\'']))
    });
    let line = line.or_else(|| text.lines().next()).unwrap_or_default();
    if line.is_empty() {
        return Err(Failure::usage("there is no key where one was to be read").code("missing_credential"));
    }
    Ok(Some(ApiKey::new(line.to_owned())))
}

/// Hands a key's text to the engine, or to the one that prints it. All of the program reads texts through this call.
pub(crate) fn with_text<T>(key: &ApiKey, take: impl FnOnce(&str) -> T) -> T {
    take(key.reveal())
}

/// The digester that the policy needs.
///
/// # Errors
/// When a pepper is needed and not configured, or what is configured can't be used.
pub(crate) fn digester(policy: &Policy) -> Result<Option<Digester>, Failure> {
    if policy.credentials().digest != DigestScheme::HmacSha256 {
        return Ok(None);
    }
    let Some(text) = from_variables(PEPPER)? else {
        let message =
            format!("this policy digests keys with a pepper; set `{PEPPER}_FILE` to a file that holds it");
        return Err(Failure::new("configuration_invalid", message).fix(format!(
            "a new one: `(printf 1:; openssl rand -hex 32) > pepper; chmod 600 pepper; export {PEPPER}_FILE=pepper`"
        )));
    };
    let mut peppers = Vec::new();
    for (number, secret) in numbered(&text, PEPPER)? {
        let version = u16::try_from(number).map_err(|_| Failure::from(malformed(PEPPER)))?;
        peppers.push(Pepper::new(version, secret)?);
    }
    let older = peppers.split_off(1.min(peppers.len()));
    match peppers.pop() {
        Some(current) => Ok(Some(Digester::peppered(current, older)?)),
        None => Err(malformed(PEPPER).into()),
    }
}

/// The key that seals texts which can be shown again, if one is configured.
///
/// # Errors
/// When what is configured can't be used.
pub(crate) fn seal_key() -> Result<Option<SealKey>, Failure> {
    let Some(text) = from_variables(SEAL_KEY)? else { return Ok(None) };
    let mut sealing: Option<SealKey> = None;
    for (number, secret) in numbered(&text, SEAL_KEY)? {
        let secret: [u8; 32] =
            secret.as_slice().try_into().map_err(|_| Failure::from(malformed(SEAL_KEY)))?;
        sealing = Some(match sealing {
            None => SealKey::new(number, secret),
            Some(sealing) => sealing.also_opens(number, secret)?,
        });
    }
    Ok(sealing)
}

/// A new secret of 32 bytes as configuration keeps it: `1:` and 64 hex digits.
///
/// # Errors
/// When the random source fails.
pub(crate) fn generate() -> Result<Zeroizing<String>, Error> {
    let mut secret = Zeroizing::new([0; 32]);
    OsEntropy.fill(&mut *secret)?;
    let mut text = Zeroizing::new(String::with_capacity(67));
    text.push_str("1:");
    data_encoding::HEXLOWER.encode_append(&*secret, &mut text);
    text.push('\n');
    Ok(text)
}

/// The value of a variable, or the content of the file that `NAME_FILE` names.
fn from_variables(name: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    let file_variable = format!("{name}_FILE");
    match (variable(name), variable(&file_variable)) {
        (Some(_), Some(_)) => {
            Err(Failure::usage(format!("both `{name}` and `{file_variable}` are set; set one of them"))
                .code("configuration_invalid"))
        }
        (Some(value), None) => Ok(Some(Zeroizing::new(value))),
        (None, Some(path)) => read_file(Path::new(&path)).map(Some),
        (None, None) => Ok(None),
    }
}

/// Secrets as `NUMBER:HEX`, separated by commas or line ends; the first is the one in use.
fn numbered(text: &str, name: &str) -> Result<Vec<(u32, Zeroizing<Vec<u8>>)>, Failure> {
    let entries =
        text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty() && !entry.starts_with('#'));
    let read = |entry: &str| {
        let (number, hex) = entry.split_once(':')?;
        let secret = data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()?;
        Some((number.parse().ok()?, Zeroizing::new(secret)))
    };
    entries.map(|entry| read(entry).ok_or_else(|| malformed(name).into())).collect()
}

fn malformed(name: &str) -> Error {
    let text =
        format!("`{name}` holds entries `NUMBER:HEX` with at least 64 hex digits, the one in use first");
    Error::new(tenantkit::ErrorKind::InvalidArgument, text)
}

fn read_stdin() -> Result<Zeroizing<String>, Failure> {
    let read = bounded(std::io::stdin().lock());
    read.map_err(|e| Failure::usage(format!("the key can't be read from stdin: {e}")))
}

/// Reads a file with secrets, and says so where others can read it too.
fn read_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let unreadable =
        |e: std::io::Error| Failure::file("can't read", path, &e).exit(crate::failure::Exit::Usage);
    let file = std::fs::File::open(path).map_err(unreadable)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode();
        if mode & 0o077 != 0 {
            say(&format!("warning: `{}` can be read by others; `chmod 600` it\n", path.display()));
        }
    }
    bounded(file).map_err(unreadable)
}

/// At most 64 KiB of text, in a buffer that never grows.
fn bounded(reader: impl Read) -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(FILE_MAX as usize + 1));
    reader.take(FILE_MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configured_secrets_have_numbers() {
        let text = format!("# the one in use\n2:{}\n1:{}\n", "ab".repeat(32), "CD".repeat(32));
        let secrets = numbered(&text, "X").unwrap();
        assert_eq!(
            secrets.iter().map(|(number, secret)| (*number, secret.len())).collect::<Vec<_>>(),
            [(2, 32), (1, 32)]
        );
        for wrong in ["abcd", "x:abcd", "1:xyz", "1:abc"] {
            let failure = format!("{:?}", numbered(wrong, "X").unwrap_err());
            assert!(!failure.contains(wrong), "{failure}");
        }
    }

    #[test]
    fn a_generated_secret_can_be_read_back() {
        let text = generate().unwrap();
        let secrets = numbered(&text, "X").unwrap();
        assert_eq!((secrets.len(), secrets[0].0, secrets[0].1.len()), (1, 1, 32));
        assert_ne!(*text, *generate().unwrap());
    }
}
