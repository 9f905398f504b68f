<?php

// Read, never run: what a class-map-generator finds here tells how it takes a backslash before a keyword.

namespace Probe;

use Some\Class as Alias;

class Declared
{
}
