"""Networks of the zoo, one a file, and the registry of backbones."""
