"""What all poolings share: their base class, geometry, options, learned values, random numbers and windows."""
