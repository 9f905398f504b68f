//! Makes the content of files that Composer generates below `vendor/`: the autoloader, its class
//! map, and the programs in the bin directory.

pub mod autoload;
pub mod bins;
pub mod classmap;
