//! Names: the first given name and the joined family name.

use crate::NotSubmitted;
use crate::data::{NamePlaceholder, Tables};
use crate::fold::fold;
use crate::row::Name;
use crate::text::{Text, Words};

/// Writes the canonical given and family name.
///
/// # Errors
/// `EmptyName`, `IncompleteName`, `Placeholder`, and those of folding.
pub(crate) fn canonical(tables: &Tables, name: Name<'_>, given: &mut Text, family: &mut Text) -> Result<(), NotSubmitted> {
    given.clear();
    family.clear();
    let mut first = Text::new();
    let mut second = Text::new();
    match name {
        Name::Parts { given: g, family: f, .. } => {
            fold(tables, g, &mut first)?;
            fold(tables, f, &mut second)?;
            let given_words = words(first.as_str())?;
            let family_words = words(second.as_str())?;
            if first.as_str() == "n/a" || second.as_str() == "n/a" {
                return Err(NotSubmitted::Placeholder);
            }
            finish(tables, given_words.as_slice(), family_words.as_slice(), given, family)
        }
        Name::Whole(whole) => {
            fold(tables, whole, &mut first)?;
            let text = first.as_str();
            if text == "n/a" {
                return Err(NotSubmitted::Placeholder);
            }
            let mut segments = text.split(',').filter(|s| !only_suffixes(tables, s));
            let (Some(head), next) = (segments.next(), segments.next()) else {
                return finish(tables, words(text)?.as_slice(), &[], given, family);
            };
            let head = words(head)?;
            match next {
                Some(next) => {
                    let next = words(next)?;
                    finish(tables, next.as_slice(), head.as_slice(), given, family)
                }
                None => natural(tables, head.as_slice(), given, family),
            }
        }
    }
}

/// `Given Middle Family Suffix` in one text.
fn natural(tables: &Tables, words: &[&str], given: &mut Text, family: &mut Text) -> Result<(), NotSubmitted> {
    let words = without_suffixes(tables, without_titles(tables, words));
    if joined_is(tables, words, &[NamePlaceholder::Given, NamePlaceholder::Family]) {
        return Err(NotSubmitted::Placeholder);
    }
    // The last word, and the particles before it, but never the first word.
    let mut start = words.len().saturating_sub(1);
    while start > 1 && words.get(start - 1).is_some_and(|w| tables.particles.contains_key(w)) {
        start -= 1;
    }
    let (g, f) = words.split_at(start);
    // With a single word there is no telling which name it is.
    finish(tables, g, f, given, family)
}

fn finish(tables: &Tables, given_words: &[&str], family_words: &[&str], given: &mut Text, family: &mut Text) -> Result<(), NotSubmitted> {
    if given_words.is_empty() && family_words.is_empty() {
        return Err(NotSubmitted::EmptyName);
    }
    let given_words = without_titles(tables, given_words);
    let family_words = without_suffixes(tables, family_words);
    if let Some(word) = given_words.first() {
        join(given, core::slice::from_ref(word))?;
    }
    let (saint, rest) = match family_words {
        ["st", rest @ ..] if !rest.is_empty() => (true, rest),
        _ => (false, family_words),
    };
    if saint {
        family.push("saint")?;
    }
    join(family, rest)?;
    if let Some(name) = family.as_str().strip_prefix("st")
        && tables.saints.contains_key(name)
    {
        let mut spelt = Text::new();
        spelt.push("saint")?;
        spelt.push(name)?;
        core::mem::swap(family, &mut spelt);
    }
    let is = |text: &str, kind| {
        repeated_x(text) || tables.name_placeholders.get(text).is_some_and(|k| *k == kind || *k == NamePlaceholder::Both)
    };
    if is(given.as_str(), NamePlaceholder::Given)
        || is(family.as_str(), NamePlaceholder::Family)
        || joined_is(tables, given_words, &[NamePlaceholder::Given])
    {
        return Err(NotSubmitted::Placeholder);
    }
    let mut whole = Text::new();
    whole.push_word(given.as_str())?;
    whole.push_word(family.as_str())?;
    if tables.name_placeholders.get(whole.as_str()) == Some(&NamePlaceholder::Whole) {
        return Err(NotSubmitted::Placeholder);
    }
    let lettered = |text: &Text| text.as_bytes().iter().any(u8::is_ascii_lowercase);
    let only_title = tables.titles.contains_key(given.as_str());
    if !lettered(given) || !lettered(family) || only_title {
        return Err(NotSubmitted::IncompleteName);
    }
    given.check_len()?;
    family.check_len()
}

/// Whether the words, joined, are a placeholder of one of `kinds` or of both.
fn joined_is(tables: &Tables, words: &[&str], kinds: &[NamePlaceholder]) -> bool {
    let mut text = Text::new();
    join(&mut text, words).is_ok()
        && tables.name_placeholders.get(text.as_str()).is_some_and(|k| kinds.contains(k) || *k == NamePlaceholder::Both)
}

fn repeated_x(text: &str) -> bool {
    text.len() > 1 && text.bytes().all(|b| b == b'x')
}

/// Appends the words without spaces and hyphens.
fn join(out: &mut Text, words: &[&str]) -> Result<(), NotSubmitted> {
    for b in words.iter().flat_map(|w| w.bytes()).filter(|b| *b != b'-') {
        out.push_byte(b)?;
    }
    Ok(())
}

/// The words of a folded name: hyphens stay inside, everything else separates.
fn words(text: &str) -> Result<Words<'_>, NotSubmitted> {
    let mut words = Words::new();
    for word in text.split([' ', ',', '.', '/', '#']) {
        let word = word.trim_matches('-');
        if !word.is_empty() {
            words.push(word)?;
        }
    }
    Ok(words)
}

fn only_suffixes(tables: &Tables, segment: &str) -> bool {
    words(segment).is_ok_and(|w| w.as_slice().iter().all(|w| tables.suffixes.contains_key(w)))
}

fn without_titles<'w, 'a>(tables: &Tables, mut words: &'w [&'a str]) -> &'w [&'a str] {
    while let [title, rest @ ..] = words
        && !rest.is_empty()
        && tables.titles.contains_key(title)
    {
        words = rest;
    }
    words
}

fn without_suffixes<'w, 'a>(tables: &Tables, mut words: &'w [&'a str]) -> &'w [&'a str] {
    while let [rest @ .., suffix] = words
        && !rest.is_empty()
        && tables.suffixes.contains_key(suffix)
    {
        words = rest;
    }
    words
}
