//! Makes the content of files that Composer generates below `vendor/`: the autoloader and its class
//! map.

pub mod autoload;
//! Makes the content of files that Composer generates below `vendor/`: the autoloader's class map,
//! and the programs in the bin directory.

pub mod bins;
pub mod classmap;
