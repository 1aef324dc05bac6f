use std::{fmt, sync::Arc};

/// What a test wants changed before it leaves. Called under no lock, so that it may ask the server things.
pub(super) struct Hook<T>(Arc<dyn Fn(&mut T) + Send + Sync>);

impl<T> Hook<T> {
    pub(super) fn new(edit: impl Fn(&mut T) + Send + Sync + 'static) -> Self {
        Self(Arc::new(edit))
    }

    pub(super) fn edit(&self, it: &mut T) {
        (self.0)(it);
    }
}

/// Changes nothing.
impl<T> Default for Hook<T> {
    fn default() -> Self {
        Self::new(|_| {})
    }
}

// Derived, it would ask the same of what is changed.
impl<T> Clone for Hook<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Hook<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}
