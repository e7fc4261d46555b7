//! Bytes as hexadecimal digits.

/// Two lower-case digits a byte. Not by `write!`: digests are written for each request.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = Vec::with_capacity(2 * bytes.len());
    for byte in bytes {
        let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
        text.extend_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
    }
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::hex;

    #[test]
    fn each_byte_is_two_digits() {
        assert_eq!(hex(&[0, 1, 0x0f, 0x10, 0xab, 0xff]), "00010f10abff");
        assert_eq!(hex(&[]), "");
        let all: Vec<u8> = (0..=255).collect();
        let written: String = all.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex(&all), written);
    }
}
