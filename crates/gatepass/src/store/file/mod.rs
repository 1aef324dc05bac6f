//! Records in one file, for a program's own few credentials: [`FileStore`].

mod change;
mod disk;
mod document;
mod fault;
mod handle;
mod lock;
#[cfg(test)]
mod tests;

pub use self::handle::FileStore;
