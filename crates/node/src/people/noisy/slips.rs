//! Slips of fingers, ears and scanners, on one field each.

use super::draw::Dice;

/// The neighbours of each letter on a keyboard.
const NEIGHBOURS: [&str; 26] = [
    "qwsz", "vghn", "xdfv", "serfcx", "wsdr", "drtgvc", "ftyhbv", "gyujnb", "ujko", "huikmn", "jiolm", "kop", "njk", "bhjm", "iklp", "ol",
    "wa", "edft", "awedxz", "rfgy", "yhji", "cfgb", "qase", "zsdc", "tghu", "asx",
];

/// What a scanner takes for what.
const LOOKS: [(&str, &str); 30] = [
    ("m", "rn"),
    ("rn", "m"),
    ("w", "vv"),
    ("o", "0"),
    ("l", "1"),
    ("l", "|"),
    ("i", "1"),
    ("i", "l"),
    ("s", "5"),
    ("e", "c"),
    ("c", "e"),
    ("h", "b"),
    ("b", "h"),
    ("ri", "n"),
    ("cl", "d"),
    ("d", "cl"),
    ("u", "v"),
    ("v", "y"),
    ("y", "v"),
    ("n", "h"),
    ("g", "q"),
    ("g", "9"),
    ("z", "2"),
    ("b", "8"),
    ("g", "6"),
    ("a", "4"),
    ("t", "f"),
    ("f", "t"),
    ("q", "g"),
    ("li", "h"),
];

/// What an ear takes for what.
const SOUNDS: [(&str, &str); 36] = [
    ("ph", "f"),
    ("f", "ph"),
    ("ck", "k"),
    ("c", "k"),
    ("k", "c"),
    ("y", "i"),
    ("i", "y"),
    ("ie", "y"),
    ("ee", "ea"),
    ("ea", "ee"),
    ("th", "t"),
    ("t", "d"),
    ("d", "t"),
    ("v", "f"),
    ("z", "s"),
    ("s", "z"),
    ("sch", "sh"),
    ("sh", "sch"),
    ("x", "ks"),
    ("ou", "oo"),
    ("ght", "t"),
    ("ll", "l"),
    ("nn", "n"),
    ("ss", "s"),
    ("tt", "t"),
    ("rr", "r"),
    ("mm", "m"),
    ("l", "ll"),
    ("n", "nn"),
    ("er", "ar"),
    ("ar", "er"),
    ("on", "en"),
    ("en", "on"),
    ("ei", "ie"),
    ("w", "wh"),
    ("j", "g"),
];

/// One to three slips on a keyboard: a neighbouring key, a key too many, one too few, two in the wrong order.
pub(super) fn keyboard(text: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for _ in 0..1 + dice.weighted(&[70, 22, 8]) {
        if letters.is_empty() {
            break;
        }
        let at = dice.below(letters.len() as u64) as usize;
        let neighbour = neighbour(letters[at], dice);
        match dice.weighted(&[58, 17, 15, 10]) {
            0 => letters[at] = neighbour,
            1 => letters.insert(at, neighbour),
            2 if letters.len() > 1 => {
                letters.remove(at);
            }
            _ if at + 1 < letters.len() => letters.swap(at, at + 1),
            _ => letters[at] = neighbour,
        }
    }
    // Nothing else than a field that is there.
    letters.into_iter().collect::<String>().trim().to_owned()
}

/// A key beside that of a letter or a digit, in the same case.
fn neighbour(of: char, dice: &mut Dice) -> char {
    let lower = of.to_ascii_lowercase();
    let found = match lower {
        'a'..='z' => {
            let keys: Vec<char> = NEIGHBOURS[(lower as u8 - b'a') as usize].chars().collect();
            dice.pick(&keys)
        }
        '0'..='9' => char::from(b'0' + (lower as u8 - b'0' + [1, 9][dice.below(2) as usize]) % 10),
        // Blanks and signs stay, or come twice.
        _ => lower,
    };
    if of.is_ascii_uppercase() { found.to_ascii_uppercase() } else { found }
}

/// What a scanner makes of it, at one or two places; as it is where nothing can be mistaken.
pub(super) fn scanner(text: &str, dice: &mut Dice) -> String {
    let once = replaced(text, &LOOKS, dice);
    if dice.chance(2_500) { replaced(&once, &LOOKS, dice) } else { once }
}

