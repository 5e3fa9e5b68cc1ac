//! The readable side of a signer: like `Debug`, on one line, bounded.

use std::fmt::{self, Write as _};

/// The text stops growing here: it is for messages, not for identity.
const LIMIT: usize = 160;

/// The brackets of the group being written.
#[derive(Clone, Copy, Default)]
pub(super) struct Opened {
    /// Of a struct or variant: which brackets it gets is known with its first item only.
    undecided: bool,
    close: &'static str,
    open: &'static str,
    /// An item was written, so the next needs a comma.
    follows: bool,
}

impl Opened {
    pub(super) fn with(open: &'static str, close: &'static str) -> Opened {
        Opened { undecided: false, open, close, follows: false }
    }

    pub(super) fn later() -> Opened {
        Opened { undecided: true, ..Opened::default() }
    }
}

/// The text, and where in it the next item goes.
#[derive(Default)]
pub(super) struct Text {
    pub(super) buffer: String,
    group: Opened,
    /// After `name: `, where no comma belongs.
    labelled: bool,
    pub(super) silent: bool,
    full: bool,
}

impl Text {
    pub(super) fn value(&mut self, value: fmt::Arguments<'_>) {
        if self.silent || self.full {
            return;
        }
        self.before("(", ")");
        self.put(value);
    }

    pub(super) fn label(&mut self, name: &str) {
        if self.silent || self.full {
            return;
        }
        self.before(" { ", " }");
        self.put(format_args!("{name}: "));
        self.labelled = true;
    }

    fn before(&mut self, open: &'static str, close: &'static str) {
        if self.labelled {
            self.labelled = false;
            return;
        }
        if self.group.undecided {
            self.group = Opened::with(open, close);
            self.put(format_args!("{open}"));
        }
        if self.group.follows {
            self.put(format_args!(", "));
        }
        self.group.follows = true;
    }

    pub(super) fn open(&mut self, opened: Opened) -> Opened {
        if !self.silent && !self.full && !opened.open.is_empty() {
            self.before("(", ")");
            self.put(format_args!("{}", opened.open));
        }
        std::mem::replace(&mut self.group, opened)
    }

    pub(super) fn close(&mut self, outer: Opened) {
        if !self.silent && !self.full {
            let close = self.group.close;
            self.put(format_args!("{close}"));
        }
        self.group = outer;
    }

    fn put(&mut self, text: fmt::Arguments<'_>) {
        if !self.full && Bounded(&mut self.buffer).write_fmt(text).is_err() {
            self.full = true;
            self.buffer.push_str("..");
        }
    }
}

/// Stops formatting at the limit, so that a text of megabytes costs no more than a short one.
struct Bounded<'a>(&'a mut String);

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LIMIT.saturating_sub(self.0.len());
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        let cut = (0..=room).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
        self.0.push_str(&text[..cut]);
        Err(fmt::Error)
    }
}
