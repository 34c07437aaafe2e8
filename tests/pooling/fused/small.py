"""A library that compiles in a moment, with the functions of a kernel."""

SOURCE = "int forward(void) { return 41; }\nint backward(void) { return 42; }\nint probe(void) { return 1; }\n"
PLANTED = SOURCE.replace("41", "666")
