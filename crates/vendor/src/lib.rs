//! The files that Composer generates below `vendor/`: the class map of its autoloader.

pub mod classmap;
