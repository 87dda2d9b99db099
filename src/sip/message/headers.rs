//! [`Headers`]: the header lines of a message, in order (RFC 3261 section 7.3).

use std::fmt;

use super::wire::split_outside;

/// Header lines in order. Names are compared without case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub(super) Vec<(String, String)>);

impl Headers {
    /// The first value line of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Every line of this name, as written.
    pub fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Every value of this name, several on one line taken apart. For headers that are lists; not for `Subject` or dates.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines(name).flat_map(|line| split_outside(line, ','))
    }

    /// Adds a line at the end. Line ends in `value` are dropped, so that nothing can be smuggled into a message.
    pub fn push(&mut self, name: &str, value: impl fmt::Display) {
        self.0.push((name.to_owned(), clean(value.to_string())));
    }

    /// Adds a line at the front.
    pub fn push_front(&mut self, name: &str, value: impl fmt::Display) {
        self.0.insert(0, (name.to_owned(), clean(value.to_string())));
    }

    /// Replaces the first value of this name, and leaves further values of the same line where they are.
    pub fn replace_first(&mut self, name: &str, value: impl fmt::Display) {
        if let Some((_, line)) = self.0.iter_mut().find(|(given, _)| given.eq_ignore_ascii_case(name)) {
            let mut values: Vec<String> = split_outside(line, ',').map(str::to_owned).collect();
            if let Some(first) = values.first_mut() {
                *first = clean(value.to_string());
            }
            *line = values.join(", ");
        }
    }

    /// All lines.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

pub(super) fn clean(value: String) -> String {
    if value.contains(['\r', '\n', '\0']) { value.replace(['\r', '\n', '\0'], " ") } else { value }
}
