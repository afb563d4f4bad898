//! The names of counts: which limit, which bucket of it, which holder, which message.

use super::Units;
use crate::clock::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;

/// Declares a 16-byte identifier: hex in text and in text formats, raw bytes in binary ones.
macro_rules! id16 {
    ($( $(#[$doc:meta])* $name:ident; )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The identifier with these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The bytes, as stores keep them.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.serialize_str(&data_encoding::HEXLOWER.encode(&self.0))
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if !deserializer.is_human_readable() {
                    return <[u8; 16]>::deserialize(deserializer).map(Self);
                }
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
                <[u8; 16]>::try_from(bytes).map(Self).map_err(|_| serde::de::Error::custom("expected 32 hex digits"))
            }
        }
    )* };
}

id16! {
    /// Whose use of what is bounded: the digest of environment, subject, meter and limit name.
    LimitId;
    /// One process life: 128 random bits, new at every start and after every fork.
    HolderId;
    /// The random mark of one message. Two users of one lease are told apart by it.
    Nonce;
    /// The random id of one bucket row; another one means that the store lost the row and began it anew.
    Incarnation;
    /// Where an operation id is unique: the environment and the subject of the call's primary limit.
    OperationScope;
    /// The digest of an operation id given by the host.
    OperationId;
    /// What an operation charges: the digest of its limits and amounts.
    Fingerprint;
    /// One try of an operation: random, so that a retried message is told from a retried call.
    Attempt;
    /// The digest of a refund id given by the host, or the [`Attempt`] that is undone.
    RefundId;
}

impl LimitId {
    /// The identity of the limit `name` on `meter` for the subject with these dimensions (name and value, in the
    /// policy's order). Every part is length-prefixed, so no two different lists meet.
    #[must_use]
    pub fn new(environment: &str, subject: &[(&str, &str)], meter: &str, name: &str) -> Self {
        let mut hash = PrefixedHash::new(b"limit");
        hash.text(environment);
        hash.number(subject.len() as u64);
        for (dimension, value) in subject {
            hash.text(dimension);
            hash.text(value);
        }
        hash.text(meter);
        hash.text(name);
        Self(hash.finish())
    }
}

impl OperationScope {
    /// The scope of operation ids on the primary limit's subject.
    #[must_use]
    pub fn new(environment: &str, subject: &[(&str, &str)]) -> Self {
        let mut hash = PrefixedHash::new(b"scope");
        hash.text(environment);
        hash.number(subject.len() as u64);
        for (dimension, value) in subject {
            hash.text(dimension);
            hash.text(value);
        }
        Self(hash.finish())
    }
}

impl OperationId {
    /// The digest of the host's operation id.
    #[must_use]
    pub fn new(operation_id: &str) -> Self {
        let mut hash = PrefixedHash::new(b"operation");
        hash.text(operation_id);
        Self(hash.finish())
    }
}

impl RefundId {
    /// The digest of the host's refund id.
    #[must_use]
    pub fn new(refund_id: &str) -> Self {
        let mut hash = PrefixedHash::new(b"refund");
        hash.text(refund_id);
        Self(hash.finish())
    }
}

/// The refund id that undoes a whole try: a full credit under it removes the operation's record as well.
impl From<Attempt> for RefundId {
    fn from(attempt: Attempt) -> Self {
        Self(attempt.0)
    }
}

impl Fingerprint {
    /// The fingerprint of charging these amounts; the order of the list does not matter.
    #[must_use]
    pub fn new(charges: &[(LimitId, Units)]) -> Self {
        let mut charges = charges.to_vec();
        charges.sort_unstable();
        let mut hash = PrefixedHash::new(b"fingerprint");
        for (limit, amount) in &charges {
            hash.0.update(limit.0);
            hash.number(amount.get());
        }
        Self(hash.finish())
    }
}

impl Incarnation {
    /// The id of a row that the message marked `nonce` creates at `now`.
    pub(crate) fn new(nonce: Nonce, now: Timestamp) -> Self {
        let mut hash = PrefixedHash::new(b"incarnation");
        hash.0.update(nonce.0);
        hash.0.update(now.as_micros().to_be_bytes());
        Self(hash.finish())
    }
}

/// SHA-256 over length-prefixed parts, cut to 16 bytes, with a first part that keeps the uses apart.
struct PrefixedHash(Sha256);

impl PrefixedHash {
    fn new(purpose: &[u8]) -> Self {
        let mut hash = Self(Sha256::new());
        hash.bytes(purpose);
        hash
    }

    fn bytes(&mut self, part: &[u8]) {
        self.number(part.len() as u64);
        self.0.update(part);
    }

    fn text(&mut self, part: &str) {
        self.bytes(part.as_bytes());
    }

    fn number(&mut self, n: u64) {
        self.0.update(n.to_be_bytes());
    }

    fn finish(self) -> [u8; 16] {
        let digest: [u8; 32] = self.0.finalize().into();
        let mut id = [0; 16];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_subjects_share_a_limit_id() {
        let ids = [
            LimitId::new("live", &[("key", "k1")], "executions", "month"),
            LimitId::new("test", &[("key", "k1")], "executions", "month"),
            LimitId::new("live", &[("key", "k2")], "executions", "month"),
            LimitId::new("live", &[("ke", "yk1")], "executions", "month"),
            LimitId::new("live", &[("key", "k1")], "execution", "smonth"),
            LimitId::new("live", &[("key", "k1"), ("user", "")], "executions", "month"),
            LimitId::new("live", &[("key", ""), ("k1", "")], "executions", "month"),
            LimitId::new("live", &[], "executions", "month"),
        ];
        for (i, a) in ids.iter().enumerate() {
            for b in ids.iter().skip(i + 1) {
                assert_ne!(a, b);
            }
        }
        assert_eq!(ids[0], LimitId::new("live", &[("key", "k1")], "executions", "month"));
    }

    #[test]
    fn ids_read_back_from_text() {
        let id = OperationId::new("order-17");
        let text = serde_json::to_string(&id).unwrap();
        assert_eq!(text.len(), 34);
        assert_eq!(serde_json::from_str::<OperationId>(&text).unwrap(), id);
        assert!(serde_json::from_str::<OperationId>("\"00\"").is_err());
    }

    #[test]
    fn a_fingerprint_depends_on_limits_and_amounts_alone() {
        let (a, b) = (LimitId::new("", &[], "m", "a"), LimitId::new("", &[], "m", "b"));
        let (one, two) = (Units::ONE, Units::new(2).unwrap());
        assert_eq!(Fingerprint::new(&[(a, one), (b, two)]), Fingerprint::new(&[(b, two), (a, one)]));
        assert_ne!(Fingerprint::new(&[(a, one), (b, two)]), Fingerprint::new(&[(a, two), (b, one)]));
        assert_ne!(Fingerprint::new(&[(a, one)]), Fingerprint::new(&[(a, one), (a, one)]));
    }
}
