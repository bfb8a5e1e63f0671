"""The version of the package, its only source: the build reads it from here."""

__version__ = "0.1.0.dev0"