/// What an ear makes of it, at one place or two; as it is where nothing sounds like anything else.
pub(super) fn ear(text: &str, dice: &mut Dice) -> String {
    let once = replaced(text, &SOUNDS, dice);
    if dice.chance(2_500) { replaced(&once, &SOUNDS, dice) } else { once }
}

fn replaced(text: &str, table: &[(&str, &str)], dice: &mut Dice) -> String {
    // Positions are compared in lower case, which for other letters than ASCII could be of another length.
    let lower = text.to_ascii_lowercase();
    let first = dice.below(table.len() as u64) as usize;
    for step in 0..table.len() {
        let (from, to) = table[(first + step) % table.len()];
        let places: Vec<usize> = lower.match_indices(from).map(|(at, _)| at).collect();
        if places.is_empty() {
            continue;
        }
        let at = dice.pick(&places);
        let is_upper = text[at..].chars().next().is_some_and(|c| c.is_ascii_uppercase());
        let mut to = to.to_owned();
        if is_upper {
            to[..1].make_ascii_uppercase();
        }
        return format!("{}{to}{}", &text[..at], &text[at + from.len()..]);
    }
    text.to_owned()
}

/// A number with a digit that is another, sometimes two; as it is where it has none.
pub(super) fn digits(text: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let places: Vec<usize> = (0..letters.len()).filter(|i| letters[*i].is_ascii_digit()).collect();
    for _ in 0..1 + dice.weighted(&[92, 8]) {
        if places.is_empty() {
            break;
        }
        let at = dice.pick(&places);
        let digit = letters[at] as u8 - b'0';
        // No number begins with a zero that had none.
        let low = u64::from(at == places[0] && digit != 0);
        let mut other = dice.within(low, 9) as u8;
        other += u8::from(other >= digit);
        letters[at] = char::from(b'0' + other.min(9));
    }
    letters.into_iter().collect()
}

/// Two digits beside each other in the wrong order; as it is where it has no two.
pub(super) fn swapped(text: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let places: Vec<usize> = (1..letters.len()).filter(|i| letters[*i].is_ascii_digit() && letters[i - 1].is_ascii_digit()).collect();
    if !places.is_empty() {
        let at = dice.pick(&places);
        letters.swap(at - 1, at);
    }
    letters.into_iter().collect()
}

/// A number in which a scanner took a digit for a letter.
pub(super) fn digit_as_letter(text: &str, dice: &mut Dice) -> String {
    const LETTERS: [(char, char); 7] = [('0', 'o'), ('1', 'l'), ('1', '|'), ('5', 's'), ('6', 'g'), ('2', 'z'), ('8', 'b')];
    let (digit, letter) = dice.pick(&LETTERS);
    text.replacen(digit, &letter.to_string(), 1)
}

#[cfg(test)]
mod tests {
    use super::super::draw::{For, Seed};
    use super::*;

    #[test]
    fn slips_change_little_and_leave_no_field_empty() {
        let mut dice = Seed::new(1).dice(For::PairNoise, 0);
        for text in ["a", "Ng", "Nguyễn", "O'Brien", "De La Cruz", "123rd", "simms-fairfield rd"] {
            for _ in 0..300 {
                for slip in [keyboard, scanner, ear, digits, swapped, digit_as_letter] {
                    let changed = slip(text, &mut dice);
                    assert!(!changed.is_empty() && !changed.contains(char::is_control), "{text}");
                    assert!(changed.chars().count().abs_diff(text.chars().count()) <= 4, "{text}: {changed}");
                }
            }
        }
    }

    #[test]
    fn every_slip_slips() {
        let mut dice = Seed::new(2).dice(For::PairNoise, 0);
        for (slip, text) in [
            (keyboard as fn(&str, &mut Dice) -> String, "maple"),
            (scanner, "maple"),
            (ear, "maple"),
            (digits, "1072"),
            (swapped, "1072"),
            (digit_as_letter, "1256"),
        ] {
            assert!((0..100).filter(|_| slip(text, &mut dice) != text).count() > 50, "{text}");
        }
        assert!((0..1_000).all(|_| !digits("1072", &mut dice).starts_with('0')));
    }
}
