//! The checksum at the end of a key: what keeps typing errors and garbage away from the store.

/// What follows the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Checksum {
    /// Nothing.
    #[default]
    None,
    /// The CRC-32 (IEEE) of prefix and body in 6 base62 digits (`0-9A-Za-z`), highest first, zero-padded.
    Crc32,
}

/// 62^6 is more than 2^32, 62^5 is not.
const CRC_DIGITS: usize = 6;

impl Checksum {
    pub(super) const fn length(self) -> usize {
        match self {
            Self::None => 0,
            Self::Crc32 => CRC_DIGITS,
        }
    }

    /// Appends the checksum of all that `text` holds.
    pub(super) fn append_to(self, text: &mut String) {
        match self {
            Self::None => {}
            Self::Crc32 => text.extend(crc_digits(crc32fast::hash(text.as_bytes())).map(char::from)),
        }
    }

    /// Whether `digits` is the checksum of `checked`, to the byte.
    #[inline]
    pub(super) fn fits(self, checked: &[u8], digits: &[u8]) -> bool {
        match self {
            Self::None => digits.is_empty(),
            Self::Crc32 => crc_value(digits) == Some(crc32fast::hash(checked)),
        }
    }
}

fn crc_digits(crc: u32) -> [u8; CRC_DIGITS] {
    let mut digits = [0; CRC_DIGITS];
    let mut rest = crc;
    for digit in digits.iter_mut().rev() {
        *digit = match (rest % 62) as u8 {
            value @ 0..10 => b'0' + value,
            value @ 10..36 => b'A' + value - 10,
            value => b'a' + value - 36,
        };
        rest /= 62;
    }
    digits
}

/// The value of six base62 digits; `None` for any other text and for more than a CRC can be.
#[inline]
fn crc_value(digits: &[u8]) -> Option<u32> {
    let digits: [u8; CRC_DIGITS] = digits.try_into().ok()?;
    let [a, b, c, d, e, f] = digits.map(|byte| VALUES.get(usize::from(byte)).copied().unwrap_or(NO_DIGIT));
    let highest = a.max(b).max(c).max(d).max(e).max(f);
    // In pairs: the multiplications of one long chain would wait for each other.
    let pair = |high: u8, low: u8| u64::from(high) * 62 + u64::from(low);
    let value = pair(a, b) * 62_u64.pow(4) + pair(c, d) * 62_u64.pow(2) + pair(e, f);
    if highest == NO_DIGIT {
        return None;
    }
    u32::try_from(value).ok()
}

const NO_DIGIT: u8 = 255;

/// The value of each base62 digit.
static VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bound")]
        let value = &mut values[byte];
        *value = match byte as u8 {
            b @ b'0'..=b'9' => b - b'0',
            b @ b'A'..=b'Z' => b - b'A' + 10,
            b @ b'a'..=b'z' => b - b'a' + 36,
            _ => NO_DIGIT,
        };
        byte += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_base62_highest_first_and_padded() {
        let cases = [
            (0, "000000"),
            (1, "000001"),
            (10, "00000A"),
            (61, "00000z"),
            (62, "000010"),
            (0xcbf4_3926, "3jZRME"),
            (u32::MAX, "4gfFC3"),
        ];
        for (crc, digits) in cases {
            assert_eq!(std::str::from_utf8(&crc_digits(crc)).unwrap(), digits);
            assert_eq!(crc_value(digits.as_bytes()), Some(crc), "{digits}");
        }
    }

    #[test]
    fn other_digits_have_no_value() {
        for digits in ["", "00000", "0000000", "4gfFC4", "zzzzzz", "00000-", "00000é", "0000 0", "+00000"] {
            assert_eq!(crc_value(digits.as_bytes()), None, "{digits}");
        }
    }

    #[test]
    fn the_polynomial_is_that_of_ieee_802_3() {
        let mut text = String::from("123456789");
        Checksum::Crc32.append_to(&mut text);
        // The check value of CRC-32/ISO-HDLC is cbf43926.
        assert_eq!(text, "1234567893jZRME");
        assert!(Checksum::Crc32.fits(b"123456789", b"3jZRME"));
        assert!(!Checksum::None.fits(b"123456789", b"3jZRME") && Checksum::None.fits(b"123456789", b""));
    }
}
