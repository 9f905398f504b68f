//! Makes the content of files that Composer generates below `vendor/`: the autoloader's class map.

pub mod classmap;
