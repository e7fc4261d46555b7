//! Nothing: the tests of this package are in `tests/`, and the cases they compile in `ui/`.
