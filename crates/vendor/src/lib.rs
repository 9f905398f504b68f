//! Makes the content of files that Composer generates below `vendor/`: the autoloader and its class
//! map.

pub mod autoload;
pub mod classmap;
