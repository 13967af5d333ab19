//! Strings and binary data that were checked once: whoever holds one need not check it again.

use core::fmt;
use core::ops::Deref;

use super::rules::{self, Rule};
use super::{Reason, Version, scan, topic};

/// The longest string or binary field: its length is two bytes.
const FIELD_MAX: usize = u16::MAX as usize;

macro_rules! checked_str {
    ($name:ident) => {
        impl<'a> $name<'a> {
            /// The characters.
            #[inline]
            #[must_use]
            pub const fn as_str(self) -> &'a str {
                self.0
            }
        }

        impl Deref for $name<'_> {
            type Target = str;

            #[inline]
            fn deref(&self) -> &str {
                self.0
            }
        }

        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.0, f)
            }
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }
        }
    };
}

/// A string of the protocol: at most 65,535 bytes, no U+0000 \[MQTT3 1.5.3-2, MQTT5 1.5.4-2\]. May be empty.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<'a>(&'a str);

checked_str!(Text);

impl<'a> Text<'a> {
    /// The empty string.
    pub const EMPTY: Self = Self("");

    /// Checks a string.
    ///
    /// # Errors
    /// U+0000, or more than 65,535 bytes \[MQTT5 1.5.4-2\].
    pub fn new(text: &'a str) -> Result<Self, Reason> {
        fits(Version::V5, text.as_bytes())?;
        Self::read(Version::V5, text)
    }

    #[inline]
    pub(crate) fn read(version: Version, text: &'a str) -> Result<Self, Reason> {
        no_nul(version, text)?;
        Ok(Self(text))
    }
}

/// The name of a topic: at least one character, no wildcard, no U+0000 \[MQTT3 4.7.1-1, 4.7.3-1, MQTT5 4.7.0-1, 4.7.3-1\].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName<'a>(&'a str);

checked_str!(TopicName);

impl<'a> TopicName<'a> {
    /// The empty name of a PUBLISH whose topic is given by its Topic Alias; illegal anywhere else \[MQTT5 §3.3.2.1\].
    pub const ALIASED: Self = Self("");

    /// Checks a topic name.
    ///
    /// # Errors
    /// Empty, a wildcard, U+0000, or more than 65,535 bytes \[MQTT5 4.7.3-1, 4.7.0-1, 4.7.3-2, 4.7.3-3\].
    pub fn new(name: &'a str) -> Result<Self, Reason> {
        topic::valid_name(Version::V5, name)?;
        Ok(Self(name))
    }

    /// For a PUBLISH: the empty name is judged later, with the properties at hand.
    #[inline]
    pub(crate) fn read(version: Version, name: &'a str, wildcard: Rule) -> Result<Self, Reason> {
        topic::no_nul_no_wildcard(version, name, wildcard)?;
        Ok(Self(name))
    }
}

/// A topic filter, shared or not: wildcards only where they may stand \[MQTT3 4.7.1-2, 4.7.1-3, MQTT5 4.7.1-1, 4.7.1-2\].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Filter<'a>(&'a str);

checked_str!(Filter);

impl<'a> Filter<'a> {
    /// Checks a filter. `$share/...` has a meaning, and a form, in MQTT 5 only.
    ///
    /// # Errors
    /// What [`topic::valid_filter`] refuses.
    pub fn new(version: Version, filter: &'a str) -> Result<Self, Reason> {
        topic::valid_filter(version, filter)?;
        Ok(Self(filter))
    }

    /// The two parts of `$share/{group}/{filter}`; `None` for a filter that is not shared. Means nothing in 3.1.1.
    #[must_use]
    pub fn share(self) -> Option<Share<'a>> {
        let (group, filter) = self.0.strip_prefix("$share/")?.split_once('/')?;
        Some(Share { group, filter })
    }

    /// The filter that topics are compared with: in MQTT 5 what follows the share name, else all of it.
    #[must_use]
    pub fn for_matching(self, version: Version) -> &'a str {
        match (version, self.share()) {
            (Version::V5, Some(share)) => share.filter,
            _ => self.0,
        }
    }
}

/// A shared subscription \[MQTT5 4.8.2-1, 4.8.2-2\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share<'a> {
    /// The share name: not empty, no `/`, `+` or `#`.
    pub group: &'a str,
    /// The filter that topics are compared with.
    pub filter: &'a str,
}

/// Binary data of at most 65,535 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binary<'a>(&'a [u8]);

impl<'a> Binary<'a> {
    /// No bytes.
    pub const EMPTY: Self = Self(&[]);

    /// Checks the length.
    ///
    /// # Errors
    /// More than 65,535 bytes.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Reason> {
        fits(Version::V5, bytes)?;
        Ok(Self(bytes))
    }

    /// For bytes that came out of a field.
    #[inline]
    pub(crate) const fn trusted(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[inline]
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

impl Deref for Binary<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.0
    }
}

/// At most 65,535 bytes.
pub(crate) fn fits(version: Version, bytes: &[u8]) -> Result<(), Reason> {
    rules::TEXT_TOO_LONG.require(bytes.len() <= FIELD_MAX, version)
}

/// No U+0000.
#[inline]
pub(crate) fn no_nul(version: Version, text: &str) -> Result<(), Reason> {
    rules::NUL_IN_TEXT.require(!scan::has_nul(text.as_bytes()), version)
}
